"""In which line of an answers file each answer stands: the reader of TOML tells what it read, and not where.

The text has been read as TOML before; only headings of tables and the keys before `=` are looked for here.
Standards: TOML 1.0.0 (keys, tables, strings)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

_KEY: Final = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_STRING: Final = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*')


def lines_of(text: str) -> dict[str, int]:
    """Line by the name of an answer or of a table (`administrator.name`), its parts joined as they are."""
    places: dict[str, int] = {}
    table: list[str] = []
    for number, line in _beginnings(text):
        stripped = line.strip()
        if stripped.startswith("["):
            table, _ = _keys(stripped.lstrip("["))
            places.setdefault(".".join(table), number)
            continue
        keys, rest = _keys(line)
        if not keys or not rest.startswith("="):
            continue
        for upto in range(1, len(keys) + 1):
            places.setdefault(".".join([*table, *keys[:upto]]), number)
        for key in _inline(rest):
            places.setdefault(".".join([*table, *keys, key]), number)
    return places


def line_of(path: str, lines: Mapping[str, int]) -> int:
    """Of the answer that a fault is about, or of what it stands in; 0: it is in none."""
    if path in lines:
        return lines[path]
    bare = path.replace('"', "")
    while bare:
        if bare in lines:
            return lines[bare]
        bare = bare.rpartition(".")[0]
    return 0


def _beginnings(text: str) -> Iterator[tuple[int, str]]:
    """The lines in which something begins: not those inside of a list or of a text of several lines."""
    depth, quote = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        inside = bool(quote) or depth > 0
        if not inside:
            yield number, line
        # The brackets of a heading are no list.
        heading = not inside and line.lstrip().startswith("[")
        depth, quote = _after(line, depth, quote)
        depth = 0 if heading else depth


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How deep in lists and in which text of several lines one is behind `line`."""
    at = 0
    while at < len(line):
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + 3, ""
            continue
        match = _STRING.match(line, at)
        if match and match[0] in ('"""', "'''"):
            quote = match[0]
        elif not match:
            depth += {"[": 1, "]": -1}.get(line[at], 0)
        at = match.end() if match else at + 1
    return depth, quote


def _keys(text: str) -> tuple[list[str], str]:
    """The parts of a key at the beginning, and what comes behind."""
    keys, at = [], 0
    while match := _KEY.match(text, at):
        keys.append(next(each for each in match.groups() if each is not None))
        at = match.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    return keys, text[at:]


def _inline(rest: str) -> Sequence[str]:
    """The first keys in `= { listen = [...], enabled = true }`."""
    return re.findall(r"[{,]\s*\"?([A-Za-z0-9_-]+)\"?\s*=", rest) if rest[1:].lstrip().startswith("{") else ()
