"""What changed, from what to what, by whom and from where: the config log, whichever call made the change.

The editors of a call are wrapped, so that no call can change something and leave no trace. All lines of one call have
one id: together they are a change, which `change undo` takes back (`change_lines.py` reads them). Secrets are masked:
the editors themselves tell them as `********`.
"""

import secrets
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from whimbrel.core.directory import DirectoryChange, Entry, Kind, Naming, Op, RecordPage, Reread
from whimbrel.services.admin.context import AdminContext, Caller

if TYPE_CHECKING:
    from whimbrel.core.config import ConfigEditor, Setting, Text
    from whimbrel.core.directory import DirectoryEditor
    from whimbrel.core.listing import RecordQuery
    from whimbrel.core.settings import Section
    from whimbrel.services.admin.ports import ConfigFiles, Version

    S = TypeVar("S", bound=Section)

LONGEST: Final = 500
"""Characters of a value that the log shows."""
NAMED: Final = 500
"""Records of one change that the log names, one line each or more."""
SEPARATOR: Final = ", "
"""Between the members of a list."""
OUTSIDE: Final = "edit by hand"
"""Who is named where nobody can tell who edited a file."""
Note = Callable[..., None]


def audited(ctx: AdminContext) -> AdminContext:
    """The same, with every change of settings and records written down under an id of its own."""
    change, recorded = change_id(ctx.clock.now()), list[str]()

    def note(event: str, **fields: str | int) -> None:
        recorded[:] = [change]
        ctx.log.info(event, **fields, user=ctx.caller.name, origin=ctx.caller.origin, change=change)

    config, editor = AuditedConfig(ctx.config, note), AuditedDirectory(ctx.editor, note)
    files = AuditedFiles(ctx.files, config, editor) if ctx.files else None
    return replace(ctx, change=change, recorded=recorded, config=config, editor=editor, files=files)


def note_edits(ctx: AdminContext, edit: "tuple[frozenset[str], Sequence[Setting]]", reread: Reread) -> None:
    """Writes down what an edit of the files changed while no server ran: the paths of settings with all settings as
    they were, and the records."""
    paths, before = edit
    own = audited(replace(ctx, caller=Caller(OUTSIDE, origin="the files, while no server ran")))
    assert isinstance(own.config, AuditedConfig) and isinstance(own.editor, AuditedDirectory)
    own.config.written(paths, {setting.path: setting for setting in before})
    own.editor.reread(reread)


def change_id(now: float) -> str:
    """`c6a5b1c2d-3f2a917e`: the second in which the call began, and chance. A word that the index of the log knows."""
    return f"c{int(now) & 0xFFFFFFFF:08x}-{secrets.token_hex(4)}"


