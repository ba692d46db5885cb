"""What a step of the set-up is: what it asks, what it looks at live, and what it adds to the new installation.

    STORAGE = Step("storage", "Storage", "Where mail lies.", fields=(STORE,), checks=(Check("disk", "Disk", look),),
                   add=add)

A new step is a file in `steps/` with such a value, and its line in `table.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Values
from whimbrel.services.setup.machine import Machine


class Level(Enum):
    """How a thing that was looked at is; `UNKNOWN`: it could not be found out, or nobody asked for it to be."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at one thing came to."""

    level: Level
    text: str
    """What is so, in a sentence or two words."""
    advice: str = ""
    """What to do about it."""
    field: str = ""
    """The field that it is about."""
    offer: object = None
    """A value for that field that would be better."""
    lines: tuple[str, ...] = ()
    """A dialogue, for who wants to see it."""


def ok(text: str, *, lines: tuple[str, ...] = ()) -> Finding:
    return Finding(Level.OK, text, lines=lines)


Look = Callable[[Values, Machine], Sequence[Finding]]
"""Takes the values of all steps that could be read; may block, and is given up after `looking.WITHIN`. It never
refuses anything: what must not be is refused by the reading of a field, or by the writing."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    title: str
    look: Look
    on_demand: bool = False
    """It speaks with others, and is made only when a person asks for it."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    title: str
    help: str
    fields: tuple[Field, ...] = ()
    checks: tuple[Check, ...] = ()
    add: Callable[[Values, Making], None] | None = None
    """What its values become in the new installation. ValueError and Wrong tell, by the name of a field, what is wrong
    with values that are each well formed."""
    words: Callable[[Values], Sequence[str]] = field(default=lambda _: ())
    """Its values in sentences, for the review."""
