"""Standard-library clients against a server under test."""

import contextlib
import imaplib
import poplib
import smtplib
import ssl
import time
from collections.abc import Iterator

from tests.support.server import PASSWORD, Running


def trusting() -> ssl.SSLContext:
    """Any certificate: the server under test has signed its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def letter(
    subject: str, *, sender: str = "sender@else.test", to: str = "user@example.test", body: str = "Hello."
) -> bytes:
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{subject}@else.test>\r\n\r\n{body}\r\n"
    ).encode()


def send(server: Running, to: str | list[str], content: bytes, *, sender: str = "sender@else.test") -> None:
    """As a stranger, to port 25."""
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as smtp:
        smtp.sendmail(sender, to, content)


def submit(server: Running, user: str, to: str | list[str], content: bytes) -> None:
    """As a signed-in user, to 587 with STARTTLS."""
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as smtp:
        smtp.starttls(context=trusting())
        smtp.login(user, PASSWORD)
        smtp.sendmail(user, to, content)


@contextlib.contextmanager
def imap(server: Running, user: str, folder: str = "INBOX", *, password: str = PASSWORD) -> Iterator[imaplib.IMAP4_SSL]:
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=trusting(), timeout=30) as client:
        client.login(user, password)
        if folder:
            client.select(folder)
        yield client


def subjects(server: Running, user: str, folder: str = "INBOX", *, password: str = PASSWORD) -> list[str]:
    """Subject of each message in the folder, in order."""
    with imap(server, user, folder, password=password) as client:
        # By UID: an empty folder has no message number 1.
        _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [part[1].decode().partition(":")[2].strip() for part in data if isinstance(part, tuple)]


@contextlib.contextmanager
def pop3(server: Running, user: str) -> Iterator[poplib.POP3_SSL]:
    client = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], context=trusting(), timeout=30)
    try:
        client.user(user)
        client.pass_(PASSWORD)
        yield client
    finally:
        with contextlib.suppress(poplib.error_proto, OSError, AttributeError):  # The test may have quit.
            client.quit()


def eventually(seconds: float = 20.0) -> Iterator[int]:
    """`for _ in eventually(): if done: break; else: fail`: tries again a little later, for so long."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        yield count
        count += 1
        time.sleep(min(0.05 * count, 0.5))
