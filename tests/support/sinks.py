"""An SMTP (or LMTP) server that takes mail and does as the test says.

    with SmtpSink(replies={"RCPT": ["550 5.1.1 unknown", "250 OK"]}) as sink:
        ... send to sink.host, sink.port ...
        assert sink.messages[0].recipients == ["a@example.test"]

`replies` has, for a verb, what it answers in turn (then as usual): text, several lines for a multi-line reply, "" for
never, CLOSE to hang up. Special verbs: CONNECT (the greeting), DOT (the end of the data). Instead of a list, a
function of the command line: None is "as usual".
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

CLOSE = "<close>"
Script = Sequence[str] | Callable[[str], str | None]
_TIMEOUT = 20.0


@dataclass
class SinkMessage:
    """One transaction that was accepted."""

    helo: str
    tls: str
    """TLS version, or empty."""
    server_name: str
    """SNI."""
    user: str
    sender: str
    """As between the angle brackets."""
    mail_options: list[str]
    recipients: list[str]
    rcpt_options: list[list[str]]
    content: bytes
    """With dot-stuffing undone."""
    session: int
    """Number of the connection, from 0."""
    client: str = ""
    """The address it came from."""


@dataclass
class _Session:
    number: int
    sock: socket.socket
    client: str
    buffer: bytes = b""
    helo: str = ""
    tls: str = ""
    server_name: str = ""
    user: str = ""
    sender: str | None = None
    mail_options: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    rcpt_options: list[list[str]] = field(default_factory=list)


class _HangUp(Exception):
    pass


class SmtpSink:
    """Listens on loopback; one thread a connection."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        lmtp: bool = False,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        inject: bytes = b"",
        extensions: Sequence[str] = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 52428800", "DSN"),
        credentials: Mapping[str, str] | None = None,
        replies: Mapping[str, Script] | None = None,
        delays: Mapping[str, float] | None = None,
    ) -> None:
        """`tls` offers STARTTLS, or with `implicit` starts at once. `inject` follows the answer to STARTTLS in the
        clear, as an attacker would. `credentials`: AUTH PLAIN and LOGIN are offered and demanded before MAIL."""
        self.host, self.port = host, 0
        self.messages: list[SinkMessage] = []
        self.commands: list[str] = []
        """Of all connections, in order; what follows AUTH is left out."""
        self.connections = 0
        self.open = 0
        """Connections now."""
        self._lmtp, self._tls, self._implicit, self._inject = lmtp, tls, implicit, inject
        self._extensions, self._credentials = extensions, credentials
        self._scripts: dict[str, Script] = {
            verb: script if callable(script) else list(script) for verb, script in (replies or {}).items()
        }
        self._delays = dict(delays or {})
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._socks: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def __enter__(self) -> Self:
        self._listener.bind((self.host, 0))
        self._listener.listen(100)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        with self._lock:
            for sock in self._socks:
                _shut(sock)
        _shut(self._listener)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(5)

    def wait(self, count: int = 1, timeout: float = 10.0) -> list[SinkMessage]:
        """The messages, once there are `count` of them; AssertionError if they do not come."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.messages) >= count, timeout)
            assert arrived, f"{len(self.messages)} of {count} messages; commands: {self.commands[-20:]}"
            return list(self.messages)

    # Inside

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="smtp-sink", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_TIMEOUT)
            with self._lock:
                number = self.connections
                self.connections += 1
                self.open += 1
                self._socks.add(sock)
            self._start(self._run, _Session(number, sock, str(address[0])))

    def _run(self, session: _Session) -> None:
        first = session.sock
        try:
            if self._implicit:
                self._handshake(session)
            self._say(session, "CONNECT", "220 sink.example.test ESMTP")
            while True:
                line = self._line(session)
                with self._lock:
                    self.commands.append(line)
                self._command(session, line)
        except (OSError, _HangUp, UnicodeError):
            pass
        finally:
            session.sock.close()
            with self._changed:
                self._socks.discard(first)
                self._socks.discard(session.sock)
                self.open -= 1
                self._changed.notify_all()

    def _command(self, session: _Session, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        if verb in ("EHLO", "LHLO", "HELO"):
            session.helo = line[5:]
            session.sender, session.recipients, session.rcpt_options = None, [], []
            lines = ["sink.example.test", *self._offered(session)] if verb != "HELO" else ["sink.example.test"]
            wanted = "LHLO" if self._lmtp else "EHLO"
            usual = "500 5.5.1 not this protocol" if verb not in (wanted, "HELO") else "\n".join(lines)
            self._say(session, verb, usual if usual.startswith("500") else _multi("250", lines))
        elif verb == "STARTTLS" and self._tls is not None and not session.tls:
            self._say(session, verb, "220 2.0.0 go ahead", after=self._inject)
            self._handshake(session)
            session.helo = ""
        elif verb == "AUTH" and self._credentials is not None:
            self._auth(session, line)
        elif verb == "MAIL":
            if self._credentials is not None and not session.user:
                self._say(session, verb, "530 5.7.0 authentication required")
            elif self._say(session, verb, "250 2.1.0 OK"):
                session.sender, session.mail_options = _path(line)
        elif verb == "RCPT":
            if self._say(session, verb, "250 2.1.5 OK"):
                recipient, options = _path(line)
                session.recipients.append(recipient)
                session.rcpt_options.append(options)
        elif verb == "DATA":
            usual = "354 go ahead" if session.recipients else "554 5.5.1 no valid recipients"
            if self._say(session, verb, usual):
                self._data(session)
        elif verb == "RSET":
            session.sender, session.recipients, session.rcpt_options = None, [], []
            self._say(session, verb, "250 2.0.0 OK")
        elif verb == "QUIT":
            self._say(session, verb, "221 2.0.0 bye")
            raise _HangUp
        else:
            self._say(session, verb, "250 2.0.0 OK" if verb == "NOOP" else "502 5.5.1 unknown command")

    def _offered(self, session: _Session) -> list[str]:
        offered = list(self._extensions)
        if self._tls is not None and not session.tls:
            offered.append("STARTTLS")
        if self._credentials is not None:
            offered.append("AUTH PLAIN LOGIN")
        return offered

    def _auth(self, session: _Session, line: str) -> None:
        import base64

        _, mechanism, *rest = line.split(" ")
        with self._lock:
            self.commands[-1] = f"AUTH {mechanism}"

        def ask(prompt: bytes) -> str:
            session.sock.sendall(b"334 " + base64.b64encode(prompt) + b"\r\n")
            return base64.b64decode(self._line(session)).decode()

        if mechanism.upper() == "PLAIN":
            answer = base64.b64decode(rest[0]).decode() if rest else ask(b"")
            _, user, password = answer.split("\0")
        else:
            user = base64.b64decode(rest[0]).decode() if rest else ask(b"Username:")
            password = ask(b"Password:")
        good = (self._credentials or {}).get(user) == password
        if self._say(session, "AUTH", "235 2.7.0 OK" if good else "535 5.7.8 wrong"):
            session.user = user

    def _data(self, session: _Session) -> None:
        while not session.buffer.startswith(b".\r\n") and b"\r\n.\r\n" not in session.buffer:
            self._more(session)
        if session.buffer.startswith(b".\r\n"):
            content, session.buffer = b"", session.buffer[3:]
        else:
            content, _, session.buffer = session.buffer.partition(b"\r\n.\r\n")
            content += b"\r\n"
        content = content[1:] if content.startswith(b".") else content
        message = SinkMessage(
            session.helo, session.tls, session.server_name, session.user, session.sender or "", session.mail_options,
            session.recipients, session.rcpt_options, content.replace(b"\r\n.", b"\r\n"), session.number,
            session.client)  # fmt: skip
        # LMTP answers for each recipient. RFC 2033 4.2
        answers = [self._say(session, "DOT", "250 2.0.0 taken") for _ in (message.recipients if self._lmtp else [1])]
        if any(answers):
            if self._lmtp:
                message.recipients = [r for r, good in zip(message.recipients, answers, strict=True) if good]
            with self._changed:
                self.messages.append(message)
                self._changed.notify_all()
        session.sender, session.recipients, session.rcpt_options = None, [], []

    def _say(self, session: _Session, verb: str, usual: str, *, after: bytes = b"") -> bool:
        """True if the answer was a good one."""
        if verb in self._delays:
            time.sleep(self._delays[verb])
        text, script = usual, self._scripts.get(verb)
        if callable(script):
            with self._lock:
                line = self.commands[-1] if self.commands else ""
            told = script(line)
            text = usual if told is None else told
        elif script:
            with self._lock:
                text = script.pop(0) if isinstance(script, list) and script else usual
        if text == CLOSE:
            raise _HangUp
        if text == "":
            while not self._stopped:
                time.sleep(0.05)
            raise _HangUp
        session.sock.sendall("\r\n".join(text.split("\n")).encode("utf-8", "surrogateescape") + b"\r\n" + after)
        if text[:3] == "421":
            raise _HangUp
        return text[0] in "23"

    def _handshake(self, session: _Session) -> None:
        assert self._tls is not None
        session.buffer = b""
        name: list[str] = []
        self._tls.sni_callback = lambda _sock, asked, _context: name.append(asked or "")
        wrapped = self._tls.wrap_socket(session.sock, server_side=True)
        with self._lock:
            self._socks.discard(session.sock)
            self._socks.add(wrapped)
        session.sock, session.tls, session.server_name = wrapped, wrapped.version() or "", name[0] if name else ""

    def _line(self, session: _Session) -> str:
        while b"\r\n" not in session.buffer:
            self._more(session)
        line, _, session.buffer = session.buffer.partition(b"\r\n")
        return line.decode("utf-8", "surrogateescape")

    def _more(self, session: _Session) -> None:
        data = session.sock.recv(65536)
        if not data:
            raise _HangUp
        session.buffer += data


def _multi(code: str, lines: list[str]) -> str:
    return "\n".join(f"{code}{'-' if n < len(lines) - 1 else ' '}{line}" for n, line in enumerate(lines))


def _path(line: str) -> tuple[str, list[str]]:
    path, _, options = line.partition(":")[2].strip().partition(">")
    return path.lstrip("<"), options.split()


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
