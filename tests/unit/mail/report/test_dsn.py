import dataclasses
import email
import email.message
import quopri
from email import policy

import pytest

from whimbrel.core.address import Address
from whimbrel.mail.report.dsn import MAX_RETURNED, Action, RecipientReport, Report, compose
from whimbrel.mail.report.language import LANGUAGES, language

ORIGINAL = b"Subject: hello\r\nMessage-ID: <orig@example.org>\r\n\r\nthe text\n"
FAILED = RecipientReport(
    Address("bob", "example.net"), Action.FAILED, "5.1.1", "550 5.1.1 no such user", "mx.example.net",
    "rfc822;bob@example.com", "Tue, 24 Nov 2026 09:59:59 +0100",
)  # fmt: skip
REPORT = Report(
    to=Address("alice", "example.org"),
    reporting_mta="mx.example.test",
    postmaster=Address("postmaster", "example.test"),
    message_id="<dsn-1@mx.example.test>",
    date="Tue, 24 Nov 2026 10:00:00 +0100",
    recipients=(FAILED,),
    original=ORIGINAL,
    envid="QQ314159",
    arrival="Tue, 24 Nov 2026 09:00:00 +0100",
    queue_id="6ab3f000-00000001",
)


def parts(report: Report) -> list[email.message.Message]:
    mail = email.message_from_bytes(compose(report).content, policy=policy.default)
    assert mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "delivery-status"
    found = mail.get_payload()
    assert isinstance(found, list)
    return found  # type: ignore[return-value]


def groups(part: email.message.Message) -> list[list[tuple[str, str]]]:
    payload = part.get_payload()
    if isinstance(payload, list):  # The email package reads message/delivery-status into its groups.
        return [[(name, str(value)) for name, value in group.items()] for group in payload]
    text = part.get_payload(decode=True).decode()  # type: ignore[union-attr]
    return [[tuple(line.split(": ", 1)) for line in group.split("\r\n") if line] for group in text.split("\r\n\r\n")]  # type: ignore[misc]


def test_a_failure_is_told_to_people_and_programs() -> None:
    words, status, returned = parts(REPORT)
    text = words.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "could not deliver" in text and "<bob@example.net>" in text
    assert "There is no such mailbox." in text and "550 5.1.1 no such user" in text
    assert groups(status) == [
        [
            ("Original-Envelope-Id", "QQ314159"),
            ("Reporting-MTA", "dns; mx.example.test"),
            ("Arrival-Date", "Tue, 24 Nov 2026 09:00:00 +0100"),
        ],
        [
            ("Original-Recipient", "rfc822; bob@example.com"),
            ("Final-Recipient", "rfc822; bob@example.net"),
            ("Action", "failed"),
            ("Status", "5.1.1"),
            ("Remote-MTA", "dns; mx.example.net"),
            ("Diagnostic-Code", "smtp; 550 5.1.1 no such user"),
            ("Last-Attempt-Date", "Tue, 24 Nov 2026 09:59:59 +0100"),
            ("Final-Log-ID", "6ab3f000-00000001"),
        ],
    ]
    assert returned.get_content_type() == "text/rfc822-headers"


def test_its_header_marks_it_as_made_by_a_program() -> None:
    mail = email.message_from_bytes(compose(REPORT).content)
    assert mail["Auto-Submitted"] == "auto-replied"  # RFC 3834 5
    assert mail["From"] == "Mail Delivery System <postmaster@example.test>"
    assert mail["To"] == "<alice@example.org>"
    assert mail["In-Reply-To"] == mail["References"] == "<orig@example.org>"


def test_the_whole_message_comes_back_only_where_it_was_asked_for() -> None:
    # RFC 3461 4.3
    full = dataclasses.replace(REPORT, ret_full=True)
    assert compose(full).content.count(b"the text\r\n") == 1
    assert parts(full)[2].get_content_type() == "message/rfc822"
    for report in (
        REPORT,
        dataclasses.replace(full, complete=False),
        dataclasses.replace(full, recipients=(dataclasses.replace(FAILED, action=Action.DELAYED),)),
        dataclasses.replace(full, original=ORIGINAL + b"x\r\n" * MAX_RETURNED),
    ):
        content = compose(report).content
        assert b"text/rfc822-headers" in content and b"Subject: hello\r\n" in content and b"the text" not in content


