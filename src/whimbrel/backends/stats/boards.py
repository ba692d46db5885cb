"""Reads what the processes of a server count, and what those counted that are gone."""

import contextlib
import fcntl
import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from whimbrel.backends.stats.board import HEAD, MAGIC, PAGE, SIZE, TOPS

MOST: Final = 1000
"""Files that are looked at; there are as many as processes, and those of processes that died a moment ago."""
MAX_NAMES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class DayTops:
    """Senders and recipients of one day: name -> how often, how many octets."""

    day: str
    senders: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    recipients: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BoardCopy:
    """The counts of one process, at most some seconds old."""

    path: Path
    ident: str
    alive: bool
    """Its process lives. If not, this is the last that it told."""
    values: Mapping[str, int]
    tops: tuple[DayTops, ...] = ()
    """Of the day it is for the process, and of the day before that."""


def read_boards(folder: Path) -> Iterator[BoardCopy]:
    """All whole ones. A file that is no board, or not yet one, is passed over."""
    try:
        names = sorted(os.listdir(folder))[:MOST]
    except FileNotFoundError:
        return
    for name in names:
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, struct.error):
            yield _read(folder / name)


def _read(path: Path) -> BoardCopy:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        # First whether it lives: what it writes before it dies is in what is read then.
        alive = _held(descriptor)
        magic, ident, named, numbers, count, tops, _ = HEAD.unpack(os.pread(descriptor, HEAD.size, 0))
        if magic != MAGIC or named > MAX_NAMES or count * 8 > MAX_NAMES or numbers % PAGE:
            raise ValueError(f"{path} is no board")
        columns = json.loads(os.pread(descriptor, named, HEAD.size))
        raw = os.pread(descriptor, 8 * count, numbers)
        values = memoryview(raw).cast("Q").tolist()
        return BoardCopy(path, ident.hex(), alive, dict(zip(columns, values, strict=True)), _tops(descriptor, tops))
    finally:
        os.close(descriptor)


def _held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _tops(descriptor: int, at: int) -> tuple[DayTops, ...]:
    """Empty if there are none yet, or they were being written at this moment."""
    (size,) = SIZE.unpack(os.pread(descriptor, SIZE.size, at))
    if not 0 < size <= TOPS:
        return ()
    try:
        made = json.loads(os.pread(descriptor, size, at + SIZE.size))
        return tuple(_day(each) for each in (made, made["before"]) if each)
    except (ValueError, LookupError, TypeError):
        return ()


def _day(made: Mapping[str, Any]) -> DayTops:
    return DayTops(str(made["day"]), _table(made["senders"]), _table(made["recipients"]))


def _table(rows: Any) -> Mapping[str, tuple[int, int]]:
    return {str(name): (int(times), int(octets)) for name, times, octets in rows}
