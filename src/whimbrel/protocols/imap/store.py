"""Changing messages: STORE, EXPUNGE, COPY, MOVE.

Standards: RFC 3501 6.4.3, 6.4.6-6.4.8; RFC 4315 2.1 (UID EXPUNGE), RFC 6851 (MOVE), RFC 4466 2.5 (modifiers)
"""

from dataclasses import dataclass

from whimbrel.core.mailbox import FlagChange, FlagOp
from whimbrel.protocols.imap.cursor import MAX_FLAGS, BadSyntax, Cursor, split_flags
from whimbrel.protocols.imap.grammar import IN_MAILBOX, Arguments, Parameter, Part, Reader, Rule, parameters
from whimbrel.protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Store(Arguments):
    sequence: SequenceSet
    change: FlagChange
    silent: bool
    uid: bool
    modifiers: tuple[Parameter, ...] = ()

    @property
    def holds_numbers(self) -> bool:
        return not self.uid

    @property
    def by_uid(self) -> bool:
        return self.uid


@dataclass(frozen=True, slots=True)
class Expunge(Arguments):
    r"""`uids` None: every message that is \Deleted."""

    uids: SequenceSet | None = None

    @property
    def removes(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Copy(Arguments):
    sequence: SequenceSet
    mailbox: str
    uid: bool
    move: bool

    @property
    def numbered(self) -> bool:
        return not self.uid

    @property
    def removes(self) -> bool:
        return self.move


_OPS = {b"+FLAGS": FlagOp.ADD, b"-FLAGS": FlagOp.REMOVE, b"FLAGS": FlagOp.REPLACE}


def _store(cursor: Reader, *, uid: bool) -> Store:
    cursor.space()
    sequence = cursor.sequence_set()
    cursor.space()
    modifiers = parameters(cursor, cursor.grammar.store_modifiers)
    if modifiers:
        cursor.space()
    name = cursor.atom("Expected FLAGS").upper()
    silent = name.endswith(b".SILENT")
    op = _OPS.get(name.removesuffix(b".SILENT"))
    if op is None:
        raise BadSyntax("Expected FLAGS, +FLAGS or -FLAGS")
    cursor.space()
    if cursor.next_is(b"("):
        names = cursor.flags()
    else:
        names = [cursor.flag()]
        while cursor.another() and len(names) < MAX_FLAGS:
            names.append(cursor.flag())
    return Store(sequence, FlagChange(op, *split_flags(names)), silent, uid, modifiers)


def _uid_expunge(cursor: Cursor) -> Expunge:
    cursor.space()
    return Expunge(cursor.sequence_set())


def _copy(cursor: Cursor, *, uid: bool, move: bool) -> Copy:
    cursor.space()
    sequence = cursor.sequence_set()
    cursor.space()
    return Copy(sequence, cursor.mailbox(), uid, move)


PART = Part(
    commands={
        b"STORE": Rule(lambda cursor: _store(cursor, uid=False), IN_MAILBOX),
        b"UID STORE": Rule(lambda cursor: _store(cursor, uid=True), IN_MAILBOX),
        b"EXPUNGE": Rule(lambda _: Expunge(), IN_MAILBOX),
        b"UID EXPUNGE": Rule(_uid_expunge, IN_MAILBOX),
        b"COPY": Rule(lambda cursor: _copy(cursor, uid=False, move=False), IN_MAILBOX),
        b"UID COPY": Rule(lambda cursor: _copy(cursor, uid=True, move=False), IN_MAILBOX),
        b"MOVE": Rule(lambda cursor: _copy(cursor, uid=False, move=True), IN_MAILBOX),
        b"UID MOVE": Rule(lambda cursor: _copy(cursor, uid=True, move=True), IN_MAILBOX),
    }
)
