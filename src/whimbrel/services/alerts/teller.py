"""Carries one alert to those who are to have it: by mail on the server's own way, and by a webhook."""

import time
from dataclasses import dataclass
from typing import Protocol

from whimbrel.core.errors import MailError
from whimbrel.core.urls import SecretUrl
from whimbrel.services.alerts.settings import NOBODY, AlertSettings, Targets
from whimbrel.services.alerts.webhook import request
from whimbrel.services.probing.ports import Post


class Webhooks(Protocol):
    """Calls a URL that an administrator set; bounded in time and size."""

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> str:
        """Why it was not taken; empty: it was."""
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    """What is told. `state`: begun, ended, or test."""

    event: str
    title: str
    state: str
    level: str
    text: str
    advice: str
    command: str
    since: float
    """When it began, in seconds."""
    at: float


class Teller:
    """One for the control process."""

    def __init__(self, post: Post, webhooks: Webhooks, hostname: str, version: str) -> None:
        self._post, self._webhooks, self._hostname, self._version = post, webhooks, hostname, version

    async def tell(self, alert: Alert, targets: Targets, settings: AlertSettings) -> tuple[Targets, str]:
        """Those who still have to be told, and why; the rest have it."""
        left_to, left_webhook, errors = targets.to, targets.webhook, []
        if targets.to:
            error = await self._mail(alert, targets.to)
            left_to = targets.to if error else ()
            errors += [f"mail: {error}"] if error else []
        if targets.webhook:
            error = await self._call(alert, targets.webhook, settings)
            left_webhook = targets.webhook if error else NOBODY.webhook
            errors += [f"webhook: {error}"] if error else []
        return Targets(left_to, left_webhook), "; ".join(errors)

    async def _mail(self, alert: Alert, to: tuple[str, ...]) -> str:
        try:
            await self._post.send(to, subject(alert, self._hostname), letter(alert, self._hostname))
        except MailError as error:
            return error.detail or error.text
        except (OSError, ValueError) as error:
            return str(error)
        return ""

    async def _call(self, alert: Alert, url: SecretUrl, settings: AlertSettings) -> str:
        values = {
            "event": alert.event, "title": alert.title, "state": alert.state, "level": alert.level, "text": alert.text,
            "advice": alert.advice, "command": alert.command, "since": _utc(alert.since), "at": _utc(alert.at),
            "server": self._hostname,
        }  # fmt: skip
        body, headers = request(values, alert.event, settings.webhook_secret, alert.at, self._version)
        # Some answer with the address that was asked for, and the error is logged and listed.
        return url.hidden_in(await self._webhooks.post(url.reveal(), body, headers))


def subject(alert: Alert, hostname: str) -> str:
    """`mail.example.org: Disk space is low`."""
    words = {"ended": "Over: ", "test": "Test: "}.get(alert.state, "")
    return f"{hostname}: {words}{alert.title}"


def letter(alert: Alert, hostname: str) -> str:
    """For a person who reads it on a phone: what is so, since when, what to do."""
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(alert.since))
    if alert.state == "ended":
        return f"{alert.title} on {hostname}: this is over. It began at {since}.\n\nIt was: {alert.text}\n"
    lines = [alert.text, "", f"Since {since}, on {hostname}."]
    if alert.advice:
        lines += ["", f"What to do: {alert.advice}"]
    if alert.command:
        lines += ["", f"    {alert.command}"]
    if alert.state == "test":
        lines += ["", "This is a test: nothing is wrong."]
    return "\n".join(lines) + "\n"


def _utc(at: float) -> str:
    """RFC 3339 5.6"""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
