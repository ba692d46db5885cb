"""The main job, through the whole server: in by SMTP, out by IMAP and POP3, and nothing is lost or relayed."""

import contextlib
import email
import imaplib
import json
import smtplib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.mail import eventually, imap, letter, pop3, send, subjects, submit, trusting
from tests.support.server import PASSWORD, Running, command
from tests.support.servers import Users
from tests.support.sinks import SmtpSink

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def test_a_message_to_port_25_is_one_eml_file_found_by_imap_and_pop3(server: Running, users: Users) -> None:
    user = users()
    content = letter("found", to=user, body="Line one\r\n.dot\r\n\r\nÜmlaut")
    send(server, user, content)
    files = list(
        (server.directory / "store" / "mail" / "example.test" / user.partition("@")[0]).glob("INBOX/#msgs/*.eml")
    )
    assert len(files) == 1
    stored = files[0].read_bytes()
    assert stored.endswith(content) and stored.startswith(b"Return-Path: <sender@else.test>\r\nReceived: ")
    with imap(server, user) as client:
        _, data = client.fetch("1", "(BODY.PEEK[] ENVELOPE)")
        assert isinstance(data[0], tuple) and data[0][1] == stored
    with pop3(server, user) as client:
        assert b"\r\n".join(client.retr(1)[1]) + b"\r\n" == stored


@pytest.mark.parametrize("way", ["submission", "submissions", "smtp", "lmtp"])
def test_every_way_in_delivers(server: Running, users: Users, way: str) -> None:
    user = users()
    content = letter(f"by-{way}", to=user)
    kind = {"submissions": smtplib.SMTP_SSL, "lmtp": smtplib.LMTP}.get(way, smtplib.SMTP)
    extra = {"context": trusting()} if way == "submissions" else {}
    with kind("127.0.0.1", server.ports[way], **extra) as client:
        if way in ("submission", "smtp"):
            client.starttls(context=trusting())
        if way != "lmtp":
            client.login(user, PASSWORD)
        client.sendmail(user, [user], content)
    assert subjects(server, user) == [f"by-{way}"]


def test_an_idle_session_is_told_of_new_mail_at_once(server: Running, users: Users) -> None:
    user = users()
    with imap(server, user) as client:
        client.send(b"x IDLE\r\n")
        assert client.readline().startswith(b"+")
        send(server, user, letter("pushed", to=user))
        lines = []
        while not any(b"EXISTS" in line for line in lines):
            lines.append(client.readline())
        assert b"* 1 EXISTS\r\n" in lines
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"x OK"):
            pass


def test_messages_are_flagged_moved_copied_and_deleted(server: Running, users: Users) -> None:
    user = users()
    for number in range(3):
        send(server, user, letter(f"m{number}", to=user))
    with imap(server, user) as client:
        client.create("Projects/2026")
        assert client.uid("STORE", "1", "+FLAGS", r"(\Seen $Work)")[0] == "OK"
        assert client.uid("MOVE", "1", "Projects/2026")[0] == "OK"
        assert client.uid("COPY", "2", "Projects/2026")[0] == "OK"
        client.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
        assert client.expunge()[0] == "OK"
    assert subjects(server, user) == ["m1"]
    assert subjects(server, user, "Projects/2026") == ["m0", "m1"]
    with imap(server, user, "Projects/2026") as client:
        _, data = client.fetch("1", "(FLAGS)")
        assert isinstance(data[0], bytes) and rb"\Seen" in data[0] and b"$Work" in data[0]
    with pop3(server, user) as client:
        client.dele(1)
        client.quit()
    assert subjects(server, user) == []


def test_append_keeps_every_byte_of_the_file_and_clients_see_crlf(server: Running, users: Users) -> None:
    user = users()
    content = b"Subject: odd\n\nbare\nline ends, \xff\xfe and a lone \r too"
    with imap(server, user) as client:
        # imaplib would mend the line ends.
        client.send(b"a APPEND INBOX {%d}\r\n" % len(content))
        assert client.readline().startswith(b"+")
        client.send(content + b"\r\n")
        while not (line := client.readline()).startswith(b"a "):
            pass
        assert line.startswith(b"a OK [APPENDUID")
        client.noop()
        _, data = client.fetch("1", "(RFC822.SIZE BODY.PEEK[])")
        lines = content.replace(b"\n", b"\r\n")
        assert isinstance(data[0], tuple) and data[0][1] == lines and b"RFC822.SIZE %d " % len(lines) in data[0][0]
    (file,) = (server.directory / "store" / "mail" / "example.test" / user.partition("@")[0]).glob("INBOX/#msgs/*.eml")
    assert file.read_bytes() == content


RELAY_TRICKS = [
    "someone@elsewhere.test",
    "someone%elsewhere.test@example.test",
    "@example.test:someone@elsewhere.test",
    '"someone@elsewhere.test"@example.test',
    "elsewhere.test!someone@example.test",
    "someone@elsewhere.test.",
    "someone@[192.0.2.1]",
    "someone@[127.0.0.1]",
    '"someone@elsewhere.test"@[127.0.0.1]',
    "user1@elsewhere.test@example.test",
    "@elsewhere.test,@example.test:user1@elsewhere.test",
]


