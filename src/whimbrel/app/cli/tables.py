"""Tables that fit the terminal, so that whatever they show can be read and copied.

Each column says how it gives way. Addresses, ids and numbers are shown whole or not at all; lists break between their
items, words where they are wrapped. What still has no room goes from the right, as columns stand in the order of their
weight, and is named; where not even the first ones fit beside the words, each row becomes a block of lines.
"""

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

GAP: Final = 2
"""Between two columns."""
KEPT: Final = 3
"""So many columns, the first, are never left out."""
NARROWEST: Final = 16
"""Cells of words are wrapped to no less, unless they are shorter."""
BETWEEN: Final = ", "
"""Items of a list."""


class Gives(Enum):
    """How a column gives way when there is no room."""

    NOTHING = 1
    LISTS = 2
    WORDS = 3


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column; numbers stand at its right."""

    title: str
    gives: Gives = Gives.NOTHING
    number: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """`widths` of the columns that are shown, by their place; `left_out` are the titles of the others."""

    widths: dict[int, int]
    left_out: tuple[str, ...] = ()


Rows = Sequence[Sequence[str]]


def width(text: str) -> int:
    """Cells of a terminal. Unicode 15, UAX 11"""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1 for char in text
    )


def natural(columns: Sequence[Column], rows: Rows) -> dict[int, int]:
    """The widths with which nothing is broken."""
    return {i: max(width(column.title), *(width(row[i]) for row in rows)) for i, column in enumerate(columns)}


def fitted(columns: Sequence[Column], rows: Rows, room: int) -> Fit | None:
    """How a table fits into `room`; None: as blocks of lines only."""
    wanted = natural(columns, rows)
    least = {i: _least(columns[i], [row[i] for row in rows], wanted[i]) for i in wanted}
    shown, left_out = list(wanted), list[int]()
    while sum(least[i] + GAP for i in shown) - GAP > room:
        spare = [i for i in shown[KEPT:] if columns[i].gives is not Gives.WORDS]
        if not spare:
            return None
        shown.remove(spare[-1])
        left_out.insert(0, spare[-1])
    free = room - sum(least[i] + GAP for i in shown) + GAP
    widths = {i: least[i] for i in shown}
    growing = sorted(shown, key=lambda i: wanted[i] - least[i])
    for place, i in enumerate(growing):  # What is left, in equal shares; the small ones take what they need.
        more = min(wanted[i] - least[i], free // (len(growing) - place))
        widths[i], free = least[i] + more, free - more
    return Fit(widths, tuple(columns[i].title for i in left_out))


def lines(columns: Sequence[Column], rows: Rows, widths: dict[int, int], *, heading: bool = True) -> list[str]:
    """The table as lines; the heading is the first."""
    made = [_line([columns[i].title for i in widths], columns, widths)] if heading else []
    for row in rows:
        cells = [_wrapped(row[i], columns[i].gives, room) for i, room in widths.items()]
        for at in range(max(map(len, cells))):
            made.append(_line([cell[at] if at < len(cell) else "" for cell in cells], columns, widths))
    return made


def blocks(columns: Sequence[Column], rows: Rows) -> list[str]:
    """Each row as lines of title and value, with an empty line between two rows."""
    room = max(width(column.title) for column in columns)
    made: list[str] = []
    for row in rows:
        made += [""] if made else []
        made += [
            f"{column.title:{room}}  {cell}" for column, cell in zip(columns, row, strict=True) if cell
        ]  # fmt: skip
    return made


def _least(column: Column, cells: Sequence[str], wanted: int) -> int:
    if column.gives is Gives.WORDS:
        return min(wanted, max(width(column.title), NARROWEST))
    if column.gives is Gives.LISTS:
        return max(width(column.title), *(width(line) for cell in cells for line in _items(cell.split(BETWEEN), 0)))
    return wanted


def _wrapped(cell: str, gives: Gives, room: int) -> list[str]:
    if width(cell) <= room or gives is Gives.NOTHING:
        return [cell]
    if gives is Gives.LISTS:
        return _items(cell.split(BETWEEN), room)
    narrow = max(1, room * len(cell) // width(cell))  # In characters, of which some are wide.
    return textwrap.wrap(cell, narrow, break_on_hyphens=False) or [""]


def _items(items: Sequence[str], room: int) -> list[str]:
    made = [""]
    for place, item in enumerate(items):
        piece = item + ("," if place + 1 < len(items) else "")
        longer = f"{made[-1]} {piece}".lstrip()
        if width(longer) <= room:
            made[-1] = longer
        else:
            made.append(piece)
    return [line for line in made if line]


def _line(cells: Sequence[str], columns: Sequence[Column], widths: dict[int, int]) -> str:
    padded = []
    for cell, (i, room) in zip(cells, widths.items(), strict=True):
        fill = " " * (room - width(cell))
        padded.append(fill + cell if columns[i].number else cell + fill)
    return (" " * GAP).join(padded).rstrip()