def shown(value: object) -> str:
    """A value in one line of a log."""
    text = _joined(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _joined(value: object) -> str:
    return SEPARATOR.join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def is_whole(value: object) -> bool:
    """Whether the value can be read back from `shown`: it is not cut, nothing in it is written in another way in the
    log, and members of a list can be told apart."""
    text = _joined(value)
    if len(text) > LONGEST or not text.isprintable() or ": " in text:
        return False
    return not isinstance(value, tuple | list) or tuple(text.split(SEPARATOR) if text else ()) == tuple(value)


def _values(old: object, new: object) -> dict[str, str]:
    """Both as fields of a line; `cut` names those of which the line does not have all."""
    cut = " ".join(name for name, value in (("old", old), ("new", new)) if not is_whole(value))
    return {"old": shown(old), "new": shown(new), **({"cut": cut} if cut else {})}


class AuditedConfig:
    """A ConfigEditor that writes down each setting that a change changed."""

    def __init__(self, inner: "ConfigEditor", note: Note) -> None:
        self._inner, self._note = inner, note

    async def change(
        self, values: Mapping[str, object], *, confirmed: str = "", passing: bool = False
    ) -> frozenset[str]:
        before = self.as_it_is()
        paths = await self._inner.change(values, confirmed=confirmed, passing=passing)
        self.written(paths, before)
        return paths

    async def reload(self, *, confirmed: str = "", trial: bool = False) -> frozenset[str]:
        before = self.as_it_is()
        paths = await self._inner.reload(confirmed=confirmed, trial=trial)
        if not trial:
            self.written(paths, before)
        return paths

    def as_it_is(self) -> dict[str, "Setting"]:
        return {setting.path: setting for setting in self._inner.settings()}

    def written(self, paths: frozenset[str], before: Mapping[str, "Setting"]) -> None:
        after = self.as_it_is() if paths else {}
        for path in sorted(paths):
            if path in before and path in after:
                self._note("config.changed", setting=path, **_values(_noted(before[path]), _noted(after[path])))
            else:
                self._entries(path, before, after)

    def _entries(self, path: str, before: Mapping[str, "Setting"], after: Mapping[str, "Setting"]) -> None:
        """Of a list of sections: each value that came or went with an entry, or that they have another order."""
        old, new = _names(path, before), _names(path, after)
        gone, added = [name for name in old if name not in new], [name for name in new if name not in old]
        for action, names, settings in (("remove", gone, before), ("add", added, after)):
            for name in names:
                self._entry(action, f"{path}[{name}]", settings)
        if not gone and not added:
            self._note("config.changed", setting=path, action="order", **_values(old, new))

    def _entry(self, action: str, entry: str, settings: Mapping[str, "Setting"]) -> None:
        named = [each for each in settings.values() if each.path.startswith(f"{entry}/") and not each.is_default]
        for each in named:
            old, new = ("", _noted(each)) if action == "add" else (_noted(each), "")
            self._note("config.changed", setting=each.path, action=action, **_values(old, new))
        if not named:
            self._note("config.changed", setting=entry, action=action)

    def section(self, kind: "type[S]") -> "S":
        return self._inner.section(kind)

    def subscribe(self, changed: Callable[[frozenset[str]], None]) -> None:
        self._inner.subscribe(changed)

    def settings(self) -> Iterator["Setting"]:
        return self._inner.settings()

    def describe(self, path: str) -> "Setting":
        return self._inner.describe(path)

    def declared(self, path: str) -> "Setting":
        return self._inner.declared(path)

    def get(self, path: str) -> "Text":
        return self._inner.get(path)

    def members(self, path: str, values: Sequence[str]) -> tuple[str, ...]:
        return self._inner.members(path, values)

    def search(self, words: str) -> list["Setting"]:
        return self._inner.search(words)

    def proposed(self, values: Mapping[str, object], kind: "type[S]") -> "S":
        return self._inner.proposed(values, kind)

    def check(self, values: Mapping[str, object], *, confirmed: str = "") -> frozenset[str]:
        return self._inner.check(values, confirmed=confirmed)

    def concerns(self) -> Any:
        return self._inner.concerns()

    def forgets(self) -> str:
        return self._inner.forgets()

    def edited_before(self) -> "tuple[frozenset[str], tuple[Setting, ...]]":
        return self._inner.edited_before()

    def difference(self) -> str:
        return self._inner.difference()

    async def keep(self) -> None:
        await self._inner.keep()


def _noted(setting: "Setting") -> "Text":
    """What is written down of a value: of a secret that there is one, not even the host of a secret URL."""
    return "********" if setting.kind == "password" and setting.value else setting.value


def _names(path: str, settings: Iterable[str]) -> tuple[str, ...]:
    """Of the entries of a list of sections, in their order."""
    start = f"{path}["
    return tuple(dict.fromkeys(each[len(start) :].partition("]")[0] for each in settings if each.startswith(start)))


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
        if step.op is Op.SET:
            self._changed(record, old, new, step.values)
        else:
            self._whole(step.op, record, new if step.op is Op.ADD else old)

    def _whole(self, op: Op, record: str, values: Mapping[str, "Text"]) -> None:
        text = "; ".join(f"{name}={shown(value)}" for name, value in values.items())
        self._note("config.record", action=op.value, record=record, values=shown(text))

    def _changed(
        self, record: str, old: Mapping[str, "Text"], new: Mapping[str, "Text"], given: Container[str]
    ) -> None:
        """Each value; `given`: those that were given anew, whatever is shown of them."""
        for name in sorted({*old, *new}):
            before, after = old.get(name, ""), new.get(name, "")
            # A secret is told as it always is; that it was given anew is all there is to say.
            if before != after or (name in given and "********" in (before, after)):
                self._note("config.value", record=record, field=name, **_values(before, after))

    def reread(self, reread: Reread) -> None:
        """What an edit of the file changed, or a former version that was brought back."""
        for each in reread.records:
            record = f"{each.entry.kind} {named(each.entry)}"
            if each.before is None:
                self._whole(Op.ADD, record, each.entry.values)
            elif each.after is None:
                self._whole(Op.REMOVE, record, each.entry.values)
            else:
                self._changed(record, each.before.values, each.after.values, each.secrets)
        if reread.more:
            self._note("config.more", count=reread.more)

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

    async def page(self, query: "RecordQuery") -> "RecordPage":
        return await self._inner.page(query)

    async def counts(self) -> "Mapping[str, Mapping[Kind, int]]":
        return await self._inner.counts()

    def difference(self) -> str:
        return self._inner.difference()

    def forgets(self) -> str:
        return self._inner.forgets()

    async def reload(self, *, confirmed: str = "", trial: bool = False) -> Reread | None:
        reread = await self._inner.reload(confirmed=confirmed, trial=trial)
        self.reread(reread or Reread())
        return reread

    def taken(self) -> Reread:
        return self._inner.taken()

    async def heal(self) -> bool:
        return await self._inner.heal()

    async def keep(self) -> None:
        await self._inner.keep()


def named(entry: Entry) -> str:
    """`alice@example.org`, or a domain."""
    return f"{entry.name}@{entry.domain}" if entry.name else entry.domain


class AuditedFiles:
    """ConfigFiles that write down what a former version changed that was brought back."""

    def __init__(self, inner: "ConfigFiles", config: AuditedConfig, editor: AuditedDirectory) -> None:
        self._inner, self._config, self._editor = inner, config, editor

    async def restore(self, file: str, number: int, *, confirmed: str = "") -> Reread:
        before = self._config.as_it_is()
        reread = await self._inner.restore(file, number, confirmed=confirmed)
        after = self._config.as_it_is()
        self._config.written(_different(before, after), before)
        self._editor.reread(reread)
        return reread

    async def versions(self, file: str) -> "Sequence[Version]":
        return await self._inner.versions(file)

    async def difference(self, file: str, number: int) -> str:
        return await self._inner.difference(file, number)

    async def keep(self) -> Sequence[str]:
        return await self._inner.keep()

    def edited(self) -> str:
        return self._inner.edited()

    async def differ(self) -> Sequence[str]:
        return await self._inner.differ()

    async def aside(self) -> str:
        return await self._inner.aside()

    async def check(self) -> Any:
        return await self._inner.check()


def _different(before: Mapping[str, "Setting"], after: Mapping[str, "Setting"]) -> frozenset[str]:
    """Paths whose values differ; of lists of sections of which one came or went, the list."""
    paths = {path for path in before.keys() & after.keys() if before[path].value != after[path].value}
    return frozenset(paths | {path.rpartition("[")[0] for path in before.keys() ^ after.keys()})


if TYPE_CHECKING:

    def _ports(config: AuditedConfig, editor: AuditedDirectory) -> "tuple[ConfigEditor, DirectoryEditor]":
        return config, editor
