"""Calls about statistics: what was counted, over which time, and who sends and gets most.

They are of the whole server: who administers some domains sees none of it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from whimbrel.core.histogram import percentile
from whimbrel.core.statistics import LONGEST, PERIODS, Series, Statistics, Totals
from whimbrel.core.stats import BUCKET_COLUMNS, FAMILIES, GAUGES, LATENCY_SUM, OTHER, family_of
from whimbrel.services.admin.calls import CallError, Failure, Needs, call, nearest
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import Between
from whimbrel.services.admin.server.moments import span
from whimbrel.services.admin.views import Done, Moment, Octets, TextView, done

MOST_SERIES: Final = 200
TOP: Final = 10
Last = Annotated[str, "How far back, such as 2h, 24h, 7d, 30d, 365d. What is older is kept in coarser steps."]


@dataclass(frozen=True, slots=True)
class TotalRow:
    name: str
    start: int
    """Since the server started."""
    today: int
    """Since midnight, local time."""
    ever: int
    """Since the last reset."""
    unit: str


@dataclass(frozen=True, slots=True)
class GaugeRow:
    name: str
    value: int
    unit: str


@dataclass(frozen=True, slots=True)
class SenderRow:
    name: str
    messages: int
    octets: Octets


@dataclass(frozen=True, slots=True)
class RecipientRow:
    name: str
    messages: int


@dataclass(frozen=True, slots=True)
class PointRow:
    """`value` is null where nothing is known of that time, which is not zero."""

    time: Moment
    name: str
    value: float | None


@dataclass(frozen=True, slots=True)
class StatsView:
    started: Moment
    reset: Moment
    day: str
    latency_p50: float | None
    """Seconds from the end of a message to its mailbox, today: half of all took no longer."""
    latency_p95: float | None
    totals: tuple[TotalRow, ...]
    now: tuple[GaugeRow, ...]
    senders: tuple[SenderRow, ...]
    """Of today."""
    recipients: tuple[RecipientRow, ...]
    points: tuple[PointRow, ...]
    """Of the series asked for; then totals are left out."""


@call("stats", "show", reads=True, needs=Needs.SERVER, help="Shows what was counted, or how it went over time.")
async def stats_show(
    ctx: AdminContext,
    series: Annotated[
        tuple[str, ...], "Numbers over time, such as messages-in, connections-now.imap, latency.p95."
    ] = (),
    last: Last = "2h",
    top: Annotated[int, "How many senders and recipients.", Between(0, 256)] = TOP,
    ever: Annotated[bool, "Senders and recipients since the last reset, not of today."] = False,
) -> StatsView:
    statistics = need(ctx.statistics, "Statistics")
    totals = await statistics.totals()
    latency = [totals.counts["today"].get(column, 0) for column in BUCKET_COLUMNS]
    points: tuple[PointRow, ...] = ()
    rows: tuple[TotalRow, ...] = ()
    now: tuple[GaugeRow, ...] = ()
    senders: tuple[SenderRow, ...] = ()
    recipients: tuple[RecipientRow, ...] = ()
    if series:
        points = tuple(
            PointRow(Moment(at), each.name, value)
            for each in await chosen(statistics, series, last)
            for at, value in each.points
        )
    else:
        rows, now = total_rows(totals), gauge_rows(totals)
        senders = tuple(
            SenderRow(each.name or "<>", each.times, Octets(each.octets))
            for each in await statistics.tops("senders", today=not ever, limit=top)
        )
        recipients = tuple(
            RecipientRow(each.name, each.times)
            for each in await statistics.tops("recipients", today=not ever, limit=top)
        )
    return StatsView(
        Moment(totals.started), Moment(totals.reset), totals.day, _rounded(percentile(latency, 0.5)),
        _rounded(percentile(latency, 0.95)), rows, now, senders, recipients, points,
    )  # fmt: skip


@call(
    "stats",
    "export",
    reads=True,
    needs=Needs.SERVER,
    shows="text",
    help="Gives numbers over time as a table for other programs: a line for each step, a column for each series.",
)
async def stats_export(
    ctx: AdminContext,
    series: Annotated[tuple[str, ...], "Which numbers; all of them unless some are named."] = (),
    last: Last = "24h",
    format: Annotated[Literal["csv", "json"], "How it is written."] = "csv",
) -> TextView:
    statistics = need(ctx.statistics, "Statistics")
    made = await chosen(statistics, series or statistics.names()[:MOST_SERIES], last)
    return TextView(_csv(made) if format == "csv" else _json(made))


@call(
    "stats",
    "reset",
    needs=Needs.SERVER,
    confirm="Let all totals, senders and recipients begin again at zero? What was counted over time stays.",
    help="Lets totals, senders and recipients begin again at zero. Numbers over time stay.",
)
async def stats_reset(ctx: AdminContext) -> Done:
    if not ctx.dry_run:
        await need(ctx.statistics, "Statistics").reset()
    return done(ctx.dry_run, "What was counted", "reset")


async def chosen(statistics: Statistics, names: Sequence[str], last: str) -> Sequence[Series]:
    """Series by name. CallError."""
    try:
        seconds = span(last)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"last: {error}") from None
    if not 1 <= seconds <= LONGEST:
        raise CallError(Failure.USAGE, "last: between 1s and 366d is kept")
    if len(names) > MOST_SERIES:
        raise CallError(Failure.USAGE, f"series: at most {MOST_SERIES} at once")
    try:
        return await statistics.series(list(dict.fromkeys(names)), int(seconds))
    except LookupError as error:
        name = str(error.args[0])
        hint = nearest(name, statistics.names()) or "; `stats export` without names has them all in its first line"
        raise CallError(Failure.NOT_FOUND, f"There is no series '{name}'{hint}") from None


def total_rows(totals: Totals) -> tuple[TotalRow, ...]:
    """Each family, and each of its numbers that has ever been counted."""
    rows: list[TotalRow] = []
    for family in FAMILIES:
        if family.name == LATENCY_SUM:
            continue  # It is shown as percentiles.
        names = [name for name in totals.counts["ever"] if family_of(name) is family]
        each = [_row(name, totals, [name], family.unit) for name in names]
        rows.append(_row(family.name, totals, names, family.unit))
        if family.label:
            rows += [row for row in each if row.ever and not row.name.endswith(f".{OTHER}")]
    return tuple(rows)


def _row(name: str, totals: Totals, names: Sequence[str], unit: str) -> TotalRow:
    start, today, ever = (sum(totals.counts[period].get(each, 0) for each in names) for period in PERIODS)
    return TotalRow(name, start, today, ever, unit)


def gauge_rows(totals: Totals) -> tuple[GaugeRow, ...]:
    """Each gauge as a whole."""
    rows = []
    for family in GAUGES:
        values = [value for name, value in totals.gauges.items() if family_of(name) is family]
        if values:
            rows.append(GaugeRow(family.name, int(sum(values)), family.unit))
    return tuple(rows)


def today(totals: Totals) -> Mapping[str, int]:
    """The few numbers of today that say how the server does."""
    counts = totals.counts["today"]

    def total(family: str, *values: str) -> int:
        names = [f"{family}.{value}" for value in values]
        return sum(
            number for name, number in counts.items() if (name in names if names else name.partition(".")[0] == family)
        )

    return {
        "received": total("messages-in"),
        "delivered": total("deliveries", "delivered-local"),
        "sent": total("deliveries", "delivered-remote"),
        "refused": total("refused"),
        "reports": total("reports"),
        "sign_ins": total("sign-ins"),
        "sign_ins_failed": total("sign-ins-failed"),
        "connections": total("connections"),
    }


def _csv(series: Sequence[Series]) -> str:
    lines = [",".join(["time", *(each.name for each in series)])]
    for values in zip(*(each.points for each in series), strict=True):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(values[0][0]))
        lines.append(",".join([at, *("" if value is None else f"{value:.10g}" for _, value in values)]))
    return "\n".join(lines)


def _json(series: Sequence[Series]) -> str:
    made = [
        {"name": each.name, "unit": each.unit, "gauge": each.gauge, "step": each.step, "points": each.points}
        for each in series
    ]
    return json.dumps(made)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
