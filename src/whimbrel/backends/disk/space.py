"""The Space port: whether the store's file systems have room, looked at every few seconds.

Below the soft limit administrators are warned and deleted mail makes room. Below the hard one no more mail is taken in,
until there is a quarter more than that limit; nor is it while the file system is read-only. Each process looks for
itself (a look takes microseconds); one of them tells.

Standards: RFC 3463 3.4 (X.3.1, mail system full)
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.settings import Concern, Gravity, Section, Whole, setting
from whimbrel.core.values import Duration, Size

_LIMIT: Final = r"^(\d{1,15}[KMGT]?|\d{1,2}(\.\d{1,2})?%)$"
MARGIN: Final = 1.25
"""So much more than a limit must be free before it counts as kept again: it must not flutter."""
FILES: Final = 1000
"""Files that must still be possible, where the file system counts them: a message is one."""


LEAST: Final = 1 << 20
"""Octets: a limit below this is a slip of the pen, `50` for `50M`."""


def _limits(whole: Whole) -> Iterator[Concern]:
    """A limit that can never be kept, and a soft one that only warns when the hard one has stopped all mail."""
    settings = whole.section(SpaceSettings)
    pair = (("space/soft-limit", settings.soft_limit), ("space/hard-limit", settings.hard_limit))
    for path, text in pair:
        if not text.endswith("%") and 0 < octets(text, 0) < LEAST:
            yield Concern(path, f"{text} is {octets(text, 0)} octets: write {text.rstrip('KMGT')}M", Gravity.WRONG)
    try:
        file_system = os.statvfs(whole.folder)
        total = file_system.f_blocks * file_system.f_frsize
    except OSError:
        total = 0
    if not total and settings.soft_limit.endswith("%") != settings.hard_limit.endswith("%"):
        return  # They cannot be compared.
    soft, hard = (octets(text, total or 1 << 40) for _, text in pair)
    if soft and soft < hard:
        yield Concern(
            "space/soft-limit",
            f"{settings.soft_limit} is below space/hard-limit ({settings.hard_limit}): mail would be refused before "
            "anybody is warned",
            Gravity.WRONG,
        )


class SpaceSettings(Section, tag="space", checks=(_limits,)):
    """The watchdog over free space."""

    soft_limit: str = setting(
        "1G",
        pattern=_LIMIT,
        like="a size such as 1G, a part of the disk such as 5%, or 0",
        examples=("1G", "5%"),
        help="Free space below which a warning is given and deleted mail is no longer kept, the oldest first: a size, "
        "or a part of the disk such as 5%; 0: none.",
        row="S24",
    )
    hard_limit: str = setting(
        "200M",
        pattern=_LIMIT,
        like="a size such as 1G, a part of the disk such as 5%, or 0",
        examples=("1G", "5%"),
        help="Free space below which no mail is taken in: a size, or a part of the disk such as 1%; 0: none.",
        row="S24",
    )
    check_interval: Duration = setting(
        Duration("5s"), minimum=0.1, maximum=600, help="How often free space is looked at.", advanced=True
    )


class Level(IntEnum):
    ENOUGH = 0
    LOW = 1
    FULL = 2


class Statistics(Protocol):
    """What os.statvfs tells."""

    @property
    def f_frsize(self) -> int: ...
    @property
    def f_blocks(self) -> int: ...
    @property
    def f_bavail(self) -> int: ...
    @property
    def f_files(self) -> int: ...
    @property
    def f_favail(self) -> int: ...
    @property
    def f_flag(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Room:
    """What one look found, of the file system that has least."""

    level: Level
    folder: str
    free: int
    """Octets."""
    limit: int
    """The one it is below; 0: none."""
    read_only: bool = False
    """Nothing can be written there, whatever is free."""

    @property
    def short(self) -> bool:
        """Below the soft limit, or the hard one."""
        return self.level > Level.ENOUGH

    @property
    def word(self) -> str:
        """enough, low, full or read-only."""
        return "read-only" if self.read_only else self.level.name.lower()


def octets(limit: str, total: int) -> int:
    """A limit of the settings in octets of a disk of `total`."""
    return int(float(limit[:-1]) * total / 100) if limit.endswith("%") else int(Size(limit))


class DiskSpace:
    """`folders` may be on file systems of their own; those that are not there yet count as their parent."""

    def __init__(
        self,
        folders: Sequence[Path],
        settings: Callable[[], SpaceSettings],
        log: Log | None = None,
        *,
        look_at: Callable[[str], Statistics] = os.statvfs,
    ) -> None:
        """`log`: this process tells of changes."""
        self._folders, self._settings, self._log, self._look_at = folders, settings, log, look_at
        self.room = Room(Level.ENOUGH, "", 0, 0)

    def accepting(self) -> bool:
        return self.room.level is not Level.FULL

    def look(self) -> Room:
        """Looks now. A folder that cannot be asked changes nothing."""
        before, was_read_only, settings = self.room.level, self.room.read_only, self._settings()
        worst: Room | None = None
        for folder in self._folders:
            with contextlib.suppress(OSError):
                while not folder.exists() and folder != folder.parent:
                    folder = folder.parent
                room = self._judge(str(folder), self._look_at(os.fspath(folder)), settings, before)
                if worst is None or (room.level, -room.free) > (worst.level, -worst.free):
                    worst = room
        if worst is not None:
            self.room = worst
            if worst.level is not before or worst.read_only is not was_read_only:
                self._tell(worst, before)
        return self.room

    async def watch(self, pool: Pool) -> None:
        """Looks again and again, until it is cancelled. A disk that does not answer holds up a thread, not mail."""
        while True:
            await asyncio.sleep(float(self._settings().check_interval))
            await pool.run(self.look)

    @staticmethod
    def _judge(folder: str, file_system: Statistics, settings: SpaceSettings, before: Level) -> Room:
        total, free = file_system.f_blocks * file_system.f_frsize, file_system.f_bavail * file_system.f_frsize
        if file_system.f_flag & os.ST_RDONLY:  # As a file system becomes when its disk fails.
            return Room(Level.FULL, folder, free, 0, read_only=True)
        for level, text in ((Level.FULL, settings.hard_limit), (Level.LOW, settings.soft_limit)):
            limit = octets(text, total)
            factor = MARGIN if before >= level else 1.0
            if limit and free < limit * factor:
                return Room(level, folder, free, limit)
            # File systems that make inodes as they go say 0.
            if limit and level is Level.FULL and file_system.f_files and file_system.f_favail < FILES * factor:
                return Room(level, folder, free, limit)
        return Room(Level.ENOUGH, folder, free, 0)

    def _tell(self, room: Room, before: Level) -> None:
        if self._log is None:
            return
        if room.read_only:
            self._log.error("store.read-only", folder=room.folder)
        elif room.level is Level.FULL:
            self._log.error("space.full", folder=room.folder, free=room.free, limit=room.limit)
        elif room.level is Level.LOW:
            if before is Level.FULL:
                self._log.info("space.enough", folder=room.folder, free=room.free)
            self._log.warning("space.low", folder=room.folder, free=room.free, limit=room.limit)
        else:
            self._log.info("space.enough", folder=room.folder, free=room.free)


if TYPE_CHECKING:
    from whimbrel.core.space import Space

    def _port(space: DiskSpace) -> Space:
        return space
