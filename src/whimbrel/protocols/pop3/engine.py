"""The server's side of one POP3 connection: bytes in, commands out; replies in, bytes out.

One command is worked on at a time; what the client pipelines waits. The caller first sends the greeting (`Ok`), then
answers each event:

- a command with `Ok`, `Err` or `Listing`; `Retr` and `Top` also with `Message`, or with `Start`, any number of `Part`,
  and `End`;
- `Auth` with `Challenge`, then `Response` with `Challenge`, `Ok` or `Err`;
- `Bad` with `Err`, and with the end of the connection if it is `fatal`.

After the reply to `Quit` or to a fatal `Bad` the engine takes nothing more.

Standards: RFC 1939 3, RFC 2449 4 and 8 (lines, response codes), RFC 3206, RFC 2595 4, RFC 5034 4,
RFC 6856 3 (replies in UTF-8)
"""

import base64
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from whimbrel.core.engine import NEED_DATA, PAUSED, Pause
from whimbrel.protocols.pop3.commands import Auth, BadCommand, Command, Quit, Retr, State, Stls, Top, parse, response
from whimbrel.protocols.pop3.octets import END, Sender, sent_whole


@dataclass(frozen=True, slots=True)
class Limits:
    """In octets, but for `bad`."""

    line: int = 512
    """RFC 2449 4 says 255."""
    line_before: int = 12 * 1024
    """Before sign-in: AUTH's responses. RFC 5034 4"""
    endless: int = 64 * 1024
    """A line without end ends the connection."""
    bad: int = 20
    """Lines in a row that were no command; then the connection ends."""
    bad_before: int = 5


# Events besides the commands


@dataclass(frozen=True, slots=True)
class Response:
    """What the client answered to a challenge; None: it gave up (`*`)."""

    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bad:
    """Not a command, or none that may come now."""

    text: str
    fatal: bool = False


Event = Command | Response | Bad

# Replies


@dataclass(frozen=True, slots=True)
class Ok:
    """`state` is the state after it, if it changes. `unicode`: from here on replies may be UTF-8 (LANG)."""

    text: str
    state: State | None = None
    unicode: bool = False


@dataclass(frozen=True, slots=True)
class Err:
    """`code` is a response code without its brackets. RFC 2449 8"""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A multi-line reply of lines that are at hand: each ends in CRLF and none begins with a dot."""

    text: str
    lines: bytes


@dataclass(slots=True)  # Not frozen: that doubles what it costs to make one, and they come by the thousand.
class Message:
    """A whole message as it is stored. `lines`: it is known to consist of lines that end in CRLF."""

    text: str
    data: bytes = field(repr=False)
    lines: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """The first line of a multi-line reply whose content comes in parts."""

    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """Octets of a message as they are stored."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    pass


@dataclass(frozen=True, slots=True)
class Challenge:
    data: bytes = field(repr=False)


_RETRIEVING: Final = (Retr, Top)
Reply = Ok | Err | Listing | Message | Start | Part | End | Challenge


class _Phase(Enum):
    GREETING = auto()
    READY = auto()
    BUSY = auto()
    """An event waits for its reply."""
    STREAM = auto()
    """Start was sent."""
    SASL = auto()
    """Challenge was sent: a line comes that is not a command."""
    TLS = auto()
    """STLS was granted: what comes before the handshake counts for nothing."""
    CLOSED = auto()


