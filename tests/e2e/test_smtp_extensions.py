"""BDAT, DSN and limits through the whole server, down to the file and the report."""

import smtplib
from pathlib import Path

from tests.support.mail import eventually, letter, trusting
from tests.support.server import PASSWORD, Running
from tests.support.servers import Users


def stored(server: Running, user: str, wanted: bytes) -> bytes:
    """The message in the user's INBOX that contains `wanted`."""
    name, _, domain = user.partition("@")
    folder: Path = server.directory / "store" / "mail" / domain / name / "INBOX" / "#msgs"
    for _ in eventually(20):
        for path in folder.glob("*.eml"):
            if wanted in (content := path.read_bytes()):
                return content
    raise AssertionError(f"{wanted!r} did not come to {user}")


def test_a_message_in_chunks_is_stored_byte_for_byte(server: Running, users: Users) -> None:
    user = users()
    content = letter("chunked") + b"\r\n.\r\n..\r\n" + b"0123456789abcdef\r\n" * 60_000
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as client:
        client.ehlo("client.test")
        assert client.has_extn("chunking") and client.has_extn("dsn") and client.has_extn("smtputf8")
        assert client.mail("a@else.test")[0] == 250 and client.rcpt(user)[0] == 250
        for start in range(0, len(content), 100_003):
            chunk = content[start : start + 100_003]
            last = b" LAST" if start + len(chunk) == len(content) else b""
            client.send(b"BDAT %d%s\r\n%s" % (len(chunk), last, chunk))
            assert client.getreply()[0] == 250
        assert client.noop()[0] == 250
    assert stored(server, user, b"Subject: chunked").endswith(b"\r\n" + content)


def test_who_asks_for_it_hears_of_success_under_the_names_given(server: Running, users: Users) -> None:
    sender, user = users(), users()
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as client:
        client.starttls(context=trusting())
        client.ehlo("client.test")
        assert client.has_extn("requiretls") and client.has_extn("prdr")
        client.login(sender, PASSWORD)
        client.sendmail(
            sender, [user], letter("wish"), mail_options=["ENVID=e+2B1", "RET=HDRS", "REQUIRETLS"],
            rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;Somebody+40else.test"],
        )  # fmt: skip
    report = stored(server, sender, b"message/delivery-status")
    assert b"Original-Envelope-Id: e+1\r\n" in report
    assert b"rfc822;Somebody@else.test" in report.replace(b"rfc822; ", b"rfc822;")
    assert b"\r\nAction: delivered\r\n" in report
