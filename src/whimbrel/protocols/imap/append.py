"""APPEND. Its message is the bulk literal: the arguments are read when it is announced.

Standards: RFC 3501 6.3.11
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor, split_flags
from whimbrel.protocols.imap.dates import read_date_time
from whimbrel.protocols.imap.grammar import SIGNED_IN, Bulk, Part, Rule


@dataclass(frozen=True, slots=True)
class Append(Bulk):
    """`date` is in seconds since 1970 UTC; None: now."""

    mailbox: str
    flags: int
    keywords: frozenset[str]
    date: int | None
    size: int


def _append(cursor: Cursor) -> Append:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    flags, keywords = 0, frozenset[str]()
    if cursor.next_is(b"("):
        # Quirk (programs that copy mailboxes): \Recent, which cannot be set; passed over.
        flags, keywords = split_flags([flag for flag in cursor.flags() if flag.upper() != b"\\RECENT"])
        cursor.space()
    date = None
    if cursor.next_is(b'"'):
        try:
            date = read_date_time(cursor.string())
        except ValueError as error:
            raise BadSyntax(str(error)) from None
        cursor.space()
    return Append(mailbox, flags, keywords, date, cursor.announced())


def _is_message(before: bytes) -> bool:
    """Right after the command's name comes the mailbox; any later literal is the message."""
    return bool(before.strip(b" "))


PART = Part(commands={b"APPEND": Rule(_append, SIGNED_IN, bulk=_is_message)})
