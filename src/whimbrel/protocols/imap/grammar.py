"""What the parts of the grammar share: states, commands as values, and the table that each part fills.

A part of IMAP (a command group or an extension) is one module with a `Part`: its commands, and what it adds to
FETCH, SEARCH and STATUS. The package's table joins the parts.

Standards: RFC 3501 3 (states), 9 (formal syntax)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whimbrel.protocols.imap.cursor import Cursor


class State(Enum):
    """RFC 3501 3"""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


ANY = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
BEFORE = frozenset({State.NOT_AUTHENTICATED})
SIGNED_IN = frozenset({State.AUTHENTICATED, State.SELECTED})
IN_MAILBOX = frozenset({State.SELECTED})


class Arguments:
    """A command that has been understood: each kind is a frozen dataclass of its own."""

    __slots__ = ()

    @property
    def holds_numbers(self) -> bool:
        """Its answers count on message sequence numbers: no EXPUNGE until it is done. RFC 3501 7.4.1"""
        return False


class FetchItem:
    """Something FETCH can be asked for."""

    __slots__ = ()


class SearchKey:
    """A condition that a message meets or does not. RFC 3501 6.4.4"""

    __slots__ = ()


class Bulk(Arguments):
    """A command whose last argument is a literal that is handed on in blocks and never kept whole."""

    __slots__ = ()

    size: int


@dataclass(frozen=True, slots=True)
class Rule:
    """How one command is read, and in which states it may come."""

    parse: "Callable[[Cursor], Arguments]"
    states: frozenset[State]
    bulk: Callable[[bytes], bool] | None = None
    """Given what stands between the command's name and a literal: is that literal the bulk one?"""


@dataclass(frozen=True, slots=True)
class Part:
    """What one module adds to the grammar."""

    commands: Mapping[bytes, Rule] = field(default_factory=dict)
    """By name in capitals, `UID FETCH` for the UID form."""
    fetch_items: "Mapping[bytes, Callable[[Cursor], FetchItem]]" = field(default_factory=dict)
    """By the name's letters, digits and dots; the cursor stands behind the name."""
    search_keys: "Mapping[bytes, Callable[[Cursor], SearchKey]]" = field(default_factory=dict)
    status_items: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Grammar:
    """All parts together."""

    commands: Mapping[bytes, Rule]
    fetch_items: "Mapping[bytes, Callable[[Cursor], FetchItem]]"
    search_keys: "Mapping[bytes, Callable[[Cursor], SearchKey]]"
    status_items: frozenset[bytes]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Grammar":
        commands: dict[bytes, Rule] = {}
        fetch_items: dict[bytes, Callable[[Cursor], FetchItem]] = {}
        search_keys: dict[bytes, Callable[[Cursor], SearchKey]] = {}
        status_items: frozenset[bytes] = frozenset()
        for part in parts:
            commands |= part.commands
            fetch_items |= part.fetch_items
            search_keys |= part.search_keys
            status_items |= part.status_items
        return cls(commands, fetch_items, search_keys, status_items)
