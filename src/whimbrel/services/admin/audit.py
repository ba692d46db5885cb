"""What changed, from what to what, by whom and from where: the config log, whichever call made the change.

The editors of a call are wrapped, so that no call can change something and leave no trace. Secrets are masked: the
editors themselves tell them as `********`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from whimbrel.core.directory import DirectoryChange, Entry, Kind, Naming, Op
from whimbrel.services.admin.context import AdminContext

if TYPE_CHECKING:
    from whimbrel.core.config import ConfigEditor, Setting, Text
    from whimbrel.core.directory import DirectoryEditor
    from whimbrel.core.settings import Section

    S = TypeVar("S", bound=Section)

LONGEST: Final = 500
"""Characters of a value that the log shows."""
NAMED: Final = 500
"""Records of one change that the log names, one line each or more."""
Note = Callable[..., None]


def audited(ctx: AdminContext) -> AdminContext:
    """The same, with every change of settings and records written down."""

    def note(event: str, **fields: str | int) -> None:
        ctx.log.info(event, **fields, user=ctx.caller.name, origin=ctx.caller.origin)

    return replace(ctx, config=AuditedConfig(ctx.config, note), editor=AuditedDirectory(ctx.editor, note))


def shown(value: object) -> str:
    """A value in one line of a log."""
    text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


class AuditedConfig:
    """A ConfigEditor that writes down each setting that a change changed."""

    def __init__(self, inner: "ConfigEditor", note: Note) -> None:
        self._inner, self._note = inner, note

    async def change(
        self, values: Mapping[str, object], *, confirmed: str = "", passing: bool = False
    ) -> frozenset[str]:
        before = self._values()
        paths = await self._inner.change(values, confirmed=confirmed, passing=passing)
        self._written(paths, before)
        return paths

    async def reload(self, *, confirmed: str = "") -> frozenset[str]:
        before = self._values()
        paths = await self._inner.reload(confirmed=confirmed)
        self._written(paths, before)
        return paths

    def _values(self) -> dict[str, "Text"]:
        return {setting.path: setting.value for setting in self._inner.settings()}

    def _written(self, paths: frozenset[str], before: Mapping[str, "Text"]) -> None:
        after = self._values() if paths else {}
        for path in sorted(paths):
            old, new = before.get(path, ""), after.get(path, "")
            self._note("config.changed", setting=path, old=shown(old), new=shown(new))

    def section(self, kind: "type[S]") -> "S":
        return self._inner.section(kind)

    def subscribe(self, changed: Callable[[frozenset[str]], None]) -> None:
        self._inner.subscribe(changed)

    def settings(self) -> Iterator["Setting"]:
        return self._inner.settings()

    def describe(self, path: str) -> "Setting":
        return self._inner.describe(path)

    def get(self, path: str) -> "Text":
        return self._inner.get(path)

    def members(self, path: str, values: Sequence[str]) -> tuple[str, ...]:
        return self._inner.members(path, values)

    def search(self, words: str) -> list["Setting"]:
        return self._inner.search(words)

    def check(self, values: Mapping[str, object], *, confirmed: str = "") -> frozenset[str]:
        return self._inner.check(values, confirmed=confirmed)

    def concerns(self) -> Any:
        return self._inner.concerns()

    def difference(self) -> str:
        return self._inner.difference()

    async def keep(self) -> None:
        await self._inner.keep()


class AuditedDirectory:
    """A DirectoryEditor that writes down each value of a record that a change changed."""

    def __init__(self, inner: "DirectoryEditor", note: Note) -> None:
        self._inner, self._note = inner, note

    async def change(self, changes: Sequence[DirectoryChange]) -> None:
        named = changes[:NAMED]
        before = [await self._values(step) for step in named]
        await self._inner.change(changes)
        for step, old in zip(named, before, strict=True):
            self._written(step, old, await self._values(step))
        if len(changes) > NAMED:
            self._note("config.more", count=len(changes) - NAMED)

    async def _values(self, step: DirectoryChange) -> Mapping[str, "Text"]:
        entry = await self._inner.entry(step.kind, step.domain, step.name)
        return entry.values if entry is not None else {}

    def _written(self, step: DirectoryChange, old: Mapping[str, "Text"], new: Mapping[str, "Text"]) -> None:
        record = f"{step.kind} {step.name}@{step.domain}" if step.name else f"{step.kind} {step.domain}"
        if step.op is not Op.SET:
            values = new if step.op is Op.ADD else old
            text = "; ".join(f"{name}={shown(value)}" for name, value in values.items())
            self._note("config.record", action=step.op.value, record=record, values=shown(text))
            return
        for name in sorted({*old, *new}):
            before, after = old.get(name, ""), new.get(name, "")
            # A secret is told as it always is; that it was given anew is all there is to say.
            if before != after or (name in step.values and "********" in (before, after)):
                self._note("config.value", record=record, field=name, old=shown(before), new=shown(after))

    async def check(self, changes: Sequence[DirectoryChange]) -> None:
        await self._inner.check(changes)

    async def check_each(self, calls: Sequence[Sequence[DirectoryChange]]) -> Sequence[Exception | None]:
        return await self._inner.check_each(calls)

    async def entry(self, kind: Kind, domain: str, name: str = "") -> Entry | None:
        return await self._inner.entry(kind, domain, name)

    async def naming(self, addresses: Sequence[str]) -> Sequence[Naming]:
        return await self._inner.naming(addresses)

    async def doubtful(self, limit: int) -> Sequence[Naming]:
        return await self._inner.doubtful(limit)

    async def entries(
        self, kind: Kind, *, domain: str = "", search: str = "", after: str = "", limit: int = 100
    ) -> list[Entry]:
        return await self._inner.entries(kind, domain=domain, search=search, after=after, limit=limit)

    def difference(self) -> str:
        return self._inner.difference()

    def forgets(self) -> str:
        return self._inner.forgets()

    async def reload(self, *, confirmed: str = "") -> bool:
        return await self._inner.reload(confirmed=confirmed)

    async def heal(self) -> bool:
        return await self._inner.heal()

    async def keep(self) -> None:
        await self._inner.keep()


if TYPE_CHECKING:

    def _ports(config: AuditedConfig, editor: AuditedDirectory) -> "tuple[ConfigEditor, DirectoryEditor]":
        return config, editor
