"""Results for people and for programs: tables on a terminal, plain columns otherwise, JSON when asked.

A result's dataclass says what its values are: `Octets` is a number and `Moment` a time of RFC 3339 in JSON, words for
people. Tables fit the terminal (`tables.py`). What comes from outside (names, log lines,
replies of servers) reaches no terminal with control characters in it.
"""

import dataclasses
import json
import os
import shutil
import sys
import time
import types
import typing
from calendar import timegm
from collections.abc import Mapping, Sequence
from typing import Any, Final

from whimbrel.app.cli import tables
from whimbrel.app.cli.tables import Column, Gives
from whimbrel.services.admin.views import Moment, Octets, Words

_TURNING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Controls of direction, with which one name looks like another. Unicode 15, UAX 9"""
_NO_CONTROL = {
    code: "\ufffd" for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *_TURNING) if code not in (9, 10)
}
_NO_BREAK = _NO_CONTROL | {9: " ", 10: " "}
"""For cells of a table."""


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=not _unicode()), flush=True)


def print_json_line(value: object) -> None:
    """One item of a stream."""
    print(json.dumps(value, ensure_ascii=not _unicode()), flush=True)


def print_text(text: str) -> None:
    print(_printable(text.translate(_NO_CONTROL)), flush=True)


def print_error(text: str) -> None:
    print(_printable(f"whimbrel: {text}".translate(_NO_CONTROL)), file=sys.stderr)


def show(value: Any, kind: Any, field: str = "", *, wide: bool = False) -> None:
    """A result of the declared type `kind`. `field` alone if it is given, without its name. `wide`: tables are not
    made to fit the terminal."""
    if field:
        part = value[field]
        for item in part if isinstance(part, list) else [part]:
            if item or not isinstance(part, str):
                print_text(_word(item, hints(kind)[field]))
        return
    row = _row_type(kind)
    if row is not None:
        _table(value, row, wide=wide)
    elif dataclasses.is_dataclass(typing.get_origin(kind) or kind):
        _record(value, kind, wide=wide)
    else:
        print_text(_word(value, kind))


class StreamTable:
    """The items of a stream as one table. `live`: each as it comes, the columns growing with what they must hold; else
    they are laid out together, so many at a time. `checks`: of what looks for problems, and says where there are none.
    """

    def __init__(self, kind: Any, *, live: bool, checks: bool, wide: bool) -> None:
        self._live, self._checks, self._wide = live, checks, wide
        self._types = {} if kind is str else {name: h for name, h in hints(kind).items() if name not in _NOT_IN_LINES}
        self._columns = [_column(name, hint) for name, hint in self._types.items()]
        if kind is not str and {"problems", "repaired"} <= hints(kind).keys():
            self._columns.append(Column("Result", Gives.WORDS))
        self._rows: list[list[str]] = []
        self._widths: dict[int, int] = {}

    def put(self, item: Any) -> None:
        """Shows one, now or with others."""
        if isinstance(item, str) or item.get("text"):
            print_text(item if isinstance(item, str) else item["text"])
            return
        self._rows.append(self._row(item))
        if self._live:
            self._grow()
        elif len(self._rows) >= BATCH:
            self.end()

    def end(self) -> None:
        """Shows what is still to be shown."""
        if self._rows and not self._live:
            _print_table(self._columns, self._rows, wide=self._wide)
            self._rows = []

    def _row(self, item: Mapping[str, Any]) -> list[str]:
        row = [_cell(item[name], hint) for name, hint in self._types.items()]
        if len(self._columns) > len(row):
            noted = [*item["problems"], *item["repaired"]]
            row.append("; ".join(noted).translate(_NO_BREAK) or ("in order" if self._checks else ""))
        return row

    def _grow(self) -> None:
        wanted, first = tables.natural(self._columns, self._rows), not self._widths
        self._widths = {i: max(room, self._widths.get(i, 0)) for i, room in wanted.items()}
        for line in tables.lines(self._columns, self._rows, self._widths, heading=first):
            print_text(line)
        self._rows = []


BATCH: Final = 500
_NOT_IN_LINES: Final = frozenset({"problems", "repaired", "percent", "text"})


def _record(value: Mapping[str, Any], kind: Any, *, wide: bool) -> None:
    types_of = hints(kind)
    tables = [name for name, hint in types_of.items() if _row_type(hint) is not None]
    rest = [name for name in types_of if name not in tables]
    if not tables and "text" in rest:
        # A sentence says it all; the other fields are for programs.
        print_text(value["text"])
        return
    if tables == ["items"] and "note" in rest:
        _lines(value)
        return
    if tables == ["items"]:
        _table(value["items"], _row_type(types_of["items"]), wide=wide)
        if value.get("more"):
            print_error(f"there are more; go on with --after '{value['more']}'")
        return
    width = max((len(title(name)) for name in rest if name != "text"), default=0)
    for name in rest:
        if name != "text":
            print_text(f"{title(name):{width}}  {_word(value[name], types_of[name])}")
    for name in tables:
        if value[name]:
            print_text(f"\n{title(name)}")
            _table(value[name], _row_type(types_of[name]), wide=wide)
    if value.get("text"):
        print_text(value["text"])


def _lines(value: Mapping[str, Any]) -> None:
    """Lines of logs as they are; what there is to say of them goes to the standard error output."""
    for line in value["items"]:
        print_text(line["text"])
    if value["note"]:
        print_error(value["note"])
    if value["more"]:
        print_error(f"there may be more; go on with --after '{value['more']}'")


def _table(rows: Sequence[Mapping[str, Any]], kind: Any, *, wide: bool) -> None:
    types_of = hints(kind)
    if not rows:
        if sys.stdout.isatty():
            print_error("nothing found")
        return
    cells = [[_cell(row[name], hint) for name, hint in types_of.items()] for row in rows]
    _print_table([_column(name, hint) for name, hint in types_of.items()], cells, wide=wide)


def _print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, wide: bool) -> None:
    # A column in which nobody has anything would only take room.
    used = [index for index, _ in enumerate(columns) if any(row[index] for row in rows)]
    columns, rows = [columns[index] for index in used], [[row[index] for index in used] for row in rows]
    if not sys.stdout.isatty() or wide:
        shown = tables.lines(columns, rows, tables.natural(columns, rows))
        left_out: tuple[str, ...] = ()
    elif fit := tables.fitted(columns, rows, shutil.get_terminal_size().columns):
        shown, left_out = tables.lines(columns, rows, fit.widths), fit.left_out
        shown[0] = _bold(shown[0].translate(_NO_CONTROL))
    else:
        shown, left_out = tables.blocks(columns, rows), ()
    for line in shown:
        print(_printable(line))
    sys.stdout.flush()
    if left_out:
        print_error(f"no room for {', '.join(left_out)}: --wide shows all, and --json")


def _column(name: str, hint: Any) -> Column:
    gives = Gives.WORDS if hint == Words else Gives.LISTS if _is_list(hint) else Gives.NOTHING
    return Column(title(name), gives, _number(hint))


def _is_list(hint: Any) -> bool:
    return any(typing.get_origin(arm) is tuple for arm in (hint, *typing.get_args(hint)))


def _cell(value: Any, hint: Any) -> str:
    return _word(value, hint).translate(_NO_BREAK)


def _bold(text: str) -> str:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def _word(value: Any, hint: Any) -> str:
    """A value as a person reads it."""
    if hint is Moment:
        return moment(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_word(item, None) for item in value)
    if hint is Octets:
        return octets(int(value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_word(item, None)}" for name, item in value.items())
    return str(value)


def octets(number: int) -> str:
    """`4.0 KiB`."""
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{number} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def moment(written: str | None) -> str:
    """`2026-11-24 17:57:14`, local time, of a time of RFC 3339 in UTC."""
    if not written:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timegm(time.strptime(written, "%Y-%m-%dT%H:%M:%SZ"))))


def title(name: str) -> str:
    """`next_attempt` -> `Next attempt`."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def has_table(kind: Any, *, streams: bool) -> bool:
    """A result has rows, or is one of them."""
    if not dataclasses.is_dataclass(typing.get_origin(kind) or kind):
        return _row_type(kind) is not None
    return "text" not in hints(kind) if streams else any(map(_row_type, hints(kind).values()))


def hints(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass with their types; of `Page[Row]` with Row in its place."""
    origin = typing.get_origin(kind)
    if origin is None:
        return typing.get_type_hints(kind, include_extras=True)
    inner = dict(zip(origin.__parameters__, typing.get_args(kind), strict=True))
    return {name: _filled(hint, inner) for name, hint in typing.get_type_hints(origin, include_extras=True).items()}


def _filled(hint: Any, inner: Mapping[Any, Any]) -> Any:
    """A type with the parameters of its class put in."""
    if hint in inner:
        return inner[hint]
    free = getattr(hint, "__parameters__", ())
    return hint[tuple(inner[parameter] for parameter in free)] if free else hint


def _row_type(hint: Any) -> Any:
    """The dataclass in `tuple[Row, ...]`, else None."""
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return inner if dataclasses.is_dataclass(inner) else None
    return None


def _number(hint: Any) -> bool:
    return hint in (int, float, Octets) and not isinstance(hint, types.GenericAlias)


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _printable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
