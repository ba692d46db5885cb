"""What `control` alone does with the log files: putting them aside in time, and making their indexes."""

from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Final

from whimbrel.backends.logs.events import LOGS
from whimbrel.backends.logs.files import aside, current, index_of, rotate
from whimbrel.backends.logs.index import Indexer
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.stamp import until_boundary
from whimbrel.core.log import Log

INTERVAL: Final = 5.0
BLOCKS: Final = 16
"""Indexed in one go: 4 MiB, about a tenth of a second."""


class LogKeeper:
    """Used by one thread at a time."""

    def __init__(self, folder: Path, log: Log) -> None:
        self._folder, self._log = folder, log
        self._verified: set[int] = set()
        """Inodes of logs whose index was read through since the start."""
        self._done: dict[int, tuple[int, int]] = {}
        """Inode of a log that was put aside -> its size when its index was complete, and the inode of the index."""

    def pause(self, now: float) -> float:
        """How long until the files are to be looked at again: no boundary of the calendar is slept over."""
        return min(INTERVAL, until_boundary(now) + 0.05)

    def rotate(self, settings: LogSettings, now: float) -> None:
        """Puts aside what is due. OSError."""
        for name in rotate(self._folder, settings, now=now):
            self._log.info("log.rotated", log=name)

    def index(self) -> bool:
        """Does a bounded part of what is to be indexed. True if there is more. OSError."""
        seen = set()
        for path, final in self._files():
            try:
                stat = path.stat()
                if not S_ISREG(stat.st_mode):
                    continue
                seen.add(stat.st_ino)
                if final and self._done.get(stat.st_ino) == (stat.st_size, _inode(index_of(path))):
                    continue
                indexer = Indexer(path)
                if stat.st_ino not in self._verified:
                    if not indexer.verify():
                        self._log.warning("log.index-damaged", file=str(index_of(path)))
                    self._verified.add(stat.st_ino)
                if indexer.advance(BLOCKS, final=final):
                    return True
                if final:
                    self._done[stat.st_ino] = (stat.st_size, _inode(index_of(path)))
            except (FileNotFoundError, PermissionError):
                # A search tells of a file that cannot be read; the others have their indexes all the same.
                continue
        self._verified &= seen
        self._done = {inode: known for inode, known in self._done.items() if inode in seen}
        return False

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """The current files first: they are read most. With each, whether it was put aside."""
        for log in LOGS:
            yield current(self._folder, log), False
        for log in LOGS:
            for path in aside(self._folder, log):
                yield path, True


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
