"""The receiving side of SMTP, submission and LMTP.

Sans-IO, in the shape of `core/engine.py`. The session sends the greeting first; then each event but blocks of content
(`bytes`) and `Chunk` waits for its reply, and the engine learns from the reply's code where the session stands.
`DataEnd` in LMTP waits for one reply to each accepted recipient; where PRDR was asked for, 353 makes it wait so, and
for one more. The session calls `offer` before it answers an extended Helo,
`start_tls` of its connection after 220 to StartTls, and closes after 221 and 421.

Bounds: a command line 512 octets, MAIL and RCPT 2048 (room for the parameters of extensions), AUTH and responses
12288; content as `max_size` says. What was pipelined before TLS is thrown away. The octets of a BDAT that is refused
are read and dropped; how long that may take is the session's wait for the event that follows.

Standards: RFC 5321 2.3.8, 4.1, 4.3.2, 4.5.3.1 (sizes), RFC 2920 3.2 (pipelining), RFC 3207 4.2, RFC 4954 4,
RFC 2033 4.2, RFC 3030 2 (BDAT), RFC 6531 3.4 (UTF-8 in commands), draft-hall-prdr-00.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from whimbrel.core.engine import NEED_DATA, PAUSED, Pause
from whimbrel.protocols.sasl.exchange import SaslError, from_base64
from whimbrel.protocols.smtp.data import ChunkReceiver, DataReceiver
from whimbrel.protocols.smtp.offers.chunking import Unwanted
from whimbrel.protocols.smtp.reply import Reply, encode
from whimbrel.protocols.smtp.server_events import (
    Auth,
    AuthResponse,
    Chunk,
    ChunkEnd,
    Data,
    DataEnd,
    Expn,
    Fault,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    ServerEvent,
    StartTls,
    Vrfy,
)
from whimbrel.protocols.smtp.state import Refusal, Role, State, Terms
from whimbrel.protocols.smtp.verbs import VERBS, offered

MAX_COMMAND: Final = 512
MAX_PATH_COMMAND: Final = 2048
MAX_AUTH_LINE: Final = 12288

_UNKNOWN = Fault(Reply(500, "5.5.2", ("Command not recognised",)))
_TOO_LONG = Fault(Reply(500, "5.5.2", ("Line too long",)))
_AUTH_TOO_LONG = Fault(Reply(500, "5.5.6", ("Line too long",)))
_BARE_LF = Fault(Reply(500, "5.5.2", ("Lines end in CRLF",)))
_NOT_TEXT = Fault(Reply(500, "5.5.2", ("Commands are printable ASCII",)))
_UTF8_VERBS = frozenset({b"MAIL ", b"RCPT ", b"VRFY ", b"EXPN "})
"""RFC 6531 3.4, 3.7.4: only these have addresses."""
_NAMES = frozenset({b"EHLO ", b"HELO "})
_UTF8_VERBS_OF_USERS = _UTF8_VERBS | _NAMES
"""Quirk (Windows): a user's computer says its name with umlauts."""
_NOT_BASE64 = Fault(Reply(501, "5.5.2", ("The response is not base64",)))
_CANCELLED = AuthResponse(None)


class _Greeting:
    """Stands for the connection as such, which the greeting answers."""


_LEGAL: Final[dict[type[object], frozenset[int]]] = {
    _Greeting: frozenset({220}),
    Helo: frozenset({250}),
    Mail: frozenset({250}),
    Rcpt: frozenset({250, 251}),
    Data: frozenset({354}),
    ChunkEnd: frozenset({250}),
    DataEnd: frozenset({250}),
    Rset: frozenset({250}),
    Noop: frozenset({250}),
    Quit: frozenset({221}),
    Vrfy: frozenset({250, 251, 252}),
    Expn: frozenset({250, 252}),
    Help: frozenset({211, 214}),
    StartTls: frozenset({220}),
    Auth: frozenset({235, 334}),
    AuthResponse: frozenset({235, 334}),
    Fault: frozenset(),
}
"""RFC 5321 4.3.2: the replies below 400 that may answer each; errors may answer all."""


class Receiver(Protocol):
    """Content on its way in."""

    rest: bytes

    def feed(self, data: bytes) -> Sequence[bytes | DataEnd | ChunkEnd]: ...