def test_a_delay_says_until_when() -> None:
    delayed = dataclasses.replace(
        FAILED, action=Action.DELAYED, status="4.4.1", retry_until="Sun, 29 Nov 2026 09:00:00 +0100"
    )
    words, status, _ = parts(dataclasses.replace(REPORT, recipients=(delayed,)))
    fields = dict(groups(status)[1])
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.4.1")
    assert fields["Will-Retry-Until"] == "Sun, 29 Nov 2026 09:00:00 +0100"
    assert "until Sun, 29 Nov 2026" in words.get_payload(decode=True).decode().replace("\r\n", " ")  # type: ignore[union-attr]


def test_the_subject_is_about_the_worst() -> None:
    done = dataclasses.replace(FAILED, action=Action.DELIVERED, status="2.1.5", diagnostic="")
    assert (
        b"Subject: Your message could not be delivered"
        in compose(dataclasses.replace(REPORT, recipients=(done, FAILED))).content
    )
    built = compose(dataclasses.replace(REPORT, recipients=(done,)))
    assert b"Subject: Your message was delivered" in built.content and b"Action: delivered" in built.content


def test_a_status_that_is_none_becomes_a_general_one() -> None:
    for action, status in ((Action.FAILED, "5.0.0"), (Action.DELAYED, "4.0.0"), (Action.RELAYED, "2.0.0")):
        one = dataclasses.replace(FAILED, action=action, status="nonsense")
        assert f"Status: {status}".encode() in compose(dataclasses.replace(REPORT, recipients=(one,))).content


def test_our_own_words_are_not_called_smtp() -> None:
    one = dataclasses.replace(FAILED, diagnostic="the disk is full", remote="")
    content = compose(dataclasses.replace(REPORT, recipients=(one,))).content
    assert b"Diagnostic-Code: x-whimbrel; the disk is full\r\n" in content and b"Remote-MTA" not in content


UTF8 = dataclasses.replace(FAILED, recipient=Address("böb", "example.net"), orcpt="utf-8;böb@example.net")


def test_addresses_beyond_ascii_make_an_international_report() -> None:
    # RFC 6533
    sender = Address("jürgen", "example.org")
    built = compose(dataclasses.replace(REPORT, to=sender, recipients=(UTF8,), ret_full=True))
    assert built.utf8 and built.body_8bit
    assert b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit" in built.content
    assert "Original-Recipient: utf-8; böb@example.net\r\n".encode() in built.content
    assert "Final-Recipient: utf-8; böb@example.net\r\n".encode() in built.content
    assert b"Content-Type: message/global\r\n" in built.content
    assert b"message/global-headers" in compose(dataclasses.replace(REPORT, utf8=True)).content


def test_an_international_report_reaches_an_ascii_sender_through_any_server() -> None:
    """RFC 6532 3.7, RFC 6533 6.4: its parts bear an encoding, so neither SMTPUTF8 nor 8BITMIME is needed."""
    header = "Subject: Grüße\r\n\r\nx\r\n".encode()
    report = dataclasses.replace(REPORT, recipients=(UTF8,), original=header, utf8=True)
    built = compose(report)
    assert built.content.isascii() and not built.utf8 and not built.body_8bit
    words, status, returned = parts(report)
    assert "<böb@example.net>" in words.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert status["Content-Transfer-Encoding"] == returned["Content-Transfer-Encoding"] == "quoted-printable"
    assert quopri.decodestring(status.as_bytes()).decode().count("utf-8; böb@example.net") == 2
    assert "Subject: Grüße" in quopri.decodestring(returned.as_bytes()).decode()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("utf-8;böb@example.net", rb"utf-8; b\x{F6}b@example.net"),
        (r"utf-8;a+b=c\d@example.net", rb"utf-8; a\x{2B}b\x{3D}c\x{5C}d@example.net"),
        ("rfc822;a+b@example.net", b"rfc822; a+b@example.net"),
    ],
)
def test_whom_the_sender_meant_is_told_in_ascii_too(given: str, told: bytes) -> None:
    """RFC 3461 6.3 (d): Original-Recipient must be there. RFC 6533 3: where the report is ASCII, so is the address."""
    built = compose(dataclasses.replace(REPORT, recipients=(dataclasses.replace(FAILED, orcpt=given),)))
    assert b"Original-Recipient: %b\r\n" % told in built.content
    assert b"message/delivery-status\r\nContent-Transfer-Encoding: 7bit" in built.content


