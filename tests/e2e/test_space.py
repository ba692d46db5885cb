"""Too little room on the disk, as clients, the queue and the administrator see it, and that it ends without a restart.

The limits are raised above what is free, so that no disk need be filled. RFC 3463 3.4 (X.3.1), RFC 5530 3.
"""

import contextlib
import imaplib
import smtplib
from collections.abc import Callable

from tests.support.mail import eventually, letter, send, subjects, submit
from tests.support.server import PASSWORD, Running, command
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ABOVE, NONE = "1000T", "0"
BOB = "user2@example.test"


def limit(server: Running, which: str, value: str) -> None:
    command(server.directory, "config", "set", f"space/{which}-limit", value)


def told(server: Running, text: str) -> int:
    """How often the logs say so."""
    return command(server.directory, "log", "tail", "warning", "error", "operations", "--lines", "200").count(text)


def until(server: Running, *words: str) -> None:
    for _ in eventually(20):
        if all(word in command(server.directory, "status") for word in words):
            return
    raise AssertionError(command(server.directory, "status"))


def test_below_the_soft_limit_mail_goes_on_and_the_administrator_is_told_once(own_server: Maker) -> None:
    with own_server({"space/check-interval": "100ms", "space/soft-limit": NONE, "space/hard-limit": NONE}) as server:
        limit(server, "soft", ABOVE)
        until(server, "low")
        for number in range(5):  # Several looks of the watchdog later.
            send(server, BOB, letter(f"m{number}"))
            assert "low" in command(server.directory, "status")
        assert subjects(server, BOB) == [f"m{number}" for number in range(5)]
        lines = command(server.directory, "log", "search", "Disk space low", "--log", "warning").splitlines()
        assert len([line for line in lines if "Disk space low" in line]) == 1


def test_below_the_hard_limit_nothing_is_taken_and_what_waits_is_sent_until_there_is_room(own_server: Maker) -> None:
    settings = {"space/check-interval": "100ms", "space/soft-limit": NONE, "space/hard-limit": NONE}
    with SmtpSink(replies={"RCPT": ["451 4.2.1 Later"]}) as sink:
        relay = {"delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(sink.port)}
        with own_server(settings | relay) as server:
            submit(server, "user1@example.test", ["x@remote.test"], letter("waits"))
            for _ in eventually(20):
                if any(line.startswith("RCPT") for line in sink.commands):
                    break
            with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=60) as amid:
                amid.ehlo()
                amid.mail("a@else.test")
                amid.rcpt(BOB)
                assert amid.docmd("DATA")[0] == 354  # It has begun while there was room.
                limit(server, "hard", ABOVE)
                until(server, "full")
                refused = [mail_is_refused(server, service) for service in ("smtp", "lmtp", "submission")]
                assert refused == [b"4.3.1"] * 3
                amid.send(b"Subject: amid\r\n\r\ntext\r\n.\r\n")
                code, answer = amid.getreply()
                assert (code, answer.partition(b" ")[0]) == (452, b"4.3.1")
            client = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
            client.login(BOB, PASSWORD)
            assert b"[UNAVAILABLE]" in client.append("INBOX", "", "", letter("no"))[1][0]  # type: ignore[arg-type]
            assert client.select("INBOX")[0] == "OK"  # Reading goes on.
            command(server.directory, "queue", "run")
            for _ in eventually(30):
                if sink.messages:
                    break
            assert len(sink.messages) == 1  # Sending goes on.
            limit(server, "hard", NONE)
            for _ in eventually(20):
                with contextlib.suppress(smtplib.SMTPException):
                    send(server, BOB, letter("again"))
                    break
            assert subjects(server, BOB) == ["again"]
            assert client.append("INBOX", "", "", letter("yes"))[0] == "OK"  # type: ignore[arg-type]
            client.logout()
            assert told(server, "Disk full: ") >= 1


def mail_is_refused(server: Running, service: str) -> bytes:
    """The enhanced code with which MAIL is put off; each worker looks for itself."""
    kind = smtplib.LMTP if service == "lmtp" else smtplib.SMTP
    for _ in eventually(20):
        with kind("127.0.0.1", server.ports[service], timeout=60) as client:
            client.ehlo()
            if service == "submission":
                client.login("user1@example.test", PASSWORD)
            code, answer = client.mail("user1@example.test")
            if code == 452:
                return answer.partition(b" ")[0]
    return b""
