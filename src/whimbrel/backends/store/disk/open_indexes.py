"""The open indexes of a process: the least recently used are closed."""

import contextlib
import threading
from collections import OrderedDict

import apsw

from whimbrel.backends.store.disk.backup import refresh_backup
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.core.mailbox import MailboxId

SIZE = 128
"""An open index costs about 146 KiB and 3 descriptors."""
REMEMBERED = 4096
"""Folders of which it is known what their backup says; forgotten, it is written once more than needed."""


class OpenIndexes:
    """Thread-safe. An index taken from it may be closed under its reader, who then finds apsw.ConnectionClosedError
    and takes it again."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._open: OrderedDict[MailboxId, FolderIndex] = OrderedDict()
        self._backed_up: dict[MailboxId, int] = {}
        self._lock = threading.Lock()

    def get(self, mailbox: MailboxId) -> FolderIndex | None:
        with self._lock:
            index = self._open.get(mailbox)
            if index is not None:
                self._open.move_to_end(mailbox)
            return index

    def put(self, mailbox: MailboxId, index: FolderIndex) -> None:
        with self._lock:
            self._open[mailbox] = index
            evicted = [self._open.popitem(last=False) for _ in range(max(0, len(self._open) - self._size))]
        for name, old in evicted:
            self._back_up_and_close(name, old)

    def drop(self, mailbox: MailboxId) -> None:
        """Closes without saving anything: the file was replaced or is damaged."""
        with self._lock:
            index = self._open.pop(mailbox, None)
        if index is not None:
            with contextlib.suppress(apsw.Error):
                index.close()

    def take(self, mailbox: MailboxId) -> None:
        """Lets it go, open: its taker closes it."""
        with self._lock:
            self._open.pop(mailbox, None)

    def close(self) -> None:
        with self._lock:
            indexes = list(self._open.items())
            self._open.clear()
        for mailbox, index in indexes:
            self._back_up_and_close(mailbox, index)

    def _back_up_and_close(self, mailbox: MailboxId, index: FolderIndex) -> None:
        with contextlib.suppress(apsw.Error, OSError), index.lock:
            if index.current:
                modseq = index.status().highest_modseq
                if self._backed_up.get(mailbox) != modseq:
                    refresh_backup(index)
                    if len(self._backed_up) >= REMEMBERED:
                        self._backed_up.clear()
                    self._backed_up[mailbox] = modseq
        with contextlib.suppress(apsw.Error):
            index.close()
