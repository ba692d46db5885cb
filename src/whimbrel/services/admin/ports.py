"""What admin calls need beyond the ports of the core; `app` gives them what the backends offer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from whimbrel.core.directory import Reread
from whimbrel.core.mailbox import AccountId, Usage

if TYPE_CHECKING:  # The command line's client shall not load what settings are made of.
    from whimbrel.core.settings import Concern


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the running server."""

    name: str
    pid: int
    memory: int
    """Resident bytes."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a service can be reached, and what keeps it from listening elsewhere."""

    service: str
    addresses: tuple[str, ...]
    refused: tuple[str, ...] = ()
    """`127.0.0.1:25: the port is held by ...`"""
    override: bool | None = None
    """A person started or stopped it, whatever the settings say."""


@dataclass(frozen=True, slots=True)
class Running:
    """The server as it runs now. Times are seconds since 1970 UTC."""

    version: str
    pid: int
    started: float
    processes: tuple[Process, ...]
    listening: tuple[Listening, ...]
    free: int = 0
    """Octets free where the store is."""
    space: str = "enough"
    """enough, low (below the soft limit), full or read-only (no mail is taken in)."""


class ServerStatus(Protocol):
    async def running(self) -> Running: ...


class ServiceSwitch(Protocol):
    """Starts and stops services while the server runs. OSError: the server's first process does not answer."""

    async def start(self, name: str) -> None:
        """Listens where the settings say, until the server ends."""
        ...

    async def stop(self, name: str) -> None:
        """Listens no more and ends its sessions; its ports are free when this returns. Until the next start of the
        server, which goes by the setting `enabled`."""
        ...

    async def restart(self, name: str) -> None:
        """Ends its sessions and begins it anew; its sockets stay open."""
        ...

    async def apply(self) -> None:
        """Changed settings of services are in force when this returns, as far as ports can be had."""
        ...

    async def connections(self) -> Mapping[str, int]:
        """By service."""
        ...


@dataclass(frozen=True, slots=True)
class Checked:
    """One folder after a check or a rebuild."""

    account: str
    folder: str
    messages: int
    problems: tuple[str, ...] = ()
    """What a check found, or a rebuild could not mend. Empty: all is well."""
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderSize:
    """What one folder holds."""

    account: str
    folder: str
    messages: int
    bytes: int
    deleted_messages: int
    """Deleted, and kept to be restored; they count in no quota."""
    deleted_bytes: int


class StoreKeeper(Protocol):
    """Looks after the mail store. With a server running, its sessions go on meanwhile."""

    async def accounts(self) -> Sequence[AccountId]:
        """All accounts that have folders, in order."""
        ...

    def check(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        """Compares index and files of `folder`, or of all folders; changes nothing. MailboxError NONEXISTENT."""
        ...

    def reindex(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        """Makes the index of `folder`, or of all folders, anew from the files. MailboxError NONEXISTENT."""
        ...

    def repair(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        """Checks `folder`, or all folders, and heals what is wrong: takes files in, makes an index anew if that
        does not help. `problems`: what is left. MailboxError NONEXISTENT."""
        ...

    def sizes(self, account: AccountId) -> AsyncIterator[FolderSize]:
        """MailboxError NONEXISTENT."""
        ...

    async def usage(self, account: AccountId) -> Usage:
        """As `Folders.usage`, but no mailbox is made: MailboxError NONEXISTENT."""
        ...


@dataclass(frozen=True, slots=True)
class Version:
    """A former version of a configuration file, kept when it was replaced."""

    number: int
    """The highest is the latest."""
    file: str
    replaced: float
    """When the next one took its place, in seconds."""
    size: int


class ConfigFiles(Protocol):
    """The two files on disk and their former versions."""

    async def versions(self, file: str) -> Sequence[Version]:
        """The latest first."""
        ...

    async def difference(self, file: str, number: int) -> str:
        """A unified diff from the file in use to that version. LookupError."""
        ...

    async def restore(self, file: str, number: int, *, confirmed: str = "") -> Reread:
        """Puts that version back as a new change; which records differ by that. LookupError, ConfigError,
        ConfigConflict."""
        ...

    async def keep(self) -> Sequence[str]:
        """Writes what is in use over edits made outside, which are then among the former versions. The files."""
        ...

    def edited(self) -> str:
        """Which state of the files on disk it is that is not the one in use; empty if they are the same."""
        ...

    async def differ(self) -> Sequence[str]:
        """The files whose content is not the one in use."""
        ...

    async def aside(self) -> str:
        """Changes of users that were acknowledged and are not in force, since an edit outside came between."""
        ...

    async def check(self) -> "Sequence[Concern]":
        """Reads both files on disk as a start would; what the cross-checks say of them. ConfigError tells every
        fault."""
        ...


@dataclass(frozen=True, slots=True)
class JobState:
    """A job of the server. Times are seconds since 1970; 0: never."""

    name: str
    help: str
    schedule: str
    """`every 1h`, `at 03:30`."""
    running: bool
    last: float
    took: float
    """Seconds that the last run took."""
    result: str
    """What the last run did, or why it failed; empty if nothing is to be said."""
    failed: bool
    next: float


class Jobs(Protocol):
    """What the server does by itself at times."""

    def list(self) -> Sequence[JobState]: ...

    async def run(self, name: str) -> JobState:
        """Runs it now, or waits for the run that is under way. LookupError."""
        ...
