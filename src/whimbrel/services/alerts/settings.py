"""Settings of the alerts: who is told of which event, when, and how often."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.settings import Concern, Gravity, Section, Whole, required, setting
from whimbrel.core.urls import SecretUrl
from whimbrel.core.values import Duration, Secret
from whimbrel.services.alerts.events import NAMES

_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d"


@dataclass(frozen=True, slots=True)
class Targets:
    """Addresses to write to, and a URL to call."""

    to: tuple[str, ...]
    webhook: SecretUrl

    @property
    def names(self) -> tuple[str, ...]:
        """As they may be shown to anyone: of the URL its host."""
        return (*self.to, *([str(self.webhook)] if self.webhook else ()))


NOBODY: Final = Targets((), SecretUrl(""))


def _targets(whole: Whole) -> Iterator[Concern]:
    """Addresses that nothing can be sent to."""
    settings = whole.section(AlertSettings)
    for path, to in (("alerts", settings.to), *((f"alerts/event[{each.name}]", each.to) for each in settings.events)):
        for each in to:
            try:
                Address.parse(each)
            except ValueError as error:
                yield Concern(f"{path}/to", str(error), Gravity.WRONG)


class EventAlert(Section, tag="event", key="name"):
    """Who is told of one event, instead of those who are told of all."""

    name: str = required(
        help="Event, such as disk-low; `whimbrel alert list` shows all.",
        pattern=rf"^({'|'.join(NAMES)})$",
        like=f"one of {', '.join(NAMES)}",
    )
    enabled: bool = setting(True, help="Tell of this event at all.")
    to: tuple[str, ...] = setting(
        (), item="to", help="Addresses that are written to; none: those of all events.", check="address"
    )
    webhook: SecretUrl = setting(
        SecretUrl(""), help="URL that gets this event; empty: that of all events.", check="webhook"
    )


class AlertSettings(Section, tag="alerts", checks=(_targets,)):
    """Alerts: mail and a webhook when something needs a person."""

    to: tuple[str, ...] = setting(
        (), item="to", help="Addresses that are written to, such as postmaster@example.org; better not only here.",
        row="B14", check="address",
    )  # fmt: skip
    webhook: SecretUrl = setting(
        SecretUrl(""),
        help="URL (https) that is called with what happened, as JSON. It is kept like a password, since with many "
        "services whoever knows it may write there.",
        examples=("https://hooks.example.org/mail",),
        row="B14",
        check="webhook",
    )
    webhook_secret: Secret = setting(Secret(""), help="Signs what the webhook gets (HMAC-SHA256); empty: unsigned.")
    quiet_hours: str = setting(
        "",
        pattern=rf"^$|^{_TIME}-{_TIME}$",
        like="two times of day, such as 22:00-06:00, or nothing",
        examples=("22:00-06:00",),
        help="When nobody is told (local time): what still goes on at the end of them is told then.",
    )
    errors_in_quiet_hours: bool = setting(True, help="What is red is told in quiet hours, too.")
    interval: Duration = setting(
        Duration("1h"), minimum=60, maximum=7 * 86_400, help="At most one alert of an event in this time; and its end."
    )
    events: tuple[EventAlert, ...] = setting((), help="Events that others are told of.")

    def targets(self, event: str) -> Targets:
        """Who is told of an event."""
        own = next((each for each in self.events if each.name == event), None)
        if own is None:
            return Targets(self.to, self.webhook)
        return Targets(own.to or self.to, own.webhook or self.webhook) if own.enabled else NOBODY

    def webhook_at(self, path: str) -> SecretUrl:
        """That of a setting, by its path; empty: none is set there."""
        places = {f"alerts/event[{event.name}]/webhook": event.webhook for event in self.events}
        return (places | {"alerts/webhook": self.webhook}).get(path, SecretUrl(""))
