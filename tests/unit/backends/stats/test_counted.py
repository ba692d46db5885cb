"""Which records of the log are counted as what."""

import asyncio
from pathlib import Path

import pytest

from whimbrel.app.services import SERVICES
from whimbrel.backends.logs.events import BY_NAME
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.stats.board import Board
from whimbrel.backends.stats.counted import reason_of, rules
from whimbrel.core.stats import REASONS

NAMES = [service.name for service in SERVICES]


def counts(board: Board) -> dict[str, int]:
    values = memoryview(board.image(tops=False)[0]).cast("Q").tolist()
    quiet = ("cpu", "memory")
    return {name: value for name, value in zip(board.columns, values, strict=True) if value and name not in quiet}


def counting(folder: Path) -> tuple[Board, Journal]:
    board, journal = Board(NAMES), Journal(folder)
    journal.count(rules(board))
    return board, journal


def test_each_rule_is_of_an_event_that_there_is() -> None:
    assert rules(Board(NAMES)).keys() <= BY_NAME.keys()


def test_a_message_in_and_its_deliveries_move_their_numbers(tmp_path: Path) -> None:
    board, journal = counting(tmp_path)
    log = FileLog(journal).bind(service="smtp")
    log.info("message.received", size=1000, user="", from_="a@x.test")
    log.info("message.received", service="submission", size=10, user="u@y.test", from_="u@y.test")
    log.info("message.received", service="queue", size=10, user="", from_="a@x.test")
    log.info("message.received", service="internal", size=5, user="", from_="")
    log.info("delivery.sent", result="delivered", recipient="r@y.test", mailbox="m@y.test", delay=0.02)
    log.info("delivery.sent", result="delivered", recipient="far@z.test", remote="mx.z.test")
    log.info("delivery.sent", result="delayed", recipient="far@z.test")
    log.info("report.sent", result="failed")
    journal.close()
    assert counts(board) == {
        "messages-in.smtp": 1, "messages-in.submission": 1, "octets-received.smtp": 1000,
        "octets-received.submission": 10,
        "messages-in.internal": 1,
        "octets-received.internal": 5, "deliveries.delivered-local": 1, "deliveries.delivered-remote": 1,
        "deliveries.delayed": 1, "reports.failed": 1, "latency.9": 1, "latency-sum": 20,
    }  # fmt: skip
    assert [name for name, _, _ in board.senders.top()] == ["", "a@x.test", "u@y.test"]
    assert [name for name, _, _ in board.recipients.top()] == ["far@z.test", "m@y.test"]


def test_sign_ins_refusals_and_limits_are_counted_by_what_they_are(tmp_path: Path) -> None:
    board, journal = counting(tmp_path)
    log = FileLog(journal)
    log.info("signin.ok", service="imaps", user="u")
    log.warning("signin.failed", service="imap", user="u")
    log.warning("signin.locked", service="imap", user="u")
    log.warning("connection.limit", service="smtp")
    log.info("rcpt.refused", status="550 5.1.1 No such user")
    log.info("relay.denied", status="550 5.7.1 Relaying denied")
    log.info("message.refused", status="552 5.3.4 The message is too big")
    journal.close()
    assert counts(board) == {
        "sign-ins.imaps": 1, "sign-ins-failed.imap": 1, "sign-ins-locked.imap": 1, "connections-refused.smtp": 1,
        "refused.unknown-recipient": 1, "refused.relay-denied": 1, "refused.too-large": 1,
    }  # fmt: skip


def test_what_the_log_has_no_room_for_is_counted_all_the_same(tmp_path: Path) -> None:
    board, journal = Board(NAMES), Journal(tmp_path, held=2)
    journal.count(rules(board))
    for _ in range(5):
        FileLog(journal).info("message.received", service="smtp", size=1)
    assert counts(board)["messages-in.smtp"] == 5
    journal.close()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("550 5.1.1 Unknown", "unknown-recipient"),
        ("452 4.2.2 Mailbox full", "mailbox-full"),
        ("552 5.2.2 Mailbox full", "mailbox-full"),
        ("452 4.3.1 No room", "no-room"),
        ("554 5.7.1 Spam", "filtered"),
        ("530 5.7.0 Authentication required", "sign-in"),
        ("550 5.5.2 Bare LF", "syntax"),
        ("451 4.7.1 Greylisted", "temporary"),
        ("450 busy", "temporary"),
        ("599 whatever", "other"),
        ("", "other"),
    ],
)
def test_a_refusal_has_the_reason_of_its_status(status: str, reason: str) -> None:
    assert reason_of(status) == reason and reason in REASONS


def test_counting_needs_no_loop_and_no_lock() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    board = Board(NAMES)
    board.add("tls", "TLSv1.0")
    assert counts(board) == {"tls.other": 1}


def test_a_rule_that_fails_fails_nobody_who_logs(tmp_path: Path) -> None:
    board, journal = counting(tmp_path)
    FileLog(journal).info("delivery.sent", recipient="r@y.test")  # Without its result.
    FileLog(journal).info("message.received", size="many")
    journal.close()
    assert (tmp_path / "mail.log").read_text().count("\n") == 2
    assert "deliveries.delivered-local" not in counts(board)
