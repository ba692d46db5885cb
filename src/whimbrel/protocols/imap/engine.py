"""The server's side of one IMAP connection: bytes in, commands out; replies in, bytes out.

Commands are read in two stages: `framing` cuts, the grammar reads a whole command. A bad one costs only itself.
One command is worked on at a time; what the client pipelines waits. The caller answers

- `Command` with `Done`, after any number of `Untagged`; for `Idle` and `Authenticate` with `Continue` in between,
  for a `Bulk` command with `Accept` and then, after `BulkEnd`, `Done`;
  or with `Later`, where `follows` said so, and with `Late` when it is done;
- `LiteralWanted` with `Continue`;
- `Bad` with `Done`, and with the end of the connection if it is `fatal`.

Standards: RFC 3501 2.2, 3, 4.3, 5.5, 7.1, 7.5; RFC 7888, RFC 2177, RFC 3501 6.2.2 (SASL)
"""

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from whimbrel.core.engine import NEED_DATA, PAUSED, Pause
from whimbrel.protocols.imap import encode
from whimbrel.protocols.imap.basic import Authenticate, StartTls, base64_line
from whimbrel.protocols.imap.cursor import BadSyntax, Refused
from whimbrel.protocols.imap.framing import MAX_LITERAL, Ask, Block, Framer, TooLong, Whole
from whimbrel.protocols.imap.grammar import Arguments, Bulk, Grammar, Reader, Rule, State
from whimbrel.protocols.imap.mode import PLAIN, Mode
from whimbrel.protocols.imap.select import Idle

_START = re.compile(
    rb"""([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,255}) +(?:(UID) +)?([A-Za-z][A-Za-z0-9.\-]*)""", re.I
)
_TAG = re.compile(rb"""([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,255})(?: |\Z)""")
NO_TAG = b"*"


class Status(Enum):
    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


@dataclass(frozen=True, slots=True)
class Limits:
    """In octets, but for `bad`. Before sign-in a stranger gets little."""

    line: int = 64 * 1024
    command: int = 1 << 20
    bulk: int = 64 << 20
    line_before: int = 36 * 1024
    """ID may have thirty fields of a kilobyte each. RFC 2971 3.3"""
    command_before: int = 36 * 1024
    sasl_line: int = 16 * 1024
    bad: int = 20
    """Commands in a row that were none; then the connection ends."""
    bad_before: int = 5


# Events


@dataclass(frozen=True, slots=True)
class Command:
    tag: bytes
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Bad:
    """Not a command, or none that may come now."""

    status: Status
    code: bytes
    text: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class LiteralWanted:
    """The client waits for leave to send a literal of its command."""


@dataclass(frozen=True, slots=True)
class BulkData:
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BulkEnd:
    """The command is complete."""


@dataclass(frozen=True, slots=True)
class BulkMore:
    """Another literal of the same command (RFC 3502): answer with `Accept`, or with `Done`."""

    arguments: Bulk


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """None: the client gave up. RFC 3501 6.2.2"""

    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdleDone:
    pass


Event = Command | Bad | LiteralWanted | BulkData | BulkEnd | BulkMore | SaslResponse | IdleDone

# Replies


@dataclass(frozen=True, slots=True)
class Done:
    """The tagged response; `state` is the state after it, if it changes."""

    status: Status
    text: str
    code: bytes = b""
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """`data` as it stands after `+ `."""

    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Accept:
    """Send the bulk literal."""


@dataclass(frozen=True, slots=True)
class Untagged:
    """`data` as it stands after `* `."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Speak:
    """Commands are read by `mode` from now on (ENABLE). No octets."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Later:
    """The command is complete, its answer comes as `Late`: the next one may be read. No octets. RFC 3501 5.5"""


@dataclass(frozen=True, slots=True)
class Late:
    """What would have been the answer to the command of this tag."""

    tag: bytes
    done: Done


Reply = Done | Continue | Accept | Untagged | Speak | Later | Late


class _Phase(Enum):
    READY = auto()
    ASKED = auto()
    """LiteralWanted waits for Continue."""
    BUSY = auto()
    """A command waits for Done."""
    OFFERED = auto()
    """A bulk command waits for Accept or Done."""
    BULK = auto()
    CONTINUED = auto()
    """Continue was sent: a line comes that is not a command."""
    TLS = auto()


