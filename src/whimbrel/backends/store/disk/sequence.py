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
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from whimbrel.backends.store.disk.standing import Stamp, Standing, stamp
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
    """One for each account and process. The lock is held by one thread at a time.

    The file is opened at its first use, which is never in a loop's thread: it may have to be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._path, self._directory = path, str(path.parent)
        self.seen: Stamp | None = None
        """The directory's stamp when the lock was taken."""
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._descriptor = -1
        self._map: mmap.mmap | None = None
        self._slots: dict[bytes, int] = {}
        self._own: Header | None = None
        """The header while the lock is held: written when the first modseq is taken, and at the end, instead of with
        each message."""
        self._unwritten = self._closed = False
        self._standing: Standing | None = None
        self.recreated = False

    def locked(self, deadline: float = LOCK_DEADLINE) -> AbstractContextManager[None]:
        """The account's lock, in this process and between processes. MailboxError INUSE after `deadline` seconds."""
        return _Held(self, deadline)

    def _enter(self, deadline: float) -> None:
        if not self._thread_lock.acquire(timeout=deadline):
            raise MailboxError(Condition.INUSE, "The mailbox is busy, try again later")
        try:
            if self._depth == 0:
                self._acquire(deadline)
            self._depth += 1
        except BaseException:
            self._thread_lock.release()
            raise

    def _leave(self) -> None:
        try:
            self._depth -= 1
            if self._depth == 0:
                own, self._own = self._own, None
                if self._unwritten and own is not None:
                    self._write_header(own)
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    def _acquire(self, deadline: float) -> None:
        self._mapped()
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
        self.seen = stamp(self._directory)
        return self._standing is not None and self._standing.unchanged(self.seen)

    def _mapped(self) -> mmap.mmap:
        """The file's counters, opened if this is the first use."""
        held = self._map
        if held is not None:
            return held
        with self._thread_lock:
            if self._map is None:
                assert not self._closed, "a closed account is not opened again"
                self._open()
            assert self._map is not None
            return self._map

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
        ours = os.fstat(descriptor)
        names, found = (self._path.name,), ((ours.st_dev, ours.st_ino),)
        self._standing = Standing(self._directory, names, found)
        if ours.st_size < _SIZE:
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
        self._closed = True
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
        held = self._mapped()
        while True:
            raw = held[:_SIZE]
            if raw == held[:_SIZE]:  # Not torn by a writer in another process.
                return Header(*_HEADER.unpack(raw)[1:])

    def _write_header(self, header: Header) -> None:
        self._unwritten = False
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

    @property
    def own(self) -> Header:
        """Under the lock: the header as it will be."""
        found = self._own
        if found is None:
            found = self._own = self.header()
        return found

    def allocate(self) -> int:
        """The next modseq. Under the lock; `settle` makes it visible."""
        header = self.own
        first = header.last == header.committed
        header.last = max(header.last + 1, time.time_ns() // 1000)
        self._unwritten = True
        if first:
            # Before any folder commits: who finds `last` above `committed` knows that somebody died between.
            self._write_header(header)
        return header.last

    def settle(self) -> None:
        """All folder commits of what was allocated are done: so everybody reads once the lock is free."""
        header = self.own
        if header.committed != header.last:
            header.committed = header.last
            self._unwritten = True

    def folders_changed(self) -> None:
        header = self.own
        header.folders = (header.folders + 1) & 0xFFFFFFFF
        self._write_header(header)

    def restart(self, generation: int, last: int) -> None:
        """Begins a recount: no slot, no sums, a modseq above everything seen."""
        assert self._map is not None
        before = self.own
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
        held = self._mapped()
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
            _, _, _, before_messages, _, _, _, _, before_bytes, _ = _SLOT.unpack_from(self._mapped(), at)
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
        header = self.own
        header.bytes += status.size - before_bytes
        header.messages += status.messages - before_messages
        self._unwritten = True

    def remove(self, mailbox: bytes) -> None:
        """Under the lock: a folder is gone."""
        old = self.status(mailbox)
        at = self._find(mailbox)
        if old is None or at < 0:
            return
        assert self._map is not None
        self._map[at : at + _SIZE] = bytes(_SIZE)
        self._slots.pop(mailbox, None)
        header = self.own
        header.bytes -= old.size
        header.messages -= old.messages
        self._unwritten = True

    def _find(self, mailbox: bytes) -> int:
        at = self._slots.get(mailbox, -1)
        if at >= 0 and self._mapped()[at : at + 16] == mailbox:
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
        header = self.own
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


class _Held(AbstractContextManager[None]):
    """The lock, while it is held."""

    __slots__ = ("_deadline", "_sequence")

    def __init__(self, sequence: Sequence, deadline: float) -> None:
        self._sequence, self._deadline = sequence, deadline

    def __enter__(self) -> None:
        self._sequence._enter(self._deadline)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._sequence._leave()