@pytest.mark.parametrize("value", [b"gr\xfc\xdfe", b"a\0b", b"x" * 1200])
def test_a_returned_header_that_is_not_7bit_is_encoded(value: bytes) -> None:
    """RFC 6522 4: quoted-printable where the header is broken; RFC 2045 2.7: no NUL, no line above 998 octets."""
    header = b"Subject: " + value + b"\r\nMessage-ID: <1@x>\r\n"
    report = dataclasses.replace(REPORT, original=header)
    built = compose(report)
    assert built.content.isascii() and b"\0" not in built.content and not built.body_8bit
    assert max(map(len, built.content.split(b"\r\n"))) <= 998
    returned = parts(report)[2]
    assert returned["Content-Transfer-Encoding"] == "quoted-printable"
    assert value in quopri.decodestring(built.content.partition(b"text/rfc822-headers")[2])


def test_what_was_passed_on_is_not_called_delivered() -> None:
    """RFC 3464 2.3.3: relayed and expanded say nothing of the delivery."""
    for action, meaning in ((Action.RELAYED, "sends no confirmations"), (Action.EXPANDED, "several recipients")):
        one = dataclasses.replace(FAILED, action=action, status="2.0.0", diagnostic="")
        built = compose(dataclasses.replace(REPORT, recipients=(one,)))
        assert b"Subject: Your message was passed on\r\n" in built.content and b"delivered your" not in built.content
        assert meaning in built.content.decode()


def test_an_8bit_original_needs_8bit() -> None:
    built = compose(dataclasses.replace(REPORT, original=b"Subject: x\n\n\xe9\n", ret_full=True))
    assert built.body_8bit and not built.utf8
    assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit" in built.content
    assert not compose(REPORT).body_8bit


def test_a_report_with_8bit_parts_says_so_at_its_top() -> None:
    """RFC 2045 6.4: without a field a multipart is 7bit, and so are all its parts."""
    returned = dataclasses.replace(REPORT, original="Subject: x\r\n\r\ngrün\r\n".encode(), ret_full=True)
    mail = email.message_from_bytes(compose(returned).content)
    assert mail["Content-Transfer-Encoding"] == "8bit"
    assert "Content-Transfer-Encoding" not in email.message_from_bytes(compose(REPORT).content)


def test_a_server_cannot_write_into_the_report() -> None:
    one = dataclasses.replace(FAILED, diagnostic="550 x\r\nAction: delivered\r\n\r\n--", remote="a\r\nStatus: 2.0.0")
    _, status, _ = parts(dataclasses.replace(REPORT, recipients=(one,)))
    assert dict(groups(status)[1])["Action"] == "failed" and len(groups(status)) == 2


def test_other_languages() -> None:
    built = compose(dataclasses.replace(REPORT, language="de-AT"))
    mail = email.message_from_bytes(built.content, policy=policy.default)
    assert mail["Subject"] == "Ihre Nachricht konnte nicht zugestellt werden"
    assert b"Content-Language: de" in built.content
    assert language("xx") == "en"


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_every_language_says_everything(tag: str) -> None:
    phrases, english = LANGUAGES[tag], LANGUAGES["en"]
    assert set(phrases.statuses) == set(english.statuses)
    for name in ("failed", "delayed", "delivered", "passed_on", "answered"):
        assert "{host}" in getattr(phrases, name)
    assert "{when}" in phrases.retry_until
    for action in Action:
        report = dataclasses.replace(REPORT, language=tag, recipients=(dataclasses.replace(FAILED, action=action),))
        assert b"bob@example.net" in compose(report).content


def test_a_report_about_nobody_is_a_bug() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compose(dataclasses.replace(REPORT, recipients=()))
