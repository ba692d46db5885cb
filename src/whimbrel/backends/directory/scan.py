"""Reading `users.cfg` in one pass and bounded memory: where each record stands, by byte, and its text.

The file may have 50,000 users; expat tells the bytes at which elements begin and end, so that one record can later be
replaced without reading the others. Each record's text is then read like any configuration file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from whimbrel.core.config import ConfigError, Fault

MAX_BYTES: Final = 512 << 20
_MAX_DEPTH: Final = 16
_CHUNK: Final = 1 << 18
_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")


@dataclass(frozen=True, slots=True)
class Opened:
    """The root (depth 0) or a domain (depth 1) begins."""

    depth: int
    tag: str
    attributes: dict[str, str]
    start: int
    line: int


@dataclass(frozen=True, slots=True)
class Child:
    """A whole element inside a domain."""

    tag: str
    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The root or a domain ended before byte `end`."""

    depth: int
    end: int


Item = Opened | Child | Closed


def scan(content: bytes, file: str) -> Iterator[Item]:
    """The file's parts in order. ConfigError at the first thing that is not well-formed, or has no place there."""
    if len(content) > MAX_BYTES:
        raise ConfigError(Fault(file, 0, "", f"larger than {MAX_BYTES} bytes"))
    scanner = _Scanner(content, file)
    try:
        for start in range(0, max(len(content), 1), _CHUNK):
            scanner.parser.Parse(content[start : start + _CHUNK], start + _CHUNK >= len(content))
            yield from scanner.items
            scanner.items.clear()
    except expat.ExpatError as error:
        raise ConfigError(
            Fault(file, error.lineno, "", f"not well-formed XML: {expat.ErrorString(error.code)}")
        ) from None
    finally:
        scanner.release()


class _Scanner:
    def __init__(self, content: bytes, file: str) -> None:
        self._content, self._file = content, file
        self._depth = 0
        self._starts: list[tuple[int, int]] = []
        self.items: list[Item] = []
        self.parser = parser = expat.ParserCreate("UTF-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration

    def release(self) -> None:
        """Handlers are bound to us: break the ring, and let go of the file's bytes."""
        parser = self.parser
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
        parser.StartDoctypeDeclHandler = parser.XmlDeclHandler = None

    def _refuse(self, sentence: str, back: int = 0) -> ConfigError:
        return ConfigError(Fault(self._file, self.parser.CurrentLineNumber - back, "", sentence))

    def _doctype(self, *_: object) -> None:
        raise self._refuse("a DOCTYPE is not allowed")

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise self._refuse("only the encoding UTF-8 is allowed")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        depth, parser = self._depth, self.parser
        if depth <= 2:
            at, line = parser.CurrentByteIndex, parser.CurrentLineNumber
            self._starts.append((at, line))
            if depth < 2:
                self.items.append(Opened(depth, tag, attributes, at, line))
            else:
                parser.CharacterDataHandler = None  # What is inside is looked at when the record is read.
        elif depth > _MAX_DEPTH:
            raise self._refuse("elements are nested too deeply")
        self._depth += 1

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._depth > 2:
            return
        start, line = self._starts.pop()
        at = self.parser.CurrentByteIndex
        # Of an empty element expat tells the end, of others where the end tag begins. A `>` in quotes ends no tag.
        first = _TAG.match(self._content, start)
        empty = first is not None and self._content[first.end() - 2 : first.end()] == b"/>"
        match = first if empty else _TAG.match(self._content, at)
        if match is None:
            raise self._refuse("not well-formed XML")
        if self._depth < 2:
            self.items.append(Closed(self._depth, match.end()))
        else:
            self.parser.CharacterDataHandler = self._text
            self.items.append(Child(tag, start, match.end(), line))

    def _text(self, data: str) -> None:
        if data.strip():
            # expat reports text when it ends.
            raise self._refuse("text is not allowed here", data.lstrip().count("\n"))
