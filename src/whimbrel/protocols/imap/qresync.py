"""QRESYNC: a client that comes back gets only what it missed.

Standards: RFC 7162 3.2, 7 (formal syntax)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.condstore import mod_sequence
from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.grammar import Parameter, Part
from whimbrel.protocols.imap.sequence import STAR, SequenceSet


@dataclass(frozen=True, slots=True)
class Qresync(Parameter):
    """Of SELECT: what the client knew last. `known`: its UIDs; `matched`: some message numbers and the UIDs they
    stood for. RFC 7162 3.2.5"""

    uid_validity: int
    modseq: int
    known: SequenceSet | None = None
    matched: tuple[SequenceSet, SequenceSet] | None = None


@dataclass(frozen=True, slots=True)
class Vanished(Parameter):
    """Of UID FETCH with CHANGEDSINCE: with the UIDs that are gone. RFC 7162 3.2.6"""


def _known(cursor: Cursor) -> SequenceSet:
    """RFC 7162 7: `*` is not a known UID."""
    known = cursor.sequence_set()
    if any(STAR in pair for pair in known.ranges):
        raise BadSyntax("* cannot be known")
    return known


def _qresync(cursor: Cursor) -> Qresync:
    cursor.space()
    cursor.open("Expected what is known of the mailbox")
    uid_validity = cursor.number(least=1)
    modseq = mod_sequence(cursor, least=1)
    known, matched = None, None
    if cursor.another():
        if not cursor.next_is(b"("):
            known = _known(cursor)
        if known is None or cursor.another():
            cursor.open("Expected message numbers and UIDs")
            numbers = _known(cursor)
            cursor.space()
            matched = numbers, _known(cursor)
            cursor.close("Expected the end of the UIDs")
    cursor.close("Expected the end of what is known")
    return Qresync(uid_validity, modseq, known, matched)


PART = Part(
    select_parameters={b"QRESYNC": _qresync},
    fetch_modifiers={b"VANISHED": lambda _: Vanished()},
)
