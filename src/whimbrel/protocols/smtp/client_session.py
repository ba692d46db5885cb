"""A connection with a server, without its transactions: greeting, EHLO, STARTTLS, AUTH, RSET, QUIT.

Sans-IO, see `client.py`, which adds the transactions. Every dialogue is bounded, whatever the server answers: each
command has one reply but AUTH, which has at most so many (`client_auth.py`); a reply has a bounded size (`reply.py`).

Standards: RFC 5321 3.1, 3.2, 3.8, 4.1.1, RFC 3207 4, RFC 4954 4, RFC 2033 4.1 (LHLO).
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from whimbrel.core.engine import NEED_DATA, Pause
from whimbrel.core.values import Secret
from whimbrel.protocols.smtp.client_auth import SignInExchange
from whimbrel.protocols.smtp.client_events import (
    ClientEvent,
    Goodbye,
    Greeting,
    Lost,
    Ready,
    Refused,
    SignedIn,
    TlsReady,
    WasReset,
)
from whimbrel.protocols.smtp.client_steps import NO_MECHANISM, Step
from whimbrel.protocols.smtp.extensions import NO_EXTENSIONS, Extensions
from whimbrel.protocols.smtp.reply import BadReply, Reply, ReplyReader

Take = Callable[[Any, int, Reply], None]


class ClientSession:
    """Each command waits for its event before the next: else ValueError."""

    TAKE: ClassVar[Mapping[Step, Take]]
    """What is done with the reply to each command."""

    def __init__(self, *, lmtp: bool = False) -> None:
        self.extensions: Extensions = NO_EXTENSIONS
        self.answers = 0
        """Replies so far: a peer that goes on answering is alive."""
        self._lmtp = lmtp
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._events: deque[ClientEvent] = deque()
        self._expected: deque[tuple[Step, int]] = deque([(Step.CONNECT, 0)])
        self._name = ""
        self._exchange: SignInExchange | None = None
        self._dead = False

    # Bytes and events

    def receive(self, data: bytes) -> None:
        """Bytes from the peer; b"" is the end."""
        if self._dead:
            return
        if not data:
            self.lost("the server closed it")
            return
        self._reader.feed(data)
        try:
            while not self._dead and (answer := self._reader.next()) is not None:
                self.answers += 1
                self._take(answer)
        except BadReply as error:
            if error.reply is not None and error.reply.permanent and self._expected:
                self._closing(self._expected[0][0], error.reply)
            else:
                self.lost(str(error))

    def lost(self, why: str) -> None:
        """The connection is of no further use: whatever is under way ends with Lost."""
        if not self._dead:
            self._lose(why)

    def next_event(self) -> ClientEvent | Pause:
        """The next event, or NEED_DATA: write `outgoing()`, read, `receive`."""
        return self._events.popleft() if self._events else NEED_DATA

    def outgoing(self) -> bytes:
        """What must be written before reading on; b"" if nothing."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    @property
    def reusable(self) -> bool:
        """The connection is alive and nothing is under way."""
        return not (self._dead or self._expected)

    # Commands

    def hello(self, name: str) -> None:
        """EHLO (LHLO), and HELO if that is not understood. `name` is our host name. Ready | Refused | Lost"""
        if not name or not name.isascii() or not name.isprintable() or " " in name:
            raise ValueError("not a host name")
        self._name = name
        self._command(Step.EHLO, f"{'LHLO' if self._lmtp else 'EHLO'} {name}\r\n".encode())

    def start_tls(self) -> None:
        """TlsReady | Refused | Lost"""
        self._command(Step.STARTTLS, b"STARTTLS\r\n")

    def tls_started(self) -> None:
        """Forgets what the peer said before TLS. RFC 3207 4.2"""
        self._reader.clear()
        self.extensions = NO_EXTENSIONS

    def sign_in(self, name: str, password: Secret) -> None:
        """AUTH with the mechanisms that both know, one after the other. The caller sees to TLS.
        SignedIn | Refused | Lost"""
        self._exchange = SignInExchange(self.extensions.auth, name, password)
        line = self._exchange.begin()
        if line is None:
            self._idle()
            self._events.append(Refused("AUTH", NO_MECHANISM))
            return
        self._command(Step.AUTH, line)

    def reset(self) -> None:
        """RSET, also to see whether an idle connection still lives. WasReset | Lost"""
        self._command(Step.RSET, b"RSET\r\n")

    def quit(self) -> None:
        """Goodbye | Lost"""
        self._command(Step.QUIT, b"QUIT\r\n")

    def _idle(self) -> None:
        if self._expected:
            raise ValueError("the last command has not been answered")

    def _command(self, step: Step, line: bytes) -> None:
        self._idle()
        if self._dead:
            self._lose("it was closed before")
            return
        self._expected.append((step, 0))
        self._out.append(line)

    # Replies

    def _take(self, answer: Reply) -> None:
        if not self._expected:
            # Nothing was asked: the peer may only say that it closes. RFC 5321 3.8
            if answer.code == 421:
                self._dead = True
                self._events.append(Goodbye(answer))
            else:
                self._lose("an answer came that nobody had asked for")
            return
        step, at = self._expected.popleft()
        if answer.code == 421 and step is not Step.QUIT:
            self._closing(step, answer)
        else:
            self.TAKE[step](self, at, answer)

    def _closing(self, step: Step, answer: Reply) -> None:
        """Whatever is under way has this answer, and the connection is of no further use."""
        self._dead = True
        self._expected.clear()
        if step is Step.RSET:
            self._events.append(Lost(answer, ()))
        else:
            self._events.append(Refused(step.value, answer))

    def _lose(self, why: str) -> None:
        self._dead = True
        self._expected.clear()
        self._events.append(Lost(Reply(421, "4.4.2", (f"Connection lost: {why}",)), ()))

    def _greeted(self, _at: int, answer: Reply) -> None:
        self._events.append(Greeting(answer) if answer.code == 220 else Refused("connect", answer))

    def _ehlo(self, _at: int, answer: Reply) -> None:
        if answer.ok:
            self.extensions = Extensions.read(answer.lines)
            self._events.append(Ready(self.extensions))
        elif answer.permanent and not self._lmtp:
            self._expected.append((Step.HELO, 0))  # RFC 5321 3.2
            self._out.append(f"HELO {self._name}\r\n".encode())
        else:
            self._events.append(Refused("EHLO", answer))

    def _helo(self, _at: int, answer: Reply) -> None:
        if answer.ok:
            self.extensions = NO_EXTENSIONS
            self._events.append(Ready(self.extensions))
        else:
            self._events.append(Refused("EHLO", answer))

    def _starttls(self, _at: int, answer: Reply) -> None:
        self._events.append(TlsReady() if answer.code == 220 else Refused("STARTTLS", answer))

    def _auth(self, _at: int, answer: Reply) -> None:
        assert self._exchange is not None
        if answer.ok:
            self._events.append(SignedIn(answer))
            return
        if answer.code == 334:
            line = self._exchange.answer(answer.lines[0])
            if line is None:
                self._lose("the server goes on with an exchange that was cancelled")
                return
        else:
            line = self._exchange.refused(answer)
        if line is None:
            self._events.append(Refused("AUTH", answer))
        else:
            self._expected.append((Step.AUTH, 0))
            self._out.append(line)

    def _reset(self, _at: int, answer: Reply) -> None:
        self._events.append(WasReset(answer))

    def _quit(self, _at: int, answer: Reply) -> None:
        self._dead = True
        self._events.append(Goodbye(answer))


SESSION_STEPS: Final[dict[Step, Take]] = {
    Step.CONNECT: ClientSession._greeted,
    Step.EHLO: ClientSession._ehlo,
    Step.HELO: ClientSession._helo,
    Step.STARTTLS: ClientSession._starttls,
    Step.AUTH: ClientSession._auth,
    Step.RSET: ClientSession._reset,
    Step.QUIT: ClientSession._quit,
}
ClientSession.TAKE = SESSION_STEPS
