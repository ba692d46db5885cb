"""CONDSTORE: changes by their number (modseq).

Standards: RFC 7162 3.1 (CONDSTORE), 7 (formal syntax)
"""

from dataclasses import dataclass
from typing import Final

from whimbrel.protocols.imap.cursor import Cursor
from whimbrel.protocols.imap.fetch import Attribute
from whimbrel.protocols.imap.grammar import Parameter, Part

MAX_MODSEQ = (1 << 63) - 1
MODSEQ: Final = Attribute(b"MODSEQ")


@dataclass(frozen=True, slots=True)
class Condstore(Parameter):
    """Of SELECT: send modseqs from now on. RFC 7162 3.1.8"""


@dataclass(frozen=True, slots=True)
class ChangedSince(Parameter):
    """Of FETCH: only messages with a greater modseq. RFC 7162 3.1.4.1"""

    modseq: int


@dataclass(frozen=True, slots=True)
class UnchangedSince(Parameter):
    """Of STORE: not if the message has a greater modseq. RFC 7162 3.1.3"""

    modseq: int


def mod_sequence(cursor: Cursor, *, least: int = 0) -> int:
    """63 bits. RFC 7162 7"""
    cursor.space()
    return cursor.number(least=least, most=MAX_MODSEQ)


PART = Part(
    fetch_items={b"MODSEQ": lambda _: MODSEQ},
    status_items=frozenset({b"HIGHESTMODSEQ"}),
    select_parameters={b"CONDSTORE": lambda _: Condstore()},
    fetch_modifiers={b"CHANGEDSINCE": lambda cursor: ChangedSince(mod_sequence(cursor, least=1))},
    store_modifiers={b"UNCHANGEDSINCE": lambda cursor: UnchangedSince(mod_sequence(cursor))},
)
