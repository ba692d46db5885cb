"""Reading configuration files: XML to sections, every mistake told at once with its line.

Hostile files are expected: a person may have pasted anything. No DOCTYPE (so no entities), UTF-8 only, bounded size;
nothing is fetched.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from lxml import etree
from pydantic import ValidationError

from whimbrel.backends.config import text
from whimbrel.backends.config.moved import move
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.settings import Section, xml_name

S = TypeVar("S", bound=Section)
Line = Callable[[etree._Element], int]

FORMAT: Final = (1, 1)
"""Version of both files, as this release writes them. 1.1 adds elements; a release that reads 1.0 keeps what it does
not know in a file that says 1.1, and would refuse it in one that says 1.0."""
MAX_BYTES: Final = 8 << 20
MAX_FAULTS: Final = 200
SPACE: Final = "{http://www.w3.org/XML/1998/namespace}space"
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\Z")


def parse(content: bytes, file: str, limit: int = MAX_BYTES) -> etree._Element:
    """The root element. ConfigError."""
    check_bytes(content, file, limit)
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as error:
        line, _column = error.position
        message = (error.msg or "not well-formed").rsplit(", line", 1)[0]
        raise ConfigError(Fault(file, line or 1, "", f"not well-formed XML: {message}")) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ConfigError(Fault(file, 1, "", "a DOCTYPE is not allowed"))
    return root


def check_bytes(content: bytes, file: str, limit: int) -> None:
    """What must hold before a parser sees the file. ConfigError."""
    if len(content) > limit:
        raise ConfigError(Fault(file, 0, "", f"larger than {limit} bytes"))
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(Fault(file, line, "", "not UTF-8: save the file in that encoding")) from None
    at = content.find(b"\0")
    if at >= 0:
        raise ConfigError(Fault(file, content.count(b"\n", 0, at) + 1, "", "a NUL byte is not allowed"))
    declared = _DECLARED.match(content.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise ConfigError(Fault(file, 1, "", "only the encoding UTF-8 is allowed"))
    at = _doctype(content)
    if at >= 0:
        raise ConfigError(Fault(file, content.count(b"\n", 0, at) + 1, "", "a DOCTYPE is not allowed"))


def _doctype(content: bytes) -> int:
    """Where a DOCTYPE stands before the root element, or -1. Comments and instructions are passed over."""
    at = 0
    while (at := content.find(b"<", at)) >= 0:
        if content.startswith(b"<!--", at):
            at = content.find(b"-->", at + 4)
        elif content.startswith(b"<?", at):
            at = content.find(b"?>", at + 2)
        else:
            return at if content.startswith(b"<!", at) else -1
        if at < 0:
            break
    return -1


def check_root(root_tag: str, attributes: dict[str, str], kind: type[Section], file: str, line: int) -> bool:
    """True: the file is of a newer minor version, its unknown names are kept. ConfigError."""
    if root_tag != kind.tag:
        raise ConfigError(Fault(file, line, "", f"the file begins with <{root_tag}>, not with <{kind.tag}>"))
    for name in attributes:
        if name not in ("version", "release"):
            hint = text.nearest(name, ("version", "release"))
            raise ConfigError(Fault(file, line, root_tag, f"unknown attribute '{name}'{hint}"))
    match = _VERSION.match(attributes.get("version", "1.0"))
    if not match:
        raise ConfigError(Fault(file, line, root_tag, "version is written like 1.0"))
    version = (int(match[1]), int(match[2]))
    if version[0] > FORMAT[0]:
        release = attributes.get("release", "")
        by = f"release {release}" if release else "a newer release"
        sentence = f"format {match[0]} was written by {by}; this one reads up to {FORMAT[0]}.x"
        raise ConfigError(Fault(file, line, root_tag, sentence))
    return version > FORMAT


def version_of(text: str) -> tuple[int, int]:
    """The version that a root element's attribute says; what is no version, or not there, is 1.0."""
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2])) if match else (1, 0)


def source_line(element: etree._Element) -> int:
    line: Any = element.sourceline
    return int(line or 0)


