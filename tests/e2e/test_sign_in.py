"""Signing in over the whole server: whose password counts, and for how long."""

import base64
import contextlib
import imaplib
import poplib
import smtplib
import socket
import time
import unicodedata
from collections.abc import Callable

import pytest

from tests.support.mail import trusting
from tests.support.server import PASSWORD, Running, command

Server = Callable[..., contextlib.AbstractContextManager[Running]]
USER = "user1@example.test"


class Line:
    """A connection on which a client waits for what the server says."""

    def __init__(self, server: Running, service: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.ports[service]), 30)
        self._file = self.socket.makefile("rb")

    def say(self, text: str, until: bytes) -> bytes:
        self.socket.sendall(text.encode() + b"\r\n")
        return self.wait(until)

    def wait(self, until: bytes) -> bytes:
        """The line that begins so."""
        while line := self._file.readline():
            if line.startswith(until):
                return line
        raise AssertionError(f"the connection ended before {until!r}")

    def end(self) -> bytes:
        """All until the server closes."""
        return self._file.read()


def plain(name: str, password: str = PASSWORD) -> str:
    return base64.b64encode(f"\0{name}\0{password}".encode()).decode()


def open_sessions(server: Running, user: str = USER) -> dict[str, Line]:
    """Signed in, and waiting in every way there is."""
    lines = {name: Line(server, name) for name in ("submission", "imap", "pop3")}
    lines["submission"].say("EHLO c", b"250 ")
    lines["submission"].say(f"AUTH PLAIN {plain(user)}", b"235")
    lines["imap"].say(f"a LOGIN {user} {PASSWORD}", b"a OK")
    lines["pop3"].say(f"USER {user}", b"+OK Send")
    lines["pop3"].say(f"PASS {PASSWORD}", b"+OK Signed")
    lines["idle"] = Line(server, "imap")
    lines["idle"].say(f"a LOGIN {user} {PASSWORD}", b"a OK")
    lines["idle"].say("b SELECT INBOX", b"b OK")
    lines["idle"].say("c IDLE", b"+ ")
    return lines


@pytest.mark.parametrize(
    "change",
    [("user", "remove", USER, "--yes"), ("user", "disable", USER), ("user", "password", USER)],
)
def test_open_sessions_end_with_the_sign_in(own_server: Server, change: tuple[str, ...]) -> None:
    with own_server() as server:
        lines, others = open_sessions(server), open_sessions(server, "user2@example.test")
        if change[1] == "password":
            change = (*change, "--password-file", written(server, "another-horse-4711"))
        command(server.directory, *change)
        ended = {name: line.end() for name, line in lines.items()}
        assert ended["submission"].startswith(b"421 4.7.0")
        assert ended["imap"].startswith(b"* BYE")
        assert ended["idle"].startswith(b"* BYE")
        assert ended["pop3"] == b""
        others["submission"].say("NOOP", b"250")
        others["imap"].say("d NOOP", b"d OK")
        others["pop3"].say("NOOP", b"+OK")
        others["idle"].say("DONE", b"c OK")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp(server, USER, PASSWORD)


def written(server: Running, password: str) -> str:
    """A file with a password in it."""
    path = server.directory.parent / "password.txt"
    path.write_text(password, encoding="utf-8")
    return str(path)


def smtp(server: Running, user: str, password: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as client:
        client.starttls(context=trusting())
        client.ehlo()
        code, text = client.docmd("AUTH", f"PLAIN {plain(user, password)}")
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, text)


def imap(server: Running, user: str, password: str) -> None:
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=trusting(), timeout=30) as client:
        client.authenticate("PLAIN", lambda _challenge: f"\0{user}\0{password}".encode())


def pop3(server: Running, user: str, password: str) -> None:
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], context=trusting(), timeout=30)
    client._shortcmd(f"AUTH PLAIN {plain(user, password)}")  # type: ignore[attr-defined]
    client.quit()


SIGN_INS = (smtp, imap, pop3)
FAILED = (smtplib.SMTPAuthenticationError, imaplib.IMAP4.error, poplib.error_proto)


def test_users_of_other_servers_keep_their_passwords(own_server: Server) -> None:
    with own_server() as server:
        table = server.directory.parent / "others.csv"
        table.write_text(
            "ssha@example.test,{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO,,,\n"
            "md5@example.test,$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/,,,\n"
            "pbkdf2@example.test,{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a,,,\n"
            "bcrypt@example.test,{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW,,,\n"
        )
        command(server.directory, "user", "import", str(table), "--yes")
        for name in ("ssha", "md5", "pbkdf2", "bcrypt"):
            for sign_in in SIGN_INS:
                sign_in(server, f"{name}@example.test", "test")
            with pytest.raises(FAILED):
                smtp(server, f"{name}@example.test", "Test")
        users = server.directory / "users.cfg"
        assert "{SSHA}" in users.read_text()
    # What was made anew waits in State, and is written within a minute of the next start, as within one of now.
    with own_server() as server:
        end = time.monotonic() + 100
        while "{SSHA}" in (text := users.read_text()):
            assert time.monotonic() < end, "the verifier was not replaced"
            time.sleep(0.5)
        assert "SCRAM-SHA-256$100000:" in text
        smtp(server, "ssha@example.test", "test")


def test_a_password_is_right_however_its_letters_are_composed(own_server: Server) -> None:
    password = "Grüße aus Łódź ñ"
    forms = {unicodedata.normalize(form, password) for form in ("NFC", "NFD")}
    assert len(forms) == 2
    with own_server() as server:
        for number, form in enumerate(forms, 1):
            user = f"user{number}@example.test"
            command(server.directory, "user", "password", user, "--password-file", written(server, form))
            for typed in forms:
                for sign_in in SIGN_INS:
                    sign_in(server, user, typed)


def test_four_failed_mechanisms_then_plain_in_one_connection(own_server: Server) -> None:
    with own_server() as server:
        line = Line(server, "submission")
        line.say("EHLO c", b"250 ")
        line.say("AUTH SCRAM-SHA-256 biwsbj11c2VyMSxyPWFiYw==", b"504")
        line.say("AUTH GSSAPI", b"504")
        line.say(f"AUTH PLAIN {plain(USER, 'wrong')}", b"535")
        line.say("AUTH LOGIN", b"334")
        line.say("*", b"501")
        line.say(f"AUTH PLAIN {plain(USER)}", b"235")
        line = Line(server, "imap")
        line.say("a AUTHENTICATE SCRAM-SHA-256", b"a NO")
        line.say("b AUTHENTICATE GSSAPI", b"b NO")
        line.say(f"c AUTHENTICATE PLAIN {plain(USER, 'wrong')}", b"c NO")
        line.say(f"d LOGIN {USER} wrong", b"d NO")
        line.say(f"e AUTHENTICATE PLAIN {plain(USER)}", b"e OK")
