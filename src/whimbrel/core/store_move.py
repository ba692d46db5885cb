"""Moving the store to another directory: the port, and what is known of a move. Decision 0024.

Times are seconds since 1970, sizes octets.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

MoveState = Literal["copying", "ready", "failed", "done"]
"""`copying`: beside the running server; nothing depends on it. `ready`: the next start does the last part before any
process opens the store. `failed`, `done`: how it ended."""


class MoveRefused(Exception):
    """The store cannot go there, or what a move left cannot be deleted; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Move:
    """From where to where."""

    id: str
    source: str
    target: str
    by_rename: bool
    """Both are on one file system: the directory gets another name, nothing is copied."""
    state: MoveState
    began: float
    by: str
    attempts: int = 0
    """Starts that began the last part."""
    ended: float = 0.0
    stopped: float = 0.0
    """Seconds that the last part took, while no mail was served."""
    files: int = 0
    octets: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A directory that a move has left behind: a `store` that was moved away from, or an unfinished `copy`."""

    path: str
    kind: Literal["store", "copy"]
    id: str
    since: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The latest move, and what moves have left behind."""

    move: Move | None = None
    left: tuple[Left, ...] = ()

    def with_left(self, entry: Left) -> "Plan":
        return replace(self, left=(*(each for each in self.left if each.path != entry.path), entry))

    def without_left(self, path: str) -> "Plan":
        return replace(self, left=tuple(each for each in self.left if each.path != path))

    def becomes(self, state: MoveState, **values: object) -> "Plan":
        assert self.move is not None
        return replace(self, move=replace(self.move, state=state, **values))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Prospect:
    """A move that can be made, and what it would take."""

    source: str
    target: str
    by_rename: bool
    resumes: bool
    """An unfinished copy of this store is there already."""
    files: int = 0
    octets: int = 0
    """That a whole copy takes."""
    free: int = 0
    reserve: int = 0
    """Octets below which the disk there must not come: its hard limit."""
    copying: float = 0.0
    """Seconds, an estimate."""
    stopped: float = 0.0
    """Seconds without mail service, an estimate."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a copy, or a deletion, has come."""

    files: int
    octets: int
    fresh: int
    """Octets that had to be copied; the rest was there already."""
    percent: int


class StoreMover(Protocol):
    """One move at a time."""

    async def plan(self) -> Plan: ...

    async def prospect(self, target: str) -> Prospect:
        """Walks over all files of the store; changes nothing. MoveRefused"""
        ...

    def move(self, prospect: Prospect, by: str) -> AsyncGenerator[Step]:
        """Copies the store. When the last step was taken the server restarts by itself and does the last part; where
        none runs, that is done too. Ended before, nothing has changed, and the copy stays for a later move to go on
        from. MoveRefused"""
        ...

    async def restart(self) -> None:
        """The move is `ready`: the server stops, does the last part and starts. Nothing where none runs."""
        ...

    async def left(self, path: str) -> Left:
        """What a move has left at `path`, once it is clear that it may be deleted. MoveRefused"""
        ...

    def delete(self, left: Left) -> AsyncGenerator[Step]:
        """Deletes what a move has left, for good. MoveRefused"""
        ...
