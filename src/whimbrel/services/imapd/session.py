"""One IMAP connection as its command handlers see it: ports, account, selected mailbox, and ways to answer."""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from whimbrel.backends.net.driver import Connection
from whimbrel.core.clock import Clock
from whimbrel.core.commit import Commit
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Changes, Delta, FolderRef, Folders, Limit, Messages, Usage
from whimbrel.core.pool import Pool
from whimbrel.core.quota import Quotas, limit_of
from whimbrel.core.space import Space
from whimbrel.core.spool import Spool
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import encode, responses
from whimbrel.protocols.imap.engine import Done, Event, Reply, Speak, Status, Untagged
from whimbrel.protocols.imap.grammar import Arguments
from whimbrel.protocols.imap.mode import PLAIN, mode_of
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.settings import ImapSettings
from whimbrel.services.imapd.shared_watch import SharedWatches
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.identities import SignedIn, SignedOut
from whimbrel.services.session.namespaces import Mailbox, Mailboxes, Right
from whimbrel.services.session.peer import SessionPeer
from whimbrel.services.session.settings import SecuritySettings


@dataclass(frozen=True, slots=True)
class Ports:
    """What IMAP needs of the house."""

    folders: Folders
    messages: Messages
    changes: Changes
    spool: Spool
    commit: Commit
    pool: Pool
    config: ConfigStore
    sign_in: Authenticator
    clock: Clock
    tls: Callable[[], ssl.SSLContext | None]
    watches: SharedWatches
    offered: "Offered"
    space: Space | None = None
    """Without it there always is room."""
    quotas: Quotas | None = None
    """Without it only accounts have limits, domains none."""


ACCOUNT_ROOT, DOMAIN_ROOT = b"account", b"domain"
"""Quota roots. RFC 9208 3.1"""
PROGRESS = 10.0
"""Seconds between two words about a long command."""


class Observer(Protocol):
    """What the client asked to be notified of (NOTIFY)."""

    @property
    def silent(self) -> bool:
        """Nothing is reported of messages in the selected mailbox. RFC 5465 3.1"""
        ...

    @property
    def flags(self) -> bool:
        """Changed flags in the selected mailbox are reported."""
        ...

    async def arrived(self, uids: Sequence[int]) -> None:
        """New messages in the selected mailbox were reported."""
        ...

    async def report(self) -> None:
        """Reports what changed in other mailboxes, and in the list of them."""
        ...

    async def push(self) -> None:
        """No command is in progress: reports what may be reported now."""
        ...

    def close(self) -> None: ...


class Offered(Protocol):
    """What the service offers, all parts of it together (`offer.Offered`)."""

    fixed: tuple[bytes, ...]
    """Capabilities that are had at any time: asked for twice by each client that signs in, so made once."""
    enable: frozenset[bytes]
    """What ENABLE switches on, in capitals."""

    def capabilities(self, session: "Session") -> Iterable[bytes]:
        """All that can be had now, IMAP4rev1 first."""
        ...


