"""Where each part of a message lies: packed into an index row, and asked for by IMAP section.

Standards: RFC 9051 6.4.5.1 (section specifications)
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.mail.structure.mime import LEAF, MAX_DEPTH, MESSAGE, MULTIPART, Part

_SMALL = struct.Struct("<BHIII")
_LARGE = struct.Struct("<BHQQQ")
_LIMIT = 1 << 32
_DEEPEST = 2 * MAX_DEPTH
_SPEC = re.compile(
    r"(?:([1-9]\d{0,5}(?:\.[1-9]\d{0,5})*)(?:\.(?!\Z)|\Z))?"
    r"(HEADER(?=\Z|\.FIELDS(?:\.NOT)?\Z)|TEXT\Z|MIME\Z)?(?:(?<=R)\.FIELDS(?:\.NOT)?)?\Z",
    re.ASCII,
)
Row = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the message's bytes."""

    start: int
    length: int

    @property
    def stop(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Node:
    """A part. A message/rfc822 has one child, the message in it; a multipart its parts; others none."""

    kind: int
    """LEAF, MULTIPART or MESSAGE of `mail.mime`."""
    header: int
    text: int
    end: int
    children: tuple["Node", ...] = ()

    def numbered(self, number: int) -> "Node | None":
        """Its part `number`: a child, or itself for part 1 of what is no multipart."""
        if self.kind == MULTIPART:
            return self.children[number - 1] if 0 < number <= len(self.children) else None
        return self if number == 1 else None


@dataclass(frozen=True, slots=True)
class Structure:
    """The parts of one message."""

    root: Node

    @classmethod
    def unpack(cls, packed: bytes) -> "Structure":
        """From `Scan.parts`. ValueError if the bytes are not such."""
        record = _LARGE if packed[:1] == b"\x02" else _SMALL
        if packed[:1] not in (b"\x01", b"\x02") or (len(packed) - 1) % record.size or len(packed) < 1 + record.size:
            raise ValueError("not a packed structure")
        rows = list(record.iter_unpack(packed[1:]))
        root, used = _unpack(rows, 0, len(rows), 0)
        if used != len(rows):
            raise ValueError("not a packed structure")
        return cls(root)

    def locate(self, spec: str) -> Span | None:
        """The bytes of a section: "", "HEADER", "TEXT", "1.2", "1.2.MIME", "2.HEADER", "2.TEXT", in any case; for
        HEADER.FIELDS and HEADER.FIELDS.NOT the whole header (`mail.header.pick` chooses). None: no such part."""
        match = _SPEC.match(spec.upper())
        if not match:
            return None
        numbers, word = match.groups()
        return self.find([int(number) for number in numbers.split(".")] if numbers else [], word or "")

    def find(self, numbers: Sequence[int], word: str) -> Span | None:
        """The same with the part numbers apart; `word` is "", HEADER, TEXT or MIME."""
        if not numbers:
            if word == "MIME":  # RFC 9051 6.4.5.1: MIME must be prefixed by numbers.
                return None
            return _span(self.root, word) if word else Span(0, self.root.end)
        node = self.part(numbers)
        if node is None:
            return None
        if word in ("HEADER", "TEXT"):
            return _span(node.children[0], word) if node.kind == MESSAGE else None
        return _span(node, "HEADER" if word == "MIME" else "TEXT")

    def part(self, numbers: Sequence[int]) -> Node | None:
        """The part with these numbers; the message itself without any."""
        node = self.root
        for place, number in enumerate(numbers):
            if place:  # A number counts within the message itself, a multipart, or the message in a message part.
                if node.kind == LEAF:
                    return None
                if node.kind == MESSAGE:
                    node = node.children[0]
            inner = node.numbered(number)
            if inner is None:
                return None
            node = inner
        return node


def _span(node: Node, word: str) -> Span:
    if word == "HEADER":
        return Span(node.header, node.text - node.header)
    return Span(node.text, node.end - node.text)


def pack(root: Part) -> bytes:
    """One record for each part in depth-first order: kind, number of parts in it and below with itself, offsets."""
    if not root.children and root.end < _LIMIT:
        return b"\x01" + _SMALL.pack(root.kind, 1, root.header, root.text, root.end)
    record = _SMALL if root.end < _LIMIT else _LARGE
    out: list[bytes] = []
    _pack(root, record, out)
    return (b"\x01" if record is _SMALL else b"\x02") + b"".join(out)


def _pack(part: Part, record: struct.Struct, out: list[bytes]) -> None:
    place = len(out)
    out.append(b"")
    for child in part.children:
        _pack(child, record, out)
    out[place] = record.pack(part.kind, len(out) - place, part.header, part.text, part.end)


def _unpack(rows: list[Row], at: int, limit: int, depth: int) -> tuple[Node, int]:
    kind, count, start, text, end = rows[at]
    stop = at + count
    if not count or stop > limit or depth > _DEEPEST or not start <= text <= end or kind > MESSAGE:
        raise ValueError("not a packed structure")
    children: list[Node] = []
    at += 1
    while at < stop:
        child, at = _unpack(rows, at, stop, depth + 1)
        children.append(child)
    if (kind == MESSAGE and len(children) != 1) or (kind == LEAF and children):
        raise ValueError("not a packed structure")
    return Node(kind, start, text, end, tuple(children)), at
