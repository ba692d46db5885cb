"""The sending side of SMTP and LMTP.

Sans-IO: the caller owns the connection. Commands put bytes into `outgoing()`, answers come as events
(`client_events.py`). The whole driver, for one message over a Link:

    client = SmtpClient(lmtp=False)

    async def event() -> ClientEvent:
        while isinstance(found := client.next_event(), Pause):
            if out := client.outgoing():
                await link.write(out)
            client.receive(await link.read())        # b"" at the end: the next event is Lost
        return found

    await event()                                    # Greeting | Refused | Lost
    client.hello("mail.example.org")
    await event()                                    # Ready (now client.extensions is known) | Refused | Lost
    if client.extensions.has("STARTTLS"):
        client.start_tls()
        if isinstance(await event(), TlsReady):      # TlsReady | Refused (go on in plaintext, if that may be) | Lost
            await link.start_tls()
            client.tls_started()
            client.hello("mail.example.org")         # Again, and wait for Ready. RFC 3207 4.2
    client.sign_in(name, password)                   # Only for relay hosts: SignedIn | Refused | Lost
    client.transaction(sender, recipients, TransactionOptions(size=..., body_8bit=...))
    found = await event()                            # NeedContent | Finished | Lost
    if isinstance(found, NeedContent):
        for piece in content:
            await link.write(client.content(piece))
        await link.write(client.content_end())
        found = await event()                        # Finished | Lost
    found.results                                    # A Reply for each recipient, in order
    if client.reusable:                              # Another transaction(), or:
        client.quit()                                # Goodbye | Lost

`results` are final: `ok` is delivered or relayed, `permanent` failed, all else is to be tried again. When Lost comes
after `content_end()` nobody can know what became of the message; it is tried again (RFC 5321 4.2.5, RFC 1047).
If content cannot be read to its end, the caller closes the connection without `content_end()`.

Standards: RFC 5321 3, 4.1, 4.3.2 (order), RFC 2920 (pipelining), RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 3207
(STARTTLS), RFC 4954 (AUTH), RFC 6531 3.4 (SMTPUTF8), RFC 2033 (LMTP).
"""

import base64
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Final

from whimbrel.core.address import Address, ReversePath, path_text
from whimbrel.core.engine import NEED_DATA, Pause
from whimbrel.core.values import Secret
from whimbrel.protocols.sasl import CLIENT_MECHANISMS
from whimbrel.protocols.sasl.exchange import SaslError, from_base64
from whimbrel.protocols.smtp.client_events import (
    ClientEvent,
    Finished,
    Goodbye,
    Greeting,
    Lost,
    NeedContent,
    Ready,
    Refused,
    SignedIn,
    TlsReady,
    TransactionOptions,
    WasReset,
)
from whimbrel.protocols.smtp.extensions import NO_EXTENSIONS, Extensions
from whimbrel.protocols.smtp.reply import BadReply, Reply, ReplyReader
from whimbrel.protocols.smtp.stuffing import Stuffing

WINDOW: Final = 200
"""Commands under way at once. RFC 2920 3.1: the buffers between us must hold them and their replies."""

_NO_UTF8 = Reply(553, "5.6.7", ("The server does not take internationalised addresses (SMTPUTF8)",))
_NO_MECHANISM = Reply(504, "5.5.4", ("The server offers no way to sign in that we know",))
_ODD = Reply(451, "4.5.0", ("The server answered what the protocol does not allow here",))


class _Step(Enum):
    """What the next reply answers."""

    CONNECT = "connect"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "content"
    DOT = "dot"
    CLEAR = "clear"
    RSET = "RSET"
    QUIT = "QUIT"


