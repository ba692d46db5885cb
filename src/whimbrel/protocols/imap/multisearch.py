"""ESEARCH: a search of many mailboxes at once.

Standards: RFC 7377 2; RFC 5465 6 (filter-mailboxes)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Rule, SearchKey
from whimbrel.protocols.imap.returns import ALL, Returns, optional_returns
from whimbrel.protocols.imap.search import Numbers, Recent, program, uses

MAX_SOURCES = 64
MAX_NAMES = 256
_PLAIN = frozenset({b"SELECTED", b"SELECTED-DELAYED", b"INBOXES", b"PERSONAL", b"SUBSCRIBED"})
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
    def only_selected(self) -> bool:
        return all(source.kind in (b"SELECTED", b"SELECTED-DELAYED") for source in self.sources)


def _names(cursor: Cursor) -> tuple[str, ...]:
    if not cursor.take(b"("):
        return (cursor.mailbox(),)
    names = [cursor.mailbox()]
    while not cursor.take(b")"):
        cursor.space()
        names.append(cursor.mailbox())
        if len(names) > MAX_NAMES:
            raise BadSyntax("Too many mailboxes")
    return tuple(names)


def _sources(cursor: Cursor) -> tuple[Source, ...]:
    cursor.expect(b"(", "Expected a list of mailboxes")
    found: list[Source] = []
    while True:
        kind = cursor.word("Expected which mailboxes")
        if kind in _NAMED:
            cursor.space()
            found.append(Source(kind, _names(cursor)))
        elif kind in _PLAIN:
            found.append(Source(kind))
        else:
            raise BadSyntax("Unknown choice of mailboxes")
        if len(found) > MAX_SOURCES:
            raise BadSyntax("Too many mailboxes")
        if cursor.take(b")"):
            return tuple(found)
        cursor.space()
        if cursor.next_is(b"("):
            raise BadSyntax("No scope options are known")


def _esearch(cursor: Cursor) -> MultiSearch:
    cursor.space()
    sources: tuple[Source, ...] = (Source(b"SELECTED"),)
    if cursor.data[cursor.at : cursor.at + 3].upper() == b"IN ":
        cursor.at += 3
        sources = _sources(cursor)
        cursor.space()
    returns = optional_returns(cursor) or ALL
    command = MultiSearch(sources, returns, program(cursor))
    if not command.only_selected:
        if b"SAVE" in returns.options:
            raise BadSyntax("SAVE is for the selected mailbox alone")  # RFC 7377 2.2
        if uses(command.key, Recent):
            raise BadSyntax("Only the selected mailbox knows what is recent")
        if uses(command.key, Numbers):
            raise BadSyntax("Numbers and UIDs mean nothing in several mailboxes")  # RFC 7377 2.1
    return command


PART = Part(commands={b"ESEARCH": Rule(_esearch, SIGNED_IN)})
