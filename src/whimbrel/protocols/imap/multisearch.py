"""ESEARCH: a search of many mailboxes at once.

Standards: RFC 7377 2, 4; RFC 5465 6 (filter-mailboxes)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor, Refused
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Reader, Rule, SearchKey
from whimbrel.protocols.imap.returns import ALL, Returns, optional_returns
from whimbrel.protocols.imap.search import Recent, by_number, program, uses, uses_saved

MAX_SOURCES = 64
MAX_NAMES = 256
_PLAIN = frozenset({b"SELECTED", b"INBOXES", b"PERSONAL", b"SUBSCRIBED"})
_NAMED = frozenset({b"SUBTREE", b"SUBTREE-ONE", b"MAILBOXES"})


@dataclass(frozen=True, slots=True)
class Source:
    """`kind` in capitals; `names` for SUBTREE, SUBTREE-ONE, MAILBOXES."""

    kind: bytes
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiSearch(Arguments):
    sources: tuple[Source, ...]
    returns: Returns
    key: SearchKey

    @property
    def selected(self) -> bool:
        """The selected mailbox is among them, so there must be one. RFC 7377 2.2"""
        return any(source.kind == b"SELECTED" for source in self.sources)

    @property
    def only_selected(self) -> bool:
        return all(source.kind == b"SELECTED" for source in self.sources)

    @property
    def holds_numbers(self) -> bool:
        return by_number(self.key)


def _names(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.take(b"("):
        return (cursor.mailbox(),)
    names: list[str] = []
    for _ in cursor.items("No mailboxes"):
        names.append(cursor.mailbox())
        if len(names) > MAX_NAMES:
            raise BadSyntax("Too many mailboxes")
    return tuple(names)


def _sources(cursor: Cursor) -> tuple[Source, ...]:
    cursor.expect(b"(", "Expected a list of mailboxes")
    sources: list[Source] = []
    for _ in cursor.items("Expected which mailboxes"):
        if cursor.next_is(b"("):
            raise BadSyntax("No scope options are known")
        kind = cursor.word("Expected which mailboxes")
        if kind in _NAMED:
            cursor.space()
            sources.append(Source(kind, _names(cursor)))
        elif kind in _PLAIN:
            sources.append(Source(kind))
        else:
            raise BadSyntax("Unknown choice of mailboxes")
        if len(sources) > MAX_SOURCES:
            raise BadSyntax("Too many mailboxes")
    return tuple(sources)


def _esearch(cursor: Reader) -> MultiSearch:
    cursor.space()
    sources: tuple[Source, ...] = (Source(b"SELECTED"),)
    if cursor.keyword(b"IN"):
        sources = _sources(cursor)
        cursor.space()
    returns = optional_returns(cursor) or ALL
    command = MultiSearch(sources, returns, program(cursor))
    if not command.only_selected:
        if b"SAVE" in returns.options:
            raise BadSyntax("SAVE is for the selected mailbox alone")  # RFC 7377 2.2
        if uses_saved(command.key):
            raise BadSyntax("$ is of the selected mailbox alone")  # RFC 5182 2.1
        if uses(command.key, Recent):
            raise Refused(b"CANNOT", "Only the selected mailbox knows what is recent")
    return command


PART = Part(commands={b"ESEARCH": Rule(_esearch, SIGNED_IN)})
