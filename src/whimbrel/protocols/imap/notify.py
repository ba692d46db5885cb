"""NOTIFY: which events in which mailboxes the client wants to hear of.

Standards: RFC 5465 3-6, 8 (formal syntax)
"""

from dataclasses import dataclass
from enum import Enum

from whimbrel.protocols.imap import fetch
from whimbrel.protocols.imap.cursor import BadSyntax, Cursor, Refused
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, FetchItem, Part, Reader, Rule

MAX_GROUPS = 64
MAX_MAILBOXES = 1000


class Event(Enum):
    """By the names of RFC 5465 8."""

    MESSAGE_NEW = b"MessageNew"
    MESSAGE_EXPUNGE = b"MessageExpunge"
    FLAG_CHANGE = b"FlagChange"
    MAILBOX_NAME = b"MailboxName"
    SUBSCRIPTION_CHANGE = b"SubscriptionChange"
    MAILBOX_METADATA_CHANGE = b"MailboxMetadataChange"
    SERVER_METADATA_CHANGE = b"ServerMetadataChange"


_BY_NAME = {event.value.upper(): event for event in Event}
OF_MESSAGES = frozenset({Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE, Event.FLAG_CHANGE})


class Where(Enum):
    """Which mailboxes a group of events is of. RFC 5465 6"""

    SELECTED = b"SELECTED"
    SELECTED_DELAYED = b"SELECTED-DELAYED"
    INBOXES = b"INBOXES"
    PERSONAL = b"PERSONAL"
    SUBSCRIBED = b"SUBSCRIBED"
    SUBTREE = b"SUBTREE"
    MAILBOXES = b"MAILBOXES"


SELECTED_ONES = frozenset({Where.SELECTED, Where.SELECTED_DELAYED})


@dataclass(frozen=True, slots=True)
class Group:
    """`mailboxes`: of SUBTREE and MAILBOXES. `events` empty: NONE. `items`: what is fetched of a new message."""

    where: Where
    mailboxes: tuple[str, ...]
    events: frozenset[Event]
    items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify(Arguments):
    """`groups` None: NOTIFY NONE. `status`: send the STATUS of each mailbox now."""

    groups: tuple[Group, ...] | None
    status: bool = False


def _mailboxes(cursor: Cursor) -> tuple[str, ...]:
    cursor.space()
    if not cursor.take(b"("):
        return (cursor.mailbox(),)
    names: list[str] = []
    for _ in cursor.items("No mailboxes"):
        names.append(cursor.mailbox())
        if len(names) > MAX_MAILBOXES:
            raise BadSyntax("Too many mailboxes")
    return tuple(names)


def _events(cursor: Reader) -> tuple[frozenset[Event], tuple[FetchItem, ...]]:
    cursor.space()
    if not cursor.take(b"("):
        if cursor.word("Expected events") != b"NONE":
            raise BadSyntax("Expected a list of events or NONE")
        return frozenset(), ()
    events: set[Event] = set()
    items: tuple[FetchItem, ...] = ()
    for _ in cursor.items("Expected an event"):
        name = cursor.word("Expected an event")
        event = _BY_NAME.get(name)
        if event is None:
            # AnnotationChange, or any atom that may be an event some day: no mistake of the client. RFC 5465 3.1, 8
            known = b" ".join(event.value for event in Event)
            raise Refused(b"BADEVENT (%b)" % known, "Some of these events are not told here")
        events.add(event)
        if event is Event.MESSAGE_NEW and cursor.another(b"("):
            items = fetch.items(cursor)
    # RFC 5465 5: neither is to be had without the other, nor flags without both.
    if (Event.MESSAGE_NEW in events) is not (Event.MESSAGE_EXPUNGE in events) or (
        Event.FLAG_CHANGE in events and Event.MESSAGE_NEW not in events
    ):
        raise BadSyntax("MessageNew and MessageExpunge go together, FlagChange with both")
    return frozenset(events), items


def _group(cursor: Reader) -> Group:
    cursor.open("Expected mailboxes and events in parentheses")
    try:
        where = Where(cursor.word("Expected which mailboxes"))
    except ValueError:
        raise BadSyntax("Unknown choice of mailboxes") from None
    mailboxes = _mailboxes(cursor) if where in (Where.SUBTREE, Where.MAILBOXES) else ()
    events, items = _events(cursor)
    if where in SELECTED_ONES and not events <= OF_MESSAGES:
        raise BadSyntax("The selected mailbox has only events of messages")
    if items and where not in SELECTED_ONES:
        raise BadSyntax("Only new messages of the selected mailbox are fetched")  # RFC 5465 5.2
    cursor.close("Expected the end of the events")
    return Group(where, mailboxes, events, items)


def _notify(cursor: Reader) -> Notify:
    cursor.space()
    what = cursor.word("Expected SET or NONE")
    if what == b"NONE":
        return Notify(None)
    if what != b"SET":
        raise BadSyntax("Expected SET or NONE")
    cursor.space()
    status = False
    if not cursor.next_is(b"("):
        if cursor.word("Expected STATUS or events") != b"STATUS":
            raise BadSyntax("Expected STATUS or events")
        status = True
        cursor.space()
    groups = [_group(cursor)]
    while cursor.another(b"("):
        groups.append(_group(cursor))
        if len(groups) > MAX_GROUPS:
            raise BadSyntax("Too many groups of events")
    if sum(group.where in SELECTED_ONES for group in groups) > 1:
        raise BadSyntax("The selected mailbox is named twice")
    return Notify(tuple(groups), status)


PART = Part(commands={b"NOTIFY": Rule(_notify, SIGNED_IN)})
