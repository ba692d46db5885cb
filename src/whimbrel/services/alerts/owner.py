"""Who has been told of what: tells of each event when it begins and when it is over, and not too often.

At most one alert of an event in `alerts/interval`; what begins again within it is told when the time is over, if it
still goes on. In quiet hours nobody is told but of what is red, and an event that comes and goes in them is not told at
all. What could not be delivered is tried again, each time later; what is known outlives the server in State.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.state import State
from whimbrel.core.urls import SecretUrl
from whimbrel.services.alerts.events import EVENTS, AlertEvent, Occurrence, occurrences, undecided
from whimbrel.services.alerts.quiet import quiet
from whimbrel.services.alerts.settings import NOBODY, AlertSettings, Targets
from whimbrel.services.alerts.teller import Alert, Teller
from whimbrel.services.health.board import Result
from whimbrel.services.health.check import Level

KIND: Final = "alert"
LOOK: Final = 30.0
"""Seconds between two looks at what is still to be told."""
FIRST_RETRY: Final = 60.0
LAST_RETRY: Final = 3600.0
_MOST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Episode:
    """How an event stands. Times are seconds since 1970; 0: never."""

    since: float = 0.0
    """It goes on since then; 0: it does not."""
    began: float = 0.0
    """When what was told of last began."""
    announced: bool = False
    """Its beginning was told, and its end was not."""
    sent: float = 0.0
    """When a beginning was told last."""
    level: str = ""
    text: str = ""
    advice: str = ""
    command: str = ""
    pending: str = ""
    """begun or ended: what somebody is still to be told."""
    to: tuple[str, ...] = ()
    webhook: bool = False
    """Who. The URL is secret: it stays in the configuration."""
    tries: int = 0
    retry: float = 0.0
    error: str = ""
    """Of the last attempt; empty: all have it."""


class AlertOwner:
    """Control has one."""

    def __init__(self, teller: Teller, config: ConfigStore, state: State, clock: Clock, log: Log) -> None:
        self._teller, self._config, self._state, self._clock, self._log = teller, config, state, clock, log
        self._episodes = {event.name: Episode() for event in EVENTS}
        self._lasting: dict[str, float] = {}
        self._heard = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """People are told while the block runs."""
        await self.restore()
        task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def restore(self) -> None:
        for name, text in await self._state.list(KIND):
            with contextlib.suppress(ValueError, TypeError):
                values = json.loads(text)
                if name in self._episodes:
                    self._episodes[name] = Episode(
                        **values | {"to": tuple(values["to"]), "webhook": bool(values["webhook"])}
                    )

    def episode(self, event: str) -> Episode:
        return self._episodes[event]

    def heard(self, results: Sequence[Result]) -> None:
        """The health board's listener."""
        going, open_ = occurrences(results), undecided(results)
        for event in EVENTS:
            if event.checks and (event.name in going or event.name not in open_):
                self._note(event.name, going.get(event.name))
        self._heard.set()

    def happened(self, event: str, occurrence: Occurrence, lasting: float) -> None:
        """An event that is no state but happens: it is over when it has not happened for `lasting` seconds."""
        self._lasting[event] = self._clock.now() + lasting
        self._note(event, occurrence)
        self._heard.set()

    async def test(self, event: AlertEvent) -> tuple[Targets, str]:
        """Tells now, whatever the hour. Who was to be told, and what went wrong."""
        settings, now = self._config.section(AlertSettings), self._clock.now()
        targets = settings.targets(event.name)
        text = f"This is what an alert of the event {event.name} looks like."
        alert = Alert(event.name, event.title, "test", Level.WARNING.value, text, "", "", now, now)
        _, error = await self._teller.tell(alert, targets, settings)
        episode = self._episodes[event.name]
        self._episodes[event.name] = replace(episode, error=error)
        await self._keep(event.name)
        return targets, error

    async def test_webhook(self, url: SecretUrl) -> str:
        """Sends a test event to a URL that nobody has saved. Why it was not taken; empty: it was."""
        event, now = EVENTS[0], self._clock.now()
        text = "This is what an alert looks like."
        alert = Alert(event.name, event.title, "test", Level.WARNING.value, text, "", "", now, now)
        _, error = await self._teller.tell(alert, Targets((), url), self._config.section(AlertSettings))
        return error.removeprefix("webhook: ")

    async def look(self) -> None:
        """Tells what is due."""
        now = self._clock.now()
        for name, end in list(self._lasting.items()):
            if now >= end:
                del self._lasting[name]
                self._note(name, None)
        for event in EVENTS:
            before = self._episodes[event.name]
            self._decide(event, now)
            await self._deliver(event, now)
            if self._episodes[event.name] != before:
                await self._keep(event.name)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._heard.wait()
            self._heard.clear()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # The top of a task: the next look comes.
                self._log.exception("alert.crashed", error)

    def _note(self, name: str, occurrence: Occurrence | None) -> None:
        episode = self._episodes[name]
        if occurrence is None:
            self._episodes[name] = replace(episode, since=0.0)
            return
        self._episodes[name] = replace(
            episode,
            since=episode.since or self._clock.now(),
            level=occurrence.level.value,
            text=occurrence.text[:_MOST_TEXT],
            advice=occurrence.advice,
            command=occurrence.command,
        )

    def _decide(self, event: AlertEvent, now: float) -> None:
        """What is to be told from now on, if anything is new."""
        settings, episode = self._config.section(AlertSettings), self._episodes[event.name]
        loud = settings.errors_in_quiet_hours and episode.level == Level.ERROR.value
        silent = quiet(settings.quiet_hours, now) and not loud
        targets = settings.targets(event.name)
        if silent or not targets.names:
            return
        begun = bool(episode.since) and not episode.announced and not 0 <= now - episode.sent < settings.interval
        ended = not episode.since and episode.announced
        if not begun and not ended:
            return
        if ended and episode.pending:  # Who never heard of its beginning is not told of its end.
            webhook = NOBODY.webhook if episode.webhook else targets.webhook
            targets = Targets(tuple(each for each in targets.to if each not in episode.to), webhook)
        self._episodes[event.name] = replace(
            episode,
            announced=begun,
            sent=now if begun else episode.sent,
            began=episode.since if begun else episode.began,
            pending="" if not targets.names else "begun" if begun else "ended",
            to=targets.to,
            webhook=bool(targets.webhook),
            tries=0,
            retry=now,
        )

    async def _deliver(self, event: AlertEvent, now: float) -> None:
        episode = self._episodes[event.name]
        if not episode.pending or now < episode.retry:
            return
        settings = self._config.section(AlertSettings)
        webhook = settings.targets(event.name).webhook if episode.webhook else NOBODY.webhook
        targets = Targets(episode.to, webhook)
        alert = Alert(
            event.name, event.title, episode.pending, episode.level, episode.text, episode.advice, episode.command,
            episode.began, now,
        )  # fmt: skip
        left, error = await self._teller.tell(alert, targets, settings)
        log = self._log.warning if error else self._log.info
        log("alert.sent", alert=event.name, result=episode.pending, to=", ".join(targets.names), status=error)
        wait = min(FIRST_RETRY * 2**episode.tries, LAST_RETRY)
        # While it was sent it may have been noted again: only what was sent is changed.
        self._episodes[event.name] = replace(
            self._episodes[event.name],
            pending=episode.pending if left.names else "",
            to=left.to,
            webhook=bool(left.webhook),
            tries=episode.tries + 1,
            retry=now + wait,
            error=error,
        )

    async def _keep(self, name: str) -> None:
        await self._state.set(KIND, name, json.dumps(asdict(self._episodes[name])))


def unheard(checks: Sequence[str], settings: AlertSettings, event_of: Callable[[str], AlertEvent]) -> frozenset[str]:
    """Health checks that nobody is told of."""
    return frozenset(check for check in checks if not settings.targets(event_of(check).name).names)
