"""COMPRESS and UNAUTHENTICATE: what changes the connection as a whole after sign-in.

Standards: RFC 4978 3, RFC 8437 3
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import Cursor
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Rule


@dataclass(frozen=True, slots=True)
class Compress(Arguments):
    """`algorithm` in capitals."""

    algorithm: bytes


@dataclass(frozen=True, slots=True)
class Unauthenticate(Arguments):
    pass


def _compress(cursor: Cursor) -> Compress:
    cursor.space()
    return Compress(cursor.atom("Expected an algorithm").upper())


PART = Part(
    commands={
        b"COMPRESS": Rule(_compress, SIGNED_IN),
        b"UNAUTHENTICATE": Rule(lambda _: Unauthenticate(), SIGNED_IN),
    }
)
