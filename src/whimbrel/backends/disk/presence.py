"""Is the store under its name, or has its file system gone from there while the server runs?

Where a mount goes, its empty mount point stays. An account that is not in it is no new one, and what was made there
would be in the way of the mount, or be missed after it. So before anything is made in the store, the store's mark is
looked for: one stat of its directory, while that is the one that had the mark and nothing was made or removed in it.
"""

import contextlib
import json
import os
import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.log import Log

MARK: Final = "store.id"
_DISTINCT: Final = 2_000_000_000
"""Nanoseconds after which a ctime tells: what changes later has another one, however coarse the file system's clock."""
_NONE: Final = (0, 0, 0)


class StoreGone(OSError):
    """The store is not under its name."""


class Presence:
    """Of one store, in one process. Thread-safe."""

    def __init__(self, store: Path, mark: str = "") -> None:
        """`mark`: the id that is to be in its mark; empty: any store will do."""
        self.store, self._mark = store, mark
        self._path, self._mark_path = str(store), str(store / MARK)
        self._stamp = _NONE
        self._directory = (0, 0)
        """Inode and device of the one that had the mark last."""
        self._lock = threading.Lock()
        self._said = False
        self.log: Log | None = None
        """Hears once that the store has gone, and once that it is back."""

    def here(self) -> bool:
        if not self._mark:
            return True
        try:
            status = os.stat(self._path)
            now = status.st_ctime_ns, status.st_ino, status.st_dev
            if now == self._stamp:
                return True
            here = stat.S_ISDIR(status.st_mode) and self._marked(now[1:])
        except OSError:
            here, now = False, _NONE
        self._stamp = now if here and time.time_ns() - now[0] > _DISTINCT else _NONE
        self._say(here)
        return here

    def _marked(self, directory: tuple[int, int]) -> bool:
        """OSError"""
        try:
            marked = read_mark(self._mark_path) == self._mark
        except FileNotFoundError:
            # The directory that had it: somebody has deleted the mark alone. The next start writes it again.
            return directory == self._directory and os.path.isdir(f"{self._path}/mail")
        if marked:
            self._directory = directory
        return marked

    def require(self) -> None:
        """StoreGone if it is not."""
        if not self.here():
            raise StoreGone(f"{self._path} is not the store: is its file system mounted?")

    def check(self) -> None:
        """The same for whoever asks for a mailbox: UNAVAILABLE."""
        try:
            self.require()
        except StoreGone as error:
            text = "Mailbox trouble, try again later"
            raise MailboxError(Condition.UNAVAILABLE, text, detail=str(error)) from None

    def make(self, folders: Sequence[Path]) -> None:
        """Makes folders of the store, if it is there; else they will be there with it. Raises OSError."""
        if self.here():
            for folder in folders:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _say(self, here: bool) -> None:
        if self._said is not here:
            return  # As it was said last.
        with self._lock:
            if self._said is not here:
                return
            self._said = not here
        if self.log is not None:
            if here:
                self.log.info("store.back", folder=self._path)
            else:
                self.log.error("store.gone", folder=self._path)


def read_mark(path: str) -> str:
    """The id in a mark; empty if it is none. OSError."""
    with open(path, "rb") as file:
        raw = file.read(4096)
    with contextlib.suppress(ValueError):
        content = json.loads(raw)
        if isinstance(content, dict):
            return str(content.get("id", ""))
    return ""


ANY: Final = Presence(Path("/"))
"""Of a store that has no mark: it is always there."""
