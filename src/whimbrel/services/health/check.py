"""What a health check is: a function that looks at one thing and says how it is, what is so, and what mends it.

    QUEUE = Check("queue", "Queue", look_at_queue, screen="/queue", command="whimbrel queue list")

A new check is such a value and its line in the table of `checks/__init__.py`. All checks run at the same time, each
within `board.WITHIN` seconds, so none holds up another; what could block goes to the pool.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigEditor
from whimbrel.core.directory import Directory, DirectoryEditor
from whimbrel.core.net import Connector, Resolver
from whimbrel.core.pool import Pool
from whimbrel.core.queue import Queue
from whimbrel.core.state import State
from whimbrel.services.admin.ports import ConfigFiles, JobState, ServerStatus


class Level(Enum):
    """How something is; `UNKNOWN`: it could not be found out, or nobody asked for it to be."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at a thing came to."""

    level: Level
    text: str
    """What is so, in a sentence."""
    advice: str = ""
    """What to do about it, in a sentence."""
    command: str = ""
    """A command that mends it or shows more, if it is not that of the check."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of the store, or the one of several that has least."""

    folder: str
    free: int
    """Octets that we can still write."""
    total: int
    hard: int
    """Octets below which no mail is taken in."""
    word: str
    """enough, low, full or read-only."""
    soft: int = 0
    """Octets below which it is low."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What of ours, beside mail, takes room in the file system of the store."""

    name: str
    """queue, logs or indexes."""
    octets: int
    spare: int = 0
    """Octets of it that could go without loss of mail: log files that were put aside."""
    files: int = 0
    """Those that hold what is spare."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the machine, or of the container that we are in; octets."""

    total: int
    available: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel says of its clock."""

    synchronised: bool
    error: float
    """Seconds by which it may be wrong at most."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that we show to clients."""

    path: str
    """Of the settings that name it; empty: the one that we made ourselves."""
    file: str
    names: tuple[str, ...] = ()
    ends: float = 0.0
    """Seconds since 1970."""
    self_signed: bool = False
    fault: str = ""
    """Why it cannot be read; nothing else is known then."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """A program that looks at files when they are opened, and may take them away."""

    product: str
    process: str
    pid: int
    watches: bool
    """It is known to watch the file system of the store."""


@dataclass(frozen=True, slots=True)
class StoreLook:
    """What a look at the folders of the store came to, by their files alone."""

    folders: int
    broken: tuple[str, ...]
    """Folders whose index was put aside and not made anew yet, or is gone; some of them, if they are many."""
    unsaved: tuple[str, ...]
    """Folders whose flags have no backup; some of them."""
    complete: bool
    """All folders were looked at."""
    indexes: int = 0
    """Octets of the indexes of these folders, with the backups of their flags."""
    gone: str = ""
    """The store's directory, if the store is not in it; nothing else is known then."""


@dataclass(frozen=True, slots=True)
class QueueFiles:
    """Files of messages in the queue's directory, by queue id."""

    waiting: tuple[str, ...]
    """Those that are no longer about to get their entry."""
    lost: tuple[str, ...]
    """Those that were put aside since nobody knows their recipients."""


class Machine(Protocol):
    """What the system says of itself and of us. All of it may block: for the pool. OSError: it cannot be found out."""

    def holder(self, host: str, port: int) -> str:
        """The program that listens at a TCP port; empty: nobody does."""
        ...

    def own(self, address: str) -> bool:
        """An address of this machine."""
        ...

    def clock(self) -> ClockState: ...
    def disk(self) -> Disk: ...

    def holdings(self) -> Sequence[Holding]:
        """Of the file system of `disk`. Indexes as far as `store` has looked."""
        ...

    def memory(self) -> Memory: ...
    def certificates(self) -> Sequence[Certificate]: ...
    def scanners(self) -> Sequence[Scanner]: ...

    def queue(self) -> QueueFiles: ...

    def store(self) -> StoreLook:
        """A look at some more folders, for at most a second; what is known of all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthContext:
    """The ports. Those that may be None exist in a running server only."""

    config: ConfigEditor
    editor: DirectoryEditor
    directory: Directory
    clock: Clock
    machine: Machine
    pool: Pool
    """For what the machine is asked; not that of the mail."""
    resolver: Resolver | None = None
    connector: Connector | None = None
    state: State | None = None
    queue: Queue | None = None
    files: ConfigFiles | None = None
    status: ServerStatus | None = None
    jobs: Callable[[], Sequence[JobState]] | None = None


Look = Callable[[HealthContext], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Check:
    """A line of the table of checks."""

    name: str
    title: str
    look: Look
    screen: str
    """Where the console shows what it looks at, as a path of the console."""
    command: str
    """That shows more, or mends it."""
    configured: bool = False
    """It looks at the configuration: it is made anew as soon as that changes."""


def ok(text: str) -> Verdict:
    return Verdict(Level.OK, text)


def unknown(text: str, advice: str = "", command: str = "") -> Verdict:
    return Verdict(Level.UNKNOWN, text, advice, command)


NO_SERVER = unknown("No server runs here.", "Start it.", "whimbrel serve")
