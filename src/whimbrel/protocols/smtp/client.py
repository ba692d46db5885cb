"""The sending side of SMTP and LMTP.

Sans-IO: the caller owns the connection. Commands put bytes into `outgoing()`, answers come as events
(`client_events.py`). The whole driver, for one message over a Link:

    client = SmtpClient(lmtp=False)

    async def event() -> ClientEvent:
        while isinstance(event := client.next_event(), Pause):
            if out := client.outgoing():
                await link.write(out)
            client.receive(await link.read())        # b"" at the end: the next event is Lost
        return event

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
    client.transaction(sender, recipients, MailOptions(size=..., body_8bit=...), content)
    outcome = await event()                          # NeedContent | Finished | Lost
    if isinstance(outcome, NeedContent):
        for piece in content:
            await link.write(client.content(piece))
        await link.write(client.content_end())
        outcome = await event()                      # Finished | Lost
    outcome.results                                  # A Reply for each recipient, in order
    if client.reusable:                              # Another transaction(), or:
        client.quit()                                # Goodbye | Lost

A message that is given whole to transaction() goes out in the same write as its envelope, where the server offers
PIPELINING and CHUNKING: one round trip for all of it. If every recipient is refused its octets were sent in vain, so it
should be small.

`results` are final: `ok` is delivered or relayed, `permanent` failed, all else is to be tried again. When Lost comes
after all content was sent nobody can know what became of the message (`unknown`); it is tried again (RFC 5321 4.2.5,
RFC 1047).
If content cannot be read to its end, the caller closes the connection without `content_end()`.

Standards: RFC 5321 3, 4.1, 4.3.2 (order), RFC 2920 (pipelining), RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 3.4
(SMTPUTF8), RFC 3030 2 (CHUNKING), RFC 8689 4.2 (REQUIRETLS), RFC 2033 (LMTP).
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from whimbrel.core.address import ReversePath
from whimbrel.core.envelope import MailOptions, Recipient
from whimbrel.protocols.smtp.client_events import Finished, Lost, NeedContent
from whimbrel.protocols.smtp.client_lines import mail_line, rcpt_line
from whimbrel.protocols.smtp.client_session import SESSION_STEPS, ClientSession
from whimbrel.protocols.smtp.client_steps import NO_REQUIRETLS, NO_UTF8, UNEXPECTED, Step
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.stuffing import Stuffing

WINDOW: Final = 200
"""Commands under way at once. RFC 2920 3.1: the buffers between us must hold them and their replies."""


class SmtpClient(ClientSession):
    """One connection, as long as it lives. Each command waits for its event before the next: else ValueError."""

    def __init__(self, *, lmtp: bool = False, chunking: bool = True) -> None:
        super().__init__(lmtp=lmtp)
        self.begun = False
        """MAIL of this transaction was accepted."""
        self._chunking = chunking
        self._todo: deque[tuple[Step, int, bytes]] = deque()
        self._sending = False  # A transaction is under way:
        self._results: list[Reply | None] = []  # Final answers.
        self._answers: list[Reply | None] = []  # Answers to RCPT.
        self._accepted: list[int] = []
        self._stuffing: Stuffing | None = None
        self._chunks = False  # Content goes by BDAT:
        self._held = b""  # The piece that may be the last.
        self._all_sent = False
        self._open = False  # MAIL was accepted and nothing has ended its transaction: RSET before the next.

    @property
    def reusable(self) -> bool:
        """The connection is alive and nothing is under way."""
        return not (self._dead or self._expected or self._todo or self._sending)

    def transaction(
        self,
        sender: ReversePath,
        recipients: Sequence[Recipient],
        options: MailOptions,
        content: bytes | None = None,
    ) -> bool:
        """MAIL, a RCPT for each recipient, DATA; in one write if PIPELINING is offered. `content` is all of the
        message, where it is small; True if it is taken along: then there is no NeedContent. Of `options` the peer is
        told what it understands; `size` 0 is not told. With `require_tls` only a server that offers REQUIRETLS has the
        message; a report (null sender) the others have too. RFC 8689 5

        NeedContent | Finished | Lost"""
        self._idle()
        if not recipients:
            raise ValueError("no recipients")
        self._sending, self._all_sent, self.begun = True, False, False
        self._results, self._answers, self._accepted = [None] * len(recipients), [None] * len(recipients), []
        if self._dead:
            self._lose("it was closed before")
            return False
        known, utf8, whole = self.extensions, self.extensions.has("SMTPUTF8"), False
        if options.size > known.size > 0:  # RFC 1870 6.1: no use in trying.
            self._answer_all(Reply(552, "5.3.4", (f"The server takes messages of up to {known.size} octets",)))
        elif not utf8 and (options.utf8 or not (sender is None or sender.ascii)):
            self._answer_all(NO_UTF8)
        elif options.require_tls and sender is not None and not known.has("REQUIRETLS"):
            self._answer_all(NO_REQUIRETLS)
        else:
            whole = self._plan(sender, recipients, options, content, utf8=utf8)
        self._go_on()
        return whole

    def content(self, piece: bytes) -> bytes:
        """The wire form of a piece of the message, of any size; to be written at once."""
        if self._stuffing is not None:
            wire = self._stuffing.encode(piece)
            return self._chunk(wire) if self._chunks and wire else wire
        if self._dead:
            return b""  # The peer gave up meanwhile; its answer is the next event.
        raise ValueError("no content is wanted")

    def _chunk(self, wire: bytes) -> bytes:
        # RFC 3030 2: the last chunk says so, thus one is always held back.
        held, self._held = self._held, wire
        if not held:
            return b""
        self._expected.append((Step.CHUNK, 0))
        return b"BDAT %d\r\n%b" % (len(held), held)

    def content_end(self) -> bytes:
        """The end of the message; to be written at once. Finished | Lost"""
        if self._stuffing is None:
            return self.content(b"")
        stuffing, self._stuffing, self._all_sent = self._stuffing, None, True
        if not self._chunks:
            return stuffing.end()
        last, self._held = self._held + stuffing.end(), b""
        self._expected.append((Step.CONTENT, -1))
        return b"BDAT %d LAST\r\n%b" % (len(last), last)

    # What is under way ends with the connection

    def _idle(self) -> None:
        if self._expected or self._todo:
            raise ValueError("the last command has not been answered")

    def _take(self, answer: Reply) -> None:
        if not self._sending:
            super()._take(answer)
            return
        if not self._expected:
            self._closing(Step.CONTENT, UNEXPECTED if answer.ok else answer)
            return
        step, at = self._expected.popleft()
        if answer.code == 421:
            self._closing(step, answer)
        elif self._stuffing is not None and not (step is Step.CHUNK and answer.ok):
            # Content is under way: the peer may give up, but cannot have taken it.
            self._closing(step, UNEXPECTED if answer.ok else answer)
        else:
            _STEPS[step](self, at, answer)
            if self._sending:
                self._go_on()

    def _closing(self, step: Step, answer: Reply) -> None:
        if not self._sending:
            super()._closing(step, answer)
            return
        self._dead = True
        self._expected.clear()
        self._todo.clear()
        self._answer_all(answer)
        self._finish()

    def _lose(self, why: str) -> None:
        if not self._sending:
            super()._lose(why)
            return
        answer = Reply(421, "4.4.2", (f"Connection lost: {why}",))
        self._dead = True
        self._expected.clear()
        self._todo.clear()
        self._answer_all(answer)
        unknown = self._all_sent and bool(self._accepted)
        self._sending, self._stuffing = False, None
        self._events.append(Lost(answer, tuple(r or answer for r in self._results), unknown))

    def _reset(self, at: int, answer: Reply) -> None:
        self._open = False
        super()._reset(at, answer)

    # A transaction

    def _plan(
        self,
        sender: ReversePath,
        recipients: Sequence[Recipient],
        options: MailOptions,
        content: bytes | None,
        *,
        utf8: bool,
    ) -> bool:
        known = self.extensions
        if self._open:
            self._todo.append((Step.CLEAR, 0, b"RSET\r\n"))
            self._open = False
        needs_utf8 = utf8 and (
            options.utf8
            or not (sender is None or sender.ascii)
            or not all(recipient.address.ascii for recipient in recipients)
        )
        self._todo.append((Step.MAIL, 0, mail_line(sender, options, known, utf8=needs_utf8)))
        for at, recipient in enumerate(recipients):
            if utf8 or recipient.address.ascii:
                self._todo.append((Step.RCPT, at, rcpt_line(recipient, known)))
            else:
                self._results[at] = NO_UTF8
        self._chunks = self._chunking and not self._lmtp and {"CHUNKING", "PIPELINING"} <= known.keywords
        if not self._chunks:
            self._todo.append((Step.DATA, 0, b"DATA\r\n"))
        elif content is not None:
            crlf = Stuffing(dots=False)
            wire = crlf.encode(content) + crlf.end()
            self._todo.append((Step.WHOLE, 0, b"BDAT %d LAST\r\n%b" % (len(wire), wire)))
            return True
        return False

    def _go_on(self) -> None:
        """Puts out what may be sent now; ends the transaction when nothing is left of it."""
        window = WINDOW if self.extensions.has("PIPELINING") else 1
        while self._todo and len(self._expected) < window:
            step, at, line = self._todo.popleft()
            if step in (Step.DATA, Step.WHOLE) and not self._expected and not self._accepted:
                break  # Every recipient was refused already.
            self._all_sent = step is Step.WHOLE
            self._expected.append((step, at))
            self._out.append(line)
        if self._expected or self._todo or self._stuffing is not None:
            return
        if self._chunks and self._accepted and not self._all_sent:
            self._want_content(Stuffing(dots=False))
        else:
            self._finish()

    def _want_content(self, stuffing: Stuffing) -> None:
        self._stuffing = stuffing
        self._events.append(
            NeedContent(tuple(a or r or UNEXPECTED for a, r in zip(self._answers, self._results, strict=True)))
        )

    def _finish(self) -> None:
        self._sending, self._stuffing = False, None
        self._events.append(Finished(tuple(r or UNEXPECTED for r in self._results)))

    def _answer_all(self, answer: Reply) -> None:
        """The final answer for everybody who has none yet."""
        self._results = [r or answer for r in self._results]

    def _mail(self, _at: int, answer: Reply) -> None:
        if answer.ok:
            self._open = self.begun = True
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
            self._answer_all(UNEXPECTED if answer.ok else answer)
        elif self._accepted:
            # RFC 2033 4.2: one reply for each recipient that was accepted, in the order of RCPT.
            self._expected.extend((Step.CONTENT, at) for at in (self._accepted if self._lmtp else (-1,)))
            self._want_content(Stuffing())
        elif self._lmtp:
            self._dead = True  # RFC 2033 4.2 forbids it, and what would follow is anybody's guess.
        else:
            self._expected.append((Step.DOT, 0))  # RFC 2920 3.1: DATA was under way before the refusals came.
            self._out.append(b".\r\n")

    def _content(self, at: int, answer: Reply) -> None:
        self._open = False
        if at < 0:
            self._answer_all(answer)
        else:
            self._results[at] = answer

    def _whole(self, _at: int, answer: Reply) -> None:
        if self._accepted:
            self._answer_all(answer)
            # RFC 3030 2: after a refusal only RSET brings a known state.
            self._open = not answer.ok

    def _chunked(self, _at: int, answer: Reply) -> None:
        """Of a chunk before the last; what follows a refusal is anybody's guess, so the connection ends."""
        if not answer.ok:
            self._closing(Step.CHUNK, answer)

    def _dot(self, _at: int, _answer: Reply) -> None:
        self._open = False

    def _cleared(self, _at: int, _answer: Reply) -> None:
        """A server that refuses RSET will refuse MAIL too, and say why."""


_STEPS: Final = {
    **SESSION_STEPS,
    Step.RSET: SmtpClient._reset,
    Step.MAIL: SmtpClient._mail,
    Step.RCPT: SmtpClient._rcpt,
    Step.DATA: SmtpClient._data,
    Step.WHOLE: SmtpClient._whole,
    Step.CHUNK: SmtpClient._chunked,
    Step.CONTENT: SmtpClient._content,
    Step.DOT: SmtpClient._dot,
    Step.CLEAR: SmtpClient._cleared,
}
SmtpClient.TAKE = _STEPS
