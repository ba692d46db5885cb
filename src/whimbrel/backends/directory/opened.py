"""`users.idx` as its one writer has it open: whether the file on disk is still the one that the writer left."""

import os
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.directory import index

_MISSING: Final = (0, 0, 0, 0)
Stamp = tuple[tuple[int, int, int, int], ...]
"""Device, inode, size and time of change of the database and its log; of the shared memory only which one it is."""


class OpenedIndex:
    """Nobody else writes it, so whatever changed between two calls of the writer was done by hand: emptied, deleted,
    overwritten, or another put in its place. Used under the writer's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: apsw.Connection | None = None
        self._stamp: Stamp | None = None

    @property
    def is_open(self) -> bool:
        return self._db is not None

    def connection(self) -> apsw.Connection:
        """As it is on disk, made if need be."""
        if self._db is None:
            self._open(anew=False)
        assert self._db is not None
        return self._db

    def make_anew(self) -> apsw.Connection:
        """An empty one in the place of one that is lost. Those who read the former one keep what they have open."""
        if self._db is not None:
            index.discard(self._db)
        self._db = None
        self._open(anew=True)
        assert self._db is not None
        return self._db

    def _open(self, *, anew: bool) -> None:
        self._stamp = None
        self._db = index.create(self.path, anew=anew)
        self.remember()

    def intact(self) -> bool:
        """What the writer left is there still."""
        return self._db is not None and self._stamp is not None and self._look() == self._stamp

    def remember(self) -> None:
        """This is how the writer leaves it. What another did meanwhile does not become the writer's by that: SQLite
        neither changes the inode nor makes a database smaller."""
        if self._db is None:
            return
        now, known = self._look(), self._stamp
        if known is None or ([each[:2] for each in now] == [each[:2] for each in known] and now[0][2] >= known[0][2]):
            self._stamp = now

    def lose(self) -> None:
        """It could not be filled: the next who looks makes it anew."""
        self._stamp = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._stamp = None

    def _look(self) -> Stamp:
        looked = []
        for suffix in ("", "-wal", "-shm"):
            try:
                status = os.stat(f"{self.path}{suffix}")
            except FileNotFoundError:
                looked.append(_MISSING)
            else:
                changes = (0, 0) if suffix == "-shm" else (status.st_size, status.st_mtime_ns)
                looked.append((status.st_dev, status.st_ino, *changes))
        return tuple(looked)
