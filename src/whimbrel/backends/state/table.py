"""A hash table in a file, shared by processes: fixed in size, so that nothing anyone does makes it grow.

    header   magic, format, the secret of the hash, generation of each process
    buckets  16 slots each: key (16 octets), start of the window, its length, count, owner

A key lives in its bucket or the one beside it; both have one lock. Where all slots are taken, what ended is dropped
first, then the window that began first; running totals of living processes are never dropped.

Locks are POSIX record locks: they end with their process, however it ends. A process that was stopped while it held
one delays the others by a few milliseconds, then they go on without: a limit is off by one, mail is not held up.

The file is read and written by its descriptor: were it mapped, whoever cut it short would end every process by SIGBUS.
"""

import fcntl
import os
import struct
import threading
import time
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from whimbrel.backends.state.pread import reader

MAGIC = b"WHMBCNT1"
"""The last octet is the format's major version; a file of another is begun anew."""
BUCKETS = 4096
SLOTS = 16
STRIPES = 64
PROCESSES = 256
LOCK_TIMEOUT = 0.02
LOOK = 1.0
"""Seconds between two looks whether the file is still the one in use."""
PLACES = 256
"""Names whose place in the table is remembered."""

_SLOT = struct.Struct("<16sddqII")
_BUCKET = _SLOT.size * SLOTS
_GENERATION = struct.Struct("<I")
_SECRET_AT, _GENERATIONS_AT = 16, 64
_HEADER = 4096
_SIZE = _HEADER + BUCKETS * _BUCKET
_EMPTY = bytes(16)

# Octets of the file that are locked; they lie behind its end, so that they are nothing but locks.
_INIT_LOCK = 1 << 30
_STRIPE_LOCK = _INIT_LOCK + 1
_PROCESS_LOCK = _STRIPE_LOCK + STRIPES


class TableUnavailable(Exception):
    """The file cannot be shared here; counts stay within the process."""


