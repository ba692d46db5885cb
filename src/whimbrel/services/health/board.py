"""The results of all health checks, kept: the latest of each, and since when it is so.

Whoever asks for results has them at once; a look makes all checks at the same time, and two who ask for a look share
one. A check that has not ended within its time is `unknown`; it is left alone, and not made again before it has ended,
so that a disk that hangs holds one thread for each check and no more.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.services.health.check import Check, HealthContext, Level, Verdict, unknown

KIND: Final = "health"
"""Of State: by the name of the check."""
WITHIN: Final = 2.0
"""Seconds for one check."""
LONGEST: Final = 1000
"""Characters of a sentence."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a check went the last time. Times are seconds since 1970."""

    name: str
    title: str
    level: Level
    text: str
    advice: str
    command: str
    screen: str
    since: float
    """Its level has been the same."""
    looked: float

    @property
    def red(self) -> bool:
        return self.level is Level.ERROR


Listener = Callable[[Sequence[Result]], None]


class Board:
    """Control has one; so has the command line while no server runs."""

    def __init__(self, checks: Sequence[Check], ctx: HealthContext, log: Log, *, within: float = WITHIN) -> None:
        self._checks, self._ctx, self._log, self._within = tuple(checks), ctx, log, within
        self._results: dict[str, Result] = {}
        self._late: dict[str, asyncio.Task[Verdict]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._listeners: list[Listener] = []

    @property
    def ctx(self) -> HealthContext:
        """What the checks work with."""
        return self._ctx

    @property
    def names(self) -> tuple[str, ...]:
        """Of all checks, in the order of the table."""
        return tuple(check.name for check in self._checks)

    async def restore(self) -> None:
        """What was known before the server was started."""
        if self._ctx.state is None:
            return
        kept = dict(await self._ctx.state.list(KIND))
        for check in self._checks:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                self._results[check.name] = _read(check, kept[check.name])

    def results(self) -> Sequence[Result]:
        """In the order of the table, of the checks that were made."""
        return [self._results[check.name] for check in self._checks if check.name in self._results]

    @property
    def red(self) -> Sequence[Result]:
        return [result for result in self.results() if result.red]

    def subscribe(self, listener: Listener) -> None:
        """`listener` gets all results after each look, in the loop; it must not wait and not raise."""
        self._listeners.append(listener)

    async def look(self) -> Sequence[Result]:
        """Makes all checks, or waits for the look that is under way."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        await asyncio.shield(self._looking)
        return self.results()

    async def look_at_configuration(self) -> Sequence[Result]:
        """Makes the checks anew that look at the configuration: it has changed."""
        if self._looking is not None and not self._looking.done():
            await asyncio.shield(self._looking)  # It may have looked before the change.
        await self._look_at([check for check in self._checks if check.configured])
        return self.results()

    async def close(self) -> None:
        tasks = [*self._late.values(), *([self._looking] if self._looking is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        await self._look_at(self._checks)

    async def _look_at(self, checks: Sequence[Check]) -> None:
        verdicts = await asyncio.gather(*(self._verdict(check) for check in checks))
        now = self._ctx.clock.now()
        for check, verdict in zip(checks, verdicts, strict=True):
            await self._keep(check, verdict, now)
        results = self.results()
        for listener in self._listeners:
            listener(results)

    async def _verdict(self, check: Check) -> Verdict:
        """Never raises, but for what ends the process."""
        late = self._late.pop(check.name, None)
        if late is not None and not late.done():
            self._late[check.name] = late
            return unknown("An earlier look has not ended yet: what it waits for does not answer.")
        task = asyncio.ensure_future(check.look(self._ctx))
        try:
            done, _ = await asyncio.wait((task,), timeout=self._within)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            self._late[check.name] = task
            task.add_done_callback(_seen)
            return unknown(f"There was no answer within {self._within:g} seconds.")
        try:
            return task.result()
        except MailError as error:
            return unknown(f"It could not be found out: {error.detail or error.text}.")
        except OSError as error:
            return unknown(f"It could not be found out: {error.strerror or error}.")
        except Exception as error:  # noqa: BLE001  # A bug in one check must not hide the others.
            self._log.exception("health.crashed", error, check=check.name)
            return unknown("The check failed by a fault of Whimbrel's; the error log has the details.")

    async def _keep(self, check: Check, verdict: Verdict, now: float) -> None:
        before = self._results.get(check.name)
        same = before is not None and before.level is verdict.level
        result = Result(
            check.name, check.title, verdict.level, verdict.text[:LONGEST], verdict.advice[:LONGEST],
            verdict.command or check.command, check.screen, before.since if before is not None and same else now, now,
        )  # fmt: skip
        self._results[check.name] = result
        if before is not None and not same:
            self._log_change(before, result)
        if self._ctx.state is not None:
            await self._ctx.state.set(KIND, check.name, _written(result))

    def _log_change(self, before: Result, result: Result) -> None:
        if Level.ERROR in (before.level, result.level):
            write = self._log.error if result.red else self._log.info
            write("health.changed", check=result.name, level=result.level.value, before=before.level.value,
                  status=result.text)  # fmt: skip


def _seen(task: "asyncio.Task[Verdict]") -> None:
    """Nobody waits for it any more."""
    if not task.cancelled():
        task.exception()


def _written(result: Result) -> str:
    values = asdict(result) | {"level": result.level.value}
    return json.dumps({name: values[name] for name in ("level", "text", "advice", "command", "since", "looked")})


def _read(check: Check, text: str) -> Result:
    """ValueError, TypeError, KeyError: it was written by another release."""
    kept = json.loads(text)
    return Result(
        check.name, check.title, Level(kept["level"]), str(kept["text"]), str(kept["advice"]), str(kept["command"]),
        check.screen, float(kept["since"]), float(kept["looked"]),
    )  # fmt: skip
