"""Conversations with other mail servers, to see whether they answer: what was said is kept, but for secrets.

`smtplib` is enough here: nothing is sent, and a person waits for the answer.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Final

from whimbrel.services.setup.machine import Dialogue, Relay

_DIALOGUE_WITHIN: Final = 15.0
"""Seconds for each answer."""
_LONGEST: Final = 300
"""Characters of a line."""
_MOST_LINES: Final = 100


def greeting(host: str) -> Dialogue:
    """Calls port 25, and takes its leave."""
    return _dialogue(_Client, host, 25, lambda client: None)


def converse(relay: Relay) -> Dialogue:
    """Connects to a relay host with TLS as wanted, and signs in if there is a name."""
    context = ssl.create_default_context()
    if relay.tls in ("opportunistic", "required"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def steps(client: smtplib.SMTP) -> None:
        client.ehlo_or_helo_if_needed()
        if relay.tls in ("required", "verified") or (relay.tls == "opportunistic" and client.has_extn("starttls")):
            client.starttls(context=context)
            client.ehlo()
        if relay.user:
            if relay.tls == "opportunistic" and not isinstance(client.sock, ssl.SSLSocket):
                raise smtplib.SMTPException("it has no TLS, and a password is not sent without")
            client.login(relay.user, relay.password.reveal())

    if relay.tls == "implicit":
        return _dialogue(lambda lines: _TlsClient(lines, context), relay.host, relay.port, steps)
    return _dialogue(_Client, relay.host, relay.port, steps)


class _Client(smtplib.SMTP):
    """Keeps what is said, but for secrets."""

    def __init__(self, kept: list[str]) -> None:
        self._kept, self._secret = kept, False
        super().__init__(timeout=_DIALOGUE_WITHIN)
        self.set_debuglevel(0)

    def putcmd(self, cmd: str, args: str = "") -> None:
        self._note(f"C: {cmd} {args}".rstrip())
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        for line in text.decode("utf-8", "replace").splitlines():
            self._note(f"S: {code} {line}")
        return code, text

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        self._secret = True
        try:
            return super().login(user, password, initial_response_ok=initial_response_ok)
        finally:
            self._secret = False

    def _note(self, line: str) -> None:
        if self._secret and line.startswith("C: "):
            words = line.split(" ")
            line = " ".join(words[:3]) + " ***" if words[1].upper() == "AUTH" else "C: ***"
        if len(self._kept) < _MOST_LINES:
            self._kept.append("".join(char if char.isprintable() else "?" for char in line[:_LONGEST]))


class _TlsClient(_Client):
    """With TLS from the first octet on. RFC 8314 3"""

    default_port = 465

    def __init__(self, kept: list[str], context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(kept)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        return self._context.wrap_socket(plain, server_hostname=host)


def _dialogue(
    make: Callable[[list[str]], smtplib.SMTP], host: str, port: int, steps: Callable[[smtplib.SMTP], object]
) -> Dialogue:
    lines: list[str] = []
    try:
        client = make(lines)
        try:
            code, text = client.connect(host, port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
            client._host = host  # type: ignore[attr-defined]  # `starttls` asks for the certificate of that name.
            steps(client)
            client.quit()
        finally:
            client.close()
    except smtplib.SMTPResponseException as error:
        reply: object = error.smtp_error
        said = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
        return Dialogue(tuple(lines), f"it answers {error.smtp_code} {' '.join(said.split())[:_LONGEST]}")
    except (OSError, ValueError) as error:
        return Dialogue(tuple(lines), _reason(error))
    return Dialogue(tuple(lines))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be believed ({error.verify_message})"
    if isinstance(error, smtplib.SMTPException):
        return str(error).rstrip(".") or "it ended the connection"
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
