"""A look at the folders of the store by their files alone: is the index there, are the flags backed up?

It opens no index and takes no lock, so it may be wrong for a moment: what it says counts once it has been so for longer
than everything that heals by itself needs. Large stores are looked at a piece at a time.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from whimbrel.services.health.check import StoreLook

SECONDS: Final = 1.0
"""Of one look."""
SHOWN: Final = 20
"""Folders that are named."""
GRACE: Final = 600.0
"""Seconds in which a folder may be as it is: it is just made, rebuilt, or its first backup is due."""
_DEEPEST: Final = 40
_Seen = tuple[str, bool, bool, int]
"""A folder: its name, whether it has no index, whether its flags have no backup, octets of its index."""
_OF_INDEX: Final = ("index.", "flags.")


class FolderLook:
    """Several checks may look at the same time: one does, the others wait for it. It goes on where the look before
    ended."""

    def __init__(
        self, mail: Path, *, now: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._mail, self._now, self._steady = mail, now, steady
        self._lock = threading.Lock()
        self._round: Iterator[_Seen] | None = None
        self._known = self._next = StoreLook(0, (), (), complete=False)

    @property
    def known(self) -> StoreLook:
        """As `look`, without looking any further."""
        return self._known if self._known.complete else self._next

    def look(self) -> StoreLook:
        """What is known of all folders: of this round as far as it is complete, else of the one before."""
        with self._lock:
            return self._look()

    def _look(self) -> StoreLook:
        end = self._steady() + SECONDS
        if self._round is None:
            self._round, self._next = self._folders(), StoreLook(0, (), (), complete=False)
        for name, broken, unsaved, indexes in self._round:
            before = self._next
            self._next = StoreLook(
                before.folders + 1,
                (*before.broken, name) if broken and len(before.broken) < SHOWN else before.broken,
                (*before.unsaved, name) if unsaved and len(before.unsaved) < SHOWN else before.unsaved,
                complete=False,
                indexes=before.indexes + indexes,
            )
            if self._steady() >= end:
                return self.known
        done, self._round = self._next, None
        self._known = StoreLook(done.folders, done.broken, done.unsaved, complete=True, indexes=done.indexes)
        return self._known

    def _folders(self) -> "Iterator[_Seen]":
        for domain in _subfolders(self._mail):
            for account in _subfolders(domain):
                yield from self._below(account, account, _DEEPEST)

    def _below(self, folder: Path, account: Path, depth: int) -> "Iterator[_Seen]":
        messages = folder / "#msgs"
        if _exists(messages):
            old = self._now() - GRACE
            index = _modified(folder / "index.fld")
            broken = index is None and _exists(folder / "index.bad") and _older(folder / "index.bad", old)
            # Of an index that was last written long ago, with messages in it.
            unsaved = index is not None and index < old and not _exists(folder / "flags.bak") and _any_file(messages)
            name = f"{account.name}@{account.parent.name}/{folder.relative_to(account)}"
            yield name, broken, unsaved, _octets_of_index(folder)
        if depth:
            for inner in _subfolders(folder):
                yield from self._below(inner, account, depth - 1)


def _subfolders(folder: Path) -> Iterator[Path]:
    """Without our own, whose names begin with #, and without links."""
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.name[0] != "#" and each.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in names:
        yield folder / name


def _octets_of_index(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            files = [each for each in entries if each.name.startswith(_OF_INDEX)]
            return sum(each.stat(follow_symlinks=False).st_size for each in files)
    except OSError:  # It is made anew at this moment.
        return 0


def _exists(path: Path) -> bool:
    return _modified(path) is not None


def _modified(path: Path) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def _older(path: Path, at: float) -> bool:
    """It became what it is before that time (ctime: a rename keeps mtime)."""
    try:
        return os.stat(path).st_ctime < at
    except OSError:
        return False


def _any_file(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(each.name.endswith(".eml") for each in entries)
    except OSError:
        return False
