"""Alerts: who is told of what, what was sent last, and a test. A health check that nobody is told of is marked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from whimbrel.services.admin.calls import CallError, Failure, Known, Needs, call, nearest, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Words

if TYPE_CHECKING:
    from whimbrel.services.alerts.events import AlertEvent


@dataclass(frozen=True, slots=True)
class AlertRow:
    """`state`: quiet (nothing goes on), going on, or off (nobody is told)."""

    event: str
    state: str
    to: tuple[str, ...]
    """Addresses and URL."""
    since: Moment
    """It goes on since then."""
    sent: Moment
    """Somebody was told of a beginning last."""
    error: Words
    """Of the last attempt."""
    text: Words
    """What goes on."""
    title: str
    checks: tuple[str, ...]
    """Health checks that it tells of."""


@dataclass(frozen=True, slots=True)
class AlertsView:
    unheard: tuple[str, ...]
    """Health checks that nobody is told of."""
    items: tuple[AlertRow, ...]
    more: str = ""


@dataclass(frozen=True, slots=True)
class AlertTested:
    text: str
    failed: tuple[str, ...]
    to: tuple[str, ...]


@call(
    "alert", "list", reads=True, needs=Needs.SERVER, names=("alert", "event"),
    help="Lists the events, who is told of them, and what was sent last.",
)  # fmt: skip
async def alert_list(ctx: AdminContext) -> AlertsView:
    from whimbrel.services.alerts.events import EVENTS, event_of
    from whimbrel.services.alerts.owner import unheard
    from whimbrel.services.alerts.settings import AlertSettings

    owner, board = need(ctx.alerts, "A list of alerts"), need(ctx.health, "A list of alerts")
    settings = ctx.config.section(AlertSettings)
    rows = []
    for event in EVENTS:
        episode, to = owner.episode(event.name), settings.targets(event.name).names
        state = "off" if not to else "going on" if episode.since else "quiet"
        checks = tuple(name for name in board.names if event_of(name) is event)
        text = episode.text if episode.since else ""
        rows.append(
            AlertRow(
                event.name,
                state,
                to,
                Moment(episode.since),
                Moment(episode.sent),
                episode.error,
                text,
                event.title,
                checks,
            )
        )
    nobody = unheard(board.names, settings, event_of)
    return AlertsView(tuple(name for name in board.names if name in nobody), tuple(rows))


@call(
    "alert", "test", needs=Needs.SERVER, problems="failed",
    help="Sends a test of an event to those who are told of it, now.",
)  # fmt: skip
async def alert_test(ctx: AdminContext, event: Annotated[str, "Event, as listed.", Known("alert")]) -> AlertTested:
    from whimbrel.services.alerts.settings import AlertSettings

    chosen, owner = _event(event), need(ctx.alerts, "A test of alerts")
    to = ctx.config.section(AlertSettings).targets(chosen.name).names
    if not to:
        raise CallError(
            Failure.REFUSED,
            f"Nobody is told of {event}: name somebody by `whimbrel config set alerts/to postmaster@example.org` or "
            "`alerts/webhook`",
        )
    if ctx.dry_run:
        return AlertTested(f"Checked only: {', '.join(to)} would be told", (), to)
    targets, error = await owner.test(chosen)
    if error:
        return AlertTested(f"Not all were told: {error}", (error,), targets.names)
    return AlertTested(f"{', '.join(targets.names)} {'was' if len(targets.names) == 1 else 'were'} told", (), to)


def _event(name: str) -> "AlertEvent":
    from whimbrel.services.alerts.events import EVENTS, NAMES

    if name not in NAMES:
        not_found("event", name, nearest(name, NAMES))
    return next(event for event in EVENTS if event.name == name)