@pytest.mark.parametrize("recipient", RELAY_TRICKS)
@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_no_trick_relays_for_a_stranger(server: Running, recipient: str, service: str) -> None:
    with (smtplib.LMTP if service == "lmtp" else smtplib.SMTP)("127.0.0.1", server.ports[service]) as client:
        client.ehlo_or_helo_if_needed()
        assert client.docmd(f"MAIL FROM:<sender@else.test>")[0] == 250  # noqa: F541
        code, _ = client.docmd(f"RCPT TO:<{recipient}>")
        assert 500 <= code < 560


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_submission_takes_nothing_before_sign_in(server: Running, service: str) -> None:
    kind, extra = (smtplib.SMTP_SSL, {"context": trusting()}) if service == "submissions" else (smtplib.SMTP, {})
    with kind("127.0.0.1", server.ports[service], **extra) as client:
        client.ehlo()
        assert client.docmd("MAIL FROM:<user1@example.test>") == (530, b"5.7.0 Authentication required")


def test_bare_names_sign_in_for_the_primary_domain_only(server: Running) -> None:
    command(server.directory, "domain", "add", "second.test")
    (server.directory / "password").write_text("another-horse-42\n")
    command(server.directory, "user", "add", "user1@second.test", "--password-file", str(server.directory / "password"))
    with (
        imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=trusting()) as client,
        pytest.raises(imaplib.IMAP4.error),
    ):
        client.login("user1", "another-horse-42")
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=trusting()) as client:
        assert client.login("user1@second.test", "another-horse-42")[0] == "OK"
    with imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=trusting()) as client:
        assert client.login("user1", PASSWORD)[0] == "OK"


def test_a_change_on_the_command_line_is_in_force_at_once(server: Running) -> None:
    command(server.directory, "alias", "add", "sales@example.test", "user1@example.test")
    for _ in eventually(5):
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            client.ehlo()
            client.mail("sender@else.test")
            if client.rcpt("sales@example.test")[0] == 250:
                break
    else:
        pytest.fail("the alias is unknown to the server")
    command(server.directory, "config", "set", "smtp/max-message-size", "1M")
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == str(1 << 20)
    command(server.directory, "config", "unset", "smtp/max-message-size")


def queue(server: Running) -> list[dict[str, Any]]:
    """The entries of the queue, by the command line."""
    entries: list[dict[str, Any]] = json.loads(command(server.directory, "queue", "list", "--json"))["items"]
    return entries


def test_mail_nobody_can_take_comes_back_as_a_report(own_server: Maker) -> None:
    with SmtpSink(replies={"RCPT": ["550 5.1.1 No such user"]}) as sink:
        settings = {"delivery/relay-host": sink.host, "delivery/relay-port": str(sink.port)}
        with own_server(settings) as server:
            submit(server, "user1@example.test", ["nobody@elsewhere.test"], letter("lost", sender="user1@example.test"))
            for _ in eventually(30):
                if subjects(server, "user1@example.test"):
                    break
            else:
                pytest.fail("no report came")
            with imap(server, "user1@example.test") as client:
                _, data = client.fetch("1", "(BODY.PEEK[])")
                assert isinstance(data[0], tuple)
                report = email.message_from_bytes(data[0][1])
            assert report["Return-Path"] == "<>"
            assert (report.get_content_type(), report.get_param("report-type")) == (
                "multipart/report",
                "delivery-status",
            )
            human, machine, original = report.get_payload()
            assert "nobody@elsewhere.test" in human.get_payload(decode=True).decode()
            fields = machine.get_payload()[1]
            assert fields["Final-Recipient"].replace(" ", "") == "rfc822;nobody@elsewhere.test"
            assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
            assert "No such user" in fields["Diagnostic-Code"]
            assert "Subject: lost" in original.as_string()
            assert queue(server) == []


def test_mail_for_others_waits_and_is_held_released_and_deleted_by_command(own_server: Maker) -> None:
    with SmtpSink() as sink:
        settings = {
            "delivery/relay-host": sink.host,
            "delivery/relay-port": str(sink.port),
            "delivery/hold-remote": "yes",
        }
        with own_server(settings) as server:
            for number in range(2):
                submit(server, "user1@example.test", [f"n{number}@elsewhere.test"], letter(f"held{number}"))
            entries = queue(server)
            assert len(entries) == 2 and not sink.messages
            by_recipient = {entry["recipients"][0]: entry["id"] for entry in entries}
            command(server.directory, "queue", "delete", by_recipient["n0@elsewhere.test"], "--yes")
            command(server.directory, "queue", "release", by_recipient["n1@elsewhere.test"])
            (message,) = sink.wait(1)
            assert message.recipients == ["n1@elsewhere.test"] and b"Subject: held1" in message.content
            for _ in eventually(10):
                if not queue(server):
                    break
            else:
                pytest.fail("the sent message stays in the queue")
            assert len(sink.messages) == 1
