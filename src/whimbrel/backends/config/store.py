"""`mailserver.cfg` behind the port ConfigStore: an immutable snapshot that all read and only `control` changes.

Workers hold a store of their own and call `reload_if_changed` when they are told that something changed.
A change is validated as a whole, written, synced and renamed before anyone sees it. An edit made outside is never
overwritten: a change then raises ConfigConflict until `reload` (theirs) or `keep` (ours) decided.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

from pydantic import ValidationError

from whimbrel.backends.config import forgetting, paths, text, tree, xml
from whimbrel.backends.config.difference import unified
from whimbrel.backends.config.files import ConfigFile, Former, History, Identity, Retention
from whimbrel.backends.config.moved import move
from whimbrel.core.config import (
    ConfigConflict,
    ConfigEditor,
    ConfigError,
    Fault,
    Setting,
    Text,
    Unconfirmed,
    UnknownName,
)
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.settings import Concern, Gravity, Section
from whimbrel.core.urls import SecretUrl, Url

S = TypeVar("S", bound=Section)
T = TypeVar("T")
Changed = Callable[[frozenset[str]], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The configuration at one moment."""

    root: Section
    sections: Mapping[type[Section], Section]
    content: bytes
    identity: Identity | None
    warnings: tuple[Fault, ...] = ()


