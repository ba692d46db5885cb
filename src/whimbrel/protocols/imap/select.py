"""Opening and leaving a mailbox, and waiting in it: SELECT, EXAMINE, CLOSE, UNSELECT, IDLE.

Standards: RFC 3501 6.3.1, 6.3.2, 6.4.2; RFC 3691 (UNSELECT), RFC 2177 (IDLE), RFC 4466 2.1 (parameters)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.grammar import IN_MAILBOX, SIGNED_IN, Arguments, Parameter, Part, Reader, Rule, parameters


@dataclass(frozen=True, slots=True)
class Select(Arguments):
    mailbox: str
    read_only: bool
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Close(Arguments):
    r"""`expunge`: CLOSE removes what is \Deleted, UNSELECT does not."""

    expunge: bool


@dataclass(frozen=True, slots=True)
class Idle(Arguments):
    pass


def _select(cursor: Reader, *, read_only: bool) -> Select:
    cursor.space()
    mailbox = cursor.mailbox()
    if cursor.ended:
        return Select(mailbox, read_only)
    cursor.space()
    return Select(mailbox, read_only, parameters(cursor, cursor.grammar.select_parameters))


PART = Part(
    commands={
        b"SELECT": Rule(lambda cursor: _select(cursor, read_only=False), SIGNED_IN),
        b"EXAMINE": Rule(lambda cursor: _select(cursor, read_only=True), SIGNED_IN),
        b"CLOSE": Rule(lambda _: Close(expunge=True), IN_MAILBOX),
        b"UNSELECT": Rule(lambda _: Close(expunge=False), IN_MAILBOX),
        b"IDLE": Rule(lambda _: Idle(), SIGNED_IN),
    }
)
