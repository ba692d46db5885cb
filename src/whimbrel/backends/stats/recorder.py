"""The port Statistics, and what keeps it: control looks at all processes every 20 seconds and writes down what came.

What nobody wrote down is a gap: control was away, or the machine. What was counted meanwhile is in the totals, and in
the first step after the gap.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.stats.boards import BoardCopy, read_boards
from whimbrel.backends.stats.ledger import Ledger
from whimbrel.backends.stats.rings import TIERS, Ring
from whimbrel.core.clock import Clock
from whimbrel.core.histogram import BUCKETS, percentile
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.statistics import LONGEST, Series, Top, TopKind, Totals
from whimbrel.core.stats import LATENCY, MEMORY, counted_columns, family_of, gauge_columns

EVERY: Final = 20
"""Seconds between two samples."""
SYNC_EVERY: Final = 15
"""Samples between two that outlive a power cut at once."""
FRESH: Final = 0.5
"""Seconds for which one look at the processes serves all who ask."""
PERCENTILES: Final = {f"{LATENCY}.p50": 0.5, f"{LATENCY}.p95": 0.95}

Look = Callable[[], Awaitable[Mapping[str, float]]]
"""The gauges that no process tells of itself."""


class Recorder:
    """One for a server, in control."""

    def __init__(
        self,
        folder: Path,
        boards: Path,
        services: Sequence[str],
        *,
        look: Look,
        clock: Clock,
        pool: Pool,
        log: Log,
        server: Callable[[], str],
        presence: Presence = ANY,
    ) -> None:
        """`folder` is where statistics are kept, `boards` where processes tell their counts, `server` names the run of
        the server."""
        self._presence = presence
        self._file, self._boards, self._services = folder / "totals.json", boards, tuple(services)
        self._look, self._clock, self._pool, self._log, self._server = look, clock, pool, log, server
        gauges = gauge_columns(services)
        self._columns = (*(name for name in counted_columns(services) if name != MEMORY), *gauges)
        self._rings = [Ring(folder / f"{tier.step}s.ring", tier, self._columns) for tier in TIERS]
        self._ledger = Ledger()
        self._copies: tuple[BoardCopy, ...] = ()
        self._came: dict[str, int] = {}
        self._gauges: dict[str, float] = {}
        self._looked = self._sampled = float("-inf")
        self._samples = 0
        self._failed = False
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps statistics while the block runs."""
        self._ledger = await self._pool.run(Ledger.load, self._file)
        self._ledger.run(self._server(), self._clock.now())
        task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.sample(sync=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.sample()
            except Exception as error:  # noqa: BLE001 - a bug here must not end statistics for good.
                self._log.exception("stats.failed", error)
            # To the full step of the day's time, so that steps of all files begin together.
            await asyncio.sleep(EVERY - self._clock.now() % EVERY + 0.01)

    async def sample(self, *, sync: bool = False) -> None:
        """Writes down what came since the last one."""
        async with self._lock:
            await self._take(fresh=0.0)
            # What cannot be looked at now is as it was.
            self._gauges = {**self._gauges, **self._of_processes(), **await self._look()}
            now, mono = self._clock.now(), self._clock.monotonic()
            elapsed = min(max(mono - self._sampled, 0.0), EVERY)
            self._sampled, self._samples = mono, self._samples + 1
            came, self._came = self._came, {}
            sync = sync or self._samples % SYNC_EVERY == 0
            gone = [copy for copy in self._copies if not copy.alive]
            try:
                await self._pool.run(self._write, now - elapsed / 2, {**came, **self._gauges}, gone, sync)
            except OSError as error:
                for name, more in came.items():  # Into the next one, once the disk takes it.
                    self._came[name] = self._came.get(name, 0) + more
                if not self._failed:
                    self._log.error("stats.not-kept", folder=str(self._file.parent), error=error.strerror or str(error))
                self._failed = True
            else:
                self._failed = False

    def _write(self, at: float, values: Mapping[str, float], gone: Sequence[BoardCopy], sync: bool) -> None:
        self._presence.require()
        for ring in self._rings:
            ring.add(at, values)
        self._ledger.save(self._file, sync=sync)
        for copy in gone:  # What it had counted is in the file.
            copy.path.unlink(missing_ok=True)

    async def _take(self, fresh: float = FRESH) -> None:
        """Looks at all processes, unless somebody just did."""
        if self._clock.monotonic() - self._looked < fresh:
            return
        copies = await self._pool.run(lambda: tuple(read_boards(self._boards)))
        self._looked = self._clock.monotonic()
        ledger = self._ledger
        ledger.begin_day(time.strftime("%Y-%m-%d", time.localtime(self._clock.now())), copies)
        for name, more in ledger.take(copies).items():
            self._came[name] = self._came.get(name, 0) + more
        ledger.take_over(copy for copy in copies if not copy.alive)
        ledger.forget(copy.ident for copy in copies)
        self._copies = copies

    def _of_processes(self) -> dict[str, float]:
        alive = [copy.values for copy in self._copies if copy.alive]
        gauges: dict[str, float] = {MEMORY: sum(values.get(MEMORY, 0) for values in alive), "workers": len(alive)}
        for column in gauge_columns(self._services):
            family, _, value = column.partition(".")
            if family == "connections-now":
                begun = sum(values.get(f"connections.{value}", 0) for values in alive)
                ended = sum(values.get(f"connections-ended.{value}", 0) for values in alive)
                gauges[column] = max(begun - ended, 0)
        return gauges

    # The port

    async def totals(self) -> Totals:
        async with self._lock:
            await self._take()
            ledger = self._ledger
            # A number that is first seen with its first event has no increase. Prometheus: "Avoid missing metrics"
            zero = dict.fromkeys((name for name in counted_columns(self._services) if name != MEMORY), 0)
            return Totals(
                self._clock.now(),
                ledger.started,
                ledger.reset,
                ledger.day,
                {"start": zero | ledger.start, "today": zero | ledger.today, "ever": zero | ledger.ever},
                {**self._gauges, **self._of_processes()},
            )

    async def tops(self, kind: TopKind, *, today: bool, limit: int) -> Sequence[Top]:
        async with self._lock:
            await self._take()
            sketch = self._ledger.tops(kind, [copy for copy in self._copies if copy.alive], today=today)
        return [Top(*each) for each in sketch.top(limit)]

    async def reset(self) -> None:
        async with self._lock:
            await self._take(fresh=0.0)
            self._ledger.clear(self._clock.now(), self._copies)
        await self.sample(sync=True)

    def names(self) -> Sequence[str]:
        families = dict.fromkeys(column.partition(".")[0] for column in self._columns if not _of_latency(column))
        rest = (column for column in self._columns if "." in column and not _of_latency(column))
        return (*families, *rest, *PERCENTILES)

    async def series(self, names: Sequence[str], seconds: int, until: float = 0.0) -> Sequence[Series]:
        known = set(self.names())
        for name in names:
            if name not in known:
                raise LookupError(name)
        end = until or self._clock.now()
        start = end - min(max(seconds, 1), LONGEST)
        age = self._clock.now() - start
        ring = next((ring for ring in self._rings if ring.tier.reach >= age), self._rings[-1])
        return await self._pool.run(self._read, ring, names, start, end)

    def _read(self, ring: Ring, names: Sequence[str], start: float, end: float) -> Sequence[Series]:
        step = ring.tier.step
        steps = {each.time: each for each in ring.read(start - step, end)}
        times = range(int(start) // step * step, int(end) + 1, step)
        made = []
        for name in names:
            places = self._places(name)
            family = family_of(name)
            gauge = name in PERCENTILES or (family is not None and family.gauge)
            unit = "seconds" if name in PERCENTILES else family.unit if family is not None else ""
            points: list[tuple[float, float | None]] = []
            for at in times:
                known = steps.get(at)
                if known is None:
                    points.append((at, None))
                elif name in PERCENTILES:
                    points.append((at, percentile([known.values[place] for place in places], PERCENTILES[name])))
                else:
                    value = sum(known.values[place] for place in places)
                    points.append((at, value / known.samples if gauge else value))
            made.append(Series(name, unit, gauge, step, tuple(points)))
        return made

    def _places(self, name: str) -> Sequence[int]:
        if name in PERCENTILES:
            first = self._columns.index(f"{LATENCY}.0")
            return range(first, first + BUCKETS)
        return [
            place
            for place, column in enumerate(self._columns)
            if column == name or ("." not in name and column.partition(".")[0] == name)
        ]


def _of_latency(column: str) -> bool:
    return column.partition(".")[0] == LATENCY


if TYPE_CHECKING:
    from whimbrel.core.statistics import Statistics

    def _port(recorder: Recorder) -> Statistics:
        return recorder