class CounterTable:
    """One for each process and file, for the life of the process: closing any descriptor of the file ends the
    process's locks."""

    def __init__(self, path: Path) -> None:
        self._thread_lock = threading.Lock()
        self._descriptor = -1
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._prepare()
            self._secret = os.pread(self._descriptor, 32, _SECRET_AT)
            self._read = reader(self._descriptor)
            self._index, self._generation = self._enrol()
        except (OSError, ValueError) as error:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            raise TableUnavailable(str(error)) from None
        self.pid, self._looked = os.getpid(), time.monotonic()

    @property
    def intact(self) -> bool:
        """The file is still there, and nobody has cut it short or begun it anew: that changes the secret. As it was
        `LOOK` seconds ago: each message asks, and a system call in the middle of other threads' work is dear."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return True
        self._looked = now
        if os.fstat(self._descriptor).st_nlink == 0:
            return False
        return os.pread(self._descriptor, 32, _SECRET_AT) == self._secret

    def add(self, name: str, amount: int, window: float, now: float) -> int | None:
        """The count after adding; None where the table is full of what must stay."""
        key, bucket = _place(self._secret, name, window)
        with self._thread_lock:
            locked = self._lock(bucket)
            try:
                return self._add_total(key, bucket, amount) if window <= 0 else self._add_window(
                    key, bucket, amount, window, now)  # fmt: skip
            finally:
                if locked:
                    self._unlock(bucket)

    def get(self, name: str, window: float, now: float) -> int:
        # Without the lock: a count that changes at this moment is as good before as after, and most are looked up far
        # more often than they change.
        key, bucket = _place(self._secret, name, window)
        total = 0
        pair = self._pair(bucket)
        for at in _find(pair, key):
            _, start, length, count, index, generation = _SLOT.unpack_from(pair, at)
            if window > 0:
                return int(count) if start <= now < start + length else 0
            if self._alive(index, generation):
                total += count
        return total

    def close(self) -> None:
        """Ends this process's part: its running totals no longer count."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    # Windows and totals

    def _add_window(self, key: bytes, bucket: int, amount: int, window: float, now: float) -> int | None:
        pair = self._pair(bucket)
        for at in _find(pair, key):
            start, length, held = _SLOT.unpack_from(pair, at)[1:4]
            count = int(held)
            # A clock that was set back must not keep a window open for ever.
            if start <= now < start + length:
                count = max(0, count + amount)
            else:
                start, count = now, max(0, amount)
            self._store(bucket, at, key, start, window, count)
            return count
        free = self._free(pair, now)
        if free is None:
            return None
        count = max(0, amount)
        self._store(bucket, free, key, now, window, count)
        return count

    def _add_total(self, key: bytes, bucket: int, amount: int) -> int | None:
        pair = self._pair(bucket)
        total, own = 0, None
        for at in _find(pair, key):
            _, _, _, count, index, generation = _SLOT.unpack_from(pair, at)
            if index == self._index and generation == self._generation:
                own = (at, count)
            elif self._alive(index, generation):
                total += count
            else:
                self._clear(bucket, at)
        if own is None:
            free = self._free(pair, None)
            if free is None:
                return None
            own = (free, 0)
        at, count = own[0], own[1] + amount
        if count:
            self._store(bucket, at, key, 0.0, 0.0, count)
        else:
            self._clear(bucket, at)
        return total + count

    # Slots, by where they begin in their pair of buckets

    def _pair(self, bucket: int) -> bytes:
        """The key's bucket and the one beside it; NULs where the file was cut short at this moment."""
        return self._read(2 * _BUCKET, _start(bucket)).ljust(2 * _BUCKET, b"\0")

    def _store(self, bucket: int, at: int, key: bytes, start: float, window: float, count: int) -> None:
        slot = _SLOT.pack(key, start, window, count, self._index, self._generation)
        os.pwrite(self._descriptor, slot, _start(bucket) + at)

    def _clear(self, bucket: int, at: int) -> None:
        os.pwrite(self._descriptor, _EMPTY, _start(bucket) + at)

    def _free(self, pair: bytes, now: float | None) -> int | None:
        """A slot to use: an empty one, one that has ended, or the window that began first."""
        first: tuple[float, int] | None = None
        for at in range(0, 2 * _BUCKET, _SLOT.size):
            key, began, length, _, index, generation = _SLOT.unpack_from(pair, at)
            if key == _EMPTY:
                return at
            if length > 0:
                if now is not None and not began <= now < began + length:
                    return at
                if first is None or began < first[0]:
                    first = (began, at)
            elif not self._alive(index, generation):
                return at
        return first[1] if first else None

    # Processes

    def _enrol(self) -> tuple[int, int]:
        """Takes a free index for the life of this process, with a generation that none before had."""
        for index in range(PROCESSES):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _PROCESS_LOCK + index)
            except OSError:
                continue
            generation = (self._generation_of(index) + 1) & 0xFFFFFFFF
            os.pwrite(self._descriptor, _GENERATION.pack(generation), _GENERATIONS_AT + index * _GENERATION.size)
            return index, generation
        raise OSError(f"more than {PROCESSES} processes")

    def _alive(self, index: int, generation: int) -> bool:
        if index == self._index:
            return generation == self._generation
        if self._generation_of(index % PROCESSES) != generation:
            return False
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _PROCESS_LOCK + index % PROCESSES)
        except OSError:
            return True
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _PROCESS_LOCK + index % PROCESSES)
        return False

    def _generation_of(self, index: int) -> int:
        raw = os.pread(self._descriptor, _GENERATION.size, _GENERATIONS_AT + index * _GENERATION.size)
        return int.from_bytes(raw, "little")

    # Locks

    def _lock(self, bucket: int) -> bool:
        at = _STRIPE_LOCK + (bucket >> 1) % STRIPES
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
            return True
        except OSError:
            pass
        end = time.monotonic() + LOCK_TIMEOUT
        while time.monotonic() < end:
            time.sleep(0.0001)
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
                return True
            except OSError:
                continue
        return False

    def _unlock(self, bucket: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _STRIPE_LOCK + (bucket >> 1) % STRIPES)

    def _prepare(self) -> None:
        """Makes the file, or makes it anew if it is another format's or was cut short."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _INIT_LOCK)
        try:
            head, size = os.pread(self._descriptor, 8, 0), os.fstat(self._descriptor).st_size
            # A hole in the file would be a SIGBUS once the disk is full.
            _allocate(self._descriptor)
            if size == _SIZE and head == MAGIC:
                return
            # Never made shorter: another process would take it for cut.
            for at in range(0, min(size, _SIZE), 1 << 16):
                os.pwrite(self._descriptor, bytes(min(1 << 16, _SIZE - at)), at)
            os.pwrite(self._descriptor, os.urandom(32), _SECRET_AT)
            os.pwrite(self._descriptor, MAGIC, 0)
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _INIT_LOCK)


def _find(pair: bytes, key: bytes) -> list[int]:
    """Where the key stands: several times, once for each process, if it is a running total."""
    places = []
    at = pair.find(key)
    while at >= 0:
        if at % _SLOT.size == 0:
            places.append(at)
        at = pair.find(key, at + 1)
    return places


def _start(bucket: int) -> int:
    """Where the pair of a bucket begins in the file."""
    return _HEADER + (bucket & ~1) * _BUCKET


@lru_cache(PLACES)
def _place(secret: bytes, name: str, window: float) -> tuple[bytes, int]:
    """The key and its bucket. Keyed: whoever chooses names (addresses, users) cannot fill one bucket on purpose."""
    text = f"{window:g}\0{name}".encode("utf-8", "surrogatepass")
    key = blake2b(text, digest_size=16, key=secret).digest()
    return key, int.from_bytes(key[:4], "little") % BUCKETS


def _allocate(descriptor: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, _SIZE)
    elif (size := os.fstat(descriptor).st_size) < _SIZE:
        os.pwrite(descriptor, bytes(_SIZE - size), size)
