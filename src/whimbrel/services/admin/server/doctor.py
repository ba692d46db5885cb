"""`whimbrel doctor`: all health checks, with what mends what is wrong (mission S15)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from whimbrel.services.admin.calls import call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Words

if TYPE_CHECKING:
    from whimbrel.services.health.board import Result


@dataclass(frozen=True, slots=True)
class HealthRow:
    """`state`: ok, warning, error, or unknown (it could not be seen, or nobody asked for it)."""

    check: str
    state: str
    text: Words
    """What is so."""
    advice: Words
    """What to do."""
    command: str
    """That shows more, or mends it."""
    since: Moment
    """The state has been the same."""
    alerts: str
    """Who is told when it complains: addresses and URL, or nobody."""
    title: str
    screen: str
    """Path in the console."""
    looked: Moment


@dataclass(frozen=True, slots=True)
class DoctorView:
    red: tuple[str, ...]
    """Checks whose state is error."""
    checks: tuple[HealthRow, ...]
    text: str


@call(
    "doctor",
    reads=True,
    problems="red",
    help="Makes all health checks: what is so, since when, and what mends it. Without a server, as far as that goes.",
)
async def doctor(
    ctx: AdminContext,
    all: Annotated[bool, "Show what is in order, too."] = False,
    kept: Annotated[bool, "Show what the last look came to, without a new one."] = False,
) -> DoctorView:
    board = need(ctx.health, "A health check")
    results = board.results() if kept else ()
    if not results:
        results = await board.look()
    states = [result.level.value for result in results]
    count = ", ".join(
        f"{states.count(state)} {word}"
        for state, word in (("ok", "in order"), ("warning", "with a warning"), ("error", "red"), ("unknown", "unknown"))
        if state in states
    )
    rest = "" if all or states.count("ok") == len(states) else "; --all shows what is in order, too"
    return DoctorView(
        tuple(result.name for result in results if result.red),
        tuple(_row(ctx, result) for result in results if all or result.level.value != "ok"),
        f"{len(results)} checks: {count}{rest}",
    )


def _row(ctx: AdminContext, result: "Result") -> HealthRow:
    from whimbrel.services.alerts.events import event_of
    from whimbrel.services.alerts.settings import AlertSettings

    to = ctx.config.section(AlertSettings).targets(event_of(result.name).name).names
    return HealthRow(
        result.name, result.level.value, result.text, result.advice, result.command, Moment(result.since),
        ", ".join(to) or "nobody", result.title, result.screen, Moment(result.looked),
    )  # fmt: skip
