"""Commands about folders: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS.

Standards: RFC 3501 6.3.3-6.3.7, 6.3.10; RFC 6154 5.3 (CREATE with USE), RFC 8438 (STATUS=SIZE)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Reader, Rule

MAX_USES = 16


@dataclass(frozen=True, slots=True)
class Create(Arguments):
    r"""`uses` are special-use attributes without their backslash, as the client spelled them."""

    mailbox: str
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Arguments):
    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename(Arguments):
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Subscribe(Arguments):
    mailbox: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Status(Arguments):
    """Items in capitals, in the order asked for, each once."""

    mailbox: str
    items: tuple[bytes, ...]


def _create(cursor: Cursor) -> Create:
    cursor.space()
    mailbox = cursor.mailbox()
    if cursor.ended:
        return Create(mailbox)
    cursor.space()
    cursor.open("Expected a list of parameters")
    if cursor.word() != b"USE":
        raise BadSyntax("Unknown parameter of CREATE")
    cursor.space()
    cursor.expect(b"(", "Expected a list of special uses")
    uses: list[str] = []
    for _ in cursor.items():
        cursor.expect(b"\\", "Expected a special use")
        uses.append(cursor.atom("Expected a special use").decode("ascii"))
        if len(uses) > MAX_USES:
            raise BadSyntax("Too many special uses")
    cursor.close("Expected the end of the parameters")
    return Create(mailbox, tuple(uses))


def _mailbox(cursor: Cursor) -> str:
    cursor.space()
    return cursor.mailbox()


def status_items(cursor: Reader) -> tuple[bytes, ...]:
    """A list of items, each once."""
    cursor.expect(b"(", "Expected a list of status items")
    items: dict[bytes, None] = {}
    for _ in cursor.items("Expected a status item"):
        item = cursor.word("Expected a status item")
        if item not in cursor.grammar.status_items:
            raise BadSyntax("Unknown status item")
        items[item] = None
    return tuple(items)


def _status(cursor: Reader) -> Status:
    mailbox = _mailbox(cursor)
    cursor.space()
    return Status(mailbox, status_items(cursor))


PART = Part(
    commands={
        b"CREATE": Rule(_create, SIGNED_IN),
        b"DELETE": Rule(lambda cursor: Delete(_mailbox(cursor)), SIGNED_IN),
        b"RENAME": Rule(lambda cursor: Rename(_mailbox(cursor), _mailbox(cursor)), SIGNED_IN),
        b"SUBSCRIBE": Rule(lambda cursor: Subscribe(_mailbox(cursor), subscribed=True), SIGNED_IN),
        b"UNSUBSCRIBE": Rule(lambda cursor: Subscribe(_mailbox(cursor), subscribed=False), SIGNED_IN),
        b"STATUS": Rule(_status, SIGNED_IN),
    },
    status_items=frozenset({b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"SIZE"}),
)
