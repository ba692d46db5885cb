"""Searching logs: over all files of each, several logs as one stream by time, a page at a time within a bounded time.

A cursor says for each log where the next page begins: `mail:2a:1000` (inode and offset, both hexadecimal), `mail:` if
there is no more. It stays good when files are put aside meanwhile.
"""

import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final

from whimbrel.backends.logs.events import LOGS
from whimbrel.backends.logs.files import aside, current
from whimbrel.backends.logs.pattern import Pattern, SlowPattern
from whimbrel.backends.logs.record import parts
from whimbrel.backends.logs.scan import CLOCK, Hit, Late, LogFile, Wanted
from whimbrel.backends.logs.stamp import LENGTH, moment
from whimbrel.backends.logs.words import wanted as wanted_word
from whimbrel.backends.logs.words import wanted_quoted
from whimbrel.core.log import LogLine, LogPage, LogQuery

MOST: Final = 10_000
"""Lines of a page."""
MOST_OCTETS: Final = 16 << 20
"""A page ends early when its lines are so large together."""
SECONDS: Final = 5.0
_CURSOR: Final = re.compile(r"([a-z]+):(?:([0-9a-f]{1,16}):([0-9a-f]{1,16}))?\Z")
GONE: Final = "A file was deleted meanwhile: what was in it is not shown."
LATE: Final = "It took too long: what is shown is a part; go on from here, or narrow the time."
UNREAD: Final = "{} cannot be read ({}): what is in it is not shown."
SLOW: Final = "The regular expression takes too long; use a simpler one, or narrow the time."


class BadQuery(ValueError):
    """The query cannot be carried out; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file by its inode, and an offset in it."""

    inode: int
    offset: int


def search(folder: Path, query: LogQuery, limit: int, cursor: str = "", seconds: float = SECONDS) -> LogPage:
    """The next `limit` lines. BadQuery."""
    words, phrases = list[bytes](), list[bytes]()
    for text in query.words:
        word = wanted_word(text)
        among, phrase = (frozenset((word,)), b"") if word else wanted_quoted(text)
        if not among:
            return LogPage(())  # No line has such a word.
        words += sorted(among)
        phrases += [phrase] if phrase else []
    for log in query.logs:
        if log not in LOGS:
            raise BadQuery(f"there is no log called {log}")
    begun = _read_cursor(cursor, query)
    deadline = time.monotonic() + seconds
    pattern = None
    try:
        if query.regex:
            pattern = Pattern(query.regex, deadline + 1.0)
        wanted = Wanted(query, tuple(words), pattern, deadline, tuple(phrases))
        streams = [_Stream(folder, log, wanted, begun.get(log)) for log in dict.fromkeys(query.logs) if log in begun]
        try:
            return _page(streams, query, max(0, min(limit, MOST)))
        finally:
            for stream in streams:
                stream.close()
    except SlowPattern:
        raise BadQuery(SLOW) from None
    except ValueError as error:
        raise BadQuery(str(error)) from None
    finally:
        if pattern is not None:
            pattern.close()


def lines_from(folder: Path, log: str, file: int, first: int, count: int) -> list[LogLine]:
    """Lines by number, from 1 on; file 0 is the current one, 1 the youngest put aside. BadQuery."""
    if log not in LOGS:
        raise BadQuery(f"there is no log called {log}")
    path = current(folder, log) if not file else folder / f"{log}.log.{file}"
    try:
        opened = LogFile(path)
    except FileNotFoundError:
        if not file:  # Nothing was logged yet.
            return []
        raise BadQuery(f"{path} is not there") from None
    except IsADirectoryError:
        raise BadQuery(f"{path} is no file") from None
    try:
        paths = opened.from_line(max(0, first - 1), max(0, min(count, MOST)))
    finally:
        opened.close()
    return [told(log, hit) for hit in paths]


def told(log: str, hit: Hit) -> LogLine:
    text = hit.line.decode("utf-8", "replace")
    title, fields = parts(text) if hit.at else ("", ())
    return LogLine(log, float(hit.at), text, title, fields)


def _page(streams: list["_Stream"], query: LogQuery, limit: int) -> LogPage:
    lines: list[LogLine] = []
    octets = 0
    late = False
    for stream in streams:
        late |= not stream.step()
    while len(lines) < limit and octets < MOST_OCTETS and not late:
        heads = [stream for stream in streams if stream.head is not None]
        if not heads:
            break
        stream = (max if query.newest_first else min)(heads, key=_time)
        assert stream.head is not None
        lines.append(told(stream.log, stream.head))
        octets += len(stream.head.line)
        late = not stream.step()
    notes = [LATE] * late + [GONE] * any(stream.gone for stream in streams)
    notes += [note for stream in streams for note in stream.unread]
    more = late or any(stream.head is not None for stream in streams)
    cursor = ",".join(stream.cursor() for stream in streams) if more else ""
    return LogPage(tuple(lines), cursor, " ".join(notes))


