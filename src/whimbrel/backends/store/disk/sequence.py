"""`account.seq`: an account's lock, its modseq counter, and what each folder holds, in one small mapped file.

Modseq is account-wide: `max(last + 1, microseconds)`. `committed` is set, still under the lock, after all folder
commits of an allocation, so a reader who takes it first never misses a change. The file is disposable: after an unclean
stop it is recounted from the folders.

Layout, little-endian: a header of 64 bytes, then slots of 64 bytes, one for each folder.
"""

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import FolderStatus

_HEADER = struct.Struct("<8sQQqqQII8x")
_SLOT = struct.Struct("<16sIIIIIIQqQ")
_MAGIC = b"WSEQ\x01\x00\x00\x00"
_SIZE = 64
_GROW = 32
LOCK_DEADLINE = 10.0


@dataclass(slots=True)
class Header:
    last: int
    committed: int
    bytes: int
    messages: int
    generation: int
    slots: int
    folders: int
    """Raised by each change of the folder list."""


class Sequence:
    """One for each account and process. The lock is held by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._descriptor = -1
        self._map: mmap.mmap | None = None
        self._slots: dict[bytes, int] = {}
        self._own: Header | None = None
        """The header while the lock is held: written when the first modseq is taken, when all is settled, and at the
        end, instead of with each message."""
        self.recreated = False
        self._open()

    @contextmanager
    def locked(self, deadline: float = LOCK_DEADLINE) -> Iterator[None]:
        """The account's lock, in this process and between processes. MailboxError INUSE after `deadline` seconds."""
        if not self._thread_lock.acquire(timeout=deadline):
            raise MailboxError(Condition.INUSE, "The mailbox is busy, try again later")
        try:
            if self._depth == 0:
                self._acquire(deadline)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    own, self._own = self._own, None
                    if own is not None:
                        self._write_header(own)
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    def _acquire(self, deadline: float) -> None:
        end = time.monotonic() + deadline
        pause = 0.0001
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Polled, because a blocking flock has no deadline; holders take well under a millisecond.
                if time.monotonic() > end:
                    raise MailboxError(Condition.INUSE, "The mailbox is busy, try again later") from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.005)
                continue
            if self._current():
                return
            self._open()  # The file was removed or replaced while we waited.

    def _current(self) -> bool:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def _open(self) -> None:
        """Anew, if the file was replaced. Other threads may be reading: they have the old map or the new one."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            # The account was removed while somebody still had it in hand: it begins anew, empty.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        before, self._descriptor = self._descriptor, descriptor
        if before >= 0:
            os.close(before)
        size = os.fstat(self._descriptor).st_size
        if size < _SIZE:
            os.ftruncate(self._descriptor, _SIZE * (1 + _GROW))
            self.recreated = True
        self._remap()
        assert self._map is not None
        if self._map[:8] != _MAGIC:
            # New, of another version, or damaged: counted again from the folders.
            self._map[:] = bytes(len(self._map))
            self._write_header(Header(0, 0, 0, 0, 0, 0, 0))
            self.recreated = True

    def _remap(self) -> None:
        # The one before is closed by whoever reads it last.
        self._map = mmap.mmap(self._descriptor, os.fstat(self._descriptor).st_size)
        self._slots = {}

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        # A store with very many accounts lets go of the oldest, which may still be in use: the last user closes it.
        self.close()

    # The header

    def header(self) -> Header:
        held = self._map
        assert held is not None
        while True:
            raw = held[:_SIZE]
            if raw == held[:_SIZE]:  # Not torn by a writer in another process.
                return Header(*_HEADER.unpack(raw)[1:])

    def _write_header(self, header: Header) -> None:
        assert self._map is not None
        self._map[:_SIZE] = _HEADER.pack(
            _MAGIC,
            header.last,
            header.committed,
            header.bytes,
            header.messages,
            header.generation,
            header.slots,
            header.folders,
        )

    @property
    def committed(self) -> int:
        return self.header().committed

    @property
    def folders_version(self) -> int:
        return self.header().folders

    def _mine(self) -> Header:
        """Under the lock: the header as it will be."""
        if self._own is None:
            self._own = self.header()
        return self._own

    def allocate(self) -> int:
        """The next modseq. Under the lock; `settle` makes it visible."""
        header = self._mine()
        first = header.last == header.committed
        header.last = max(header.last + 1, time.time_ns() // 1000)
        if first:
            # Before any folder commits: who finds `last` above `committed` knows that somebody died between.
            self._write_header(header)
        return header.last

    def settle(self) -> None:
        """All folder commits of what was allocated are done."""
        header = self._mine()
        header.committed = header.last
        self._write_header(header)

    def folders_changed(self) -> None:
        header = self._mine()
        header.folders = (header.folders + 1) & 0xFFFFFFFF
        self._write_header(header)

    def restart(self, generation: int, last: int) -> None:
        """Begins a recount: no slot, no sums, a modseq above everything seen."""
        assert self._map is not None
        before = self._mine()
        folders, last = before.folders, max(last, before.last)
        self._map[_SIZE:] = bytes(len(self._map) - _SIZE)
        self._slots = {}
        last = max(last + 1, time.time_ns() // 1000)
        self._own = Header(last, last, 0, 0, generation, 0, (folders + 1) & 0xFFFFFFFF)
        self._write_header(self._own)

    # The slots

    def status(self, mailbox: bytes) -> FolderStatus | None:
        """What a folder holds, without opening it; None if it has no slot yet."""
        at = self._find(mailbox)
        if at < 0:
            return None
        held = self._map
        assert held is not None
        while True:
            raw = held[at : at + _SIZE]
            if raw == held[at : at + _SIZE]:
                break
        if len(raw) < _SIZE:
            return None  # The file was replaced by a shorter one meanwhile.
        name, validity, uid_next, messages, unseen, deleted, recent, modseq, size, floor = _SLOT.unpack(raw)
        if name != mailbox:
            return None
        return FolderStatus(validity, uid_next, modseq, messages, unseen, deleted, size, recent, floor)

    def store(self, mailbox: bytes, status: FolderStatus) -> None:
        """Under the lock: what a folder holds now; the account's sums follow."""
        at = self._find(mailbox)
        before_bytes = before_messages = 0
        if at < 0:
            at = self._add()
            self._slots[mailbox] = at
        else:
            old = self.status(mailbox)
            if old is not None:
                before_bytes, before_messages = old.size, old.messages
        assert self._map is not None
        self._map[at : at + _SIZE] = _SLOT.pack(
            mailbox,
            status.uid_validity,
            status.uid_next,
            status.messages,
            status.unseen,
            status.deleted,
            status.first_recent,
            status.highest_modseq,
            status.size,
            status.resync_floor,
        )
        header = self._mine()
        header.bytes += status.size - before_bytes
        header.messages += status.messages - before_messages

    def remove(self, mailbox: bytes) -> None:
        """Under the lock: a folder is gone."""
        old = self.status(mailbox)
        at = self._find(mailbox)
        if old is None or at < 0:
            return
        assert self._map is not None
        self._map[at : at + _SIZE] = bytes(_SIZE)
        self._slots.pop(mailbox, None)
        header = self._mine()
        header.bytes -= old.size
        header.messages -= old.messages

    def _find(self, mailbox: bytes) -> int:
        at = self._slots.get(mailbox, -1)
        if at >= 0 and self._map is not None and self._map[at : at + 16] == mailbox:
            return at
        own = self._own
        slots = own.slots if own is not None else self.header().slots
        assert self._map is not None
        if _SIZE * (1 + slots) > len(self._map):
            self._remap()
        assert self._map is not None
        # All at once: an account with a thousand folders is asked for each of them.
        held = self._map[: _SIZE * (1 + slots)]
        self._slots = {held[at : at + 16]: at for at in range(_SIZE, len(held), _SIZE)}
        self._slots.pop(bytes(16), None)
        return self._slots.get(mailbox, -1)

    def _add(self) -> int:
        header = self._mine()
        assert self._map is not None
        for slot in range(header.slots):
            start = _SIZE * (1 + slot)
            if self._map[start : start + 16] == bytes(16):
                return start
        start = _SIZE * (1 + header.slots)
        if start + _SIZE > len(self._map):
            os.ftruncate(self._descriptor, _SIZE * (1 + header.slots + _GROW))
            self._remap()
        header.slots += 1
        self._write_header(header)
        return start
