"""The content that FETCH asks for: whole messages, headers, parts, ranges of them.

Small messages are read whole, many in one hop; of large ones only what is asked for, in pieces, so that no message
is ever in memory as a whole.

Standards: RFC 3501 6.4.5 (BODY[section]<partial>)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from whimbrel.backends.net.driver import Closed
from whimbrel.core.mailbox import MetaRow
from whimbrel.core.uids import UidSet
from whimbrel.mail.header import pick
from whimbrel.mail.structure import Span, Structure
from whimbrel.protocols.imap.fetch import BodySection
from whimbrel.services.imapd.session import Session

SMALL = 64 * 1024
"""A message up to this size is read whole."""
READ_AT_ONCE = 1 << 20
"""Bytes read in one hop: of many small messages together, or of one large one."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One section of one message. `label` is how the answer names it, after a space if it is not the first thing;
    `span` None: there is no such section."""

    section: BodySection
    label: bytes
    span: Span | None


class ContentReader:
    """Answers the content part of one FETCH command."""

    def __init__(self, session: Session, sections: Sequence[BodySection]) -> None:
        self._session, self._sections = session, sections
        self._structured = any(section.spec for section in sections)

    async def answer(self, rows: Sequence[MetaRow], heads: Sequence[bytes]) -> None:
        """Writes a FETCH response for each of `rows`; its head ends where the first section is to stand."""
        view, messages = self._session.view, self._session.ports.messages
        structures: dict[int, bytes] = {}
        if self._structured:
            uids = UidSet.of(row[0] for row in rows)
            structures = {row[0]: row[2] for row in await messages.parts(view.ref, uids)}
        for small, group in _groups(rows, heads):
            if not small:
                row, head = group[0]
                await self._large(row, head, self._wanted(row, structures.get(row[0])))
                continue
            contents = await messages.contents(view.ref, [row[0] for row, _ in group])
            out: list[bytes] = []
            for (row, head), content in zip(group, contents, strict=True):
                out.append(head)
                for wanted in self._wanted(row, structures.get(row[0])):
                    out += _section(wanted, content)
                out.append(b")\r\n")
            await self._session.write(b"".join(out))

    def _wanted(self, row: MetaRow, parts: bytes | None) -> list[_Wanted]:
        structure = Structure.unpack(parts) if parts is not None else None
        return [
            _Wanted(
                section,
                b" " + section.label if at else section.label,
                (structure.locate(section.spec) if structure else None) if section.spec else Span(0, row[5]),
            )
            for at, section in enumerate(self._sections)
        ]

    async def _large(self, row: MetaRow, head: bytes, wanted: Sequence[_Wanted]) -> None:
        messages, ref, write = self._session.ports.messages, self._session.view.ref, self._session.write
        await write(head)
        try:
            for one in wanted:
                span = one.span
                if span is not None and one.section.fields:
                    header = await messages.content(ref, row[0], span.start, span.length)
                    await write(b"".join(_section(replace(one, span=Span(0, len(header or b""))), header)))
                    continue
                if span is not None:
                    span = _cut(span, one.section.partial)
                first = (
                    await messages.content(ref, row[0], span.start, min(span.length, READ_AT_ONCE)) if span else None
                )
                if span is None or first is None:
                    await write(b"%b NIL" % one.label)
                    continue
                await write(b"%b {%d}\r\n" % (one.label, span.length))
                await write(first)
                sent = len(first)
                while sent < span.length:
                    more = await messages.content(ref, row[0], span.start + sent, min(span.length - sent, READ_AT_ONCE))
                    if not more:
                        raise Closed("a message vanished while it was sent")
                    await write(more)
                    sent += len(more)
        except BaseException:
            # The client waits for octets that will not come: nothing can be said in their place.
            self._session.connection.abort()
            raise
        await write(b")\r\n")


def _groups(rows: Sequence[MetaRow], heads: Sequence[bytes]) -> Iterator[tuple[bool, list[tuple[MetaRow, bytes]]]]:
    """Runs of small messages that fit into one read together, and each large message alone."""
    group: list[tuple[MetaRow, bytes]] = []
    size = 0
    for row, head in zip(rows, heads, strict=True):
        large = row[5] > SMALL
        if group and (large or size + row[5] > READ_AT_ONCE):
            yield True, group
            group, size = [], 0
        if large:
            yield False, [(row, head)]
        else:
            group.append((row, head))
            size += row[5]
    if group:
        yield True, group


def _cut(span: Span, partial: tuple[int, int] | None) -> Span:
    if partial is None:
        return span
    first = min(partial[0], span.length)
    return Span(span.start + first, min(partial[1], span.length - first))


def _section(wanted: _Wanted, content: bytes | None) -> tuple[bytes, ...]:
    """`BODY[TEXT] {n}` and the octets, from a whole message (or from a header, for its fields)."""
    section, span = wanted.section, wanted.span
    if span is None or content is None:
        return (b"%b NIL" % wanted.label,)
    if section.fields:
        header = content[span.start : span.start + span.length]
        content = pick(header, section.fields, invert=section.what.endswith("NOT"))
        span = Span(0, len(content))
    span = _cut(span, section.partial)
    octets = content[span.start : span.start + span.length]
    return b"%b {%d}\r\n" % (wanted.label, len(octets)), octets
