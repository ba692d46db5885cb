"""Whether the files of a directory are still those that were opened.

A file is the same one while its device and inode are. To compare them means to walk the whole path of each file; but
while nothing was made, renamed or removed in a directory, its ctime stays, so that one look at the directory stands
for all that is in it. Whatever moved the ctime is followed by a look at the files themselves.
"""

import os
import stat
import time
from collections.abc import Sequence

Identity = tuple[tuple[int, int], ...]
Stamp = tuple[int, int, int]
_DISTINCT = 2_000_000_000
"""Nanoseconds after which a ctime tells: what changes later has another one, however coarse the file system's clock."""


def stamp(directory: str) -> Stamp:
    """The directory's ctime and which one it is; zeros if there is none. Raises OSError."""
    try:
        status = os.stat(directory)
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_ctime_ns, status.st_ino, status.st_dev


class FileIdentity:
    """Some files of one directory, as they were when this was made."""

    __slots__ = ("_directory", "_paths", "_stamp", "identity")

    def __init__(self, directory: str, names: Sequence[str], known: Identity | None = None) -> None:
        """`names`: the empty one is the directory itself. `known`: device and inode of each, where they are known from
        a descriptor."""
        self._directory = directory
        self._paths = [f"{directory}/{name}" if name else directory for name in names]
        self.identity = self._look() if known is None else known
        """Device and inode of each, zeros for one that is missing."""
        self._stamp: Stamp | None = None

    def unchanged(self, seen: Stamp | None = None) -> bool:
        """A file that is missing stays the same by missing. `seen`: the directory's stamp, if the caller has just
        taken it. Raises OSError."""
        now = stamp(self._directory) if seen is None else seen
        if now == self._stamp:
            return True
        if self._look() != self.identity:
            return False
        # Looked at before the files: what happens to them from now on shows in a later ctime.
        if time.time_ns() - now[0] > _DISTINCT:
            self._stamp = now
        return True

    def _look(self) -> Identity:
        return tuple(map(_identity, self._paths))


def _identity(path: str) -> tuple[int, int]:
    """A link is not what it leads to, and what is no file is none that had the same inode before."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0, 0
    if stat.S_ISREG(status.st_mode):
        return status.st_dev, status.st_ino
    return status.st_dev, -status.st_ino if stat.S_ISDIR(status.st_mode) else -1
