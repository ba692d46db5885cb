"""What a session needs of the other rooms: the one way of a message, and the ports of the session itself."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from whimbrel.core.address import ReversePath
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account, Directory
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.core.intake import Client, Origin
from whimbrel.core.log import Log
from whimbrel.core.spool import Spooled, SpoolWriter
from whimbrel.flow.assessment import Assessment
from whimbrel.flow.transaction import Answers, Result, Transaction
from whimbrel.services.session.authenticator import Authenticator


class Reception(Protocol):
    """The one way of a message, step by step. Each step raises MailError to refuse."""

    async def connect(self, origin: Origin, client: Client) -> Assessment | None:
        """What filters said of the client; None: nothing."""
        ...

    async def helo(self, origin: Origin, client: Client, before: Assessment | None) -> Assessment | None:
        """`before` is that of `connect`; with it, what filters said of the client's name."""
        ...

    async def mail(
        self,
        origin: Origin,
        client: Client,
        account: Account | None,
        sender: ReversePath,
        options: MailOptions,
        answers: Answers,
        known: Assessment | None,
    ) -> Transaction:
        """`known` is that of `helo`, or `connect`."""
        ...

    async def rcpt(self, tx: Transaction, recipient: Recipient) -> None: ...

    def data(self, tx: Transaction) -> SpoolWriter: ...

    async def complete(self, tx: Transaction, content: Spooled) -> Result:
        """Returns only when what it accepted is durable. MailError: refused for all. The caller closes `content`."""
        ...

    async def unanswered(self, tx: Transaction) -> None:
        """The client was gone before it got the answer of `complete`: it will send the message again. RFC 1047

        Only where all recipients were taken. The content must be open still."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What all sessions share."""

    reception: Reception
    directory: Directory
    config: ConfigStore
    sign_in: Authenticator
    log: Log
    clock: Clock
    ids: Ids
    tls: Callable[[], ssl.SSLContext | None]
