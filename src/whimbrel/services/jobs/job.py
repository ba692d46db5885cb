"""What a job is: a declared piece of work that control does by itself at times, and what it is given to do it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory, DirectoryEditor
from whimbrel.core.intake import Intake
from whimbrel.core.log import Log
from whimbrel.core.mailbox import Folders, Messages
from whimbrel.core.mailboxes import Mailboxes
from whimbrel.core.net import Resolver
from whimbrel.core.notices import Notices
from whimbrel.core.pool import Pool
from whimbrel.core.signing import KeyRing
from whimbrel.core.spool import Spool
from whimbrel.core.state import State
from whimbrel.services.admin.ports import StoreKeeper
from whimbrel.services.health.board import Board
from whimbrel.services.jobs.ports import Certificates, Departures, EditedFiles, LogRotation, Maintenance, Purging, Room
from whimbrel.services.peers.watch import PeerWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """The ports, as control has them."""

    maintenance: Maintenance
    self_check: Callable[[], float]
    """Seconds between two rounds over all folders."""
    purging: Purging
    rotation: LogRotation
    departures: Departures
    certificates: Certificates
    room: Callable[[], Room]
    edited: EditedFiles
    folders: Folders
    messages: Messages
    directory: Directory
    editor: DirectoryEditor
    state: State
    intake: Intake
    spool: Spool
    config: ConfigStore
    notices: Notices
    pool: Pool
    clock: Clock
    ids: Ids
    log: Log
    health: Board
    peers: PeerWatch
    keys: KeyRing
    resolver: Resolver
    store: StoreKeeper | None = None
    mailboxes: Mailboxes | None = None
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: what it did in a few words (empty: nothing to tell), and when it wants to go on, in seconds, if
    not by its schedule."""

    text: str = ""
    again: float | None = None


NOTHING = Outcome()
Run = Callable[[], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job is due, by settings that may change meanwhile."""

    words: "Callable[[JobContext], str]"
    """`every 1h`, `at 03:30`, `never`."""
    next_time: "Callable[[JobContext, float], float | None]"
    """When it is due (seconds since 1970), given the time of the last run; None: never."""


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the table of jobs. `begin` is called once in the process that runs it, and gives what does one run:
    it may keep what it must remember between two."""

    name: str
    help: str
    begin: Callable[[JobContext], Run]
    schedule: Schedule


def each_time(work: Callable[[JobContext], Awaitable[Outcome]]) -> Callable[[JobContext], Run]:
    """The `begin` of a job that remembers nothing."""
    return lambda ctx: lambda: work(ctx)


def every(period: float | Callable[[JobContext], float]) -> Schedule:
    """So many seconds after the run before, or as many as a setting says."""

    def seconds(ctx: JobContext) -> float:
        return float(period(ctx)) if callable(period) else period

    return Schedule(lambda ctx: f"every {spoken(seconds(ctx))}", lambda ctx, last: last + seconds(ctx))


def daily(at: Callable[[JobContext], str]) -> Schedule:
    """When the clock on the wall shows what a setting says (03:30); empty: never."""

    def words(ctx: JobContext) -> str:
        return f"at {at(ctx)}" if at(ctx) else "never"

    return Schedule(words, lambda ctx, last: after(at(ctx), last))


def after(text: str, last: float) -> float | None:
    """The first moment after `last` at which the clock on the wall shows `text` (03:30). None: never."""
    if not text:
        return None
    hour, _, minute = text.partition(":")
    day = time.localtime(last)
    for days in (0, 1, 2):
        at = time.mktime((day.tm_year, day.tm_mon, day.tm_mday + days, int(hour), int(minute), 0, 0, 0, -1))
        if at > last:
            return at
    return last + 86_400


def spoken(seconds: float) -> str:
    """`90s`, `5m`, `6h`, `1d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