class Pop3Engine:
    """Has the shape of `core.engine.Engine`."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.state = State.AUTHORIZATION
        self._unicode = False  # The client asked for a language: replies may be UTF-8.
        self._limits = limits
        self._phase = _Phase.GREETING
        self._buffer = b""
        self._at = 0
        self._skipped = 0  # Octets of a line too long that were dropped already.
        self._event: Event | None = None
        self._bad = 0
        self._sender = Sender()

    def receive(self, data: bytes) -> None:
        if self._phase not in (_Phase.CLOSED, _Phase.TLS):
            self._buffer = self._buffer[self._at :] + data
            self._at = 0

    def next_event(self) -> Event | Pause:
        if self._phase is _Phase.READY:
            return self._command()
        if self._phase is _Phase.SASL:
            return self._response()
        if self._phase in (_Phase.CLOSED, _Phase.TLS):
            return NEED_DATA
        return PAUSED

    def send(self, reply: Reply) -> bytes:
        if isinstance(reply, Message):
            self._require(_Phase.BUSY)
            if not isinstance(self._event, _RETRIEVING):
                raise ValueError("only RETR and TOP are answered with a message")
            self._event, self._phase = None, _Phase.READY
            return sent_whole(reply.data, after=self._line(b"+OK", reply.text), lines=reply.lines)
        if isinstance(reply, Part):
            self._require(_Phase.STREAM)
            return self._sender.feed(reply.data)
        if isinstance(reply, End):
            self._require(_Phase.STREAM)
            self._done()
            return self._sender.end()
        if isinstance(reply, Challenge):
            if self._phase is not _Phase.BUSY or not isinstance(self._event, Auth | Response):
                raise ValueError("a challenge is sent within AUTH only")
            self._phase = _Phase.SASL
            return b"+ " + base64.b64encode(reply.data) + b"\r\n"
        if isinstance(reply, Start):
            self._require(_Phase.BUSY)
            if not isinstance(self._event, _RETRIEVING):
                raise ValueError("only RETR and TOP are answered in parts")
            self._phase, self._sender = _Phase.STREAM, Sender()
            return self._line(b"+OK", reply.text)
        return self._answer(reply)

    def tls_started(self) -> None:
        """RFC 2595 4: what came before TLS is forgotten."""
        self._buffer, self._at, self._skipped, self._event = b"", 0, 0, None
        self._unicode = False
        self.state = State.AUTHORIZATION
        if self._phase is not _Phase.GREETING:
            self._phase = _Phase.READY

    # Replies

    def _answer(self, reply: Ok | Err | Listing) -> bytes:
        if self._phase is _Phase.GREETING:
            if not isinstance(reply, Ok):
                self._phase = _Phase.CLOSED
            else:
                self._phase = _Phase.READY
        else:
            self._require(_Phase.BUSY)
            granted = isinstance(reply, Ok) and isinstance(self._event, Stls)
            self._done()
            if granted:
                self._phase = _Phase.TLS
        if isinstance(reply, Listing):
            return self._line(b"+OK", reply.text) + reply.lines + END
        if isinstance(reply, Err):
            return self._line(b"-ERR [%b]" % reply.code.encode("ascii") if reply.code else b"-ERR", reply.text)
        if reply.state is not None:
            self.state = reply.state
        self._unicode |= reply.unicode
        return self._line(b"+OK", reply.text)

    def _done(self) -> None:
        event, self._event = self._event, None
        last = isinstance(event, Quit) or (isinstance(event, Bad) and event.fatal)
        self._phase = _Phase.CLOSED if last else _Phase.READY
        if last:
            self._buffer, self._at = b"", 0

    def _require(self, phase: _Phase) -> None:
        if self._phase is not phase:
            raise ValueError(f"not a reply of this moment ({self._phase.name})")

    # Events

    def _command(self) -> Event | Pause:
        before = self.state is State.AUTHORIZATION
        line = self._take(self._limits.line_before if before else self._limits.line)
        if not isinstance(line, bytes):
            return line
        try:
            command = parse(line, self.state)
        except BadCommand as error:
            return self._refuse(str(error))
        self._bad = 0
        return self._occurs(command)

    def _response(self) -> Event | Pause:
        line = self._take(self._limits.line_before)
        if not isinstance(line, bytes):
            return line
        if line == b"*":
            return self._occurs(Response(None))
        try:
            return self._occurs(Response(response(line)))
        except BadCommand as error:
            return self._refuse(str(error))

    def _take(self, limit: int) -> bytes | Event | Pause:
        """The next line without its end; a bare LF ends one too."""
        end = self._buffer.find(b"\n", self._at)
        size = self._skipped + (end if end >= 0 else len(self._buffer)) - self._at
        if size > self._limits.endless:
            return self._refuse("Line without end", fatal=True)
        if end < 0:
            if size > limit:
                self._skipped, self._at = size, len(self._buffer)
            return NEED_DATA
        line, self._at, self._skipped = self._buffer[self._at : end], end + 1, 0
        if size > limit:
            return self._refuse("Line too long")
        return line[:-1] if line.endswith(b"\r") else line

    def _refuse(self, text: str, *, fatal: bool = False) -> Event:
        self._bad += 1
        limit = self._limits.bad_before if self.state is State.AUTHORIZATION else self._limits.bad
        return self._occurs(Bad(text, fatal or self._bad >= limit))

    def _occurs(self, event: Event) -> Event:
        self._event, self._phase = event, _Phase.BUSY
        return event

    def _line(self, status: bytes, text: str) -> bytes:
        return _line(status, text, self._unicode)


@lru_cache(64)
def _line(status: bytes, text: str, unicode: bool, /) -> bytes:
    """Nearly all are the same few."""
    if text.isascii() and text.isprintable():
        return b"%b %b\r\n" % (status, text.encode("ascii"))
    safe = "".join(char if char.isprintable() and (unicode or char.isascii()) else "?" for char in text)
    return b"%b %b\r\n" % (status, safe.encode("utf-8", "replace"))
