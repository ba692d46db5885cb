"""What every process of the server works with: ports by their protocols, each opened when it is first asked for.

`app/wiring.py` alone knows the backend behind each. A process, a service or a job is given a `House` and takes what it
needs; what it does not ask for is never opened.
"""

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from whimbrel.app.place import Place
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.commit import Commit
from whimbrel.core.config import ConfigEditor
from whimbrel.core.connections import Connections
from whimbrel.core.directory import Directory, DirectoryEditor
from whimbrel.core.intents import Intents
from whimbrel.core.live import Answers
from whimbrel.core.log import Log, LogSource
from whimbrel.core.mailbox import Changes, Folders, Messages
from whimbrel.core.mailboxes import Mailboxes
from whimbrel.core.net import Connector, OwnCertificates, Records, Resolver
from whimbrel.core.notices import Notices
from whimbrel.core.password_links import PasswordLinkStore
from whimbrel.core.pool import Pool
from whimbrel.core.queue import Queue
from whimbrel.core.quota import Quotas
from whimbrel.core.signing import KeyRing
from whimbrel.core.space import Space
from whimbrel.core.spool import Spool
from whimbrel.core.state import Counters, State
from whimbrel.core.statistics import Statistics
from whimbrel.core.stats import Tally
from whimbrel.core.store_move import StoreMover
from whimbrel.core.tasks import Tasks
from whimbrel.core.tokens import TokenStore
from whimbrel.core.undelete import Undelete
from whimbrel.flow.intake.reception import Reception
from whimbrel.services.admin.ports import ConfigFiles, StoreKeeper
from whimbrel.services.alerts.teller import Webhooks
from whimbrel.services.health.check import Machine
from whimbrel.services.jobs.ports import Certificates, LogRotation, Maintenance, Purging, Room
from whimbrel.services.peers.ports import Asker
from whimbrel.services.probing.ports import Dialler
from whimbrel.services.session.authenticator import Authenticator

T = TypeVar("T")


class Places(Protocol):
    """Where the files of the installation are."""

    @property
    def run(self) -> Path:
        """Sockets and state of the running server."""
        ...

    @property
    def admin_socket(self) -> Path: ...
    @property
    def console_socket(self) -> Path:
        """Where the web workers pass on what consoles ask."""
        ...

    @property
    def public_id(self) -> str:
        """By which it is told from other installations; it says nothing else of it, and stays."""
        ...


class RoomWatch(Space, Protocol):
    """The Space port, and what it looked at."""

    @property
    def room(self) -> Room: ...


class TlsCertificates(Certificates, OwnCertificates, Protocol):
    """What this server shows to its clients."""

    def offer(self, *protocols: str) -> None:
        """What ALPN may choose for connections accepted by this process, the best first. RFC 7301"""
        ...

    def server_context(self) -> ssl.SSLContext | None:
        """The context for a connection accepted now. None: there is no certificate that can be used; it is logged."""
        ...


class Keeper(StoreKeeper, Maintenance, Protocol):
    """StoreKeeper, and the round that looks after every folder."""


class KeptStatistics(Statistics, Protocol):
    """Statistics, and what keeps them."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """They are kept while the block runs."""
        ...


class Supervision(Protocol):
    """What control asks of the zygote, and hears from it."""

    @property
    def state(self) -> Mapping[str, Any]:
        """How the services stand: `services` (name -> addresses), `refused`, `overrides`."""
        ...

    async def listen(
        self, wanted: Mapping[str, Sequence[Place]], *, end: Collection[str], overrides: Mapping[str, bool]
    ) -> None:
        """These services listen at these addresses from now on, in all their processes; the sessions of those in
        `end` end. `state` tells how that went. OSError: the zygote does not answer."""
        ...

    async def connections(self) -> Mapping[str, int]:
        """By service, over all processes. OSError."""
        ...

    def restart(self) -> None:
        """The whole server ends as at a stop, and starts anew; its sockets stay open meanwhile."""
        ...


class House(Protocol):
    """The ports as one process has them."""

    @property
    def title(self) -> str:
        """Of this process, such as `mail/1`."""
        ...

    @property
    def places(self) -> Places: ...
    @property
    def tally(self) -> Tally: ...
    @property
    def answers(self) -> Answers:
        """What this process tells the others when they ask."""
        ...

    @property
    def config(self) -> ConfigEditor: ...
    @property
    def log(self) -> Log: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def pool(self) -> Pool: ...
    @property
    def patient_pool(self) -> Pool:
        """A few threads of its own, for what may hang: nothing else waits for them."""
        ...

    @property
    def notices(self) -> Notices: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def folders(self) -> Folders: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def changes(self) -> Changes: ...
    @property
    def commit(self) -> Commit: ...
    @property
    def spool(self) -> Spool: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def state(self) -> State: ...
    @property
    def space(self) -> RoomWatch: ...
    @property
    def quotas(self) -> Quotas: ...
    @property
    def reception(self) -> Reception: ...
    @property
    def sign_in(self) -> Authenticator: ...
    @property
    def tls(self) -> TlsCertificates: ...
    @property
    def resolver(self) -> Resolver: ...
    @property
    def connector(self) -> Connector: ...
    @property
    def records(self) -> Records: ...
    @property
    def dialler(self) -> Dialler: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def asker(self) -> Asker: ...

    # For control

    @property
    def supervision(self) -> Supervision: ...

    @property
    def editor(self) -> DirectoryEditor:
        """Opened by its first use: that makes users.idx what users.cfg says. ConfigError."""
        ...

    @property
    def files(self) -> ConfigFiles: ...
    @property
    def machine(self) -> Machine: ...
    @property
    def keeper(self) -> Keeper: ...
    @property
    def mover(self) -> StoreMover: ...
    @property
    def undelete(self) -> Undelete: ...
    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def intents(self) -> Intents: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def keys(self) -> KeyRing: ...
    @property
    def password_links(self) -> PasswordLinkStore: ...
    @property
    def purger(self) -> Purging: ...
    @property
    def logs(self) -> LogSource: ...
    @property
    def rotation(self) -> LogRotation: ...
    @property
    def tasks(self) -> Tasks:
        """Deliveries under way in all processes."""
        ...

    @property
    def statistics(self) -> KeptStatistics: ...

    @property
    def connections(self) -> Connections:
        """Those of all processes."""
        ...

    async def recover_queue(self) -> int:
        """Puts the queue right after an unclean stop; for the one process that sends. How many entries."""
        ...

    async def check_formats(self) -> None:
        """Refuses data of a newer release now rather than at its first use. NewerFormat, OSError."""
        ...

    def shared(self, make: "Callable[[House], T]") -> T:
        """What `make` gives; made once in a process, when it is first asked for."""
        ...
