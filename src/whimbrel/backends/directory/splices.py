"""Changing a few records in the text of `users.cfg`, leaving every other byte as it is.

`Splice`s are in bytes of the former file. `marks` tell where records stand inside a splice's new text, so that the
index knows their new places without reading the file again.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import apsw

from whimbrel.backends.config.tree import VERSION
from whimbrel.backends.config.xml import FORMAT, version_of
from whimbrel.backends.directory.index import DOMAIN, FIELD, ROOT_ID

_INDENT: Final = b"  "
_ROOT_VERSION: Final = re.compile(rb"\bversion\s*=\s*([\"'])(.*?)\1")
_FEW: Final = 16


@dataclass(frozen=True, slots=True)
class Mark:
    """Node `node` is the `length` bytes from `start` of a splice's text."""

    node: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Splice:
    """`text` instead of the bytes from `start` to before `end`, inside the domain `domain` (0: in the root)."""

    start: int
    end: int
    text: bytes
    domain: int
    marks: tuple[Mark, ...] = ()

    @property
    def growth(self) -> int:
        return len(self.text) - (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Edit:
    """One node's new text; None takes it out. A new setting of a domain stands behind the node `after`."""

    node: int
    kind: int
    domain: int
    text: bytes | None
    after: int = 0


def plan(db: apsw.Connection, content: bytes, edits: Sequence[Edit], added_names: Sequence[bytes]) -> list[Splice]:
    """The splices for `edits`, ascending. The text of a new domain is `<domain ...>` and its settings, without its end;
    a domain that goes takes with it what stands inside. `added_names`: start tags of a later minor version."""
    placed: dict[int, tuple[int, int]] = {}
    for node in {node for edit in edits for node in (edit.node, edit.domain, edit.after)} | {ROOT_ID}:
        row = db.execute("SELECT start, length FROM place WHERE id = ?", (node,)).get
        if isinstance(row, tuple):
            placed[node] = (int(row[0]), int(row[0]) + int(row[1]))
    new_domains = {edit.node: edit for edit in edits if edit.kind == DOMAIN and edit.text and edit.node not in placed}
    gone = {edit.node for edit in edits if edit.kind == DOMAIN and edit.text is None}
    splices: list[Splice] = []
    added: dict[int, list[Edit]] = {}
    for edit in edits:
        if edit.domain in gone:
            continue
        if edit.node in placed:
            splices.append(_replaced(content, edit, *placed[edit.node]))
        elif edit.text is not None and edit.after in placed:
            at = placed[edit.after][1]
            text, marks = _joined([(b"\n" + _INDENT * 2, _block(edit))])
            splices.append(Splice(at, at, text, edit.domain, marks))
        elif edit.text is not None and edit.kind != DOMAIN:
            added.setdefault(edit.domain, []).append(edit)
    for domain, children in added.items():
        if domain not in new_domains:
            splices += _into(content, domain, *placed[domain], children)
    if new_domains:
        blocks = [_domain_block(edit, added.get(node, [])) for node, edit in new_domains.items()]
        splices += _append(content, 0, *placed[ROOT_ID], blocks, 0)
    if any(name in splice.text for splice in splices for name in added_names):
        splices += _raised(content, placed[ROOT_ID][0])
    return sorted(splices, key=lambda splice: (splice.start, splice.end))


def _raised(content: bytes, start: int) -> list[Splice]:
    """The file says from now on that it has elements of this release."""
    end = _tag_end(content, start)
    match = _ROOT_VERSION.search(content, start, end)
    if match is None:
        at = _name_end(content, start)
        return [Splice(at, at, b' version="%b"' % VERSION.encode(), 0)]
    if version_of(match[2].decode("ascii", "replace")) >= FORMAT:
        return []
    return [Splice(match.start(2), match.end(2), VERSION.encode(), 0)]


Block = tuple[bytes, tuple[Mark, ...]]


def _replaced(content: bytes, edit: Edit, start: int, end: int) -> Splice:
    if edit.text is not None:
        return Splice(start, end, edit.text, edit.domain, (Mark(edit.node, 0, len(edit.text)),))
    first, last = start, end
    while first > 0 and content[first - 1 : first] in (b" ", b"\t"):
        first -= 1
    while content[last : last + 1] in (b" ", b"\t", b"\r"):
        last += 1
    # A record alone on its lines goes with them; a remark beside it stays.
    alone = (first == 0 or content[first - 1 : first] == b"\n") and content[last : last + 1] == b"\n"
    return Splice(first, last + 1, b"", edit.domain) if alone else Splice(start, end, b"", edit.domain)


def _into(content: bytes, domain: int, start: int, end: int, children: list[Edit]) -> list[Splice]:
    """New settings stand first in their domain, new records last."""
    fields = [_block(edit) for edit in children if edit.kind == FIELD]
    records = [_block(edit) for edit in children if edit.kind != FIELD]
    if not fields or content[end - 2 : end] == b"/>":
        return _append(content, domain, start, end, [*fields, *records], 1)
    head = _tag_end(content, start)
    text, marks = _joined([(b"\n" + _INDENT * 2, fields[0]), *((b"\n" + _INDENT * 2, block) for block in fields[1:])])
    splices = [Splice(head, head, text, domain, marks)]
    return splices + (_append(content, domain, start, end, records, 1) if records else [])


def _append(content: bytes, domain: int, start: int, end: int, blocks: Sequence[Block], depth: int) -> list[Splice]:
    """`blocks` as the last things inside the element from `start` to `end`."""
    lead, close = b"\n" + _INDENT * (depth + 1), b"\n" + _INDENT * depth
    if content[end - 2 : end] == b"/>":
        tag = content[start + 1 : _name_end(content, start)]
        text, marks = _joined([(b">" + lead, blocks[0]), *((lead, block) for block in blocks[1:])])
        return [Splice(end - 2, end, text + close + b"</" + tag + b">", domain, marks)]
    at = content.rfind(b"</", start, end)
    line = at
    while content[line - 1 : line] in (b" ", b"\t"):
        line -= 1
    if content[line - 1 : line] == b"\n":
        # Before the line of the end tag, which keeps its own indentation.
        text, marks = _joined([(lead[1:], blocks[0]), *((lead, block) for block in blocks[1:])])
        return [Splice(line, line, text + b"\n", domain, marks)]
    text, marks = _joined([(lead, block) for block in blocks])
    return [Splice(at, at, text + close, domain, marks)]


def _block(edit: Edit) -> Block:
    text = edit.text or b""
    return text, (Mark(edit.node, 0, len(text)),)


def _domain_block(edit: Edit, children: list[Edit]) -> Block:
    head = edit.text or b""
    if not children:
        text = head + (b"\n" + _INDENT if b"\n" in head else b"") + b"</domain>"
        return text, (Mark(edit.node, 0, len(text)),)
    inside, marks = _joined([(b"\n" + _INDENT * 2, _block(child)) for child in children])
    text = head + inside + b"\n" + _INDENT + b"</domain>"
    moved = tuple(Mark(mark.node, mark.start + len(head), mark.length) for mark in marks)
    return text, (Mark(edit.node, 0, len(text)), *moved)


def _joined(parts: Sequence[tuple[bytes, Block]]) -> Block:
    texts: list[bytes] = []
    marks: list[Mark] = []
    at = 0
    for lead, (text, inner) in parts:
        at += len(lead)
        marks.extend(Mark(mark.node, mark.start + at, mark.length) for mark in inner)
        at += len(text)
        texts += (lead, text)
    return b"".join(texts), tuple(marks)


def _tag_end(content: bytes, start: int) -> int:
    """Behind the `>` of the tag at `start`; one in quotes doesn't count."""
    quote, at = b"", start
    while True:
        char = content[at : at + 1]
        if not char:
            raise ValueError("a tag does not end")
        if quote:
            quote = b"" if char == quote else quote
        elif char in (b'"', b"'"):
            quote = char
        elif char == b">":
            return at + 1
        at += 1


def _name_end(content: bytes, start: int) -> int:
    at = start + 1
    while content[at : at + 1] not in (b" ", b"\t", b"\r", b"\n", b"/", b">", b""):
        at += 1
    return at


def pieces(content: bytes, splices: Sequence[Splice]) -> Iterator[bytes | memoryview]:
    """The new file, in order, copying nothing that stays."""
    with memoryview(content) as view:
        at = 0
        for splice in splices:
            if splice.start > at:
                with view[at : splice.start] as kept:
                    yield kept
            if splice.text:
                yield splice.text
            at = splice.end
        with view[at:] as kept:
            yield kept


def moved(db: apsw.Connection, splices: Sequence[Splice], gone: Sequence[int]) -> None:
    """Brings the places in the index to the new file."""
    db.executemany("DELETE FROM place WHERE id = ?", [(node,) for node in gone])
    if len(splices) <= _FEW:
        for splice in reversed(splices):
            if splice.growth:
                db.execute("UPDATE place SET start = start + ? WHERE start >= ?", (splice.growth, splice.end))
    else:
        _shift(db, splices)
    grown: dict[int, int] = {ROOT_ID: 0}
    for splice in splices:
        grown[ROOT_ID] += splice.growth
        if splice.domain:
            grown[splice.domain] = grown.get(splice.domain, 0) + splice.growth
    db.executemany("UPDATE place SET length = length + ? WHERE id = ?", [(by, node) for node, by in grown.items()])
    before = 0
    for splice in splices:
        start = splice.start + before
        db.executemany(
            "INSERT OR REPLACE INTO place VALUES(?, ?, ?)",
            [(mark.node, start + mark.start, mark.length) for mark in splice.marks],
        )
        before += splice.growth


def _shift(db: apsw.Connection, splices: Sequence[Splice]) -> None:
    """Many splices: one pass over the places instead of one for each splice."""
    ends: list[int] = []
    sums: list[int] = [0]
    for splice in splices:
        ends.append(splice.end)
        sums.append(sums[-1] + splice.growth)
    rows = [
        (start + sums[bisect_right(ends, start)], node)
        for node, start in db.execute("SELECT id, start FROM place WHERE start >= ?", (ends[0],))
    ]
    db.executemany("UPDATE place SET start = ? WHERE id = ?", rows)
