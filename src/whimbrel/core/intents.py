"""Intents: what a change of several steps is about to do, so that after a crash it is finished or undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that was begun and not ended."""

    id: str
    what: str
    values: Mapping[str, str]


class Intents(Protocol):
    async def begin(self, what: str, values: Mapping[str, str]) -> Intent:
        """Durable when it returns, before the first step."""
        ...

    async def end(self, intent: Intent) -> None:
        """All steps are durable, or none was taken."""
        ...

    async def pending(self) -> Sequence[Intent]:
        """The oldest first: of a process that died in between."""
        ...