class FileConfig:
    """The store on a file. Nothing is read before `load` or `begin`; a file that is missing means all defaults."""

    def __init__(
        self,
        path: Path,
        root: type[Section],
        *,
        pool: Pool | None = None,
        log: Log | None = None,
        history: Path | History | None = None,
        new: bool = False,
    ) -> None:
        """`new`: it is made for the first time, by answers to a set-up, so that no value is a change of another."""
        self._new = new
        self._file = ConfigFile(path, history=history)
        self._kind, self._pool, self._log = root, pool, log
        self._listeners: list[Changed] = []
        self._writing = asyncio.Lock()
        self._use(_defaults(root))

    def _use(self, snapshot: Snapshot) -> None:
        self._snapshot, self._sections = snapshot, snapshot.sections

    @property
    def snapshot(self) -> Snapshot:
        """What is in use. Processes forked from this one share its memory if they `begin` with it."""
        return self._snapshot

    # Reading

    def section(self, kind: type[S]) -> S:
        """One dict look-up. KeyError: `kind` is not in the table of sections."""
        return cast(S, self._sections[kind])

    @property
    def root(self) -> Section:
        """The whole configuration in use."""
        return self._snapshot.root

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """What a file of a newer minor version has that is unknown here."""
        return self._snapshot.warnings

    def subscribe(self, changed: Changed) -> None:
        self._listeners.append(changed)

    def settings(self) -> Iterator[Setting]:
        return (paths.setting(*place) for place in paths.present(self._snapshot.root))

    def describe(self, path: str) -> Setting:
        section, field = paths.find(self._snapshot.root, path)
        return paths.setting(path.strip("/"), section, field)

    def declared(self, path: str) -> Setting:
        try:
            return self.describe(path)
        except UnknownName:
            last = paths.steps(self._kind, path)[-1]
            if text.shape(last.kind, last.field).section:
                raise
            # Not validated: a new entry may lack what is required of it.
            return paths.setting(path.strip("/"), last.kind.model_construct(), last.field)

    def get(self, path: str) -> Text:
        section, field = paths.find(self._snapshot.root, path)
        return text.shown(getattr(section, field))

    def members(self, path: str, values: Sequence[str]) -> tuple[str, ...]:
        section, field = paths.find(self._snapshot.root, path)
        return tuple(text.member(type(section), field, value) for value in values)

    def search(self, words: str) -> list[Setting]:
        wanted = words.lower().split()
        return [
            setting
            for setting in self.settings()
            if all(word in f"{setting.path} {setting.help}".lower() for word in wanted)
        ]

    # Former versions

    def retain(self, retention: Callable[[], Retention]) -> None:
        """Which former versions are kept from now on; asked at each write."""
        self._file.retention = retention

    def former(self) -> list[Former]:
        """The latest first."""
        return self._file.former()

    def difference_to(self, number: int) -> str:
        """A unified diff from the file in use to a former version. LookupError."""
        content = self._file.version(number, xml.MAX_BYTES)
        return unified(self._snapshot.content, content, self._file.name, self._kind, f"version {number}")

    async def restore(self, number: int, *, confirmed: str = "") -> frozenset[str]:
        """Puts a former version back as a new change. LookupError, ConfigError, Unconfirmed, ConfigConflict."""
        async with self._writing:
            self._unchanged_outside()
            content = self._file.version(number, xml.MAX_BYTES)
            await self._run(self.confirm, content, confirmed)
            delta = self._take(content, await self._run(self._file.replace, [content]))
            await self._run(self._file.put_in_force, content)
            return delta

    def verify(self, content: bytes | None = None) -> None:
        """Reads the file on disk, or `content`, as a start would. ConfigError tells every fault."""
        if content is None:
            content, identity = self._file.read(xml.MAX_BYTES)
            if identity is None:
                return
        xml.read(xml.parse(content, self._file.name), self._kind, self._file.name)

    def confirm(self, content: bytes, confirmed: str) -> None:
        """Unconfirmed: `content` is dangerous as the file in use is not, or lacks most of its settings, and nobody
        typed the words. ConfigError: it is refused as a change to the same would be."""
        root, _ = xml.read(xml.parse(content, self._file.name), self._kind, self._file.name)
        forgetting.demand(self._snapshot.root, root, f"That version of {self._file.name}", confirmed)
        self._refuse(root, confirmed)

    # Loading

    def begin(self, known: Snapshot | None) -> None:
        """Takes the file on disk into use: it need not be read again if it is still that of `known`. ConfigError"""
        if known is None or known.identity != self._file.identity():
            self.load()
            return
        self._use(known)
        self._warn(known.warnings)

    def edited_before(self) -> tuple[frozenset[str], tuple[Setting, ...]]:
        """For a start: the paths that an edit changed since the configuration was last in use, and all settings as they
        were then. That version is kept. For the one writer of the file, after it was read."""
        former, content = self._file.in_force(), self._snapshot.content
        self._file.put_in_force(content)
        if former is None or former == content:
            return frozenset(), ()
        try:
            root = self._read(former, self._snapshot.identity) if former else self._kind()
        except ConfigError:
            return frozenset(), ()  # A former release wrote it.
        self._file.keep_content([former])
        delta = frozenset(paths.changed(root, self._snapshot.root))
        return delta, tuple(paths.setting(*place) for place in paths.present(root))

    def load(self) -> frozenset[str]:
        """Takes the file on disk into use; the paths that changed. ConfigError: the former snapshot stays in use."""
        return self._take(*self._file.read(xml.MAX_BYTES))

    def reload_if_changed(self) -> frozenset[str]:
        """For workers, when told of a change: one `stat` if there is none. ConfigError leaves all as it was."""
        return frozenset() if self._file.identity() == self._snapshot.identity else self.load()

    async def reload(self, *, confirmed: str = "", trial: bool = False) -> frozenset[str]:
        async with self._writing:
            content, identity = await self._run(self._file.read, xml.MAX_BYTES)
            root, missing = self._read(content, identity), identity is None
            forgetting.demand(self._snapshot.root, root, self._file.name, confirmed, missing=missing)
            await self._run(self._refuse, root, confirmed)
            if trial:
                return frozenset(paths.changed(self._snapshot.root, root))
            if content != self._snapshot.content:
                # In force until now, and no longer on disk: `config undo` brings it back.
                await self._run(self._file.keep_content, [self._snapshot.content])
            delta = self._take(content, identity)
            await self._run(self._file.put_in_force, content)
            return delta

    def forgets(self) -> str:
        if self._file.identity() == self._snapshot.identity:
            return ""
        content, identity = self._file.read(xml.MAX_BYTES)
        try:
            root = self._read(content, identity)
        except ConfigError:
            return ""
        return forgetting.forgets(self._snapshot.root, root, self._file.name, missing=identity is None)

    def _read(self, content: bytes, identity: Identity | None) -> Section:
        """What a file says; one that is missing says nothing. ConfigError"""
        if identity is None:
            return self._kind()
        root, _ = xml.read(xml.parse(content, self._file.name), self._kind, self._file.name)
        return root

    def edited(self) -> str:
        """Which state the file on disk is in, if it is not the one in use; else empty. One `stat`."""
        identity = self._file.identity()
        return "" if identity == self._snapshot.identity else f"{self._file.name}={identity}"

    def difference(self) -> str:
        if self._file.identity() == self._snapshot.identity:
            return ""
        content, _ = self._file.read(xml.MAX_BYTES)
        return unified(self._snapshot.content, content, self._file.name, self._kind)

    def _take(self, content: bytes, identity: Identity | None) -> frozenset[str]:
        """Puts a file's content into use and announces what changed."""
        root, warnings = self._kind(), tuple[Fault, ...]()
        if identity is not None:
            root, warnings = xml.read(xml.parse(content, self._file.name), self._kind, self._file.name)
        delta = frozenset(paths.changed(self._snapshot.root, root))
        self._use(Snapshot(root, _index(root), content, identity, warnings))
        self._warn(warnings)
        self._announce(delta)
        return delta

    def _warn(self, warnings: tuple[Fault, ...]) -> None:
        for fault in warnings:
            if self._log:
                self._log.warning("config.unknown", line=fault.line, path=fault.path)

    def _announce(self, delta: frozenset[str]) -> None:
        if delta:
            for changed in self._listeners:
                changed(delta)

    # Changing

    async def change(
        self, values: Mapping[str, object], *, confirmed: str = "", passing: bool = False
    ) -> frozenset[str]:
        async with self._writing:
            self._unchanged_outside()
            new = self._changed(values)
            delta = frozenset(paths.changed(self._snapshot.root, new))
            if not delta:
                return delta
            await self._run(self._refuse, new, confirmed)
            content = self._content(new)
            identity = await self._run(self._file.replace, [content], not passing)
            self._use(Snapshot(new, _index(new), content, identity, self._snapshot.warnings))
            await self._run(self._file.put_in_force, content)
        self._announce(delta)
        return delta

    def check(self, values: Mapping[str, object], *, confirmed: str = "") -> frozenset[str]:
        new = self._changed(values)
        self._refuse(new, confirmed)
        return frozenset(paths.changed(self._snapshot.root, new))

    def proposed(self, values: Mapping[str, object], kind: type[S]) -> S:
        return cast(S, _index(self._changed(values))[kind])

    def concerns(self) -> Sequence[Concern]:
        return judged(self._snapshot.root, self.folder)

    def concerns_on_disk(self) -> Sequence[Concern]:
        """What the cross-checks say of the file on disk. ConfigError: it cannot be read."""
        return judged(self._read(*self._file.read(xml.MAX_BYTES)), self.folder)

    @property
    def folder(self) -> str:
        """Of the file."""
        return str(self._file.path.parent)

    def _refuse(self, new: Section, confirmed: str) -> None:
        """What the cross-checks refuse, or want confirmed: only what was not so before. ConfigError, Unconfirmed."""
        new_concerns = self._new_concerns(new)
        wrong = [Fault("", 0, each.path, each.text) for each in new_concerns if each.gravity is Gravity.WRONG]
        if wrong:
            raise ConfigError(*wrong)
        _ask(new_concerns, confirmed)

    def _new_concerns(self, new: Section) -> list[Concern]:
        before = frozenset(judged(self._snapshot.root, self.folder))
        changes = () if self._new else paths.dangers(self._snapshot.root, new)
        proposed = (*changes, *judged(new, self.folder))
        return [concern for concern in dict.fromkeys(proposed) if concern not in before]

    async def keep(self) -> None:
        """Writes the configuration in use over an edit made outside, which is kept among the former versions."""
        async with self._writing:
            content = self._snapshot.content or self._content(self._snapshot.root)
            identity = await self._run(self._file.replace, [content])
            old = self._snapshot
            self._use(Snapshot(old.root, old.sections, content, identity, old.warnings))

    def _unchanged_outside(self) -> None:
        if self._file.identity() == self._snapshot.identity:
            return
        content, identity = self._file.read(xml.MAX_BYTES)
        if content != self._snapshot.content:
            ours = self._snapshot.content
            raise ConfigConflict(
                self._file.name, unified(ours, content, self._file.name, self._kind), self._differing(content)
            )
        old = self._snapshot  # Touched or copied, not edited.
        self._use(Snapshot(old.root, old.sections, content, identity, old.warnings))

    def _differing(self, content: bytes) -> tuple[tuple[str, Text | None, Text | None], ...]:
        """Settings whose value in `content` is not the one in use."""
        try:
            root, _ = xml.read(xml.parse(content, self._file.name), self._kind, self._file.name)
        except ConfigError:
            return ()
        return tuple(
            (path, _shown(self._snapshot.root, path), _shown(root, path))
            for path in sorted(paths.changed(self._snapshot.root, root))
        )

    def _changed(self, values: Mapping[str, object]) -> Section:
        """The configuration with `values` set, validated as a whole. ConfigError tells every fault."""
        raw = paths.raw(self._snapshot.root)
        places: dict[tuple[str | int, ...], text.Place] = {(): (0, "")}
        faults: list[Fault] = []
        # Lists last: the order of entries is given by names of which some are made, or taken out, by the same change.
        for path, value in sorted(values.items(), key=lambda each: isinstance(each[1], tuple | list)):
            try:
                way = paths.steps(self._kind, path)
                loc = paths.put(raw, way, value)
                places[loc] = (0, path)
                if len(loc) > 1 and isinstance(loc[-2], int):
                    places[loc[:-1]] = (0, path)
            except ConfigError as error:
                if len(values) == 1:
                    raise
                faults += error.faults
            except ValueError as error:
                faults.append(Fault("", 0, path, str(error)))
        try:
            new = self._kind.model_validate(raw)
        except ValidationError as error:
            faults += text.from_pydantic(error, self._kind, "", places)
        if faults:
            raise ConfigError(*faults)
        return new

    def _content(self, new: Section) -> bytes:
        """The file's text with `new` in it. It is read back: what is written must say exactly what is meant."""
        if self._snapshot.content.strip():
            element = xml.parse(self._snapshot.content, self._file.name)
            move(element, self._kind)
            tree.apply(element, new, self._snapshot.root)
            tree.raise_version(element)
        else:
            element = tree.new_file(self._kind)
            tree.apply(element, new, None)
        content = tree.render(element)
        again, _ = xml.read(xml.parse(content, self._file.name), self._kind, self._file.name)
        if again != new:
            wrong = ", ".join(sorted(paths.changed(new, again))[:5])
            raise ConfigError(Fault(self._file.name, 0, wrong, "the value cannot be written to the file"))
        return content

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await self._pool.run(work, *args) if self._pool else work(*args)


