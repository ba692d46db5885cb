"""Totals since the start of the server, today and ever, made of what its processes count, and kept over restarts.

Of each process it is remembered what it had counted when it was last looked at; only what came since is added. Totals
and that memory are written in one file, so whatever a crash undoes, it undoes of both. The board of a dead process goes
once what it had counted is safe.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from whimbrel.backends.stats.boards import BoardCopy, DayTops
from whimbrel.backends.stats.sketch import Counts, Sketch, merged
from whimbrel.core.stats import MEMORY

FORMAT: Final = 1
KINDS: Final = ("senders", "recipients")
Table = dict[str, Counts]


@dataclass(slots=True)
class Ledger:
    format: int = FORMAT
    server: str = ""
    """Which run of the server `start` counts from."""
    started: float = 0.0
    reset: float = 0.0
    day: str = ""
    start: dict[str, int] = field(default_factory=dict)
    today: dict[str, int] = field(default_factory=dict)
    ever: dict[str, int] = field(default_factory=dict)
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    """By id of a board."""
    rolled: dict[str, str] = field(default_factory=dict)
    """By id of a board: the last day whose senders and recipients of it are among those of ever."""
    tops_today: dict[str, Table] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    """Of dead processes; the living tell theirs themselves."""
    tops_ever: dict[str, Table] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    """Of the days before."""

    def run(self, server: str, now: float) -> None:
        """This is the run of the server that `server` names."""
        if server != self.server:
            self.server, self.started, self.start = server, now, {}
        self.reset = self.reset or now

    def take(self, boards: Sequence[BoardCopy]) -> dict[str, int]:
        """Adds what came since they were last looked at; that."""
        came: dict[str, int] = {}
        for board in boards:
            before = self.seen.get(board.ident, {})
            for name, value in board.values.items():
                more = value - before.get(name, 0)
                if more > 0 and name != MEMORY:  # Less: the last copy before a power cut was lost.
                    came[name] = came.get(name, 0) + more
            self.seen[board.ident] = dict(board.values)
        for totals in (self.start, self.today, self.ever):
            for name, more in came.items():
                totals[name] = totals.get(name, 0) + more
        return came

    def begin_day(self, day: str, boards: Sequence[BoardCopy]) -> None:
        """A new day, if it is one: senders and recipients of the one before join those of ever."""
        if day == self.day:
            return
        for kind in KINDS:
            tables = [self.tops_ever[kind], self.tops_today[kind]]
            tables += [getattr(tops, kind) for board in boards for tops in self._untaken(board) if tops.day < day]
            self.tops_ever[kind], self.tops_today[kind] = dict(merged(tables).counts), {}
        for board in boards:
            self.rolled[board.ident] = max((tops.day for tops in board.tops if tops.day < day), default="")
        self.day, self.today = day, {}

    def take_over(self, boards: Iterable[BoardCopy]) -> None:
        """Processes that are gone: their senders and recipients are taken over."""
        for board in boards:
            for tops in self._untaken(board):
                into = self.tops_today if tops.day == self.day else self.tops_ever
                for kind in KINDS:
                    into[kind] = dict(merged([into[kind], getattr(tops, kind)]).counts)
            self.rolled[board.ident] = "9999"

    def forget(self, known: Iterable[str]) -> None:
        """Boards that are no more."""
        idents = set(known)
        self.seen = {ident: values for ident, values in self.seen.items() if ident in idents}
        self.rolled = {ident: day for ident, day in self.rolled.items() if ident in idents}

    def tops(self, kind: str, boards: Iterable[BoardCopy], *, today: bool) -> Sketch:
        tables: list[Mapping[str, Counts]] = [self.tops_today[kind]]
        if not today:
            tables.append(self.tops_ever[kind])
        for board in boards:
            tables += [getattr(each, kind) for each in self._untaken(board) if not today or each.day == self.day]
        return merged(tables)

    def clear(self, now: float, boards: Sequence[BoardCopy]) -> None:
        """Everything begins again."""
        self.start, self.today, self.ever, self.reset = {}, {}, {}, now
        self.tops_today = {kind: {} for kind in KINDS}
        self.tops_ever = {kind: {} for kind in KINDS}
        # Senders and recipients that living processes still tell of were before.
        self.rolled = {board.ident: max((tops.day for tops in board.tops), default="") for board in boards}

    def _untaken(self, board: BoardCopy) -> list[DayTops]:
        return [tops for tops in board.tops if tops.day > self.rolled.get(board.ident, "")]

    # The file

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        """Of the file, or of the one before if it is damaged; else a new one."""
        for each in (path, _former(path)):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                made = json.loads(each.read_bytes())
                if made["format"] == FORMAT:
                    return cls(**{**made, **{name: _tables(made[name]) for name in ("tops_today", "tops_ever")}})
        return cls()

    def save(self, path: Path, *, sync: bool) -> None:
        """`sync`: it outlives a power cut now, not only in some seconds. OSError"""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(asdict(self), separators=(",", ":")).encode("utf-8", "replace"))
            if sync:
                file.flush()
                os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, _former(path))
        os.replace(beside, path)


def _former(path: Path) -> Path:
    return path.with_name(f"{path.name}.former")


def _tables(made: Any) -> dict[str, Table]:
    return {kind: {name: (int(counts[0]), int(counts[1])) for name, counts in made[kind].items()} for kind in KINDS}