class SmtpEngine:
    """One connection of the server."""

    def __init__(self, role: Role, max_size: int) -> None:
        """`max_size`: octets in a message, until `offer` says otherwise."""
        self.state = State(role, Terms(max_size))
        self._buffer, self._at = b"", 0
        self._skipping = False  # Inside a line that was too long.
        self._waiting: object | None = _Greeting()
        self._due = 1  # Replies to what is waiting.
        self._in_auth = False
        self._receiver: Receiver | None = None
        self._chunks: ChunkReceiver | None = None  # From the first BDAT of a transaction to its end.
        self._dropping, self._refused = 0, _UNKNOWN  # Octets of a refused BDAT that are still to come, and its answer.
        self._blocks: deque[bytes | DataEnd | ChunkEnd] = deque()
        self._closed = False

    @property
    def waiting(self) -> bool:
        """The last event has not been answered."""
        return self._waiting is not None

    @property
    def more(self) -> bool:
        """Octets lie behind the command that waits."""
        return self._at < len(self._buffer)

    # Bytes in

    def receive(self, data: bytes) -> None:
        if not self._closed:
            self._buffer, self._at = (self._buffer[self._at :] + data if self._at < len(self._buffer) else data), 0

    def next_event(self) -> ServerEvent | Pause:
        if self._waiting is not None:
            return PAUSED
        if self._receiver is not None:
            return self._content(self._receiver)
        if self._closed:
            return NEED_DATA
        event = self._drop() if self._dropping else self._line()
        if event is not NEED_DATA and type(event) is not Chunk:
            self._waiting, self._due = event, 1
        return event

    def tls_started(self) -> None:
        """RFC 3207 4.2"""
        self._buffer, self._at, self._skipping, self._in_auth = b"", 0, False, False
        self._chunks, self._dropping = None, 0
        self.state.forget()
        self.state.tls = True
        if isinstance(self._waiting, StartTls):
            self._waiting = None

    def _content(self, receiver: Receiver) -> ServerEvent | Pause:
        if not self._blocks:
            data = self._buffer[self._at :] if self._at else self._buffer
            self._buffer, self._at = b"", 0
            if data:
                self._blocks.extend(receiver.feed(data))
            if not self._blocks:
                return NEED_DATA
        block = self._blocks.popleft()
        if type(block) is not bytes:
            later = self._buffer[self._at :]  # Received since; for an empty chunk all there is.
            self._buffer, self._at = receiver.rest + later if later else receiver.rest, 0
            self._receiver = None
            self._waiting = block
            per_recipient = self.state.role is Role.LMTP and type(block) is DataEnd
            self._due = self.state.recipients if per_recipient else 1
        return block

    def _chunk(self, chunk: Chunk) -> None:
        """Its octets follow."""
        if self._chunks is None:
            self._chunks = ChunkReceiver(self.state.terms.max_size, mend=self._mend)
        self._chunks.begin(chunk.size, last=chunk.last)
        self.state.chunking = True
        self._receiver = self._chunks
        if not chunk.size:  # Nothing need come for its end to be there.
            self._blocks.extend(self._chunks.feed(b""))

    @property
    def _mend(self) -> bool:
        return self.state.authenticated or self.state.role is Role.LMTP

    def _drop(self) -> ServerEvent | Pause:
        dropped = min(self._dropping, len(self._buffer) - self._at)
        self._dropping -= dropped
        self._at += dropped
        if self._dropping:
            self._buffer, self._at = b"", 0
            return NEED_DATA
        return self._refused

    def _line(self) -> ServerEvent | Pause:
        """The next command line as an event."""
        buffer, start = self._buffer, self._at
        if start >= len(buffer):
            return NEED_DATA
        end = buffer.find(b"\n", start)
        if self._skipping:
            if end < 0:
                self._buffer, self._at = b"", 0
                return NEED_DATA
            self._skipping, self._at = False, end + 1
            return self._too_long()
        length = (end + 1 if end >= 0 else len(buffer)) - start
        if length > MAX_COMMAND and length > self._limit(buffer[start : start + 5]):
            if end < 0:
                self._skipping = True
                self._buffer, self._at = b"", 0
                return NEED_DATA
            self._at = end + 1
            return self._too_long()
        if end < 0:
            return NEED_DATA
        self._at = end + 1
        if buffer[end - 1 : end] != b"\r" or end == start:
            self._in_auth = False
            return _BARE_LF
        wire = buffer[start : end - 1]
        utf8 = not wire.isascii()
        verbs = _UTF8_VERBS if self.state.role is not Role.SUBMISSION else _UTF8_VERBS_OF_USERS
        try:
            line = wire.decode()
        except UnicodeDecodeError:  # Of a host name in Latin-1 nothing depends on the umlaut.
            line = wire.decode("ascii", "replace") if wire[:5].upper() in _NAMES and verbs is not _UTF8_VERBS else "\0"
        if not line.isprintable() or (utf8 and (self._in_auth or wire[:5].upper() not in verbs)):
            self._in_auth = False
            return _NOT_TEXT
        return self._response(line) if self._in_auth else self._command(line)

    def _limit(self, head: bytes) -> int:
        if self._in_auth:
            return MAX_AUTH_LINE
        verb = head.upper()
        if verb == b"AUTH ":
            return MAX_AUTH_LINE
        return MAX_PATH_COMMAND if verb in (b"MAIL ", b"RCPT ") else MAX_COMMAND

    def _too_long(self) -> Fault:
        if self._in_auth:
            self._in_auth = False
            return _AUTH_TOO_LONG
        return _TOO_LONG

    def _command(self, line: str) -> ServerEvent | Pause:
        verb, _, argument = line.partition(" ")
        read = VERBS.get(verb.upper())
        if read is None:
            return _UNKNOWN
        try:
            event = read(self.state, argument.rstrip(" "))
            if type(event) is Chunk:
                self._chunk(event)
            return event
        except Unwanted as refusal:
            self._dropping, self._refused = refusal.size, Fault(refusal.reply, refusal.counts)
            return self._drop()
        except Refusal as refusal:
            if not self.state.mail and verb.upper() == "MAIL":
                self.state.mail_refused = True
            return Fault(refusal.reply, refusal.counts)

    def _response(self, line: str) -> ServerEvent:
        """RFC 4954 4: base64, or `*` to cancel."""
        self._in_auth = False
        if line == "*":
            return _CANCELLED
        try:
            return AuthResponse(from_base64(line.encode()))
        except SaslError:
            return _NOT_BASE64

    # Replies out

    def offer(self, terms: Terms) -> tuple[str, ...]:
        """Sets what is offered from now on; the lines of the EHLO reply after its first."""
        self.state.terms = terms
        return offered(terms)

    def send(self, reply: Reply) -> bytes:
        """The bytes of `reply`. ValueError if it is not a legal answer to what is waiting."""
        code, waiting = reply.code, self._waiting
        wire = encode(reply)
        if code == 421:  # RFC 5321 3.8: to any command, and when the server shuts down.
            self._closed, self._waiting, self._receiver, self._buffer = True, None, None, b""
            return wire
        if waiting is None:
            raise ValueError("nothing waits for a reply")
        kind = type(waiting)
        if code == 353 and kind is DataEnd and self.state.prdr:
            self.state.prdr = False
            self._due = self.state.recipients + 1
            return wire
        if code < 400 and code not in _LEGAL[kind]:
            raise ValueError(f"{code} does not answer {kind.__name__}")
        self._due -= 1
        if not self._due:
            self._waiting = None
            change = _CHANGES.get(kind)
            if change is not None:
                change(self, waiting, code)
        return wire

    def _after_helo(self, event: Helo, code: int) -> None:
        if code == 250:
            self.state.forget()  # RFC 5321 4.1.4: as if RSET had been sent.
            self._chunks = None
            self.state.greeted, self.state.extended = True, event.extended

    def _after_mail(self, event: Mail, code: int) -> None:
        state = self.state
        state.mail, state.mail_refused = code == 250, code != 250
        state.utf8, state.prdr = event.options.utf8, event.prdr

    def _after_rcpt(self, _event: Rcpt, code: int) -> None:
        if code < 300:
            self.state.recipients += 1

    def _after_data(self, _event: Data, code: int) -> None:
        if code == 354:
            self._receiver = DataReceiver(self.state.terms.max_size, mend=self._mend)

    def _after_chunk(self, _event: ChunkEnd, code: int) -> None:
        if code != 250:  # RFC 3030 2: the message has failed; what else of it is on the way is not taken.
            self._end_transaction()

    def _after_end(self, _event: DataEnd | Rset, _code: int) -> None:
        self._end_transaction()

    def _end_transaction(self) -> None:
        self.state.end_transaction()
        self._chunks = None

    def _after_quit(self, _event: Quit, code: int) -> None:
        self._closed = code == 221
        self._buffer, self._at = b"", 0

    def _after_starttls(self, event: StartTls, code: int) -> None:
        if code == 220:
            self._waiting = event  # Until TLS has started: nothing that comes before is read.

    def _after_auth(self, _event: Auth | AuthResponse, code: int) -> None:
        if code == 334:
            self._in_auth = True
        elif code == 235:
            self.state.authenticated = True


_CHANGES: Final[dict[type[object], Callable[[SmtpEngine, Any, int], None]]] = {
    Helo: SmtpEngine._after_helo,
    Mail: SmtpEngine._after_mail,
    Rcpt: SmtpEngine._after_rcpt,
    Data: SmtpEngine._after_data,
    ChunkEnd: SmtpEngine._after_chunk,
    DataEnd: SmtpEngine._after_end,
    Rset: SmtpEngine._after_end,
    Quit: SmtpEngine._after_quit,
    StartTls: SmtpEngine._after_starttls,
    Auth: SmtpEngine._after_auth,
    AuthResponse: SmtpEngine._after_auth,
}
