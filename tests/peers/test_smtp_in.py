"""Extensions of the SMTP server with clients that nobody here wrote: swaks (PRDR, pipelining), Postfix (DSN, SMTPUTF8,
LIMITS passed over)."""

import contextlib
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.mail import eventually, letter, trusting
from tests.support.postfix import Postfix, free_port
from tests.support.server import PASSWORD, Running
from tests.support.servers import Users

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def arrived(server: Running, user: str, wanted: bytes) -> bytes:
    """The message in the user's INBOX that contains `wanted`, byte for byte."""
    name, _, domain = user.partition("@")
    for _ in eventually(30):
        for path in (server.directory / "store" / "mail" / domain / name / "INBOX" / "#msgs").glob("*.eml"):
            if wanted in (content := path.read_bytes()):
                return content
    raise AssertionError(f"{wanted!r} did not come to {user}")


@pytest.mark.peer("swaks")
@pytest.mark.parametrize("option", ["--prdr", "--pipeline"])
def test_swaks_speaks_extensions(server: Running, users: Users, option: str) -> None:
    one, two = users(), users()
    command = ["swaks", "--server", f"127.0.0.1:{server.ports['smtp']}", "--from", "sender@else.test"]
    done = subprocess.run(
        [*command, "--to", f"{one},{two}", "--header", f"Subject: swaks{option}", option],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Ok: queued as" in done.stdout, done.stdout + done.stderr
    assert option != "--prdr" or "> PRDR" in done.stdout
    for user in (one, two):
        assert b"Subject: swaks" + option.encode() in arrived(server, user, b"Subject: swaks")


@contextlib.contextmanager
def postfix_before(own_server: Maker, folder: Path) -> Iterator[tuple[Running, Postfix]]:
    """A Postfix that hands everything to us."""
    with own_server() as server:
        out = {"relayhost": f"[127.0.0.1]:{server.ports['smtp']}", "mydestination": "", "smtputf8_enable": "yes"}
        with Postfix(folder / "peer", out, free_port()) as peer:
            yield server, peer


@pytest.mark.peer("postfix")
@pytest.mark.root
@pytest.mark.xdist_group("postfix")
def test_postfix_hands_us_the_wish_for_reports_and_we_report(own_server: Maker, tmp_path: Path) -> None:
    with postfix_before(own_server, tmp_path) as (server, peer):
        with smtplib.SMTP("127.0.0.1", peer.port) as client:
            client.ehlo("client.test")
            client.sendmail(
                "user2@example.test", ["user1@example.test"], letter("wish"),
                mail_options=["RET=HDRS", "ENVID=QQ+2B314159"],
                rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;First.User+2Bx@else.test"],
            )  # fmt: skip
        arrived(server, "user1@example.test", b"Subject: wish")
        report = arrived(server, "user2@example.test", b"message/delivery-status")
        assert b"Original-Envelope-Id: QQ+314159" in report
        assert b"Original-Recipient: rfc822;First.User+x@else.test" in report.replace(b"rfc822; ", b"rfc822;")
        assert b"Action: delivered" in report
        for _ in eventually():  # Our report may be quicker than Postfix's own line.
            if "status=sent" in peer.log():
                break
        else:
            pytest.fail(peer.log())


@pytest.mark.peer("postfix")
@pytest.mark.root
@pytest.mark.xdist_group("postfix")
def test_postfix_sends_us_addresses_in_utf8(own_server: Maker, tmp_path: Path) -> None:
    with postfix_before(own_server, tmp_path) as (server, peer):
        content = letter("utf8").replace(b"Subject: utf8", "Subject: Grüße utf8".encode())
        with smtplib.SMTP("127.0.0.1", peer.port) as client:
            client.ehlo("client.test")
            client.command_encoding = "utf-8"
            client.sendmail(
                "jürgen@else.test", ["user1@example.test"], content, mail_options=["SMTPUTF8", "BODY=8BITMIME"]
            )
        found = arrived(server, "user1@example.test", b"utf8")
        assert "Return-Path: <jürgen@else.test>".encode() in found and b"with UTF8SMTP" in found


@pytest.mark.parametrize("body", [b"a\n.b\n.\n..c\nend\n", b"a\r\n.b\r\n.\r\n..c\r\nend\r\n"])
def test_what_python_smtplib_sends_arrives_with_its_dots(server: Running, users: Users, body: bytes) -> None:
    """Given bytes it neither mends line ends nor tells them apart when it doubles dots."""
    user = users()
    with smtplib.SMTP("127.0.0.1", server.ports["submission"]) as client:
        client.starttls(context=trusting())
        client.login(user, PASSWORD)
        client.sendmail(user, [user], b"Subject: smtplib\r\nMessage-ID: <a@b>\r\n\r\n" + body)
    content = arrived(server, user, b"Subject: smtplib")
    assert content.rstrip().endswith(b"\r\n\r\na\r\n.b\r\n.\r\n..c\r\nend")
