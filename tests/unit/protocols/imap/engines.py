"""An engine that is fed and answered the way a session does it."""

from whimbrel.core.engine import Pause
from whimbrel.protocols.imap import PARTS
from whimbrel.protocols.imap.basic import Authenticate
from whimbrel.protocols.imap.engine import (
    Accept,
    Bad,
    Command,
    Continue,
    Done,
    Event,
    ImapEngine,
    Limits,
    LiteralWanted,
    Status,
)
from whimbrel.protocols.imap.grammar import Arguments, Bulk, Grammar, State
from whimbrel.protocols.imap.select import Idle

GRAMMAR = Grammar.of(PARTS)


def engine(state: State = State.SELECTED, limits: Limits = Limits()) -> ImapEngine:
    made = ImapEngine(GRAMMAR, limits)
    if state is not State.NOT_AUTHENTICATED:
        made.receive(b"x LOGIN a b\r\n")
        made.next_event()
        made.send(Done(Status.OK, "in", state=state))
    return made


def converse(made: ImapEngine, chunks: list[bytes]) -> tuple[list[Event], bytes]:
    """All events, each answered the simplest way, and all that was sent."""
    events: list[Event] = []
    sent: list[bytes] = []
    for chunk in chunks:
        made.receive(chunk)
        while not isinstance(event := made.next_event(), Pause):
            events.append(event)
            sent.append(answer(made, event))
            if isinstance(event, Bad) and event.fatal:
                return events, b"".join(sent)
    return events, b"".join(sent)


def answer(made: ImapEngine, event: Event) -> bytes:
    match event:
        case Command(_, Bulk()):
            return made.send(Accept())
        case Command(_, Idle() | Authenticate()) | LiteralWanted():
            return made.send(Continue(b"go"))
        case Bad(status, code, text, _):
            return made.send(Done(status, text, code))
        case Command():
            return made.send(Done(Status.OK, "done"))
    name = type(event).__name__
    return b"" if name == "BulkData" else made.send(Done(Status.OK, name))


def understood(line: bytes, state: State = State.SELECTED) -> Arguments:
    """The arguments of the one command in `line` (without its CRLF)."""
    made = engine(state)
    made.receive(line + b"\r\n")
    event = made.next_event()
    assert isinstance(event, Command), event
    return event.arguments


def refused(line: bytes, state: State = State.SELECTED) -> Bad:
    made = engine(state)
    made.receive(line + b"\r\n")
    event = made.next_event()
    assert isinstance(event, Bad), event
    return event
