"""Paths of settings: `smtp/max-message-size`, `services/imap/listen`, `routing/relay[example.org]/host`.

An entry of a list of sections stands in brackets: its key, or its place counted from 1 where the section has none.
An entry that is named for the first time is made; one that is set to None is taken out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from whimbrel.backends.config import text
from whimbrel.core.config import ConfigError, Fault, Setting, Text, UnknownName
from whimbrel.core.settings import Concern, Gravity, Section, danger_of, default_of, list_of
from whimbrel.core.values import refuse_bare

_STEP = re.compile(r"([A-Za-z0-9-]{1,80})(?:\[([^\[\]]{1,255})\])?\Z")
_SPLIT = re.compile(r"/(?![^\[]*\])")
Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One level of a path: the section it stands in, its field, and the entry of a list."""

    kind: type[Section]
    field: str
    key: str = ""


def steps(root: type[Section], path: str) -> list[Step]:
    """The way to `path`. UnknownName, with the nearest known path."""
    kind, taken = root, []
    parts = _SPLIT.split(path.strip("/"))
    for index, part in enumerate(parts):
        match = _STEP.match(part)
        field = kind.field_for(match[1]) if match else None
        if not match or field is None:
            raise _unknown(root, path)
        step = Step(kind, field, match[2] or "")
        taken.append(step)
        shape = text.shape(kind, field)
        if step.key and not (shape.section and shape.many):
            raise UnknownName(Fault("", 0, path, f"{match[1]} has no entries to name in brackets"))
        if index + 1 < len(parts):
            if shape.section is None:
                raise _unknown(root, path)
            if shape.many and not step.key:
                raise UnknownName(Fault("", 0, path, f"name an entry: {match[1]}[...]"))
            kind = shape.section
    return taken


def _unknown(root: type[Section], path: str) -> UnknownName:
    known = [path for path, _, _ in declared(root)]
    hint = text.nearest(path, known)
    if not hint:
        last = path.rpartition("/")[2]
        same = [name for name in known if name.rpartition("/")[2] == last]
        hint = f"; did you mean '{same[0]}'?" if same else ""
    return UnknownName(Fault("", 0, path, f"there is no such setting{hint}"))


def declared(kind: type[Section], path: str = "", depth: int = 0) -> Iterator[tuple[str, type[Section], str]]:
    """Path, section and field of every setting that can be; entries of lists as `[]`."""
    for name, field in kind.elements().items():
        here = f"{path}/{name}" if path else name
        shape = text.shape(kind, field)
        if shape.section is None:
            yield here, kind, field
        elif depth < 8:
            yield from declared(shape.section, f"{here}[]" if shape.many else here, depth + 1)


def present(section: Section, path: str = "") -> Iterator[tuple[str, Section, str]]:
    """Path, section and field of every setting as it is now, entries of lists by their names."""
    kind = type(section)
    for name, field in kind.elements().items():
        here = f"{path}/{name}" if path else name
        shape = text.shape(kind, field)
        value = getattr(section, field)
        if shape.section is None:
            yield here, section, field
        elif not shape.many:
            yield from present(value, here)
        else:
            for index, entry in enumerate(value, 1):
                yield from present(entry, f"{here}[{getattr(entry, entry.key) if entry.key else index}]")


def reference(kind: type[Section], field: str) -> str:
    """The kind of record to which a setting refers by name; empty: to none."""
    extra = kind.model_fields[field].json_schema_extra
    return str(extra.get("x-ref", "")) if isinstance(extra, dict) else ""


def find(section: Section, path: str) -> tuple[Section, str]:
    """The section that holds the setting `path`, and its field. UnknownName."""
    way = steps(type(section), path)
    for step in way[:-1]:
        value = getattr(section, step.field)
        if step.key:
            entries = [entry for index, entry in enumerate(value, 1) if _name(entry, index) == step.key]
            if not entries:
                raise UnknownName(Fault("", 0, path, f"there is no entry '{step.key}'"))
            value = entries[0]
        section = value
    last = way[-1]
    if text.shape(last.kind, last.field).section:
        raise UnknownName(Fault("", 0, path, "this is a section; name one of its settings"))
    return section, last.field


def _name(entry: Section, index: int) -> str:
    return str(getattr(entry, entry.key)) if entry.key else str(index)


def raw(section: Section) -> Raw:
    """A section as nested dicts and lists by field, for `put`."""
    values: Raw = {}
    for field in type(section).model_fields:
        value = getattr(section, field)
        if isinstance(value, Section):
            values[field] = raw(value)
        elif isinstance(value, tuple):
            values[field] = [raw(item) if isinstance(item, Section) else item for item in value]
        else:
            values[field] = value
    return values


def put(values: Raw, way: list[Step], value: object) -> tuple[str | int, ...]:
    """Sets one setting in `values`; None takes it out. Returns where. ConfigError says what cannot be read."""
    loc: tuple[str | int, ...] = ()
    for step in way[:-1]:
        shape = text.shape(step.kind, step.field)
        loc = (*loc, step.field)
        if not shape.many:
            values = values.setdefault(step.field, {})
            continue
        entries = values.setdefault(step.field, [])
        index = _index(entries, shape.section, step.key)
        if index == len(entries):
            entries.append({shape.section.key: step.key} if shape.section and shape.section.key else {})
        loc = (*loc, index)
        values = entries[index]
    last = way[-1]
    shape = text.shape(last.kind, last.field)
    if shape.section:
        if value is not None:
            if not shape.many or last.key or not isinstance(value, tuple | list):
                raise ValueError("this is a section; set its settings one by one")
            values[last.field] = _reordered(values.get(last.field, []), shape.section, [str(each) for each in value])
        elif last.key:
            entries = values.get(last.field, [])
            index = _index(entries, shape.section, last.key)
            if index == len(entries):
                raise ConfigError(Fault("", 0, "", f"there is no entry '{last.key}'"))
            del entries[index]
        else:
            values.pop(last.field, None)
    elif value is None:
        values.pop(last.field, None)
    else:
        _refuse_bare(last, value)
        values[last.field] = text.field_value(last.kind, last.field, value)
    return (*loc, last.field)


