"""The table of events that people can be told of, and which health checks each stands for: one line for an event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.services.health.board import Result
from whimbrel.services.health.check import Level

_ORDER: Final = list(Level)


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """It goes on while one of its checks is at `least` or worse. `checks` empty: nothing of it is a health check."""

    name: str
    title: str
    checks: tuple[str, ...]
    least: Level = Level.WARNING


REST: Final = "*"
"""All checks that are of no other event."""
SIGN_IN_LOCKED: Final = "sign-in-locked"

EVENTS: Final[tuple[AlertEvent, ...]] = (
    AlertEvent("disk-low", "Disk space is low", ("disk",)),
    AlertEvent("certificate", "A certificate is near its end", ("certificates",)),
    AlertEvent("queue-old", "Mail waits in the queue", ("queue",)),
    AlertEvent("service-down", "A service is down", ("services",), Level.ERROR),
    AlertEvent("filter-down", "A filter gives no answer", ("filters",)),
    AlertEvent("config-edited", "A configuration file was changed outside", ("edits",)),
    AlertEvent(SIGN_IN_LOCKED, "Sign-ins are locked out", ()),
    AlertEvent("health", "A health check is red", (REST,), Level.ERROR),
)
NAMES: Final = tuple(event.name for event in EVENTS)
_OWNED: Final = {check: event for event in EVENTS for check in event.checks}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What goes on."""

    level: Level
    text: str
    advice: str = ""
    command: str = ""


def event_of(check: str) -> AlertEvent:
    """The event that tells of a health check."""
    return _OWNED.get(check) or _OWNED[REST]


def occurrences(results: Sequence[Result]) -> Mapping[str, Occurrence]:
    """What goes on by the latest results, by event. `unknown` begins nothing and ends nothing: see `undecided`."""
    going: dict[str, Occurrence] = {}
    for result in results:
        event = event_of(result.name)
        if _ORDER.index(result.level) < _ORDER.index(event.least):
            continue
        text = f"{result.title}: {result.text}"
        before = going.get(event.name)
        if before is None:
            going[event.name] = Occurrence(result.level, text, result.advice, result.command)
        else:
            worst = max(before.level, result.level, key=_ORDER.index)
            going[event.name] = Occurrence(worst, f"{before.text}\n{text}", before.advice, before.command)
    return going


def undecided(results: Sequence[Result]) -> frozenset[str]:
    """Events of which a check has no answer: what went on may go on."""
    return frozenset(event_of(result.name).name for result in results if result.level is Level.UNKNOWN)
