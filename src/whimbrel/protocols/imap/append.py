"""APPEND and REPLACE. Their messages are bulk literals: the arguments are read when one is announced.

Standards: RFC 3501 6.3.11; RFC 3502 (MULTIAPPEND), RFC 3516 4.4 (literal8), RFC 6855 4 (UTF8), RFC 7889 (APPENDLIMIT),
RFC 8508 3 (REPLACE)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor, split_flags
from whimbrel.protocols.imap.dates import read_date_time
from whimbrel.protocols.imap.grammar import IN_MAILBOX, SIGNED_IN, Bulk, Part, Rule
from whimbrel.protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Message:
    """What is said of a message before it comes. `date` is in seconds since 1970 UTC; None: now."""

    flags: int
    keywords: frozenset[str]
    date: int | None
    size: int
    utf8: bool = False
    """RFC 6855 4: the literal stands in `UTF8 (...)`."""

    @property
    def tail(self) -> bytes:
        return b")" if self.utf8 else b""


class Carrier(Bulk):
    """A command that ends with a message: how much of it is to come, and what stands behind it."""

    __slots__ = ()
    message: Message

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.message.size

    @property
    def tail(self) -> bytes:
        return self.message.tail


@dataclass(frozen=True, slots=True)
class Append(Carrier):
    mailbox: str
    message: Message


@dataclass(frozen=True, slots=True)
class AppendMore(Carrier):
    """Another message of the same command. RFC 3502"""

    message: Message


@dataclass(frozen=True, slots=True)
class Replace(Carrier):
    """The message that `sequence` names goes, this one comes, in one step."""

    sequence: SequenceSet
    uid: bool
    mailbox: str
    message: Message

    @property
    def numbered(self) -> bool:
        return not self.uid


def _message(cursor: Cursor) -> Message:
    cursor.space()
    flags, keywords = 0, frozenset[str]()
    if cursor.next_is(b"("):
        flags, keywords = split_flags(cursor.flags())
        cursor.space()
    date = None
    if cursor.next_is(b'"'):
        try:
            date = read_date_time(cursor.string())
        except ValueError as error:
            raise BadSyntax(str(error)) from None
        cursor.space()
    utf8 = cursor.keyword(b"UTF8")
    if utf8:
        cursor.open("Expected a literal in parentheses")
        if not cursor.next_is(b"~"):
            raise BadSyntax("Expected a literal8")
    return Message(flags, keywords, date, cursor.announced(), utf8)


def _append(cursor: Cursor) -> Append:
    cursor.space()
    return Append(cursor.mailbox(), _message(cursor))


def _replace(cursor: Cursor, *, uid: bool) -> Replace:
    cursor.space()
    sequence = cursor.sequence_set()
    cursor.space()
    return Replace(sequence, uid, cursor.mailbox(), _message(cursor))


def _is_message(before: bytes) -> bool:
    """Right after the command's name comes the mailbox; any later literal is the message."""
    return bool(before.strip(b" "))


def _is_replacement(before: bytes) -> bool:
    """The mailbox comes second."""
    return len(before.split(None, 2)) > 1


PART = Part(
    commands={
        b"APPEND": Rule(_append, SIGNED_IN, bulk=_is_message, more=lambda cursor: AppendMore(_message(cursor))),
        b"REPLACE": Rule(lambda cursor: _replace(cursor, uid=False), IN_MAILBOX, bulk=_is_replacement),
        b"UID REPLACE": Rule(lambda cursor: _replace(cursor, uid=True), IN_MAILBOX, bulk=_is_replacement),
    },
    status_items=frozenset({b"APPENDLIMIT"}),
)
