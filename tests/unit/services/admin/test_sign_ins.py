"""A user's attempts to sign in, each with its cause and its mend; what is locked, and unlocking it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import MemoryCounters
from tests.unit.services.admin.office import MemoryLogs, Office
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.log import LogLine, LogPage, LogQuery
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.session.lockout import LockOut

HOST = "192.0.2.7"


class SecurityLog(MemoryLogs):
    """Lines with fields, found by whole words."""

    def __init__(self, *lines: LogLine) -> None:
        super().__init__()
        self.lines_of_log = lines

    async def search(self, query: LogQuery, limit: int, cursor: str = "") -> LogPage:
        assert query.logs == ("security",) and query.newest_first
        lines = [line for line in self.lines_of_log[::-1] if all(word in line.text.split() for word in query.words)]
        return LogPage(tuple(lines[:limit]), "more" if lines[limit:] else "")


def line(at: float, title: str, user: str, host: str = HOST, reason: str = "") -> LogLine:
    fields: Sequence[tuple[str, str]] = (("User", user), ("Sender-Host", host), ("Method", "plain"))
    fields = (*fields, *((("Reason", reason),) if reason else ()))
    return LogLine("security", at, f"{title} {user} {host} {reason}", title, tuple(fields))


LINES = (
    line(1, "IMAP login", "alice@example.org"),
    line(2, "Failed IMAP login", "alice@example.org", reason="wrong password"),
    line(3, "Failed SMTP login", "alice@example.org", reason="the user is disabled"),
    line(4, "Failed IMAP login", "alice@example.org", reason="not of the mechanism"),
    line(5, "Locked IMAP login", "alice@example.org", "192.0.2.8"),
    line(6, "Failed IMAP login", "alice", reason="unknown user"),
    line(7, "Failed IMAP login", "alise@example.org", reason="unknown user"),
    line(8, "Failed IMAP login", "bob@other.test", reason="wrong password"),
    line(9, "Ended IMAP session", "alice@example.org", reason="alice@example.org has another password"),
    line(10, "Failed IMAP login", "eve@other.test", "198.51.100.1", "alice@example.org"),
)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def asked(office: Office, name: str = "alice@example.org", /, **more: Any) -> Any:
    given = {"logs": SecurityLog(*LINES), "counters": MemoryCounters(), **more}
    return office.do("user sign-ins", given, name=name, since="")


def test_each_attempt_says_why_it_failed_and_what_to_do(office: Office) -> None:
    page = asked(office)
    causes = [(int(each.at), each.outcome, each.service, each.cause) for each in page.items]
    assert causes == [
        (7, "failed", "imap", "name"),
        (6, "failed", "imap", "domain"),
        (5, "locked", "imap", "locked"),
        (4, "failed", "imap", "client"),
        (3, "failed", "smtp", "disabled"),
        (2, "failed", "imap", "password"),
        (1, "ok", "imap", ""),
    ]
    mends = {each.cause: each.mend for each in page.items}
    assert "alice@example.org" in mends["domain"] and "unlock" in mends["locked"] and "by now" in mends["disabled"]
    assert page.more == "" and page.locked == () and page.window == 900
    office.do("user disable", name="alice")
    assert "let the user sign in again" in {each.mend for each in asked(office).items}


def test_other_names_from_the_same_address_stay_within_ones_domains(office: Office) -> None:
    caller = Caller("una@other.test", Grants.of("none", ["accounts other.test"], "other.test"), "una@other.test")
    page = asked(office, "bob@other.test", caller=caller)
    # Alice of example.org tried from there too, and a name of her domain was mistyped: not told.
    assert [each.name for each in page.items] == ["bob@other.test", "alice"]
    with pytest.raises(CallError) as refused:
        asked(office, "alice@example.org", caller=caller)
    assert refused.value.kind is Failure.FORBIDDEN


def test_a_lock_is_told_and_ended(office: Office, tmp_path: Path) -> None:
    counters, logs = MemoryCounters(), SecurityLog(*LINES)
    given = {"logs": logs, "counters": counters}
    lockout = LockOut(config_of(office), counters)
    failures = lockout.of(HOST, "alice@example.org")
    for _ in range(10):
        failures.count(lambda: None)
    page = asked(office, counters=counters)
    assert [(each.address, each.everybody) for each in page.locked] == [(HOST, False)]
    assert "would" in str(office.do("user unlock", given | {"dry_run": True}, name="alice").text) or failures.locked()
    done = office.do("user unlock", given, name="alice", address="192.0.2.99")
    assert "not locked out" in done.text and failures.locked()
    done = office.do("user unlock", given, name="alice")
    assert HOST in done.text and not failures.locked() and asked(office, counters=counters).locked == ()
    assert [values["sender_host"] for _, event, values in events(office) if event == "signin.unlocked"] == [HOST]
    assert "not locked out" in office.do("user unlock", given, name="alice").text


def test_an_address_that_is_locked_for_everybody_stays_so(office: Office) -> None:
    """Who administers one domain must not open the door for guesses at others."""
    counters = MemoryCounters()
    lockout = LockOut(config_of(office), counters)
    for number in range(100):
        lockout.of(HOST, f"user{number}@other.test").count(lambda: None)
    assert [(each.address, each.everybody) for each in asked(office, counters=counters).locked] == [(HOST, True)]
    office.do("user unlock", {"logs": SecurityLog(*LINES), "counters": counters}, name="alice")
    assert any("stays locked" in warning for warning in office.warnings)
    assert lockout.of(HOST, "alice@example.org").locked()


def test_nobody_unlocks_who_may_do_more(office: Office) -> None:
    office.do("user rights", name="bob@other.test", rights="server-write")
    caller = Caller("una@other.test", Grants.of("domain", own="other.test"), "una@other.test")
    with pytest.raises(CallError) as refused:
        office.do("user unlock", {"counters": MemoryCounters(), "caller": caller}, name="bob@other.test")
    assert refused.value.kind is Failure.FORBIDDEN


def config_of(office: Office) -> FileConfig:
    config = office.context().config
    assert isinstance(config, FileConfig)
    return config


def events(office: Office) -> list[Any]:
    return list(office.log.records)
