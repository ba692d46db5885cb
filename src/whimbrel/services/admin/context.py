"""What an admin call works with: ports, given by the running server or by the command line without one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from whimbrel.core.rights import Right
from whimbrel.services.admin.caller import LOCAL
from whimbrel.services.admin.caller import Caller as Caller
from whimbrel.services.admin.calls import CallError, Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from whimbrel.core.address import Domain
    from whimbrel.core.clock import Clock
    from whimbrel.core.config import ConfigEditor
    from whimbrel.core.connections import Connections
    from whimbrel.core.credentials.stored import StoredPassword
    from whimbrel.core.directory import Directory, DirectoryEditor
    from whimbrel.core.intents import Intents
    from whimbrel.core.log import Log, LogSource
    from whimbrel.core.mailbox import Folders, Messages
    from whimbrel.core.mailboxes import Mailboxes
    from whimbrel.core.net import Resolver
    from whimbrel.core.password_links import PasswordLinkStore
    from whimbrel.core.queue import Queue
    from whimbrel.core.quota import Quotas
    from whimbrel.core.signing import KeyRing
    from whimbrel.core.state import Counters, State
    from whimbrel.core.statistics import Statistics
    from whimbrel.core.store_move import StoreMover
    from whimbrel.core.tasks import Tasks
    from whimbrel.core.tokens import TokenStore
    from whimbrel.core.undelete import Undelete
    from whimbrel.core.values import Secret
    from whimbrel.services.admin.ports import ConfigFiles, Jobs, ServerStatus, ServiceSwitch, StoreKeeper
    from whimbrel.services.admin.server.operations import Operations
    from whimbrel.services.alerts.owner import AlertOwner
    from whimbrel.services.console.sessions import Sessions
    from whimbrel.services.health.board import Board
    from whimbrel.services.peers.ports import Asker
    from whimbrel.services.peers.watch import PeerWatch
    from whimbrel.services.probing.ports import Probes

P = TypeVar("P")


def _lock() -> AbstractAsyncContextManager[None]:
    import asyncio  # Here: the command line's client needs it not.

    return asyncio.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminContext:
    """The ports. Those that may be None exist in a running server only, or where their part is not built in."""

    config: ConfigEditor
    editor: DirectoryEditor
    directory: Directory
    clock: Clock
    log: Log
    make_password: Callable[[Secret], Awaitable[StoredPassword]]
    """Makes what is stored of a password."""
    queue: Queue | None = None
    tasks: Tasks | None = None
    connections: Connections | None = None
    statistics: Statistics | None = None
    folders: Folders | None = None
    messages: Messages | None = None
    quotas: Quotas | None = None
    state: State | None = None
    counters: Counters | None = None
    store: StoreKeeper | None = None
    mover: StoreMover | None = None
    undelete: Undelete | None = None
    mailboxes: Mailboxes | None = None
    intents: Intents | None = None
    tokens: TokenStore | None = None
    keys: KeyRing | None = None
    """Of DKIM."""
    resolver: Resolver | None = None
    password_links: PasswordLinkStore | None = None
    sessions: Sessions | None = None
    """Of the console."""
    logs: LogSource | None = None
    files: ConfigFiles | None = None
    status: ServerStatus | None = None
    services: ServiceSwitch | None = None
    jobs: Jobs | None = None
    operations: Operations | None = None
    health: Board | None = None
    probes: Probes | None = None
    alerts: AlertOwner | None = None
    peers: PeerWatch | None = None
    asker: Asker | None = None
    rename_domain: Callable[[str, str], Awaitable[None]] | None = None
    """Given while no server runs: the mail moves with the name."""
    live: bool = False
    """A server runs and this is it."""
    caller: Caller = LOCAL
    dry_run: bool = False
    """Check everything, change nothing."""
    confirmed: str = ""
    """The words that the caller typed to confirm something dangerous."""
    seen: str = ""
    """The version of the record that the caller has seen; empty: any. RFC 9110 13.1.1 (If-Match)"""
    warnings: list[str] = field(default_factory=list)
    """What a person must know beside the result; `warn` adds to it, and it comes back in the answer."""
    change: str = ""
    """The id under which the config log has what this call changes (`audit.py`)."""
    recorded: list[str] = field(default_factory=list)
    """That id, once something was changed."""
    right: Right = Right.SERVER_WRITE
    """By which right the call is made."""
    reads: bool = False
    """The call changes nothing."""
    versions: AbstractAsyncContextManager[None] = field(default_factory=_lock)
    """Held from the comparison of a version to the end of the change."""

    def request(self, caller: Caller, *, dry_run: bool = False, confirmed: str = "", seen: str = "") -> AdminContext:
        """For one call."""
        return replace(self, caller=caller, dry_run=dry_run, confirmed=confirmed, seen=seen, warnings=[])

    def warn(self, text: str) -> None:
        """The call goes on; `text` is a sentence."""
        if text not in self.warnings:
            self.warnings.append(text)

    def within(self, domain: str) -> None:
        """Who administers some domains stays within them. CallError."""
        domains = self.domains()
        if domains is not None and domain not in domains:
            known = ", ".join(sorted(domains)) or "no domain"
            raise CallError(Failure.FORBIDDEN, f"{self.caller.name} administers {known} only, not {domain}")

    def sees(self, domain: str) -> bool:
        """The caller may be told of records of this domain: in questions, warnings and hints as well."""
        grants = self.caller.grants
        within = grants.domains(Right.ACCOUNTS, reads=True) if self.right is Right.SELF else self.domains()
        return within is None or domain in within

    def stays_within(self, domains: Iterable[str]) -> None:
        """All of a change does: records of domains that the caller does not administer are not even named. CallError"""
        if not all(self.sees(domain) for domain in domains):
            raise CallError(
                Failure.FORBIDDEN,
                "Records of domains that you do not administer name it and would have to change too: ask somebody who "
                "administers the server",
            )

    def domains(self) -> frozenset[Domain] | None:
        """Those that the caller may make this call for; None: all."""
        return None if self.right is Right.SELF else self.caller.grants.domains(self.right, reads=self.reads)


def need(port: P | None, what: str) -> P:
    """The port, or a CallError that says what is missing."""
    if port is None:
        raise CallError(Failure.UNAVAILABLE, f"{what} needs a running server; start it with `whimbrel serve`")
    return port
