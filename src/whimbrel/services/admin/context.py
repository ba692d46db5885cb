"""What an admin call works with: ports, given by the running server or by the command line without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from whimbrel.core.directory import Rights
from whimbrel.services.admin.calls import CallError, Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from whimbrel.core.clock import Clock
    from whimbrel.core.config import ConfigEditor
    from whimbrel.core.credentials.stored import StoredPassword
    from whimbrel.core.directory import Directory, DirectoryEditor
    from whimbrel.core.log import Log, LogSource
    from whimbrel.core.mailbox import Folders, Messages
    from whimbrel.core.queue import Queue
    from whimbrel.core.quota import Quotas
    from whimbrel.core.state import State
    from whimbrel.core.tasks import Tasks
    from whimbrel.core.undelete import Undelete
    from whimbrel.core.values import Secret
    from whimbrel.services.admin.ports import ConfigFiles, ServerStatus, StoreKeeper

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. On the local socket and without a server it is the person who may read the files anyway."""

    name: str = "local"
    rights: Rights = Rights.SERVER_WRITE
    domain: str = ""
    """Whose administrator one with `Rights.DOMAIN` is."""


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
    folders: Folders | None = None
    messages: Messages | None = None
    quotas: Quotas | None = None
    state: State | None = None
    store: StoreKeeper | None = None
    undelete: Undelete | None = None
    logs: LogSource | None = None
    files: ConfigFiles | None = None
    status: ServerStatus | None = None
    rename_domain: Callable[[str, str], Awaitable[None]] | None = None
    """Given while no server runs: the mail moves with the name."""
    live: bool = False
    """A server runs and this is it."""
    caller: Caller = Caller()
    dry_run: bool = False
    """Check everything, change nothing."""

    def with_caller(self, caller: Caller, *, dry_run: bool = False) -> AdminContext:
        return replace(self, caller=caller, dry_run=dry_run)

    def within(self, domain: str) -> None:
        """An administrator of one domain stays within it. CallError."""
        if self.caller.rights is Rights.DOMAIN and domain != self.caller.domain:
            raise CallError(
                Failure.FORBIDDEN, f"{self.caller.name} administers {self.caller.domain} only, not {domain}"
            )


def need(port: P | None, what: str) -> P:
    """The port, or a CallError that says what is missing."""
    if port is None:
        raise CallError(Failure.UNAVAILABLE, f"{what} needs a running server; start it with `whimbrel serve`")
    return port