class SmtpClient:
    """One connection, as long as it lives. Each command waits for its event before the next: else ValueError."""

    def __init__(self, *, lmtp: bool = False) -> None:
        self.extensions: Extensions = NO_EXTENSIONS
        self._lmtp = lmtp
        self._reader = ReplyReader()
        self._out: list[bytes] = []
        self._events: deque[ClientEvent] = deque()
        self._expected: deque[tuple[_Step, int]] = deque([(_Step.CONNECT, 0)])
        self._todo: deque[tuple[_Step, int, bytes]] = deque()
        self._name = ""
        self._responses: Iterator[bytes] = iter(())
        self._sending = False  # A transaction is under way:
        self._results: list[Reply | None] = []  # Final answers.
        self._answers: list[Reply | None] = []  # Answers to RCPT.
        self._accepted: list[int] = []
        self._stuffing: Stuffing | None = None
        self._open = False  # MAIL was accepted and nothing has ended its transaction: RSET before the next.
        self._dead = False

    # Bytes and events

    def receive(self, data: bytes) -> None:
        """Bytes from the peer; b"" is the end."""
        if self._dead:
            return
        if not data:
            self._lose("the server closed it")
            return
        self._reader.feed(data)
        try:
            while not self._dead and (answer := self._reader.next()) is not None:
                self._take(answer)
        except BadReply as error:
            self._lose(str(error))

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
        return not (self._dead or self._expected or self._todo)

    # Commands

    def hello(self, name: str) -> None:
        """EHLO (LHLO), and HELO if that is not understood. `name` is our host name. Ready | Refused | Lost"""
        if not name or not name.isascii() or not name.isprintable() or " " in name:
            raise ValueError("not a host name")
        self._name = name
        self._command(_Step.EHLO, f"{'LHLO' if self._lmtp else 'EHLO'} {name}\r\n".encode())

    def start_tls(self) -> None:
        """TlsReady | Refused | Lost"""
        self._command(_Step.STARTTLS, b"STARTTLS\r\n")

    def tls_started(self) -> None:
        """Forgets what the peer said before TLS. RFC 3207 4.2"""
        self._reader.clear()
        self.extensions = NO_EXTENSIONS

    def sign_in(self, name: str, password: Secret) -> None:
        """AUTH with the first mechanism that both know. The caller sees to TLS. SignedIn | Refused | Lost"""
        mechanism = next((known for known in CLIENT_MECHANISMS if known in self.extensions.auth), None)
        if mechanism is None:
            self._idle()
            self._events.append(Refused("AUTH", _NO_MECHANISM))
            return
        self._responses = CLIENT_MECHANISMS[mechanism](name, password)
        initial = base64.b64encode(next(self._responses)) or b"="
        self._command(_Step.AUTH, b"AUTH %s %s\r\n" % (mechanism.encode(), initial))

    def transaction(self, sender: ReversePath, recipients: Sequence[Address], options: TransactionOptions) -> None:
        """MAIL, a RCPT for each recipient, DATA; in one write if PIPELINING is offered.

        NeedContent | Finished | Lost"""
        self._idle()
        if not recipients:
            raise ValueError("no recipients")
        self._sending = True
        self._results, self._answers, self._accepted = [None] * len(recipients), [None] * len(recipients), []
        if self._dead:
            self._lose("it was closed before")
            return
        known, utf8 = self.extensions, self.extensions.has("SMTPUTF8")
        if options.size > known.size > 0:  # RFC 1870 6.1: no use in trying.
            self._answer_all(Reply(552, "5.3.4", (f"The server takes messages of up to {known.size} octets",)))
        elif not utf8 and (options.utf8 or not (sender is None or sender.ascii)):
            self._answer_all(_NO_UTF8)
        else:
            self._plan(sender, recipients, options, utf8=utf8)
        self._go_on()

    def content(self, piece: bytes) -> bytes:
        """The wire form of a piece of the message, of any size; to be written at once."""
        if self._stuffing is not None:
            return self._stuffing.encode(piece)
        if self._dead:
            return b""  # The peer gave up meanwhile; its answer is the next event.
        raise ValueError("no content is wanted")

    def content_end(self) -> bytes:
        """The end of the message; to be written at once. Finished | Lost"""
        if self._stuffing is None:
            return self.content(b"")
        stuffing, self._stuffing = self._stuffing, None
        return stuffing.end()

    def reset(self) -> None:
        """RSET, also to see whether an idle connection still lives. WasReset | Lost"""
        self._command(_Step.RSET, b"RSET\r\n")

    def quit(self) -> None:
        """Goodbye | Lost"""
        self._command(_Step.QUIT, b"QUIT\r\n")

    # Replies

    def _idle(self) -> None:
        if self._expected or self._todo:
            raise ValueError("the last command has not been answered")

    def _command(self, step: _Step, line: bytes) -> None:
        self._idle()
        if self._dead:
            self._lose("it was closed before")
            return
        self._expected.append((step, 0))
        self._out.append(line)

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
        if answer.code == 421 and step is not _Step.QUIT:
            self._closing(step, answer)
        elif self._stuffing is not None:
            # Content is under way: the peer may give up, but cannot have taken it.
            self._closing(step, _ODD if answer.ok else answer)
        else:
            _TAKE[step](self, at, answer)
            if self._sending:
                self._go_on()

    def _closing(self, step: _Step, answer: Reply) -> None:
        """Whatever is under way has this answer, and the connection is of no further use."""
        self._dead = True
        self._expected.clear()
        self._todo.clear()
        if self._sending:
            self._answer_all(answer)
            self._finish()
        elif step is _Step.RSET:
            self._events.append(Lost(answer, ()))
        else:
            self._events.append(Refused(step.value, answer))

    def _lose(self, why: str) -> None:
        answer = Reply(421, "4.4.2", (f"Connection lost: {why}",))
        self._dead = True
        self._expected.clear()
        self._todo.clear()
        self._answer_all(answer)
        results = tuple(r or answer for r in self._results) if self._sending else ()
        self._sending, self._stuffing = False, None
        self._events.append(Lost(answer, results))

    def _greeted(self, _at: int, answer: Reply) -> None:
        self._events.append(Greeting(answer) if answer.code == 220 else Refused("connect", answer))

    def _ehlo(self, _at: int, answer: Reply) -> None:
        if answer.ok:
            self.extensions = Extensions.read(answer.lines)
            self._events.append(Ready(self.extensions))
        elif answer.permanent and not self._lmtp:
            self._expected.append((_Step.HELO, 0))  # RFC 5321 3.2
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
        if answer.ok:
            self._events.append(SignedIn(answer))
        elif answer.code == 334:
            response = next(self._responses, None)
            try:
                from_base64(answer.lines[0].strip().encode())
            except SaslError:
                response = None
            self._expected.append((_Step.AUTH, 0))
            self._out.append(b"*\r\n" if response is None else base64.b64encode(response) + b"\r\n")  # RFC 4954 4
        else:
            self._events.append(Refused("AUTH", answer))

    def _reset(self, _at: int, answer: Reply) -> None:
        self._open = False
        self._events.append(WasReset(answer))

    def _quit(self, _at: int, answer: Reply) -> None:
        self._dead = True
        self._events.append(Goodbye(answer))

    # A transaction

    def _plan(
        self, sender: ReversePath, recipients: Sequence[Address], options: TransactionOptions, *, utf8: bool
    ) -> None:
        known = self.extensions
        if self._open:
            self._todo.append((_Step.CLEAR, 0, b"RSET\r\n"))
            self._open = False
        needs_utf8 = utf8 and (options.utf8 or not all(path.ascii for path in (sender, *recipients) if path))
        line = f"MAIL FROM:{path_text(sender)}"
        if options.size and known.has("SIZE"):
            line += f" SIZE={options.size}"
        if (options.body_8bit or needs_utf8) and known.has("8BITMIME"):
            line += " BODY=8BITMIME"
        if needs_utf8:
            line += " SMTPUTF8"
        self._todo.append((_Step.MAIL, 0, f"{line}\r\n".encode()))
        for at, recipient in enumerate(recipients):
            if utf8 or recipient.ascii:
                self._todo.append((_Step.RCPT, at, f"RCPT TO:<{recipient}>\r\n".encode()))
            else:
                self._results[at] = _NO_UTF8
        self._todo.append((_Step.DATA, 0, b"DATA\r\n"))

    def _go_on(self) -> None:
        """Puts out what may be sent now; ends the transaction when nothing is left of it."""
        window = WINDOW if self.extensions.has("PIPELINING") else 1
        while self._todo and len(self._expected) < window:
            step, at, line = self._todo.popleft()
            if step is _Step.DATA and not self._expected and not self._accepted:
                break  # Every recipient was refused already.
            self._expected.append((step, at))
            self._out.append(line)
        if not self._expected and not self._todo:
            self._finish()

    def _finish(self) -> None:
        self._sending, self._stuffing = False, None
        self._events.append(Finished(tuple(r or _ODD for r in self._results)))

    def _answer_all(self, answer: Reply) -> None:
        """The final answer for everybody who has none yet."""
        self._results = [r or answer for r in self._results]

    def _mail(self, _at: int, answer: Reply) -> None:
        if answer.ok:
            self._open = True
        else:
            self._answer_all(answer)
            self._todo.clear()

    def _rcpt(self, at: int, answer: Reply) -> None:
        if self._results[at] is not None:
            return  # MAIL was refused.
        self._answers[at] = answer
        if answer.ok:
            self._accepted.append(at)
        else:
            self._results[at] = answer

    def _data(self, _at: int, answer: Reply) -> None:
        if answer.code != 354:
            self._answer_all(_ODD if answer.ok else answer)
        elif self._accepted:
            self._stuffing = Stuffing()
            # RFC 2033 4.2: one reply for each recipient that was accepted, in the order of RCPT.
            self._expected.extend((_Step.CONTENT, at) for at in (self._accepted if self._lmtp else (-1,)))
            self._events.append(
                NeedContent(tuple(a or r or _ODD for a, r in zip(self._answers, self._results, strict=True)))
            )
        elif self._lmtp:
            self._dead = True  # RFC 2033 4.2 forbids it, and what would follow is anybody's guess.
        else:
            self._expected.append((_Step.DOT, 0))  # RFC 2920 3.1: DATA was under way before the refusals came.
            self._out.append(b".\r\n")

    def _content(self, at: int, answer: Reply) -> None:
        self._open = False
        if at < 0:
            self._answer_all(answer)
        else:
            self._results[at] = answer

    def _dot(self, _at: int, _answer: Reply) -> None:
        self._open = False

    def _cleared(self, _at: int, _answer: Reply) -> None:
        """A server that refuses RSET will refuse MAIL too, and say why."""


_TAKE: Final[dict[_Step, Callable[[SmtpClient, int, Reply], None]]] = {
    _Step.CONNECT: SmtpClient._greeted,
    _Step.EHLO: SmtpClient._ehlo,
    _Step.HELO: SmtpClient._helo,
    _Step.STARTTLS: SmtpClient._starttls,
    _Step.AUTH: SmtpClient._auth,
    _Step.MAIL: SmtpClient._mail,
    _Step.RCPT: SmtpClient._rcpt,
    _Step.DATA: SmtpClient._data,
    _Step.CONTENT: SmtpClient._content,
    _Step.DOT: SmtpClient._dot,
    _Step.CLEAR: SmtpClient._cleared,
    _Step.RSET: SmtpClient._reset,
    _Step.QUIT: SmtpClient._quit,
}
