"""MAIL and RCPT as a client writes them; signing in by CRAM-MD5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.smtp.test_client import A, B, codes, ready
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.core.values import Secret
from whimbrel.protocols.smtp.client_events import SignedIn
from whimbrel.protocols.smtp.client_lines import mail_line, rcpt_line, xtext
from whimbrel.protocols.smtp.extensions import NO_EXTENSIONS, Extensions

DSN = Extensions(frozenset({"DSN", "SIZE"}), 0, frozenset())
FULL = MailOptions(size=9, ret="FULL", envid="QQ+314=a b")


def test_dsn_parameters_are_told_where_they_are_known() -> None:
    """RFC 3461 4.3, 4.4, 5.2.1"""
    line = b"MAIL FROM:<a@example.test> SIZE=9 RET=FULL ENVID=QQ+2B314+3Da+20b\r\n"
    assert mail_line(A, FULL, DSN, utf8=False) == line
    header = MailOptions(ret="HDRS")
    assert mail_line(A, header, DSN, utf8=False) == b"MAIL FROM:<a@example.test> RET=HDRS\r\n"
    assert mail_line(None, FULL, NO_EXTENSIONS, utf8=False) == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    ("notify", "orcpt", "expected"),
    [
        ((), "", b""),
        ((Notify.NEVER,), "", b" NOTIFY=NEVER"),
        ((Notify.DELAY, Notify.SUCCESS, Notify.FAILURE), "", b" NOTIFY=SUCCESS,FAILURE,DELAY"),
        ((Notify.NEVER, Notify.DELAY), "", b" NOTIFY=NEVER"),  # RFC 3461 4.1: NEVER stands alone.
        ((), "rfc822;Bob+x@example.test", b" ORCPT=rfc822;Bob+2Bx@example.test"),
        ((), "utf-8;m\u00fcller+\\@example.test", b" ORCPT=utf-8;m\\x{FC}ller\\x{2B}\\x{5C}@example.test"),
    ],
)
def test_what_a_recipient_wants_to_be_told_is_passed_on(
    notify: tuple[Notify, ...], orcpt: str, expected: bytes
) -> None:
    recipient = Recipient(B, frozenset(notify), orcpt)
    assert rcpt_line(recipient, DSN) == b"RCPT TO:<b@example.test>%b\r\n" % expected
    assert rcpt_line(recipient, NO_EXTENSIONS) == b"RCPT TO:<b@example.test>\r\n"


@given(st.text(), st.text())
def test_no_text_ends_a_line_or_begins_a_word(envid: str, orcpt: str) -> None:
    recipient = Recipient(B, frozenset(), orcpt)
    line = rcpt_line(recipient, DSN)
    assert line.count(b"\n") == 1 and line.count(b" ") == 1 + bool(orcpt) and line[:-2].isascii()
    text = xtext(envid)
    assert text.isascii() and text.isprintable() and " " not in text and "=" not in text


def test_requiretls_goes_only_to_who_offers_it() -> None:
    """RFC 8689 4.2.1"""
    client = ready("PIPELINING", "REQUIRETLS")
    options = MailOptions(require_tls=True)
    client.transaction(A, [Recipient(B)], options)
    assert client.outgoing().startswith(b"MAIL FROM:<a@example.test> REQUIRETLS\r\n")
    client = ready("PIPELINING")
    client.transaction(A, [Recipient(B)], options)
    assert client.outgoing() == b""
    event = client.next_event()
    assert codes(event) == [550]
    assert "5.7.30" in str(event)


def test_limits_are_read() -> None:
    """RFC 9422 4"""
    known = ready("LIMITS RCPTMAX=7 MAILMAX=20 RCPTDOMAINMAX=1 ODD=x").extensions
    assert (known.max_recipients, known.max_transactions) == (7, 20)
    assert ready("LIMITS RCPTMAX=-1 MAILMAX").extensions.max_recipients == 0


def test_sign_in_by_cram_md5_sends_no_password() -> None:
    """The example of RFC 2195 2."""
    client = ready("AUTH CRAM-MD5")
    client.sign_in("tim", Secret("tanstaaftanstaaf"))
    assert client.outgoing() == b"AUTH CRAM-MD5\r\n"
    client.receive(b"334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n")
    assert client.outgoing() == b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"
    client.receive(b"235 2.7.0 ok\r\n")
    assert isinstance(client.next_event(), SignedIn)


def test_a_challenge_that_is_no_base64_is_cancelled() -> None:
    client = ready("AUTH CRAM-MD5")
    client.sign_in("tim", Secret("x"))
    client.outgoing()
    client.receive(b"334 ***\r\n")
    assert client.outgoing() == b"*\r\n"
