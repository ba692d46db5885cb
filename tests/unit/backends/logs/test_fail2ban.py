"""The filter in packaging/fail2ban finds the host in each line that the server writes, and no host that is made up."""

import re
from pathlib import Path

import pytest

from whimbrel.backends.logs.record import RecordForm
from whimbrel.core.log import Value

PACKAGING = Path(__file__).resolve().parents[4] / "packaging" / "fail2ban"
HOSTILE = (
    "x, Sender-Host: 198.51.100.9, Method: PLAIN\r\n"
    "[24/Nov/2026 17:57:14] Failed IMAP login: User: y, Sender-Host: 6.6.6.6"
)
BANNED: list[tuple[str, str, dict[str, Value]]] = [
    ("signin.failed", "warning", {"service": "imap", "user": "x", "sender_host": "192.0.2.2", "method": "PLAIN"}),
    ("signin.failed", "warning", {"service": "pop3", "user": HOSTILE, "sender_host": "192.0.2.2", "method": "LOGIN"}),
    ("signin.failed", "warning", {"service": "pop3", "user": HOSTILE.casefold(), "sender_host": "192.0.2.2",
                                  "method": "LOGIN"}),
    ("signin.failed", "warning", {"service": "smtp", "user": "", "sender_host": "192.0.2.2", "method": HOSTILE}),
    ("signin.locked", "warning", {"service": "imaps", "user": "x", "sender_host": "192.0.2.2", "method": "PLAIN"}),
    ("relay.denied", "info", {"queue_id": "438dd9ea-00000000", "service": "smtp", "from_": HOSTILE,
                              "recipient": HOSTILE, "sender_host": "192.0.2.2", "status": "550 5.7.1 Relaying denied"}),
    ("session.too_many_errors", "warning", {"service": "smtp", "sender_host": "192.0.2.2", "failures": 20}),
    ("connection.limit", "warning", {"service": "smtp", "sender_host": "192.0.2.2", "connections": 200}),
]  # fmt: skip


def expressions() -> list[re.Pattern[str]]:
    text = (PACKAGING / "filter.d" / "whimbrel.conf").read_text()
    block = text.partition("failregex = ")[2].partition("\n\n")[0]
    return [re.compile(line.strip().replace("<ADDR>", r"(?P<host>[0-9a-fA-F:.]+)")) for line in block.split("\n")]


def hosts(line: str) -> list[str]:
    # fail2ban takes the time away before it looks.
    return [found["host"] for one in expressions() if (found := one.search(line[22:]))]


def lines() -> list[str]:
    return [RecordForm().line(1_795_539_434, level, event, values)[1] for event, level, values in BANNED]


@pytest.mark.parametrize("line", lines())
def test_the_host_is_found_and_no_other(line: str) -> None:
    assert hosts(line) == ["192.0.2.2"]


def test_an_ipv6_host_is_found() -> None:
    values: dict[str, Value] = {"service": "imap", "user": "x", "sender_host": "2001:db8::7", "method": "PLAIN"}
    assert hosts(RecordForm().line(1.0, "warning", "signin.failed", values)[1]) == ["2001:db8::7"]


def test_who_signs_in_rightly_is_not_banned() -> None:
    values: dict[str, Value] = {"service": "imap", "user": "x", "sender_host": "192.0.2.6", "method": "PLAIN"}
    assert hosts(RecordForm().line(1.0, "info", "signin.ok", values)[1]) == []
