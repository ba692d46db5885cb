"""`account.seq`: an account's lock, its modseq counter, and what each folder holds, in one small file.

Modseq is account-wide: `max(last + 1, microseconds)`. `committed` is set, still under the lock, after all folder
commits of an allocation, so a reader who takes it first never misses a change. The file is disposable: after an unclean
stop it is recounted from the folders. It is read and written by its descriptor, never mapped: whoever cut a mapped file
short would end each process that looks at it by SIGBUS.

Layout, little-endian: a header of 64 bytes, then slots of 64 bytes, one for each folder.
"""

import fcntl
import os
import struct
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.store.disk.identity import FileIdentity, Stamp, stamp
from whimbrel.backends.store.disk.places import clear_files
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import FolderStatus

_HEADER = struct.Struct("<8sQQqqQII8x")
_SLOT = struct.Struct("<16sIIIIIIQqQ")
_MAGIC = b"WSEQ\x01\x00\x00\x00"
_SIZE = 64
_GROW = 32
_CREATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
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


class AccountSeq:
    """One for each account and process. The lock is held by one thread at a time.

    The file is opened at its first use, which is never in a loop's thread: it may have to be made.
    """

    def __init__(self, path: Path, presence: Presence = ANY) -> None:
        """`presence`: of the store that it is in."""
        self._presence = presence
        self.path = str(path)
        self._path, self._directory = path, str(path.parent)
        self.seen: Stamp | None = None
        """The directory's stamp when the lock was taken."""
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._descriptor = -1
        self._size = 0
        """Of the file when it was opened or made larger here; others only make it larger."""
        self._slots: dict[bytes, int] = {}
        self._own: Header | None = None
        """The header while the lock is held: written when the first modseq is taken, and at the end, instead of with
        each message."""
        self._unwritten = self._closed = self._checked = False
        self._identity: FileIdentity | None = None
        self.recreated = False
        self.cleared: list[Path] = []
        """Paths of what was moved away since it stood in the file's place; whoever says so empties it."""

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
        self._opened()
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
            try:
                self.seen = stamp(self._directory)
                if self.current(self.seen):
                    if not self._checked:
                        self._check()
                    return
                self._open()  # The file was removed, replaced or cut short while we waited.
            except BaseException:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                raise

    def current(self, seen: Stamp) -> bool:
        """The file that was opened is still the account's, and whole. Who reads and learns that it is not takes the
        lock, under which it is made anew. `seen`: the directory's stamp, just taken. Raises OSError."""
        descriptor, identity = self._descriptor, self._identity
        if descriptor < 0 or identity is None:
            return True  # It will be opened.
        return identity.unchanged(seen) and os.fstat(descriptor).st_size >= self._size

    def _opened(self) -> int:
        """The file's descriptor, opened if this is the first use."""
        held = self._descriptor
        if held >= 0:
            return held
        with self._thread_lock:
            if self._descriptor < 0:
                assert not self._closed, "a closed account is not opened again"
                self._open()
            return self._descriptor

    def _open(self) -> None:
        """Anew, if the file was replaced. Other threads may be reading: of the old file or the new one."""
        self._presence.check()
        self.cleared += clear_files(self._path.parent, (self._path.name,))
        try:
            descriptor = os.open(self._path, _CREATE, 0o600)
        except FileNotFoundError:
            # The account was removed while somebody still had it in hand: it begins anew, empty.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, _CREATE, 0o600)
        if self._descriptor >= 0:
            # Under the number that readers in other threads use already.
            os.dup2(descriptor, self._descriptor, inheritable=False)
            os.close(descriptor)
        else:
            self._descriptor = descriptor
        ours = os.fstat(self._descriptor)
        names, inodes = (self._path.name,), ((ours.st_dev, ours.st_ino),)
        self._identity = FileIdentity(self._directory, names, inodes)
        self._slots = {}
        self._size = ours.st_size
        self._checked = False

    def _check(self) -> None:
        """Under the lock, after it was opened: a file that is new, of another version, damaged or cut short begins
        again, and is counted from the folders."""
        raw, size = os.pread(self._descriptor, _SIZE, 0), os.fstat(self._descriptor).st_size
        if len(raw) < _SIZE or raw[:8] != _MAGIC or size < _SIZE * (1 + _HEADER.unpack(raw)[6]):
            os.ftruncate(self._descriptor, 0)
            size = _SIZE * (1 + _GROW)
            os.ftruncate(self._descriptor, size)
            self._write_header(Header(0, 0, 0, 0, 0, 0, 0))
            self.recreated = True
        self._size, self._checked = size, True

    def close(self) -> None:
        self._closed = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        # A store with very many accounts lets go of the oldest, which may still be in use: the last user closes it.
        self.close()

    # The header

    def header(self) -> Header:
        raw = self._read(0)
        return Header(*_HEADER.unpack(raw)[1:]) if raw[:8] == _MAGIC else Header(0, 0, 0, 0, 0, 0, 0)

    def _read(self, at: int) -> bytes:
        """A header or slot, not torn by a writer in another process; NULs where the file has been cut short."""
        descriptor = self._opened()
        while True:
            raw = os.pread(descriptor, _SIZE, at)
            if raw == os.pread(descriptor, _SIZE, at):
                return raw.ljust(_SIZE, b"\0")

    def _write_header(self, header: Header) -> None:
        self._unwritten = False
        raw = _HEADER.pack(
            _MAGIC,
            header.last,
            header.committed,
            header.bytes,
            header.messages,
            header.generation,
            header.slots,
            header.folders,
        )
        os.pwrite(self._descriptor, raw, 0)

    @property
    def committed(self) -> int:
        return self.header().committed

    @property
    def folders_version(self) -> int:
        return self.header().folders

    @property
    def own(self) -> Header:
        """Under the lock: the header as it will be."""
        own = self._own
        if own is None:
            own = self._own = self.header()
        return own

    def allocate(self) -> int:
        """The next modseq. Under the lock; `commit` makes it visible."""
        header = self.own
        first = header.last == header.committed
        header.last = max(header.last + 1, time.time_ns() // 1000)
        self._unwritten = True
        if first:
            # Before any folder commits: who finds `last` above `committed` knows that somebody died between.
            self._write_header(header)
        return header.last

    def commit(self) -> None:
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
        before = self.own
        folders, last = before.folders, max(last, before.last)
        os.pwrite(self._descriptor, bytes(self._size - _SIZE), _SIZE)
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
        return self._status(mailbox, at)

    def _status(self, mailbox: bytes, at: int) -> FolderStatus | None:
        raw = self._read(at)
        name, validity, uid_next, messages, unseen, deleted, recent, modseq, size, floor = _SLOT.unpack(raw)
        if name != mailbox:
            return None  # The file was replaced meanwhile.
        return FolderStatus(validity, uid_next, modseq, messages, unseen, deleted, size, recent, floor)

    def store(self, mailbox: bytes, status: FolderStatus) -> None:
        """Under the lock: what a folder holds now; the account's sums follow."""
        at = self._find(mailbox)
        before_bytes = before_messages = 0
        if at < 0:
            at = self._add()
            self._slots[mailbox] = at
        else:
            before = self._status(mailbox, at)
            before_messages, before_bytes = (before.messages, before.size) if before is not None else (0, 0)
        raw = _SLOT.pack(
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
        os.pwrite(self._descriptor, raw, at)
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
        os.pwrite(self._descriptor, bytes(_SIZE), at)
        self._slots.pop(mailbox, None)
        header = self.own
        header.bytes -= old.size
        header.messages -= old.messages
        self._unwritten = True

    def _find(self, mailbox: bytes) -> int:
        """Where its slot is; -1 if it has none."""
        at = self._slots.get(mailbox, -1)
        descriptor = self._opened()
        if at >= 0 and os.pread(descriptor, 16, at) == mailbox:
            return at
        own = self._own
        slots = own.slots if own is not None else self.header().slots
        # All at once: an account with a thousand folders is asked for each of them.
        held = os.pread(descriptor, _SIZE * slots, _SIZE)
        self._slots = {held[at : at + 16]: at + _SIZE for at in range(0, len(held), _SIZE)}
        self._slots.pop(bytes(16), None)
        return self._slots.get(mailbox, -1)

    def _add(self) -> int:
        header = self.own
        held = os.pread(self._descriptor, _SIZE * header.slots, _SIZE)
        for at in range(0, len(held), _SIZE):
            if held[at : at + 16] == bytes(16):
                return at + _SIZE
        start = _SIZE * (1 + header.slots)
        if start + _SIZE > self._size:
            self._size = _SIZE * (1 + header.slots + _GROW)
            os.ftruncate(self._descriptor, self._size)
        header.slots += 1
        self._write_header(header)
        return start


class _Held(AbstractContextManager[None]):
    """The lock, while it is held."""

    __slots__ = ("_deadline", "_seq")

    def __init__(self, seq: AccountSeq, deadline: float) -> None:
        self._seq, self._deadline = seq, deadline

    def __enter__(self) -> None:
        self._seq._enter(self._deadline)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._seq._leave()