def _time(stream: "_Stream") -> int:
    assert stream.head is not None
    return stream.head.at


def _read_cursor(cursor: str, query: LogQuery) -> dict[str, Place | None]:
    """Where each log is to be begun; those that have no more are left out."""
    if not cursor:
        return dict.fromkeys(query.logs)
    begun: dict[str, Place | None] = {}
    for part in cursor.split(",")[: len(LOGS)]:
        match = _CURSOR.match(part)
        if match is None or match[1] not in query.logs:
            raise BadQuery("the cursor is not one of this search")
        if match[2]:
            begun[match[1]] = Place(int(match[2], 16), int(match[3], 16))
    return begun


class _Stream:
    """What is found in one log, line after line over its files."""

    def __init__(self, folder: Path, log: str, wanted: Wanted, begin: Place | None) -> None:
        self.log, self._folder, self._wanted = log, folder, wanted
        self.head: Hit | None = None
        self.gone = False
        self.unread: dict[str, None] = {}
        """What is to be said of files that cannot be read, once each."""
        self._place: Place | None = begin
        self._file: LogFile | None = None
        self._over = False
        self._found = self._find(begin)

    def step(self) -> bool:
        """Goes on to the next line. False: there was no time to look for it."""
        try:
            self.head = next(self._found, None)
        except Late as late:
            assert self._file is not None
            self.head, self._place = None, Place(self._file.inode, late.offset)
            return False
        if self.head is None:
            self._over = True
        else:
            assert self._file is not None
            backwards = self._wanted.query.newest_first
            self._place = Place(self._file.inode, self.head.end if backwards else self.head.start)
        return True

    def cursor(self) -> str:
        if self._over:
            return f"{self.log}:"
        if self._place is None:  # It was not begun: the others took all the time.
            newest = self._wanted.query.newest_first
            files = self._files()
            return f"{self.log}:{files[0][1]:x}:{(1 << 62) if newest else 0:x}" if files else f"{self.log}:"
        return f"{self.log}:{self._place.inode:x}:{self._place.offset:x}"

    def close(self) -> None:
        self._found.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _find(self, begin: Place | None) -> Generator[Hit, None, None]:
        files = self._files()
        if begin is not None:
            known = [inode for _, inode in files]
            if begin.inode in known:
                files = files[known.index(begin.inode) :]
            else:
                self.gone = True
                if self._wanted.query.newest_first:
                    return  # What is older is gone as well.
                begin = None
        for path, inode in files:
            file = self._open(path, inode)
            if file is None:
                continue
            if self._file is not None:
                self._file.close()
            self._file = file
            low, high = 0, file.end
            if begin is not None and begin.inode == inode:
                if self._wanted.query.newest_first:
                    high = min(high, begin.offset)
                else:
                    low = begin.offset
            yield from file.find(self._wanted, low, high)

    def _files(self) -> list[tuple[Path, int]]:
        """The files that may have what is wanted, in the order of the query."""
        query, paths = self._wanted.query, []
        for path in (current(self._folder, self.log), *aside(self._folder, self.log)):
            try:
                stat = path.stat()
                if not S_ISREG(stat.st_mode):
                    self._pass_over(path, "it is no file")
                    continue
                # Nothing was appended since: what it holds is older, even if the clock was set back.
                if query.since and stat.st_mtime < query.since - CLOCK:
                    continue
                if query.until:
                    with path.open("rb") as file:
                        if moment(file.read(LENGTH)) > query.until + CLOCK:
                            continue
            except FileNotFoundError:
                continue
            except PermissionError as error:
                self._pass_over(path, error.strerror or type(error).__name__)
                continue
            paths.append((path, stat.st_ino))
        return paths if query.newest_first else paths[::-1]

    def _pass_over(self, path: Path, reason: str) -> None:
        self.unread[UNREAD.format(path, reason)] = None

    def _open(self, path: Path, inode: int) -> LogFile | None:
        for _ in range(3):
            try:
                file = LogFile(path)
            except FileNotFoundError:
                pass
            except PermissionError as error:
                self._pass_over(path, error.strerror or type(error).__name__)
                return None
            else:
                if file.inode == inode:
                    return file
                file.close()
            # Put aside meanwhile: it goes by another name now.
            names = {known: now for now, known in self._files()}
            if inode not in names:
                break
            path = names[inode]
        self.gone = True
        return None
