"""Finding lines in one log file: where the index says, else in all of it; forwards or backwards, block by block."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whimbrel.backends.logs.files import index_of
from whimbrel.backends.logs.index import BLOCK, BrokenIndex, read_index
from whimbrel.backends.logs.pattern import Pattern
from whimbrel.backends.logs.stamp import LENGTH, moment
from whimbrel.backends.logs.words import words_of
from whimbrel.core.log import LogQuery

MAX_LINE: Final = 64 * 1024
"""Octets after which a line is cut: ours are shorter."""
CLOCK: Final = 3700
"""Seconds by which the clock of a log may have been set back: a change to winter time, and a little."""


class Late(Exception):
    """The time for a search is up; `offset` is where it goes on."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that was found, without its line feed."""

    at: int
    start: int
    end: int
    """Behind its line feed."""
    line: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query as lines are compared with it."""

    query: LogQuery
    words: tuple[bytes, ...]
    pattern: Pattern | None
    deadline: float
    """By time.monotonic()."""
    phrases: tuple[bytes, ...] = ()
    """In lower case; each must stand in the line."""

    @property
    def needle(self) -> bytes:
        """What a block must have, in lower case, to be looked into at all."""
        text = self.query.text.lower()
        return self.words[0] if self.words else text.encode() if text.isascii() else b""


class LogFile:
    """An open log file with its index, if that can be used."""

    def __init__(self, path: Path) -> None:
        """OSError if it cannot be read."""
        self._path = path
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        stat = os.fstat(self._file)
        self.inode, self._index = stat.st_ino, read_index(path, self._file)
        try:
            self.end = self._whole(stat.st_size)
            """Behind the last whole line: one that is being written is left out."""
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._file)
        self._unindex()

    def find(self, wanted: Wanted, low: int, high: int) -> Iterator[Hit]:
        """The lines between two offsets that are wanted, in the order of the query. Late."""
        backwards = wanted.query.newest_first
        for start, end in self._regions(wanted, low, high):
            if time.monotonic() > wanted.deadline:
                raise Late(end if backwards else start)
            yield from self._hits(wanted, start, end)

    def from_line(self, number: int, count: int) -> list[Hit]:
        """`count` lines from line `number` (from 0) on."""
        start = skip = 0
        if self._index is not None:
            with contextlib.suppress(BrokenIndex):
                index = self._index[0]
                at = index.at_line(number)
                if at < index.count:
                    entry = index.entry(at)
                    start, skip = entry.start, entry.before
                elif index.last is not None:
                    start, skip = index.last.end, index.last.before + index.last.lines
        hits: list[Hit] = []
        while start < self.end and len(hits) < count:
            block = self._read(start, min(start + BLOCK, self.end))
            lines = block.count(b"\n") if block.endswith(b"\n") else block.count(b"\n") + 1
            if skip + lines > number:
                spans = _spans(block, b"")[max(0, number - skip) :]
                hits += [self._hit(block, start, span) for span in spans[: count - len(hits)]]
            start, skip = start + len(block), skip + lines
        return hits

    # Inside

    def _regions(self, wanted: Wanted, low: int, high: int) -> Iterator[tuple[int, int]]:
        """The parts of the file that may have what is wanted, in the order of the query; none larger than a block."""
        backwards, covered = wanted.query.newest_first, 0
        if self._index is not None:
            covered = min(high, self._index[0].covered)
        if backwards:
            yield from self._plain(wanted, max(low, covered), high)
        if low < covered:
            yield from self._indexed(wanted, low, covered)
        if not backwards:
            yield from self._plain(wanted, max(low, covered), high)

    def _indexed(self, wanted: Wanted, low: int, high: int) -> Iterator[tuple[int, int]]:
        assert self._index is not None
        index, query = self._index[0], wanted.query
        left = [low, high]
        """What has not been given out yet."""
        try:
            first, stop = index.at_offset(low), index.at_offset(high - 1) + 1
            if query.since:
                first = max(first, index.at_time(query.since))
            for entry in index.blocks(first, stop, wanted.words, backwards=query.newest_first):
                if (query.since and entry.greatest < query.since) or (query.until and entry.least > query.until):
                    continue
                start, end = max(low, entry.start), min(high, entry.end)
                left[query.newest_first] = start if query.newest_first else end
                yield start, end
        except BrokenIndex:
            # A new one is made by the process that may; now the log itself is read on.
            self._unindex()
            index_of(self._path).unlink(missing_ok=True)
            yield from self._plain(wanted, *left)

    def _plain(self, wanted: Wanted, low: int, high: int) -> Iterator[tuple[int, int]]:
        query = wanted.query
        if query.since and high - low > BLOCK:
            low = max(low, self._seek(query.since - CLOCK, low, high))
        if query.until and high - low > BLOCK:
            high = min(high, self._seek(query.until + CLOCK, low, high) + BLOCK)
            high = self._whole(high)
        while low < high:
            if query.newest_first:
                start = max(low, high - BLOCK)
                if start > low:
                    cut = self._read_raw(start, high).find(b"\n") + 1
                    start = start + cut if 0 < cut < high - start else start
                yield start, high
                high = start
            else:
                end = low + len(self._read(low, min(low + BLOCK, high)))
                yield low, end
                low = end

    def _seek(self, at: float, low: int, high: int) -> int:
        """An offset before which no line is of `at` or later, by halving; its resolution is a block."""
        while high - low > BLOCK:
            middle = (low + high) // 2
            block = self._read_raw(middle, middle + MAX_LINE)
            line = block.find(b"\n") + 1
            then = moment(block[line : line + LENGTH])
            if then and then < at:
                low = middle
            else:
                high = middle
        return self._line_start(low)

    def _line_start(self, offset: int) -> int:
        if not offset:
            return 0
        cut = self._read_raw(offset, offset + MAX_LINE).find(b"\n") + 1
        return offset + cut

    def _hits(self, wanted: Wanted, start: int, end: int) -> Iterator[Hit]:
        block, query = self._read_raw(start, end), wanted.query
        spans = _spans(block, wanted.needle)
        hits = [hit for span in spans if self._fits(hit := self._hit(block, start, span), wanted)]
        if wanted.pattern is not None and hits:
            fits = wanted.pattern.matches([hit.line for hit in hits])
            hits = [hit for hit, yes in zip(hits, fits, strict=True) if yes]
        yield from reversed(hits) if query.newest_first else hits

    @staticmethod
    def _hit(block: bytes, base: int, span: tuple[int, int]) -> Hit:
        line = block[span[0] : min(span[1], span[0] + MAX_LINE)].rstrip(b"\n")
        return Hit(moment(line), base + span[0], base + span[1], line)

    @staticmethod
    def _fits(hit: Hit, wanted: Wanted) -> bool:
        query = wanted.query
        if (query.since and hit.at < query.since) or (query.until and hit.at > query.until):
            return False
        if query.text:
            text = query.text.lower()
            if text.isascii():
                if text.encode() not in hit.line.lower():
                    return False
            elif text.casefold() not in hit.line.decode("utf-8", "replace").casefold():
                return False
        if not wanted.words:
            return True
        line = hit.line[LENGTH:].lower()
        return all(phrase in line for phrase in wanted.phrases) and words_of(line).issuperset(wanted.words)

    def _read(self, start: int, end: int) -> bytes:
        """Up to `end`, cut behind the last whole line if there is one."""
        block = self._read_raw(start, end)
        return block[: block.rfind(b"\n") + 1] or block

    def _read_raw(self, start: int, end: int) -> bytes:
        try:
            return os.pread(self._file, end - start, start)
        except OSError as error:
            error.filename = self._path  # Whoever reads the message knows which disk to look at.
            raise

    def _whole(self, size: int) -> int:
        start = max(0, size - BLOCK)
        return start + (self._read_raw(start, size).rfind(b"\n") + 1)

    def _unindex(self) -> None:
        if self._index is not None:
            os.close(self._index[1])
            self._index = None


def _spans(block: bytes, needle: bytes) -> Sequence[tuple[int, int]]:
    """Where the lines are that contain `needle` in any case: start, and end behind the line feed."""
    spans, size = [], len(block)
    if not needle:
        at = 0
        while at < size:
            end = block.find(b"\n", at) + 1 or size
            spans.append((at, end))
            at = end
        return spans
    low, at = block.lower(), 0
    while (position := low.find(needle, at)) >= 0:
        start = low.rfind(b"\n", 0, position) + 1
        at = low.find(b"\n", position) + 1 or size
        spans.append((start, at))
    return spans
