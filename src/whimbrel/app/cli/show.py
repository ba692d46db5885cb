"""Results for people and for programs: tables on a terminal, plain columns otherwise, JSON when asked.

A result's dataclass says what its values are: `Octets` is a number and `Moment` a time of RFC 3339 in JSON, words for
people. A table fits the terminal: columns of words are shortened, ids and numbers never; what still has no room is left
out from the right, and said. What comes from outside (names, log lines, replies of servers) reaches no terminal with
control characters in it.
"""

import dataclasses
import json
import os
import sys
import time
import types
import typing
from calendar import timegm
from collections.abc import Mapping, Sequence
from typing import Any, Final

from whimbrel.services.admin.views import Moment, Octets

_NO_CONTROL = {code: "\ufffd" for code in (*range(32), *range(127, 160), 0x2028, 0x2029) if code not in (9, 10)}
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


def show(value: Any, kind: Any, field: str = "") -> None:
    """A result of the declared type `kind`. `field` alone if it is given, without its name."""
    if field:
        part = value[field]
        for item in part if isinstance(part, list) else [part]:
            if item or not isinstance(part, str):
                print_text(_word(item, hints(kind)[field]))
        return
    row = _row_type(kind)
    if row is not None:
        _table(value, row)
    elif dataclasses.is_dataclass(typing.get_origin(kind) or kind):
        _record(value, kind)
    else:
        print_text(_word(value, kind))


def show_item(item: Any, kind: Any, *, checks: bool) -> None:
    """One item of a stream. `checks`: of one that looks for problems, and says where there are none."""
    if isinstance(item, str):
        print_text(item)
    elif item.get("text"):
        print_text(item["text"])
    else:
        types_of = hints(kind)
        names = [name for name in types_of if name not in _NOT_IN_LINES]
        words = [_word(item[name], types_of[name]).translate(_NO_BREAK) for name in names]
        noted = [*item.get("problems", ()), *item.get("repaired", ())]
        if noted or checks:
            words.append("; ".join(noted) or "in order")
        print_text("  ".join(filter(None, words)))


_NOT_IN_LINES: Final = frozenset({"problems", "repaired", "percent", "text"})


def _record(value: Mapping[str, Any], kind: Any) -> None:
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
        _table(value["items"], _row_type(types_of["items"]))
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
            _table(value[name], _row_type(types_of[name]))
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


def _table(rows: Sequence[Mapping[str, Any]], kind: Any) -> None:
    types_of = hints(kind)
    cells = [[_word(row[name], hint).translate(_NO_BREAK) for name, hint in types_of.items()] for row in rows]
    # A column in which nobody has anything would only take room.
    used = [index for index, _ in enumerate(types_of) if any(line[index] for line in cells)]
    columns = [(title(name), _number(hint)) for name, hint in types_of.items()]
    if not rows:
        if sys.stdout.isatty():
            print_error("nothing found")
        return
    titles = [columns[index] for index in used]
    lines = [[line[index] for index in used] for line in cells]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb":
        _rich(titles, lines)
    else:
        _plain(titles, lines)


def _rich(titles: Sequence[tuple[str, bool]], lines: Sequence[Sequence[str]]) -> None:
    from rich import box  # Here: 30 ms that plain output does not need.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    widths = fitted(titles, lines, console.width)
    for (name, number), width in zip(titles, widths, strict=False):  # Those that have room.
        table.add_column(name, justify="right" if number else "left", overflow="ellipsis", no_wrap=True, width=width)
    for line in lines:
        table.add_row(*(Text(_printable(cell)) for cell in line[: len(widths)]))
    console.print(table)
    if len(widths) < len(titles):
        print_error(
            f"no room for {', '.join(name for name, _ in titles[len(widths) :])}: widen the terminal, or --json"
        )


def fitted(titles: Sequence[tuple[str, bool]], lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of the columns within `room`: the widest column of words gives first, down to SHORTEST, but never the
    first one (names, ids); then the last columns go."""
    widths = [max(len(line[i]) for line in (*lines, [name for name, _ in titles])) for i in range(len(titles))]
    words = [index for index, (_, number) in enumerate(titles) if index and not number]
    while sum(widths) + 2 * len(widths) > room:
        shrinking = [index for index in words if index < len(widths) and widths[index] > SHORTEST]
        if shrinking:
            widths[max(shrinking, key=lambda index: widths[index])] -= 1
        elif len(widths) > 1:
            widths.pop()
        else:
            break
    return widths


SHORTEST: Final = 8


def _plain(titles: Sequence[tuple[str, bool]], lines: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[i]) for line in (*lines, [name for name, _ in titles])) for i in range(len(titles))]
    for line in ([name for name, _ in titles], *lines):
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, (_, number) in zip(line, widths, titles, strict=True)
        ]
        print_text("  ".join(padded).rstrip())


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


def hints(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass with their types; of `Page[Row]` with Row in its place."""
    origin = typing.get_origin(kind)
    if origin is None:
        return typing.get_type_hints(kind)
    inner = dict(zip(origin.__parameters__, typing.get_args(kind), strict=True))
    return {name: _filled(hint, inner) for name, hint in typing.get_type_hints(origin).items()}


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