class Reader(Generic[S]):
    """Reads one element as a `kind`. `faults` are all mistakes, `warnings` what a newer minor version brought."""

    def __init__(self, kind: type[S], file: str, *, line: Line = source_line, newer: bool = False) -> None:
        self.kind, self.file = kind, file
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._line, self._newer = line, newer
        self._places: dict[tuple[str | int, ...], text.Place] = {}

    def read(self, element: etree._Element, path: str = "", attributes: tuple[str, ...] = ()) -> S | None:
        """The section, or None: then there are faults. `attributes` are allowed on the element and not looked at."""
        raw = self._section(element, self.kind, (), path, attributes)
        try:
            made = self.kind.model_validate(raw)
        except ValidationError as error:
            self.faults += text.from_pydantic(error, self.kind, self.file, self._places)
            made = None
        self.faults.sort(key=lambda fault: fault.line)
        return None if self.faults else made

    def _fault(self, element: etree._Element, path: str, sentence: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(self.file, self._line(element), path, sentence))

    def _section(
        self,
        element: etree._Element,
        kind: type[Section],
        loc: tuple[str | int, ...],
        path: str,
        attributes: tuple[str, ...],
    ) -> dict[str, Any]:
        raw: dict[str, Any] = {}
        self._places[loc] = (self._line(element), path)
        for name, value in ((str(name), value) for name, value in element.attrib.items()):
            if kind.key and name == xml_name(kind.key):
                raw[kind.key] = str(value).strip()
                self._places[*loc, kind.key] = (self._line(element), path)
            elif name not in attributes and name != SPACE:
                is_element = kind.field_for(name) is not None
                hint = "; write it as an element" if is_element else text.nearest(name, [xml_name(kind.key)])
                self._fault(element, path, f"unknown attribute '{name}'{hint}")
        if _stray(element):
            self._fault(element, path, "text is not allowed here")
        seen: dict[str, etree._Element] = {}
        known = text.elements(kind)
        for child in _children(element):
            name = str(child.tag)
            child_path = f"{path}/{name}" if path else name
            declared = known.get(name)
            if declared is None:
                self._unknown(child, kind, name, child_path)
                continue
            field, shape = declared.field, declared.shape
            first = seen.setdefault(name, child)
            if not shape.many and first is not child:
                self._fault(child, child_path, f"stands twice; first in line {self._line(first)}")
                continue
            if shape.many:
                self._item(raw.setdefault(field, []), child, declared, (*loc, field), child_path)
            elif shape.section:
                raw[field] = self._section(child, shape.section, (*loc, field), child_path, ())
            else:
                self._value(raw, field, child, declared.annotation, (*loc, field), child_path)
        return raw

    def _item(
        self,
        items: list[Any],
        child: etree._Element,
        declared: text.Declared,
        loc: tuple[str | int, ...],
        path: str,
    ) -> None:
        shape = declared.shape
        bare = not len(child) and not (child.text or "").strip() and not child.attrib
        if bare and (shape.section is None or declared.default):
            # One empty element is the empty list; without it there would be no way to write one.
            self._places.setdefault(loc, (self._line(child), path))
            return
        at = (*loc, len(items))
        if shape.section is None:
            box: dict[str, Any] = {}
            self._value(box, "", child, declared.annotation, at, path)
            items.extend(box.values())
            return
        if shape.section.key:
            key = str(child.get(xml_name(shape.section.key), "")).strip()
            path = f"{path}[{key}]"
            if any(item.get(shape.section.key) == key for item in items) and key:
                self._fault(child, path, f"the {xml_name(shape.section.key)} '{key}' stands twice")
        items.append(self._section(child, shape.section, at, path, ()))

    def _value(
        self,
        raw: dict[str, Any],
        name: str,
        child: etree._Element,
        annotation: Any,
        loc: tuple[str | int, ...],
        path: str,
    ) -> None:
        self._places[loc] = (self._line(child), path)
        for attribute in map(str, child.attrib):
            if attribute != SPACE:
                self._fault(child, path, f"unknown attribute '{attribute}'")
        if next(_children(child), None) is not None:
            self._fault(child, path, "a value is meant, without elements inside")
            return
        content = (child.text or "") + "".join(part.tail or "" for part in child)
        try:
            raw[name] = text.given(annotation, content if child.get(SPACE) == "preserve" else content.strip())
        except ValueError as error:
            self._fault(child, path, str(error))

    def _unknown(self, child: etree._Element, kind: type[Section], name: str, path: str) -> None:
        if self._newer:
            self.warnings.append(Fault(self.file, self._line(child), path, "unknown here, kept as it is"))
            return
        hint = text.nearest(name, kind.elements())
        if not hint:
            homes = [home for home in _homes(self.kind, name) if home]
            hint = f"; it belongs in {homes[0]}" if homes else ""
        self._fault(child, path, f"unknown{hint}")


def _children(element: etree._Element) -> Iterator[etree._Element]:
    """Elements only: no comments, no instructions."""
    return (child for child in element if isinstance(child.tag, str))


def _stray(element: etree._Element) -> bool:
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _homes(kind: type[Section], name: str, path: str = "", depth: int = 0) -> list[str]:
    """The sections below `kind` that know the element `name`."""
    homes = [path] if kind.field_for(name) else []
    if depth < 6:
        for element, field in kind.elements().items():
            inner = text.shape(kind, field).section
            if inner:
                homes += _homes(inner, name, f"{path}/{element}" if path else element, depth + 1)
    return homes


def read(root: etree._Element, kind: type[S], file: str) -> tuple[S, tuple[Fault, ...]]:
    """A whole file, with the warnings about what a newer minor version brought. ConfigError tells every fault."""
    attributes = {str(name): str(value) for name, value in root.attrib.items()}
    newer = check_root(str(root.tag), attributes, kind, file, source_line(root))
    move(root, kind)
    reader = Reader(kind, file, newer=newer)
    made = reader.read(root, attributes=("version", "release"))
    if made is None:
        raise ConfigError(*reader.faults)
    return made, tuple(reader.warnings)
