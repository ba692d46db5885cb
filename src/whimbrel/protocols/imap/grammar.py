"""What the parts of the grammar share: states, commands as values, and the table that each part fills.

A part of IMAP (a command group or an extension) is one module with a `Part`: its commands, and what it adds to
FETCH, SEARCH and STATUS. The package's table joins the parts.

Standards: RFC 3501 3 (states), 9 (formal syntax)
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor


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

    @property
    def numbered(self) -> bool:
        """Names messages by sequence number, or is answered by them: not to be had under UIDONLY. RFC 9586 3.1"""
        return self.holds_numbers

    @property
    def by_uid(self) -> bool:
        """Names messages by UID: each FETCH response that comes with its answer has the UID. RFC 3501 6.4.8"""
        return False

    @property
    def removes(self) -> bool:
        """Its answer is what is gone from the selected mailbox: reported also to a client that does not want to hear of
        it by itself. RFC 5465 3.1"""
        return False


class FetchItem:
    """Something FETCH can be asked for."""

    __slots__ = ()


class SearchKey:
    """A condition that a message meets or does not. RFC 3501 6.4.4"""

    __slots__ = ()


class Parameter:
    """What stands in parentheses behind SELECT, FETCH or STORE and changes what they do. RFC 4466"""

    __slots__ = ()


class Bulk(Arguments):
    """A command whose last argument is a literal that is handed on in blocks and never kept whole."""

    __slots__ = ()

    size: int

    @property
    def tail(self) -> bytes:
        """What stands behind the literal."""
        return b""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one command is read, and in which states it may come."""

    parse: "Callable[[Reader], Arguments]"
    states: frozenset[State]
    bulk: Callable[[bytes], bool] | None = None
    """Given what stands between the command's name and a literal: is that literal the bulk one?"""
    more: "Callable[[Reader], Bulk] | None" = None
    """Reads what announces the next bulk literal of the same command. RFC 3502"""


@dataclass(frozen=True, slots=True)
class Part:
    """What one module adds to the grammar."""

    commands: Mapping[bytes, Rule] = field(default_factory=dict)
    """By name in capitals, `UID FETCH` for the UID form."""
    fetch_items: "Mapping[bytes, Callable[[Reader], FetchItem]]" = field(default_factory=dict)
    """By the name's letters, digits and dots; the cursor stands behind the name."""
    search_keys: "Mapping[bytes, Callable[[Reader], SearchKey]]" = field(default_factory=dict)
    status_items: frozenset[bytes] = frozenset()
    select_parameters: "Mapping[bytes, Callable[[Reader], Parameter]]" = field(default_factory=dict)
    fetch_modifiers: "Mapping[bytes, Callable[[Reader], Parameter]]" = field(default_factory=dict)
    store_modifiers: "Mapping[bytes, Callable[[Reader], Parameter]]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grammar:
    """All parts together."""

    commands: Mapping[bytes, Rule]
    fetch_items: "Mapping[bytes, Callable[[Reader], FetchItem]]"
    search_keys: "Mapping[bytes, Callable[[Reader], SearchKey]]"
    status_items: frozenset[bytes]
    select_parameters: "Mapping[bytes, Callable[[Reader], Parameter]]"
    fetch_modifiers: "Mapping[bytes, Callable[[Reader], Parameter]]"
    store_modifiers: "Mapping[bytes, Callable[[Reader], Parameter]]"

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Grammar":
        commands: dict[bytes, Rule] = {}
        fetch_items: dict[bytes, Callable[[Reader], FetchItem]] = {}
        search_keys: dict[bytes, Callable[[Reader], SearchKey]] = {}
        status_items: frozenset[bytes] = frozenset()
        selects: dict[bytes, Callable[[Reader], Parameter]] = {}
        fetches: dict[bytes, Callable[[Reader], Parameter]] = {}
        stores: dict[bytes, Callable[[Reader], Parameter]] = {}
        for part in parts:
            commands |= part.commands
            fetch_items |= part.fetch_items
            search_keys |= part.search_keys
            status_items |= part.status_items
            selects |= part.select_parameters
            fetches |= part.fetch_modifiers
            stores |= part.store_modifiers
        return cls(commands, fetch_items, search_keys, status_items, selects, fetches, stores)


class Reader(Cursor):
    """A cursor that knows what all parts of the grammar have added."""

    __slots__ = ("grammar",)

    def __init__(self, data: bytes, grammar: Grammar, at: int = 0, *, utf8: bool = False) -> None:
        super().__init__(data, at, utf8=utf8)
        self.grammar = grammar


MAX_PARAMETERS = 16


def parameters(reader: Reader, known: Mapping[bytes, Callable[[Reader], Parameter]]) -> tuple[Parameter, ...]:
    """A list of parameters in parentheses, if one comes next. RFC 4466 2.1, 2.4, 2.5"""
    if not reader.take(b"("):
        return ()
    read: list[Parameter] = []
    for _ in reader.items("Expected a parameter"):
        parse = known.get(reader.word("Expected a parameter"))
        if parse is None:
            raise BadSyntax("Unknown parameter")
        parameter = parse(reader)
        if any(type(parameter) is type(other) for other in read) or len(read) >= MAX_PARAMETERS:
            raise BadSyntax("Parameter given twice")
        read.append(parameter)
    return tuple(read)
