"""A protocol's dialogue as an administrator may read it: lines of both sides, without secrets and without mail.

Fed with the octets of both directions, in the order in which they crossed the wire, it gives lines for the debug log.
What signs in is masked, content (DATA, BDAT, literals, RETR) is told by its size alone. It may begin in the middle of a
session: until the server has said something, nobody knows what the client's octets are, and they are not shown.

Sans-IO. Standards: RFC 5321 4.1.1, RFC 3030 2, RFC 4954 4, RFC 9051 4.3, 6.2, 7.5.2, RFC 1939 7, RFC 5034 4
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

LONGEST: Final = 500
"""Characters of a line that are shown."""
MAX_LINE: Final = 64 * 1024
"""Octets without an end of line that are held; more is dropped, and the line is not shown."""
MAX_HELD: Final = 1024 * 1024
MAX_PENDING: Final = 1000
MASK: Final = "***"


class Dialogue(Protocol):
    """One connection's. Each call gives the lines that became whole by it."""

    def client(self, data: bytes) -> Iterator[str]: ...

    def server(self, data: bytes) -> Iterator[str]: ...


class _Lines:
    """Cuts octets into lines; some of them may be passed over, by their number or to the end of a text."""

    __slots__ = ("_held", "_lost", "_passed", "_skip", "dotted")

    def __init__(self) -> None:
        self._held, self._skip, self._passed, self._lost = b"", 0, 0, False
        self.dotted = False
        """What comes is content, to a line with a dot alone."""

    def skip(self, count: int) -> None:
        """The next octets are no lines."""
        self._skip, self._passed = count, 0

    def skip_dotted(self) -> None:
        """The lines to one with a dot alone are content."""
        self.dotted, self._passed = True, 0

    def feed(self, data: bytes) -> None:
        if len(self._held) > MAX_HELD:  # Sent before its turn, and perhaps content: it is not shown.
            self._held, self._lost = b"", True
        self._held += data

    def next(self) -> "str | int | None":
        """A line; the size of content that has ended; None: more is needed."""
        if self._skip:
            taken = min(self._skip, len(self._held))
            self._held, self._skip, self._passed = self._held[taken:], self._skip - taken, self._passed + taken
            return None if self._skip else self._passed
        if self.dotted:
            return self._dot()
        end = self._held.find(b"\n")
        if end < 0:
            if len(self._held) > MAX_LINE:
                self._held, self._lost = b"", True
            return None
        line, self._held = self._held[:end].rstrip(b"\r"), self._held[end + 1 :]
        if self._lost:
            self._lost = False
            return "(a line too long to be shown)"
        return line.decode("utf-8", "replace")

    def drop_line(self) -> None:
        """The line that has begun is not shown."""
        self._lost = True

    def _dot(self) -> int | None:
        held = self._held
        if not self._passed and held.startswith(b".\r\n"):
            size, end = 0, 3
        elif (at := held.find(b"\r\n.\r\n")) >= 0:
            size, end = self._passed + at + 2, at + 5
        else:
            # The last four octets may be the beginning of the end; before the first, a dot alone would be.
            kept = max(0, len(held) - 4) if self._passed or len(held) > 4 else 0
            self._passed, self._held = self._passed + kept, held[kept:]
            return None
        self._held, self.dotted = held[end:], False
        return size


def _content(size: int) -> str:
    return f"({size} octets)"


class _Known:
    """Begins in the middle of a session: what the client says is not shown until the server has said where we are."""

    def __init__(self) -> None:
        self._client, self._server = _Lines(), _Lines()
        self._known = self._torn = False

    def _heard(self, data: bytes) -> bool:
        """Takes octets of the client; False: nobody knows yet what they are."""
        if self._known:
            self._client.feed(data)
        else:
            self._torn = not data.endswith(b"\n")
        return self._known

    def _know(self) -> None:
        if not self._known:
            self._known = True
            if self._torn:
                self._client.drop_line()


class SmtpDialogue(_Known):
    """SMTP and LMTP, on either side."""

    def __init__(self) -> None:
        super().__init__()
        self._pending = 0
        """Commands that were not answered."""
        self._data = self._secret = False
        """DATA was sent, and its content has not ended; what comes next is part of signing in."""

    def client(self, data: bytes) -> Iterator[str]:
        if not self._heard(data):
            return
        # Until DATA is answered nobody knows whether content follows.
        while not (self._data and not self._client.dotted) and (line := self._client.next()) is not None:
            if isinstance(line, int):
                self._data = False
                self._pending += 1  # Content is answered when it has come.
                yield _content(line)
            elif self._secret:
                self._secret = False
                self._pending += 1
                yield MASK
            else:
                yield self._command(line)

    def _command(self, line: str) -> str:
        words = line.split()
        verb = words[0].upper() if words else ""
        if verb == "BDAT" and len(words) > 1 and words[1].isascii() and words[1].isdigit() and int(words[1]):
            self._client.skip(int(words[1]))
            return line
        self._pending += 1
        self._data = verb == "DATA"
        return f"{words[0]} {words[1]} {MASK}" if verb == "AUTH" and len(words) > 2 else line

    def server(self, data: bytes) -> Iterator[str]:
        self._server.feed(data)
        while (line := self._server.next()) is not None:
            text = str(line)
            self._know()
            if text[3:4] != "-":
                self._answered(text[:3])
            yield text

    def _answered(self, code: str) -> None:
        self._pending = max(0, self._pending - 1)
        self._secret = code == "334"
        if code == "354":
            self._data = True
            self._client.skip_dotted()
        elif self._data and not self._pending and not self._client.dotted:
            self._data = False


