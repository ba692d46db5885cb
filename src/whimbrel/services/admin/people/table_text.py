"""Tables that people bring as CSV: bytes into text, text into rows, headings into what they mean.

Nobody saves CSV alike: Excel writes semicolons, tabs, cp1252 or UTF-16 by its language, mail servers each their own
headings. What cannot be understood is reported with its line, all of it in one round; what is hostile is bounded.

Standards: RFC 4180 (CSV), Unicode 23.8 (byte order mark)
"""

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 200
MAX_CELL: Final = 10_000
"""Characters."""
_SEPARATORS: Final = ",;\t"
_SNIFFED: Final = 64 << 10
_DEFUSED: Final = "=+-@\t\r"
"""What a spreadsheet would take for a formula at the beginning of a cell."""


def decoded(data: bytes) -> str:
    """Text in UTF-8 or UTF-16, with or without a byte order mark, else in cp1252, which every byte is some text in."""
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:].decode("utf-8", "replace")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    head = data[:_SNIFFED]
    for codec, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) >= 4 and zeros.count(0) * 10 >= len(zeros) * 7:
            return data.decode(codec, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # The five bytes that cp1252 leaves open are what Latin-1 makes of them, and refused as control characters.
        return "".join(bytes((octet,)).decode("cp1252", "ignore") or chr(octet) for octet in data)


Key = Callable[[set[str]], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of data: its number in the file, and its cells by what their columns mean."""

    number: int
    cells: Mapping[str, str]


@dataclass(slots=True)
class Rows:
    """All that a table says. `faults` are pairs of line and text."""

    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Headings that mean nothing here."""


def read_rows(text: str, headings: Mapping[str, str], key: Key, standard: tuple[str, ...]) -> Rows:
    """The rows of a table. `headings`: what a heading (as `folded` writes it) means. `key` says whether columns of
    these meanings name a user; without a heading the columns are `standard`, and the first line begins with an address.
    """
    result = Rows()
    columns: tuple[str, ...] | None = None
    for number, cells in _lines(text.removeprefix("\ufeff"), result):
        if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
            continue
        if columns is None:
            columns = _columns(cells, headings, standard)
            if _is_heading(cells, headings):
                _check_heading(number, cells, columns, headings, key, result)
                continue
            if "@" not in cells[0]:
                result.faults.append((number, "is neither a user nor a heading: begin with a heading, such as "
                                              "address,password,name, or with name@domain"))  # fmt: skip
                return result
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            result.faults.append((number, f"has {len(cells)} columns, not {len(columns)}"))
            continue
        if len(result.rows) >= MAX_ROWS:
            result.faults.append((number, f"a table has at most {MAX_ROWS} rows"))
            return result
        known = {name: _plain(cell) for name, cell in zip(columns, cells, strict=False) if name}
        result.rows.append(Row(number, known))
    return result


def folded(heading: str) -> str:
    """`E-Mail Address [Required]` -> `e mail address`: as headings are compared."""
    words = re.sub(r"\[[^\]]{0,60}\]|\([^)]{0,60}\)", " ", heading.strip().lower())
    words = f"{words} mb" if re.search(r"[(\[]\s*(mb|mib|megabytes)\s*[)\]]", heading.lower()) else words
    return " ".join(re.split(r"[\s_\-./:*]+", words)).strip()


def defused(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula; `read_rows` gives it back as it was."""
    return f"'{cell}" if cell.startswith(tuple(_DEFUSED)) or cell[:1] == "'" else cell


def _plain(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and (cell[1:2] in tuple(_DEFUSED) or cell[1:2] == "'") else cell


def _lines(text: str, result: Rows) -> Iterator[tuple[int, list[str]]]:
    separator, skipped = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            result.faults.append((number, f"is not CSV: {error}"))
            continue
        if number <= skipped:
            continue
        if len(cells) > MAX_COLUMNS:
            result.faults.append((number, f"has more than {MAX_COLUMNS} columns"))
        elif any(len(cell) > MAX_CELL for cell in cells):
            result.faults.append((number, f"has a cell of more than {MAX_CELL} characters"))
        elif any(char < " " or "\x7f" <= char < "\xa0" or char in "\u2028\u2029" for cell in cells for char in cell):
            result.faults.append((number, "control characters and line breaks are not allowed"))
        elif cells:
            yield number, cells


def _separator(text: str) -> tuple[str, int]:
    """What stands between cells, and how many lines at the beginning only say so (Excel's `sep=;`)."""
    first = next((line for line in text[:_SNIFFED].splitlines() if line.strip() and not line.startswith("#")), "")
    if re.fullmatch(r'"?sep=[,;\t|]"?', first.strip("\r\n")):
        return first.strip('"\r\n')[4], text[:_SNIFFED].splitlines().index(first) + 1
    outside = re.sub(r'"(?:[^"]|"")*"', "", first)
    return max(_SEPARATORS, key=outside.count), 0


def _columns(cells: list[str], headings: Mapping[str, str], standard: tuple[str, ...]) -> tuple[str, ...]:
    if not _is_heading(cells, headings):
        return standard
    return tuple(headings.get(folded(cell), "") for cell in cells)


def _is_heading(cells: list[str], headings: Mapping[str, str]) -> bool:
    return any(folded(cell) in headings for cell in cells) and not any("@" in cell for cell in cells)


def _check_heading(
    number: int, cells: list[str], columns: tuple[str, ...], headings: Mapping[str, str], key: Key,
    result: Rows,
) -> None:  # fmt: skip
    for cell, meaning in zip(cells, columns, strict=True):
        if meaning or not cell.strip():
            continue
        close = difflib.get_close_matches(folded(cell), list(headings), 1, 0.8)
        if close:
            hint = f"; did you mean '{close[0]}'?"
            result.faults.append((number, f"unknown column '{cell.strip()}'{hint}"))
        else:
            result.ignored.append(cell.strip())
    used = [meaning for meaning in columns if meaning]
    for meaning in sorted({meaning for meaning in used if used.count(meaning) > 1}):
        twice = [cell.strip() for cell, column in zip(cells, columns, strict=True) if column == meaning]
        result.faults.append((number, f"columns that mean the same: {', '.join(twice)}"))
    if not key(set(used)):
        result.faults.append((number, "names no column for the address, such as address, or username and domain"))