class Session:
    """Owned by the connection's task; handlers get it with each command."""

    __slots__ = (
        "connection", "enabled", "failed_sign_ins", "id", "leaving", "log", "mode", "observer", "ports",
        "resting", "selected", "service", "signed", "silent_until", "tag",
    )  # fmt: skip

    def __init__(
        self,
        ports: Ports,
        connection: Connection[Event, Reply],
        *,
        service: str,
        session_id: str,
        log: Log,
    ) -> None:
        self.ports, self.connection = ports, connection
        self.service, self.id, self.log = service, session_id, log
        self.signed: SignedIn | None = None
        self.selected: Selected | None = None
        self.tag = b""
        """Of the command in progress. RFC 4466 2.6.2: an ESEARCH response names it."""
        self.enabled: frozenset[bytes] = frozenset()
        """Extensions switched on by ENABLE, in capitals. RFC 5161"""
        self.mode = PLAIN
        """What follows from `enabled`."""
        self.observer: Observer | None = None
        """NOTIFY was asked for. RFC 5465"""
        self.silent_until = 0.0
        """When the command in progress says how far it has come."""
        self.failed_sign_ins = 0
        self.leaving = self.resting = False
        """`leaving`: LOGOUT was asked for, or BYE was said, so the connection ends after this command. `resting`: the
        client has had all answers, and is waited for."""

    @property
    def account(self) -> Account | None:
        """Who is signed in, as the directory has the account now."""
        return None if self.signed is None else self.signed.account

    async def renew(self, signed: SignedIn) -> None:
        """The directory changed: the account as it is now, or the end of the session."""
        try:
            await signed.renew()
        except SignedOut as reason:
            self.log.info("signin.ended", reason=str(reason))
            await self.bye("Your sign-in is not valid any more")

    @property
    def settings(self) -> ImapSettings:
        return self.ports.config.section(ImapSettings)

    @property
    def peer(self) -> SessionPeer:
        """The other end, as it is now (TLS may have begun)."""
        connection = self.connection
        return SessionPeer(
            self.service, connection.peer[0], connection.tls is not None, self.id, connection.channel_binding
        )

    @property
    def security(self) -> SecuritySettings:
        return self.ports.config.section(SecuritySettings)

    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms that may be used as the connection is now."""
        return tuple(self.ports.sign_in.offered(self.peer))

    @property
    def mailboxes(self) -> Mailboxes:
        """What the signed-in user sees, by name."""
        if self.account is None:
            raise RuntimeError("nobody is signed in")
        return Mailboxes(self.ports.folders, self.account.id)

    @property
    def view(self) -> Selected:
        """The selected mailbox."""
        if self.selected is None:
            raise RuntimeError("no mailbox is selected")
        return self.selected

    def capabilities(self) -> bytes:
        """All that can be had now, IMAP4rev1 first."""
        return b" ".join(self.ports.offered.capabilities(self))

    async def enable(self, names: Iterable[bytes]) -> None:
        """Switches extensions on, by their names in capitals. RFC 5161 3.1, RFC 7162 3.1"""
        enabled = self.enabled.union(names)
        if enabled == self.enabled:
            return
        before, self.enabled, self.mode = self.mode, enabled, mode_of(enabled)
        await self.connection.send(Speak(self.mode))
        view = self.selected
        if view is not None:
            view.mode = self.mode
            if self.mode.condstore and not before.condstore:
                # RFC 7162 3.1: once for the mailbox that is selected already.
                await self.untagged(responses.ok(b"HIGHESTMODSEQ %d" % view.modseq, "Modseqs are told from now on"))

    def forget(self) -> None:
        """Nobody is signed in any more. RFC 8437 3"""
        self.leave()
        if self.observer is not None:
            self.observer.close()
        if self.signed is not None:
            self.signed.close()
        self.observer = self.signed = None
        self.connection.user = ""
        self.enabled, self.mode = frozenset(), PLAIN

    def mailbox(self, name: str) -> bytes:
        """A mailbox name as this client reads it."""
        return encode.mailbox(name, utf8=self.mode.utf8)

    # Answering

    async def untagged(self, data: bytes) -> None:
        await self.connection.send(Untagged(data))

    async def write(self, data: bytes) -> None:
        """Whole responses, as they go on the wire."""
        await self.connection.send_bytes(data)

    async def bye(self, text: str) -> None:
        """Nothing but the tagged response of the command in progress comes after it: what happens in a mailbox is no
        longer reported. RFC 3501 7.1.5"""
        self.leave()
        if self.observer is not None:
            self.observer.close()
            self.observer = None
        await self.untagged(responses.bye(text))
        self.leaving = True

    async def progress(self, done: int, total: int) -> None:
        """Between two responses of a long command: others have their turn, and a client that waits for long hears
        how far it has come. RFC 9585 3"""
        now = self.ports.clock.monotonic()
        if now >= self.silent_until:
            self.silent_until = now + PROGRESS
            await self.untagged(responses.in_progress(self.tag, done, total))
            self.connection.flush()
        await asyncio.sleep(0)

    # The selected mailbox

    @property
    def hears(self) -> bool:
        """What others do in the selected mailbox is reported, unless the client said by NOTIFY that it is not."""
        return self.observer is None or not self.observer.silent

    def leave(self) -> None:
        """No mailbox is selected any more."""
        if self.selected is not None:
            self.selected.close()
            self.selected = None

    async def sync(self, *, expunge: bool, always: bool = False, uid: bool = False) -> None:
        """Sends what changed in the selected mailbox since the client last heard of it; `always`: whether hinted or
        not; `uid`: with the UID of each message (RFC 3501 6.4.8)."""
        view = self.selected
        if view is None or not (always or view.hints.stale or (expunge and view.pending)):
            return
        try:
            observer = self.observer
            flags = observer is None or observer.flags
            news, new = await view.news(
                self.ports.messages, self.ports.folders, expunge=expunge, flags=flags, uid=uid or observer is not None
            )
            await self.write(news)
            if view.pending and self.mode.qresync:
                # RFC 7162 6: else the client takes the MODSEQs it saw for the state of the mailbox, comes back with the
                # highest of them, and never hears what is gone.
                await self.untagged(responses.ok(b"HIGHESTMODSEQ %d" % view.complete, "Not all is told yet"))
            if new and observer is not None:
                await observer.arrived(new)
        except MailboxError as error:
            if error.condition is not Condition.NONEXISTENT:
                raise
            # RFC 2180 3.3: the mailbox is gone, and with it every number the client knows.
            await self.bye("Selected mailbox was deleted")

    # While the client idles: `shared_watch.Listener`

    @property
    def modseq(self) -> int:
        return self.view.modseq

    @property
    def claiming(self) -> bool:
        return self.view.claiming

    def push(self, delta: Delta, *, claimed: bool) -> bool:
        if not self.connection.clear:
            return False
        news = self.view.shared_news(delta, claimed=claimed)
        if news is None:
            return False
        if news:
            self.connection.push(news)
        return True

    async def named(self, name: str, rights: Right, *, target: bool = False) -> Mailbox:
        """The mailbox called `name`, with at least these rights. NONEXISTENT, NOPERM; `target`: it would be made first
        (TRYCREATE)."""
        mailbox = await self.mailboxes.find(name)
        if mailbox is None:
            raise NoFolder(try_create=target)
        if not mailbox.selectable:
            raise MailboxError(Condition.CANNOT, "Only has folders below it")
        return mailbox.demand(rights)

    def check_room(self) -> None:
        """UNAVAILABLE while the server's disk is full. RFC 5530 3"""
        space = self.ports.space
        if space is not None and not space.accepting():
            raise MailboxError(Condition.UNAVAILABLE, "The server has no room on its disk, try again later")

    @property
    def limit(self) -> Limit | None:
        """What the account may hold, for the store to keep to. None: it has no limit."""
        return None if self.account is None else limit_of(self.account) or None

    async def check_quota(self, size: int, messages: int = 1) -> None:
        """OVERQUOTA if so much more does not fit into the account; UNAVAILABLE if it does not fit on the disk."""
        self.check_room()
        for limit, usage in (await self.quotas()).values():
            if limit.exceeded(usage, size, messages):
                raise MailboxError(Condition.OVERQUOTA, "Mailbox is full")

    async def quotas(self) -> dict[bytes, tuple[Limit, Usage]]:
        """What there are limits for, and what it holds, by quota root: the account, and its domain once counted."""
        account, quotas = self.account, dict[bytes, tuple[Limit, Usage]]()
        if account is None:
            return quotas
        if limit := limit_of(account):
            quotas[ACCOUNT_ROOT] = limit, await self.ports.folders.usage(account.id)
        if self.ports.quotas is not None:
            domain = await self.ports.quotas.domain(account.address.domain)
            if domain is not None and domain.usage is not None:
                quotas[DOMAIN_ROOT] = domain.limit, domain.usage
        return quotas

    def report_unreadable(self, ref: FolderRef, uids: Sequence[int]) -> None:
        """To the log: messages whose content could not be read."""
        if uids:
            self.log.warning("imap.unreadable", uids=str(UidSet.of(sorted(uids))), mailbox=ref.mailbox)

    def changed(self, folder: Mailbox) -> None:
        """We changed `folder` ourselves: if it is selected, its changes are reported with this command."""
        if self.selected is not None and self.selected.ref == folder.ref:
            self.selected.hints.stale = True


class NoFolder(MailboxError):
    """`try_create`: RFC 3501 7.1, the client may CREATE it and try again."""

    def __init__(self, *, try_create: bool) -> None:
        super().__init__(Condition.NONEXISTENT, "No such mailbox")
        self.try_create = try_create


def done(arguments: Arguments, code: bytes = b"", text: str = "") -> Done:
    """OK."""
    return Done(Status.OK, text or f"{type(arguments).__name__} completed", code)


def refusal(code: bytes, text: str) -> Done:
    """NO."""
    return Done(Status.NO, text, code)