class ImapEngine:
    """Has the shape of `core.engine.Engine`."""

    __slots__ = (
        "_arguments", "_bad", "_framer", "_grammar", "_limits", "_phase", "_rule", "_sync", "_tag", "_tail", "mode",
        "state",
    )  # fmt: skip

    def __init__(self, grammar: Grammar, limits: Limits = Limits()) -> None:
        self.state = State.NOT_AUTHENTICATED
        self.mode = PLAIN
        self._grammar, self._limits = grammar, limits
        self._framer = Framer(limits.line_before, limits.command_before)
        self._phase = _Phase.READY
        self._tag = NO_TAG
        self._arguments: Arguments | None = None
        self._sync = False
        self._rule: Rule | None = None
        self._tail = b""
        self._bad = 0

    def receive(self, data: bytes) -> None:
        self._framer.feed(data)

    def next_event(self) -> Event | Pause:
        phase = self._phase
        if phase is _Phase.READY:
            return self._command()
        if phase is _Phase.BULK:
            return self._bulk()
        if phase is _Phase.CONTINUED:
            return self._line()
        return PAUSED

    def follows(self, name: bytes) -> bool:
        """While a command waits for its answer: the next one has come already as a whole, is called `name` (capitals)
        and ends in a literal."""
        line = self._framer.ahead() if self._phase is _Phase.BUSY else None
        match = _START.match(line) if line is not None else None
        return match is not None and not match[2] and match[3].upper() == name

    def send(self, reply: Reply) -> bytes:
        if isinstance(reply, Untagged):
            return b"* " + reply.data + b"\r\n"
        if isinstance(reply, Done):
            return self._done(reply)
        if isinstance(reply, Accept):
            if self._phase is not _Phase.OFFERED:
                raise ValueError("no bulk literal was offered")
            self._phase = _Phase.BULK
            self._framer.stream()
            return b"+ Ready for the literal\r\n" if self._sync else b""
        if isinstance(reply, Speak):
            self.mode = reply.mode
            return b""
        if isinstance(reply, Late):
            return _tagged(reply.tag, reply.done)
        if isinstance(reply, Later):
            if self._phase is not _Phase.BUSY:
                raise ValueError("no command is in progress")
            self._phase, self._arguments = _Phase.READY, None
            return b""
        if self._phase is _Phase.ASKED:
            self._phase = _Phase.READY
            self._framer.take()
        elif self._phase is _Phase.BUSY and isinstance(self._arguments, Authenticate | Idle):
            self._phase = _Phase.CONTINUED
        else:
            raise ValueError("nobody waits for a continuation")
        return b"+ " + reply.data + b"\r\n"

    def tls_started(self) -> None:
        """RFC 3501 6.2.1: what came before TLS is forgotten."""
        self._framer.clear()
        self._phase = _Phase.READY

    # Replies

    def _done(self, reply: Done) -> bytes:
        if self._phase not in (_Phase.BUSY, _Phase.OFFERED, _Phase.BULK, _Phase.CONTINUED):
            raise ValueError("no command is in progress")
        if self._phase in (_Phase.OFFERED, _Phase.BULK):
            self._framer.refuse()
        tls = isinstance(self._arguments, StartTls) and reply.status is Status.OK
        self._phase = _Phase.TLS if tls else _Phase.READY
        self._arguments = None
        if reply.state is not None:
            self.state = reply.state
            framer, limits = self._framer, self._limits
            if reply.state in (State.AUTHENTICATED, State.SELECTED):
                framer.max_line, framer.max_command = limits.line, limits.command
            elif reply.state is State.NOT_AUTHENTICATED:
                framer.max_line, framer.max_command = limits.line_before, limits.command_before
        return _tagged(self._tag, reply)

    # Events

    def _command(self) -> Event | Pause:
        while True:
            frame = self._framer.next()
            if frame is None:
                return NEED_DATA
            if isinstance(frame, Whole):
                return self._whole(frame.data)
            if isinstance(frame, TooLong):
                # Cut anywhere: NUL, so that a tag counts only with the space behind it.
                return self._refused(_tag(frame.start + b"\0"), Status.BAD, b"TOOBIG", "Line too long")
            event = self._literal(frame) if isinstance(frame, Ask) else None
            if event is not None:
                return event

    def _whole(self, data: bytes) -> Event:
        try:
            tag, rule, at = self._start(data)
            if rule.bulk:
                raise BadSyntax("Expected a literal")
            cursor = Reader(data, self._grammar, at, utf8=self.mode.utf8)
            arguments = rule.parse(cursor)
            cursor.end()
        except BadSyntax as error:
            return self._refusal(_tag(data), error)
        return self._begin(tag, arguments, _Phase.BUSY)

    def _begin(self, tag: bytes, arguments: Arguments, phase: _Phase) -> Command:
        self._tag, self._arguments, self._phase = tag, arguments, phase
        self._bad = 0
        return Command(tag, arguments)

    def _literal(self, ask: Ask) -> Event | None:
        """Decides early: no octet of a literal is asked for that belongs to a command that cannot be."""
        framer = self._framer
        tag = _tag(ask.start)
        try:
            if ask.size > MAX_LITERAL:
                raise BadSyntax("Literal size out of range")
            tag, rule, at = self._start(ask.start)
            head = framer.head if rule.bulk else b""
            if rule.bulk and rule.bulk(head[at : head.rindex(b"{")]):
                return self._offer(tag, rule, head, at, ask)
            if framer.oversize:
                raise Refused(b"TOOBIG", "Command too big")
        except BadSyntax as error:
            framer.refuse()
            # Where a command ends whose literal has no size cannot be known.
            return self._refusal(tag, error, fatal=ask.size > MAX_LITERAL and not ask.sync)
        if not ask.sync:
            framer.take()
            return None
        self._phase = _Phase.ASKED
        return LiteralWanted()

    def _offer(self, tag: bytes, rule: Rule, head: bytes, at: int, ask: Ask) -> Event:
        cursor = Reader(head, self._grammar, at, utf8=self.mode.utf8)
        arguments = rule.parse(cursor)
        cursor.end()
        if not isinstance(arguments, Bulk):
            raise BadSyntax("Unexpected literal")
        if ask.size > self._limits.bulk:
            raise Refused(b"TOOBIG", "Message too big")
        self._sync = ask.sync
        self._rule, self._tail = rule, arguments.tail
        return self._begin(tag, arguments, _Phase.OFFERED)

    def _bulk(self) -> Event | Pause:
        frame = self._framer.next()
        if frame is None:
            return NEED_DATA
        if isinstance(frame, Block):
            return BulkData(frame.data)
        if isinstance(frame, Whole) and frame.data.strip(b" ") == self._tail:
            self._phase = _Phase.BUSY
            return BulkEnd()
        if isinstance(frame, Ask):
            try:
                return self._more(frame)
            except BadSyntax as error:
                self._framer.refuse()
                return self._refusal(self._tag, error)
        return self._refused(self._tag, Status.BAD, b"", "Expected the end of the command after the literal")

    def _more(self, ask: Ask) -> BulkMore:
        """RFC 3502 6.3.11: what follows a message may be the next one."""
        rule, head = self._rule, self._framer.head
        if rule is None or rule.more is None or not head.startswith(self._tail + b" "):
            raise BadSyntax("Expected the end of the command after the literal")
        if ask.size > self._limits.bulk:
            raise Refused(b"TOOBIG", "Message too big")
        cursor = Reader(head, self._grammar, len(self._tail), utf8=self.mode.utf8)
        arguments = rule.more(cursor)
        cursor.end()
        self._sync, self._tail, self._phase = ask.sync, arguments.tail, _Phase.OFFERED
        return BulkMore(arguments)

    def _line(self) -> Event | Pause:
        idle = isinstance(self._arguments, Idle)
        line = self._framer.line(self._limits.line_before if idle else self._limits.sasl_line)
        if line is None:
            return NEED_DATA
        if isinstance(line, TooLong):
            return self._refused(self._tag, Status.BAD, b"TOOBIG", "Line too long")
        self._phase = _Phase.BUSY
        if idle:
            if line.strip().upper() == b"DONE":
                return IdleDone()
            return self._refused(self._tag, Status.BAD, b"", "Expected DONE")
        if line == b"*":
            return SaslResponse(None)
        try:
            return SaslResponse(base64_line(line))
        except BadSyntax as error:
            return self._refused(self._tag, Status.BAD, b"", error.text)

    def _start(self, data: bytes) -> tuple[bytes, Rule, int]:
        """Tag, rule, and where the arguments begin."""
        match = _START.match(data)
        if not match:
            raise BadSyntax("Expected a tag and a command")
        name = match[3].upper()
        rule = self._grammar.commands.get(b"UID " + name if match[2] else name)
        if rule is None:
            raise BadSyntax("Unknown command")
        if self.state not in rule.states:
            raise BadSyntax(f"Not allowed in this state ({self.state.value})")
        return match[1], rule, match.end()

    def _refusal(self, tag: bytes, error: BadSyntax, *, fatal: bool = False) -> Bad:
        if isinstance(error, Refused):
            return self._refused(tag, Status.NO, error.code, error.text)
        return self._refused(tag, Status.BAD, b"", error.text, fatal=fatal)

    def _refused(self, tag: bytes, status: Status, code: bytes, text: str, *, fatal: bool = False) -> Bad:
        self._tag, self._arguments, self._phase = tag, None, _Phase.BUSY
        if status is Status.BAD:
            self._bad += 1
        before = self.state is State.NOT_AUTHENTICATED
        limit = self._limits.bad_before if before else self._limits.bad
        return Bad(status, code, text, fatal or self._bad >= limit)


def _tagged(tag: bytes, reply: Done) -> bytes:
    code = b"[%b] " % reply.code if reply.code else b""
    return b"%b %b %b%b\r\n" % (tag, reply.status.value, code, encode.text(reply.text))


def _tag(data: bytes) -> bytes:
    match = _TAG.match(data)
    return match[1] if match else NO_TAG
