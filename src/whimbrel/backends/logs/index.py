"""`.idx` beside a log: for each block of a quarter MiB its place, lines, times, and a filter of its words.

It is 1.6 % of the log, grows with it, and can be made anew at any time. One process writes it (`Indexer`), any reads it
(`read_index`). A header tells by the log's first octets whose index it is; each entry has a checksum and that of the
block's end. What does not fit is not used: then the log itself is read, until a new index is there.

    header  magic 8, octets looked at 4, their digest 16, checksum 4
    entry   start 8, end 8, lines before 8, lines 4, least, greatest, greatest so far 4+4+4 (seconds since 1970),
            checksum of the block's end 4, filter 4096, checksum 4
"""

import hashlib
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whimbrel.backends.logs.files import index_of
from whimbrel.backends.logs.stamp import moment
from whimbrel.backends.logs.words import FILTER, bits, block_words, make_filter

MAGIC: Final = b"WHIMIDX1"
BLOCK: Final = 256 * 1024
_HEADER: Final = struct.Struct("<8sI16sI")
_ENTRY: Final = struct.Struct("<QQQIIIII")
ENTRY: Final = _ENTRY.size + FILTER + 4
_AT_ONCE: Final = 128
"""Entries read at once: half a MiB."""
_END: Final = 64
_FIRST: Final = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index knows of one block; its filter apart."""

    start: int
    end: int
    before: int
    """Lines before it."""
    lines: int
    least: int
    greatest: int
    so_far: int
    """The greatest time of this and all former blocks: it never falls, whatever the clock did."""
    tail: int


class BrokenIndex(Exception):
    """It is not that of this log, or it is damaged."""


class LogIndex:
    """An index as it is now. Its methods raise BrokenIndex; the descriptor is the caller's."""

    def __init__(self, descriptor: int, log: int) -> None:
        """`log`: a descriptor of the log. BrokenIndex if it is another's."""
        self._file = descriptor
        header = os.pread(descriptor, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            raise BrokenIndex("it has no header")
        magic, length, digest, check = _HEADER.unpack(header)
        if magic != MAGIC or check != zlib.crc32(header[:-4]) or length > _FIRST:
            raise BrokenIndex("its header is damaged")
        self.count = (os.fstat(descriptor).st_size - _HEADER.size) // ENTRY
        if _digest(os.pread(log, length, 0)) != digest:
            raise BrokenIndex("it is that of another file")
        self.last = self.entry(self.count - 1) if self.count else None
        if self.last is not None and _tail(log, self.last) != self.last.tail:
            raise BrokenIndex("the log has changed under it")

    @property
    def covered(self) -> int:
        """Octets of the log that it knows."""
        return self.last.end if self.last else 0

    def entry(self, number: int) -> Entry:
        data = os.pread(self._file, ENTRY, _HEADER.size + number * ENTRY)
        return _entry(memoryview(data), 0)

    def at_time(self, since: float) -> int:
        """The first block in which a line of that time or later may be; `count` if it can only come later."""
        return bisect_left(range(self.count), since, key=lambda number: self.entry(number).so_far)

    def at_line(self, line: int) -> int:
        """The block with line `line` (from 0); `count` if it comes later."""
        return bisect_left(range(self.count), line + 1, key=lambda number: (e := self.entry(number)).before + e.lines)

    def at_offset(self, offset: int) -> int:
        """The block with that octet of the log; `count` if it comes later."""
        return bisect_left(range(self.count), offset + 1, key=lambda number: self.entry(number).end)

    def blocks(self, first: int, stop: int, words: Sequence[bytes] = (), *, backwards: bool = False) -> Iterator[Entry]:
        """Blocks `first` to before `stop` that may have all of `words`."""
        places = [(bit >> 3, 1 << (bit & 7)) for word in words for bit in bits(word)]
        starts = range(first, stop, _AT_ONCE)
        for start in reversed(starts) if backwards else starts:
            number = min(_AT_ONCE, stop - start)
            data = memoryview(os.pread(self._file, number * ENTRY, _HEADER.size + start * ENTRY))
            if len(data) < number * ENTRY:
                raise BrokenIndex("it became shorter")
            for at in range((number - 1) * ENTRY, -1, -ENTRY) if backwards else range(0, number * ENTRY, ENTRY):
                filters = at + _ENTRY.size
                # The checksum comes first: a filter that lost bits would hide what is there.
                entry = _entry(data, at)
                for octet, bit in places:
                    if not data[filters + octet] & bit:
                        break
                else:
                    yield entry


def read_index(path: Path, log: int) -> tuple[LogIndex, int] | None:
    """The index of the log at `path` and its descriptor, or None if there is none that can be used."""
    try:
        descriptor = os.open(index_of(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return LogIndex(descriptor, log), descriptor
    except (BrokenIndex, OSError):
        os.close(descriptor)
        return None


class Indexer:
    """Makes and continues the index of one log file. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def verify(self) -> bool:
        """Reads the whole index. False: it is damaged, and was removed; True also if there is none."""
        log = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            file = os.open(index_of(self._path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                index = LogIndex(file, log)
                expected = 0
                for entry in index.blocks(0, index.count):
                    if entry.start != expected:
                        raise BrokenIndex("a block is missing")
                    expected = entry.end
            finally:
                os.close(file)
        except FileNotFoundError:
            return True
        except BrokenIndex:
            index_of(self._path).unlink(missing_ok=True)
            return False
        finally:
            os.close(log)
        return True

    def advance(self, blocks: int, *, final: bool) -> bool:
        """Adds at most `blocks` blocks; True if there are more. `final`: the file was put aside, its last block is
        taken as it is. Begins anew if what is there does not fit. OSError."""
        log = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(log).st_size
            if not size or (size < BLOCK and not final):
                return False
            file = os.open(index_of(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                return self._advance(log, file, size, blocks, final=final)
            finally:
                os.close(file)
        finally:
            os.close(log)

    def _advance(self, log: int, file: int, size: int, blocks: int, *, final: bool) -> bool:
        try:
            index = LogIndex(file, log)
            last, count = index.last, index.count
        except BrokenIndex:
            os.ftruncate(file, 0)
            first = os.pread(log, min(_FIRST, size), 0)
            head = _HEADER.pack(MAGIC, len(first), _digest(first), 0)
            _write(file, head[:-4] + struct.pack("<I", zlib.crc32(head[:-4])), 0)
            last, count = None, 0
        start, before, so_far = (last.end, last.before + last.lines, last.so_far) if last else (0, 0, 0)
        made: list[bytes] = []
        while len(made) < blocks:
            block = os.pread(log, BLOCK, start)
            if len(block) < BLOCK and not (final and block):
                break
            block = block[: block.rfind(b"\n") + 1] or block
            entry = Entry(start, start + len(block), before, block.count(b"\n"), *_times(block, so_far), _sum(block))
            made.append(_encoded(entry, make_filter(block_words(block))))
            start, before, so_far = entry.end, entry.before + entry.lines, entry.so_far
        # What a crash left half written behind the last whole entry is written over.
        _write(file, b"".join(made), _HEADER.size + count * ENTRY)
        return size - start >= (1 if final else BLOCK)


def _entry(data: memoryview, at: int) -> Entry:
    whole = data[at : at + ENTRY]
    if len(whole) < ENTRY or zlib.crc32(whole[:-4]) != int.from_bytes(whole[-4:], "little"):
        raise BrokenIndex("an entry is damaged")
    return Entry(*_ENTRY.unpack_from(whole))


def _encoded(entry: Entry, words: bytes) -> bytes:
    data = _ENTRY.pack(
        entry.start, entry.end, entry.before, entry.lines, entry.least, entry.greatest, entry.so_far, entry.tail
    )
    data += words
    return data + struct.pack("<I", zlib.crc32(data))


def _times(block: bytes, so_far: int) -> tuple[int, int, int]:
    """The least and greatest time of a block, and the greatest so far."""
    minutes: dict[bytes, tuple[bytes, bytes]] = {}
    for line in block.split(b"\n"):
        head = line[:18]  # Up to the minute: within it the octets are in the order of time.
        seen = minutes.get(head)
        rest = line[:23]
        minutes[head] = (rest, rest) if seen is None else (min(seen[0], rest), max(seen[1], rest))
    times = [at for pair in minutes.values() for line in pair if (at := moment(line))]
    least, greatest = (min(times), max(times)) if times else (so_far, so_far)
    return least, greatest, max(so_far, greatest)


def _sum(block: bytes) -> int:
    return zlib.crc32(block[-_END:])


def _tail(log: int, entry: Entry) -> int:
    start = max(entry.start, entry.end - _END)
    return zlib.crc32(os.pread(log, entry.end - start, start))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _write(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written
