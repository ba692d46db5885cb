"""Ports for unit tests: a clock that stands still, a log that remembers, work done at once, settings from a dict."""

from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Any, ParamSpec, TypeVar, cast

from whimbrel.app.services import AllServicesSettings
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.intents import Intent
from whimbrel.core.log import Log, Value
from whimbrel.core.pool import Pool
from whimbrel.core.settings import Section
from whimbrel.core.state import Counters, State
from whimbrel.services.session.services import ServicesSettings

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=Section)


class FakeClock:
    """Moves only when told to."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self.time = start
        self.ahead = 0.0
        """Seconds by which somebody has set the time of day."""

    def now(self) -> float:
        return self.time + self.ahead

    def monotonic(self) -> float:
        return self.time

    def date(self, at: float | None = None) -> str:
        return formatdate(self.now() if at is None else at)

    def forward(self, seconds: float) -> None:
        self.time += seconds


class FakeIds:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def _next(self) -> int:
        self.count += 1
        return self.count

    def queue_id(self) -> str:
        return f"6ab3f000-{self._next():08x}"

    def session_id(self) -> str:
        return f"s{self._next()}"

    def message_id(self, domain: str) -> str:
        return f"<{self._next()}@{domain}>"


class MemoryLog:
    """Remembers (level, event, fields)."""

    def __init__(self, fields: Mapping[str, Value] | None = None, records: list[Any] | None = None) -> None:
        self.records: list[tuple[str, str, dict[str, Value]]] = [] if records is None else records
        self._fields = dict(fields or {})
        self.debugging: set[str] = set()

    def _add(self, level: str, event: str, fields: Mapping[str, Value]) -> None:
        self.records.append((level, event, self._fields | dict(fields)))

    def debugs(self, category: str) -> bool:
        return category in self.debugging

    def debug(self, event: str, **fields: Value) -> None:
        self._add("debug", event, fields)

    def info(self, event: str, **fields: Value) -> None:
        self._add("info", event, fields)

    def warning(self, event: str, **fields: Value) -> None:
        self._add("warning", event, fields)

    def error(self, event: str, **fields: Value) -> None:
        self._add("error", event, fields)

    def exception(self, event: str, error: BaseException, **fields: Value) -> None:
        self._add("error", event, fields | {"error": repr(error)})

    def bind(self, **fields: Value) -> "MemoryLog":
        return MemoryLog(self._fields | fields, self.records)

    def named(self, event: str) -> list[dict[str, Value]]:
        """The fields of each record of `event`."""
        return [fields for _, name, fields in self.records if name == event]


class InlinePool:
    """Works at once, in the loop."""

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)


class FakeConfig:
    """Sections given by the test; defaults for all others."""

    def __init__(self, *sections: Section) -> None:
        self.sections: dict[type[Section], Section] = {type(section): section for section in sections}
        self.listeners: list[Callable[[frozenset[str]], None]] = []

    def section(self, kind: type[S]) -> S:
        found = self.sections.get(kind)
        if kind is ServicesSettings and found is None:
            return cast(S, AllServicesSettings())
        return found if isinstance(found, kind) else kind()

    def use(self, section: Section) -> None:
        """Replaces a section and tells the subscribers."""
        self.sections[type(section)] = section
        for changed in self.listeners:
            changed(frozenset({section.tag}))

    def subscribe(self, changed: Callable[[frozenset[str]], None]) -> None:
        self.listeners.append(changed)

    async def change(self, values: Mapping[str, object]) -> frozenset[str]:
        raise NotImplementedError("a test that changes settings uses the real store")


class MemoryState:
    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}

    async def get(self, kind: str, key: str) -> str | None:
        return self.values.get((kind, key))

    async def set(self, kind: str, key: str, value: str, *, expires: float | None = None) -> None:
        self.values[kind, key] = value

    async def delete(self, kind: str, key: str) -> None:
        self.values.pop((kind, key), None)

    async def list(self, kind: str, limit: int = 1000) -> list[tuple[str, str]]:
        return [(key, value) for (k, key), value in self.values.items() if k == kind][:limit]


class MemoryIntents:
    """`history` is all that was begun and ended."""

    def __init__(self) -> None:
        self.open: dict[str, Intent] = {}
        self.history: list[tuple[str, str]] = []

    async def begin(self, what: str, values: Mapping[str, str]) -> Intent:
        intent = Intent(str(len(self.history)), what, dict(values))
        self.open[intent.id] = intent
        self.history.append(("begin", what))
        return intent

    async def end(self, intent: Intent) -> None:
        self.open.pop(intent.id, None)
        self.history.append(("end", intent.what))

    async def pending(self) -> Sequence[Intent]:
        return list(self.open.values())


class MemoryCounters:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, name: str, amount: int = 1, *, window: float = 0) -> int:
        self.counts[name] = self.counts.get(name, 0) + amount
        return self.counts[name]

    def get(self, name: str, *, window: float = 0) -> int:
        return self.counts.get(name, 0)


_clock: Clock = FakeClock()
_ids: Ids = FakeIds()
_log: Log = MemoryLog()
_pool: Pool = InlinePool()
_config: ConfigStore = FakeConfig()
_state: State = MemoryState()
_counters: Counters = MemoryCounters()