def _reordered(entries: list[Raw], kind: type[Section], names: list[str]) -> list[Raw]:
    """The entries of a list in another order, by their names. ValueError: not each of them is named once."""
    known = {str(entry[kind.key]) if kind.key else str(at): entry for at, entry in enumerate(entries, 1)}
    if sorted(names) != sorted(known):
        raise ValueError(f"name each entry once, in the order that is meant: {', '.join(known) or 'there is none'}")
    return [known[name] for name in names]


def _refuse_bare(step: Step, value: object) -> None:
    """ValueError: a number without a unit where a person surely meant one. Files are not asked."""
    info = step.kind.model_fields[step.field]
    inner = list_of(info)
    kind = text.bare(inner if inner is not None else info.annotation)
    usual = default_of(info)
    usual = max(usual, default=None) if isinstance(usual, tuple) else usual
    for item in text.many(value) if inner is not None else (value,):
        refuse_bare(kind, item, float(usual) if isinstance(usual, int | float) else None)


def _index(entries: list[Raw], kind: type[Section] | None, key: str) -> int:
    """The place of an entry; one behind the last for a new one."""
    if kind is not None and kind.key:
        return next((at for at, entry in enumerate(entries) if str(entry[kind.key]) == key), len(entries))
    if not key.isdigit() or not 1 <= int(key) <= len(entries) + 1:
        raise ValueError(f"entries are counted from 1; the next is {len(entries) + 1}")
    return int(key) - 1


def changed(old: Section, new: Section, path: str = "") -> Iterator[str]:
    """The paths whose values differ. A list of sections of which one came or went is named as a whole too."""
    kind = type(new)
    for name, field in kind.elements().items():
        before, after = getattr(old, field), getattr(new, field)
        if before == after:
            continue
        here = f"{path}/{name}" if path else name
        shape = text.shape(kind, field)
        if shape.section is None:
            yield here
        elif not shape.many:
            yield from changed(before, after, here)
        else:
            then = {_name(entry, index): entry for index, entry in enumerate(before, 1)}
            now = {_name(entry, index): entry for index, entry in enumerate(after, 1)}
            if list(then) != list(now):
                yield here
            for key, entry in now.items():
                if key in then and then[key] != entry:
                    yield from changed(then[key], entry, f"{here}[{key}]")


def setting(path: str, section: Section, field: str) -> Setting:
    """All that is known of one setting."""
    kind = type(section)
    info = kind.model_fields[field]
    shape = text.shape(kind, field)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    value = getattr(section, field)
    default = None if info.is_required() else info.default
    danger = danger_of(info)
    return Setting(
        path=path,
        help=info.description or "",
        kind=shape.kind,
        value=text.shown(value),
        default="" if default is None else text.shown(default),
        is_default=not info.is_required() and value == default,
        choices=shape.choices,
        minimum=_bound(extra.get("minimum"), default),
        maximum=_bound(extra.get("maximum"), default),
        applies=str(extra.get("x-applies", "now")),
        advanced=bool(extra.get("x-advanced")),
        ref=str(extra.get("x-ref", "")),
        row=str(extra.get("x-mission", "")),
        group=str(extra.get("x-group", "")),
        ordered=extra.get("x-list") == "ordered",
        columns=tuple(shape.section.elements()) if shape.section and shape.many else (),
        shown_if=str(extra.get("x-show-if", "")),
        examples=tuple(map(str, examples)) if isinstance(examples := extra.get("examples"), list) else (),
        enabled_if=str(extra.get("x-enable-if", "")),
        danger=danger.text if danger else "",
        danger_words=danger.words if danger else "",
        danger_values=danger.values if danger else (),
        check=str(extra.get("x-check", "")),
    )


def dangers(old: Section, new: Section) -> Iterator[Concern]:
    """Values of `new` that are declared as dangerous, and are not so in `old`: a new entry's are compared with the
    defaults."""
    before = {path: getattr(section, field) for path, section, field in present(old)}
    for path, section, field in present(new):
        info = type(section).model_fields[field]
        danger = danger_of(info)
        if danger is None:
            continue
        was, now = before.get(path, default_of(info)), getattr(section, field)
        if was != now and danger.threatens(_gained(was, now)):
            yield Concern(path, danger.text, Gravity.DANGER, danger.words)


def _gained(was: Any, now: Any) -> Text:
    """Of a list what it did not have."""
    if isinstance(now, tuple):
        return tuple(str(each) for each in now if each not in (was or ()))
    return str(text.shown(now))


def _bound(value: Any, default: Any) -> str:
    if value is None:
        return ""
    # A bound of a size reads as a size, whether it was declared as one or as a number.
    return text.written(type(default)(value) if isinstance(default, int | float) else value)
