"""Calls about statistics, and what Prometheus is told of the same numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.app.services import SERVICES
from whimbrel.core.address import Domain
from whimbrel.core.histogram import bucket_of
from whimbrel.core.rights import Grants
from whimbrel.core.statistics import Series, Top, TopKind, Totals
from whimbrel.core.stats import FAMILIES, counted_columns
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.console.metrics import exposition

NAMES = [service.name for service in SERVICES]
EVER = {
    "messages-in.smtp": 7, "messages-in.submission": 2, "deliveries.delivered-local": 8, "refused.unknown-recipient": 3,
    f"latency.{bucket_of(0.1)}": 8, "latency-sum": 900, "cpu": 1500, "octets-in.smtp": 12345,
}  # fmt: skip


class Counted:
    """The port Statistics, of numbers that stand still."""

    def __init__(self) -> None:
        self.resets = 0
        self.asked: list[tuple[Sequence[str], int]] = []

    async def totals(self) -> Totals:
        ever = dict.fromkeys(counted_columns(NAMES), 0) | EVER
        now = {"queue": 4.0, "connections-now.imap": 2.0, "connections-now.smtp": 1.0}
        return Totals(1_790_000_000.0, 1_789_999_000.0, 1.0, "2026-09-21", {
            "start": {name: value // 2 for name, value in ever.items()}, "today": ever, "ever": ever}, now)  # fmt: skip

    async def series(self, names: Sequence[str], seconds: int, until: float = 0.0) -> Sequence[Series]:
        for name in names:
            if name not in self.names():
                raise LookupError(name)
        self.asked.append((names, seconds))
        return [Series(name, "", False, 20, ((1_790_000_000.0, 3.0), (1_790_000_020.0, None))) for name in names]

    async def tops(self, kind: TopKind, *, today: bool, limit: int) -> Sequence[Top]:
        return [Top("alice@example.org" if today else "old@example.org", 3, 999), Top("", 1, 10)][:limit]

    async def reset(self) -> None:
        self.resets += 1

    def names(self) -> Sequence[str]:
        return ("messages-in", "queue", "latency.p95")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_totals_are_shown_by_family_and_by_what_was_counted(office: Office) -> None:
    view = office.do("stats show", {"statistics": Counted()})
    rows = {row.name: (row.start, row.today, row.ever) for row in view.totals}
    assert rows["messages-in"] == (4, 9, 9) and rows["messages-in.smtp"] == (3, 7, 7)
    assert [(row.name, row.messages) for row in view.recipients] == [("alice@example.org", 3), ("", 1)]
    assert "messages-in.lmtp" not in rows and set(rows) >= {family.name for family in FAMILIES} - {"latency-sum"}
    assert {row.name: row.value for row in view.now} == {"queue": 4, "connections-now": 3}
    assert [(row.name, row.messages) for row in view.senders] == [("alice@example.org", 3), ("<>", 1)]
    assert view.latency_p50 is not None and 0.05 < view.latency_p50 < 0.2 and not view.points


def test_series_are_shown_with_gaps_as_gaps(office: Office) -> None:
    counted = Counted()
    view = office.do("stats show", {"statistics": counted}, series=["queue", "queue"], last="1d")
    assert [(row.name, row.value) for row in view.points] == [("queue", 3.0), ("queue", None)]
    assert counted.asked == [(["queue"], 86_400)] and not view.totals


def test_an_export_is_a_table_for_programs(office: Office) -> None:
    counted = Counted()
    text = office.do("stats export", {"statistics": counted}).text
    assert text.splitlines() == [
        "time,messages-in,queue,latency.p95",
        "2026-09-21T14:13:20Z,3,3,3",
        "2026-09-21T14:13:40Z,,,",
    ]
    made = json.loads(office.do("stats export", {"statistics": counted}, series=["queue"], format="json").text)
    assert made == [{"name": "queue", "unit": "", "gauge": False, "step": 20,
                     "points": [[1_790_000_000.0, 3.0], [1_790_000_020.0, None]]}]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"series": ["mesages-in"]}, Failure.NOT_FOUND, "did you mean 'messages-in'"),
        ({"series": ["queue"], "last": "soon"}, Failure.USAGE, "not a duration"),
        ({"series": ["queue"], "last": "9000d"}, Failure.USAGE, "366d"),
        ({"series": ["queue"], "last": "0s"}, Failure.USAGE, "366d"),
        ({"series": [f"n{n}" for n in range(300)]}, Failure.USAGE, "at most 200"),
    ],
)
def test_what_is_not_kept_is_told(office: Office, arguments: dict[str, Any], kind: Failure, text: str) -> None:
    with pytest.raises(CallError, match=text) as refused:
        office.do("stats show", {"statistics": Counted()}, **arguments)
    assert refused.value.kind is kind


def test_a_reset_is_for_who_may_write_and_a_check_resets_nothing(office: Office) -> None:
    counted = Counted()
    office.do("stats reset", {"statistics": counted, "dry_run": True})
    assert counted.resets == 0
    office.do("stats reset", {"statistics": counted})
    assert counted.resets == 1
    reader = Caller("r@example.org", Grants.of("server-read", (), Domain("example.org")), "r@example.org")
    with pytest.raises(CallError) as refused:
        office.do("stats reset", {"statistics": counted, "caller": reader})
    assert refused.value.kind is Failure.FORBIDDEN


@pytest.mark.parametrize("call", ["stats show", "stats export", "stats reset"])
def test_who_administers_domains_sees_nothing_of_others(office: Office, call: str) -> None:
    caller = Caller("b@other.test", Grants.of("none", ("domain other.test",), Domain("other.test")), "b@other.test")
    with pytest.raises(CallError) as refused:
        office.do(call, {"statistics": Counted(), "caller": caller})
    assert refused.value.kind is Failure.FORBIDDEN


def test_status_tells_what_was_today(office: Office) -> None:
    view = office.do("status", {"statistics": Counted()})
    assert view.today["received"] == 9 and view.today["delivered"] == 8 and view.today["refused"] == 3
    assert office.do("status").today == {}


def lines(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_metrics_follow_the_conventions_of_prometheus(office: Office) -> None:
    import asyncio

    text = exposition(asyncio.run(Counted().totals()), "1.0")
    values = lines(text)
    assert values['whimbrel_messages_received_total{service="smtp"}'] == "7"
    assert values['whimbrel_refused_total{reason="unknown-recipient"}'] == "3"
    assert values["whimbrel_process_cpu_seconds_total"] == "1.5"
    assert values['whimbrel_connections_open{service="imap"}'] == "2" and values["whimbrel_queue_messages"] == "4"
    assert values['whimbrel_info{version="1.0"}'] == "1"
    told = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(told) == len(set(told)) and all(f"# HELP {name} " in text for name in told)
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            _, _, name, kind = line.split()
            assert name.endswith("_total") is (kind == "counter"), line
    for name in values:
        assert any(name.startswith(family) for family in told), name


def test_the_histogram_of_metrics_adds_up(office: Office) -> None:
    import asyncio

    values = lines(exposition(asyncio.run(Counted().totals()), "1.0"))
    buckets = [(name, int(value)) for name, value in values.items() if "_bucket" in name]
    assert [count for _, count in buckets] == sorted(count for _, count in buckets) and buckets[-1][1] == 8
    assert buckets[-1][0].endswith('{le="+Inf"}')
    assert values["whimbrel_delivery_latency_seconds_count"] == "8"
    assert values["whimbrel_delivery_latency_seconds_sum"] == "0.900"
