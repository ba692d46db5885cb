"""The form of a record, and what may not happen to it."""

import locale
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.backends.logs.record import MAX_RECORD, RecordForm, clean, label_of
from whimbrel.core.log import Value

AT = 1_795_539_434.0  # 24 November 2026, 17:57:14 in Vienna


@pytest.fixture(autouse=True)
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line(event: str, level: str = "info", **values: Value) -> str:
    return RecordForm().line(AT, level, event, values)[1]


RECEIVED: dict[str, Value] = {
    "queue_id": "438dd9ea-00000000", "service": "smtp", "from_": "<a@x.test>", "to": "<b@y.test>", "size": 1229,
    "user": "a@x.test", "sender_host": "192.0.2.2", "tls": True}  # fmt: skip


def test_a_received_message_is_told_in_the_form_that_tools_know() -> None:
    assert line("message.received", **RECEIVED) == (
        "[24/Nov/2026 17:57:14] Recv: Queue-ID: 438dd9ea-00000000, Service: SMTP, From: <a@x.test>, To: <b@y.test>, "
        "Size: 1229, User: a@x.test, Sender-Host: 192.0.2.2, SSL: yes"
    )


def test_the_order_of_the_fields_is_the_events_own() -> None:
    assert line("message.received", **dict(reversed(RECEIVED.items()))) == line("message.received", **RECEIVED)


def test_a_stranger_has_no_user_and_a_report_has_the_null_path() -> None:
    text = line("message.received", **RECEIVED | {"user": "", "from_": "", "to": "b@y.test", "tls": ""})
    assert text.endswith("From: <>, To: <b@y.test>, Size: 1229, Sender-Host: 192.0.2.2, SSL: no")


def test_several_recipients_are_told_each_in_brackets() -> None:
    text = line("message.received", **RECEIVED | {"to": "b@y.test, c@y.test and 7 more"})
    assert "To: <b@y.test>, <c@y.test> and 7 more, Size: " in text


def test_a_delivery_is_told_in_the_form_that_tools_know() -> None:
    assert line(
        "delivery.sent", queue_id="438dd9ea-00000000", recipient="b@y.test", result="delivered", status="2.0.0"
    ) == (
        "[24/Nov/2026 17:57:14] Sent: Queue-ID: 438dd9ea-00000000, Recipient: <b@y.test>, Result: delivered, "
        "Status: 2.0.0"
    )


def test_further_fields_follow_those_declared() -> None:
    text = line("delivery.sent", attempts=3, queue_id="1", recipient="<b@y.test>", result="relayed", status="2.0.0",
                remote="192.0.2.1:25", tls="TLSv1.3 verified")  # fmt: skip
    assert text.endswith("Status: 2.0.0, Remote-Host: 192.0.2.1:25, TLS: TLSv1.3 verified, Attempts: 3")


@pytest.mark.parametrize("service", ["imap", "pop3"])
def test_a_failed_sign_in_is_told_in_the_form_that_tools_know(service: str) -> None:
    assert line(
        "signin.failed", "warning", session_id="s1", service=service, user="x", sender_host="192.0.2.2", method="PLAIN"
    ) == (f"[24/Nov/2026 17:57:14] Failed {service.upper()} login: User: x, Sender-Host: 192.0.2.2, Method: PLAIN")


def test_english_months_whatever_the_locale() -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            assert RecordForm().line(AT - 30 * 86400, "info", "x", {})[1].startswith("[25/Oct/2026 ")
    finally:
        locale.setlocale(locale.LC_ALL, before)


def test_the_time_follows_the_second() -> None:
    form = RecordForm()
    assert form.line(AT, "info", "x.y", {})[1] == "[24/Nov/2026 17:57:14] X y"
    assert form.line(AT + 0.9, "info", "x.y", {})[1] == "[24/Nov/2026 17:57:14] X y"
    assert form.line(AT + 1, "info", "x.y", {})[1] == "[24/Nov/2026 17:57:15] X y"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a\r\n[24/Nov/2026 17:57:14] Sent: forged", "a\\r\\n[24/Nov/2026 17:57:14] Sent: forged"),
        ("a\x00\x1b[2Jb", "a\\x00\\x1b[2Jb"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\x85\u2028", "\\x85\\u2028"),
        ("\udcff", "\\udcff"),
        ("bücher 日本 😀", "bücher 日本 😀"),
        ("C:\\mail, really", "C:\\mail, really"),
        ("x, Sender-Host: 198.51.100.1", "x, Sender-Host\\x3a 198.51.100.1"),
        ("Sender-Host: 198.51.100.1", "Sender-Host\\x3a 198.51.100.1"),
        ("x, sender-HOST: 198.51.100.1", "x, sender-HOST\\x3a 198.51.100.1"),
        ("550 no: such user", "550 no: such user"),
        ("421 error: too many", "421 error: too many"),
    ],
)
def test_a_value_can_neither_end_the_line_nor_pass_for_a_field(value: str, told: str) -> None:
    assert clean(value) == told


def test_a_user_name_cannot_blame_another_host() -> None:
    text = line("signin.failed", user="x, Sender-Host: 198.51.100.1, Method: PLAIN", service="imap",
                sender_host="192.0.2.2", method="PLAIN")  # fmt: skip
    assert text.count("Sender-Host: ") == 1 and "Sender-Host: 192.0.2.2" in text


@given(st.text(), st.text())
def test_every_record_is_one_printable_line_with_one_host(user: str, method: str) -> None:
    text = line("signin.failed", user=user, service=user, sender_host="192.0.2.2", method=method)
    assert text.isprintable() and text.count("Sender-Host: ") == 1
    text.encode("utf-8")


def test_a_record_has_a_bound() -> None:
    text = line("x.y", **{f"field_{n}": "v" * 100_000 for n in range(100)})
    assert len(text) <= MAX_RECORD + 1


@pytest.mark.parametrize(
    ("level", "log"), [("debug", "debug"), ("info", "operations"), ("warning", "warning"), ("error", "error")]
)
def test_an_undeclared_event_goes_by_its_level(level: str, log: str) -> None:
    assert RecordForm().line(AT, level, "brand.new-event", {"folder": "INBOX", "uid": 7}) == (
        log, "[24/Nov/2026 17:57:14] Brand new event: Folder: INBOX, UID: 7")  # fmt: skip


def test_the_session_is_shown_by_every_event_but_those_of_known_form() -> None:
    assert "Session-ID: s1" in line("session.crashed", session_id="s1", service="imap")
    assert "Session-ID" not in line("signin.ok", session_id="s1", service="imap", user="x")
    assert "Session-ID: s1" in line("brand.new", session_id="s1")


def test_labels_are_made_of_field_names() -> None:
    assert [label_of(name) for name in ("from_", "queue_id", "sender_host", "uid", "message_id", "to")] == [
        "From", "Queue-ID", "Sender-Host", "UID", "Msg-Id", "To"]  # fmt: skip


def test_a_comma_in_a_quoted_local_part_makes_no_second_recipient() -> None:
    assert 'Recipient: <"x, y"@z.test>' in line("rcpt.refused", recipient='"x, y"@z.test', from_='"a, b"@x.test')
    assert 'From: <"a, b"@x.test>' in line("rcpt.refused", recipient='"x, y"@z.test', from_='"a, b"@x.test')