_LITERAL: Final = re.compile(r"\{(\d{1,10})\+?\}$")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_FETCH: Final = re.compile(r"\* \d+ (?:UID)?FETCH ", re.IGNORECASE)


class ImapDialogue(_Known):
    """IMAP."""

    def __init__(self) -> None:
        super().__init__()
        self._secret = self._fetch = False
        """Signing in goes on; a FETCH response goes on after a literal."""
        self._more = ""
        """The command that goes on after a literal."""

    def client(self, data: bytes) -> Iterator[str]:
        if not self._heard(data):
            return
        while (line := self._client.next()) is not None:
            if isinstance(line, int):
                yield _content(line)
                continue
            literal = _LITERAL.search(line)
            if literal:
                self._client.skip(int(literal[1]))
            yield self._command(line, goes_on=literal is not None)

    def _command(self, line: str, *, goes_on: bool) -> str:
        words = line.split(None, 3)
        verb = words[1].upper() if len(words) > 1 else ""
        if self._more:
            shown = MASK if self._more == "LOGIN" else line
            self._more = self._more if goes_on else ""
            return shown
        if self._secret:
            return MASK
        self._more = (verb or "?") if goes_on else ""
        if verb == "LOGIN":
            return f"{words[0]} {words[1]} {MASK}"
        if verb == "AUTHENTICATE" and len(words) > 2:
            self._secret = True
            return f"{words[0]} {words[1]} {words[2]}" + (f" {MASK}" if len(words) > 3 else "")
        return line

    def server(self, data: bytes) -> Iterator[str]:
        self._server.feed(data)
        while (line := self._server.next()) is not None:
            if isinstance(line, int):
                if self._known:
                    yield _content(line)
                continue
            literal = _LITERAL.search(line)
            hides = self._fetch or _FETCH.match(line) is not None
            self._fetch = hides and literal is not None
            if literal:
                self._server.skip(int(literal[1]))
            if self._secret and line.startswith("+"):
                yield f"+ {MASK}"
                continue
            if _TAGGED.match(line):
                self._secret = False  # A tagged answer ends signing in.
                self._know()
            if not self._known:
                continue  # Perhaps the rest of a message.
            # Addresses, subjects and texts of mail stand in quotes.
            yield _QUOTED.sub('"..."', line) if hides else line


_TAGGED: Final = re.compile(r"(?:[!-~]{1,64} (?:OK|NO|BAD)|\* (?:PREAUTH|BYE))\b", re.IGNORECASE)
"""Or the greeting, `* OK`."""


class Pop3Dialogue(_Known):
    """POP3."""

    def __init__(self) -> None:
        super().__init__()
        self._secret = self._listing = False
        """Signing in goes on; lines of LIST, UIDL or CAPA come."""
        self._waiting: deque[str] = deque(maxlen=MAX_PENDING)

    def client(self, data: bytes) -> Iterator[str]:
        if not self._heard(data):
            return
        while (line := self._client.next()) is not None:
            words = str(line).split()
            verb = words[0].upper() if words else ""
            if self._secret:
                yield MASK
                continue
            self._waiting.append(verb)
            if verb == "AUTH" and len(words) > 1:
                self._secret = True
                yield f"{words[0]} {words[1]}" + (f" {MASK}" if len(words) > 2 else "")
            elif verb in ("PASS", "APOP"):
                yield " ".join([words[0], *(words[1:2] if verb == "APOP" else ()), MASK])
            else:
                yield str(line)

    def server(self, data: bytes) -> Iterator[str]:
        self._server.feed(data)
        while (line := self._server.next()) is not None:
            if isinstance(line, int):
                yield _content(line)
            elif line == "+" or line.startswith("+ "):
                if self._known:
                    yield f"+ {MASK}"
            elif line.startswith(("+OK", "-ERR")):
                # The greeting answers nothing.
                verb = self._waiting.popleft() if self._waiting else ""
                self._secret = False
                self._know()
                if verb in ("RETR", "TOP") and line.startswith("+OK"):
                    self._server.skip_dotted()
                self._listing = verb in ("LIST", "UIDL", "CAPA")
                yield line
            elif self._listing:
                yield line


def shown(line: str) -> str:
    """As a log shows it."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}... ({len(line)} characters)"


DIALOGUES: Final[dict[str, Callable[[], Dialogue]]] = {
    "smtp": SmtpDialogue, "submission": SmtpDialogue, "submissions": SmtpDialogue, "lmtp": SmtpDialogue,
    "sending": SmtpDialogue, "imap": ImapDialogue, "imaps": ImapDialogue, "pop3": Pop3Dialogue, "pop3s": Pop3Dialogue,
}  # fmt: skip
"""By the name of the service."""
