"""What was counted, as Prometheus reads it: `GET /metrics`. Who may read it is decided before.

Standards: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from whimbrel import __version__
from whimbrel.core.histogram import BUCKETS, bound
from whimbrel.core.rights import Right
from whimbrel.core.statistics import Totals
from whimbrel.core.stats import FAMILIES, GAUGES, LATENCY, LATENCY_SUM, Family
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import AdminContext, Caller, need
from whimbrel.services.admin.web import refusal

PATH: Final = "/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "whimbrel_"
_EACH: Final = 2
"""Buckets of ours that are one of theirs: by the factor of two."""


def exposition(totals: Totals, version: str) -> str:
    """Returns the whole text."""
    return "\n".join([*_lines(totals, version), ""])


def _lines(totals: Totals, version: str) -> Iterator[str]:
    yield from _head("info", "gauge", "The release that runs.")
    yield f'{PREFIX}info{{version="{version}"}} 1'
    yield from _head("start_time_seconds", "gauge", "When the server started, in seconds since 1970.")
    yield f"{PREFIX}start_time_seconds {totals.started:.3f}"
    counts = totals.counts["ever"]
    for family in FAMILIES:
        if family.name != LATENCY_SUM:
            yield from _family(family, counts, "counter", "_total")
    for family in GAUGES:
        yield from _family(family, totals.gauges, "gauge", "")
    name = f"{PREFIX}delivery_latency_seconds"
    yield from _head("delivery_latency_seconds", "histogram", "From the end of a message's content to its mailbox.")
    buckets = [int(counts.get(f"{LATENCY}.{number}", 0)) for number in range(BUCKETS)]
    below = 0
    for number, count in enumerate(buckets[:-1]):
        below += count
        if number % _EACH == 0:
            yield f'{name}_bucket{{le="{bound(number):.6g}"}} {below}'
    yield f'{name}_bucket{{le="+Inf"}} {sum(buckets)}'
    yield f"{name}_sum {counts.get(LATENCY_SUM, 0) / 1000:.3f}"
    yield f"{name}_count {sum(buckets)}"


def _family(family: Family, values: Mapping[str, float], kind: str, suffix: str) -> Iterator[str]:
    rows = [(name, value) for name, value in values.items() if name.partition(".")[0] == family.name]
    if not rows:
        return
    metric, divisor = family.metric, 1
    if family.unit == "milliseconds":
        metric, divisor = f"{metric}_seconds", 1000
    yield from _head(f"{metric}{suffix}", kind, family.help)
    for name, value in rows:
        label = f'{{{family.label}="{name.partition(".")[2]}"}}' if family.label else ""
        yield f"{PREFIX}{metric}{suffix}{label} {value / divisor if divisor > 1 else int(value)}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"


def metrics(context: Callable[[Caller], AdminContext], callers: Callable[[Request], Caller]) -> Route:
    """The route, for callers who may see the whole server."""

    async def endpoint(request: Request) -> Response:
        try:
            caller = callers(request)
            if caller.grants.domains(Right.SERVER_READ, reads=True) is not None:
                raise CallError(Failure.FORBIDDEN, f"{PATH} needs the right {Right.SERVER_READ}")
            totals = await need(context(caller).statistics, "Statistics").totals()
        except CallError as error:
            return refusal(error)
        return Response(exposition(totals, __version__), media_type=CONTENT_TYPE)

    return Route(PATH, endpoint, methods=["GET"])