def _shown(root: Section, path: str) -> Text | None:
    try:
        section, field = paths.find(root, path)
    except UnknownName:
        return None
    return text.shown(getattr(section, field))


@lru_cache(4)
def _defaults(kind: type[Section]) -> Snapshot:
    root = kind()
    return Snapshot(root, _index(root), b"", None)


def _index(root: Section) -> dict[type[Section], Section]:
    """Every section by its class, and by the class that a table added its fields to (`core.settings.assembled`). A
    class that stands in two places is found in neither: ask its parent."""
    sections: dict[type[Section], Section] = {type(root): root}
    twice: set[type[Section]] = set()
    todo: Sequence[Section] = (root,)
    while todo:
        inner = [
            value for section in todo for field in type(section).model_fields
            if isinstance(value := getattr(section, field), Section)
        ]  # fmt: skip
        for section in inner:
            for kind in type(section).__mro__:
                if not issubclass(kind, Section) or kind.tag != section.tag:
                    break
                if kind in sections:
                    twice.add(kind)
                sections[kind] = section
        todo = inner
    return {kind: section for kind, section in sections.items() if kind not in twice}


@dataclass(frozen=True, slots=True)
class _Whole:
    """A configuration as cross-checks see it."""

    folder: str
    root: Section
    sections: Mapping[type[Section], Section]

    def section(self, kind: type[S]) -> S:
        return cast(S, self.sections[kind])

    def references(self) -> Iterator[tuple[str, str, str]]:
        for path, section, field in paths.present(self.root):
            if ref := paths.reference(type(section), field):
                value = getattr(section, field)
                for each in value if isinstance(value, tuple) else (value,):
                    yield path, ref, str(each)


def judged(root: Section, folder: str) -> list[Concern]:
    """What the cross-checks of all sections say of a configuration, the gravest first."""
    sections = _index(root)
    whole = _Whole(folder, root, sections)
    concerns = [*_malformed(root), *(concern for kind in sections for check in kind.checks for concern in check(whole))]
    return sorted(dict.fromkeys(concerns), key=lambda concern: -concern.gravity)


def _malformed(root: Section) -> Iterator[Concern]:
    """URLs that nothing can be asked of: a file may hold them, no change may set them."""
    for path, section, field in paths.present(root):
        value = getattr(section, field)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Url | SecretUrl) and each.fault:
                yield Concern(path, each.fault, Gravity.WRONG)


def _ask(concerns: Sequence[Concern], confirmed: str) -> None:
    """Unconfirmed: there is a danger among them, and nobody typed the words of all; those for all settings are for any
    of them."""
    if confirmed == forgetting.WORDS:
        return
    dangers = [each for each in concerns if each.gravity is Gravity.DANGER]
    words = " and ".join(dict.fromkeys(each.words for each in dangers))
    if dangers and words != confirmed:
        raise Unconfirmed(words, *(Fault("", 0, each.path, each.text) for each in dangers))


_port: type[ConfigEditor] = FileConfig
