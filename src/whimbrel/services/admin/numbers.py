"""Numbers as parameters of calls: their bounds, and what is said of what is none.

Only the standard library is loaded: the command line reads numbers before it draws its first letter.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

_WHOLE: Final = re.compile(r"[+-]?\d{1,300}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})", re.ASCII)
LARGEST: Final = (1 << 53) - 1
"""Above it not every program that reads JSON sees the same number. RFC 8259 6"""


@dataclass(frozen=True, slots=True)
class Between:
    """Stands beside the type of a number in a call's declaration: its least and its largest value, and an example."""

    least: float = 0
    most: float = LARGEST
    such_as: float = 10


ANY: Final = Between()
MOST_LISTED: Final = Between(1, 10_000, such_as=100)
"""How many rows or lines a list may have."""


def number(value: object, kind: type, bounds: Between = ANY) -> Any:
    """An int or float from text or a number of JSON. ValueError tells what was given, and an example."""
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows one kind of number: 5.0 is 5. JSON Schema, Validation 6.1.1
    text = str(value).strip()
    known = _WHOLE.fullmatch(text) if kind is int else (_DECIMAL.fullmatch(text) or isinstance(value, float))
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not known:
        what = "whole number" if kind is int else "number"
        raise ValueError(f"'{text[:100]}' is not a {what}, such as {bounds.such_as:g}")
    return within(kind(text), text, bounds, lambda each: f"{each:.16g}")


def within(made: Any, text: str, bounds: Between, written: Callable[[Any], str]) -> Any:
    """`made`, if it is within its bounds, which `written` writes as people do. ValueError quotes `text`."""
    if bounds.least <= made <= bounds.most and math.isfinite(made):
        return made
    example = f"give {written(bounds.such_as)}, for example"
    if bounds.most < LARGEST:
        raise ValueError(f"'{text[:100]}' is not between {written(bounds.least)} and {written(bounds.most)}: {example}")
    where = f"below {written(bounds.least)}" if made < bounds.least else "too large"
    raise ValueError(f"'{text[:100]}' is {where}: {example}")
