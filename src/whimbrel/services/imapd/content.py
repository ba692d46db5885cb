"""The content that FETCH asks for: whole messages, headers, parts, ranges of them.

Small messages are read whole, many in one hop; of large ones only what is asked for, in pieces, so that no message
is ever in memory as a whole.

Standards: RFC 3501 6.4.5 (BODY[section]<partial>); RFC 3516 4.2 (BINARY[section]<partial>)
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from whimbrel.backends.net.driver import Closed
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.rows import PARTS, SIZE, UID, MetaRow
from whimbrel.core.uids import UidSet
from whimbrel.mail.structure.header import pick
from whimbrel.mail.structure.parts import Span, Structure
from whimbrel.protocols.imap.binary import BinarySection
from whimbrel.protocols.imap.fetch import BodySection
from whimbrel.services.imapd.binary import Decoded, Target, UnknownEncoding, decoded, target
from whimbrel.services.imapd.session import Session

SMALL = 64 * 1024
"""A message up to this size is read whole."""
READ_AT_ONCE = 1 << 20
"""Bytes read in one hop: of many small messages together, or of one large one."""
BODIES_AT_ONCE = 512 * 1024
"""Bytes of whole messages read in one hop and sent with one write. To read the next ones meanwhile gains nothing: both
threads would only take turns, at a higher price."""
MAX_HEADER = 4 << 20
"""Fields are looked for in no more of a header: a message can be nothing else."""
_NUL_SIGN = b"\x80"
"""RFC 3501 9: no literal but a literal8 holds NUL; as many octets must come as BODYSTRUCTURE says."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One section of one message. `label` is how the answer names it, after a space if it is not the first thing;
    `span` None: there is no such section."""

    section: BodySection | BinarySection
    label: bytes
    span: Span | None
    binary: Target | None = None


class ContentReader:
    """Answers the content part of one FETCH command."""

    def __init__(self, session: Session, sections: Sequence[BodySection | BinarySection]) -> None:
        self._session, self._sections = session, sections
        self._structured = any(isinstance(section, BinarySection) or section.spec for section in sections)
        only = sections[0] if len(sections) == 1 else None
        plain = isinstance(only, BodySection) and not only.spec and not only.fields and only.partial is None
        self._whole = only.label if only is not None and plain else None
        """How the one thing that is asked for is called: all of each message."""
        self.unknown_encoding = False
        """A part could not be decoded: its answer was NIL."""
        self.unreadable: list[int] = []
        """UIDs of messages that could not be read: they have no response, or NIL in place of a section."""

    async def answer(
        self, rows: Sequence[MetaRow], heads: Sequence[bytes], parts: Mapping[int, bytes] | None = None
    ) -> None:
        """Writes a FETCH response for each of `rows`; its head ends where the first section is to stand. `parts`: part
        offsets by UID, if the store does not have them."""
        view, messages = self._session.view, self._session.ports.messages
        if self._whole is not None:
            await self._bodies(rows, heads, self._whole)
            return
        structures: Mapping[int, bytes] = parts or {}
        if self._structured and parts is None:
            uids = UidSet.of(row[UID] for row in rows)
            structures = {row[UID]: row[PARTS] for row in await messages.parts(view.ref, uids)}
        # Each section may be all of a message: what is joined at once stays as small however many there are.
        for group in _groups(rows, READ_AT_ONCE // max(1, len(self._sections))):
            some = rows[group]
            if some[0][SIZE] > SMALL:
                await self._large(some[0], heads[group.start], self._wanted(some[0], structures.get(some[0][UID])))
                continue
            contents = await messages.contents(view.ref, [row[UID] for row in some])
            out: list[bytes] = []
            for row, head, content in zip(some, heads[group], contents, strict=True):
                if isinstance(content, MailboxError) or _cut_short(content, row):
                    self.unreadable.append(row[UID])
                    continue
                out.append(head)
                for wanted in self._wanted(row, structures.get(row[UID])):
                    out += self._binary(wanted, content) if wanted.binary else _section(wanted, content)
                out.append(b")\r\n")
            await self._session.write(b"".join(out))

    async def _bodies(self, rows: Sequence[MetaRow], heads: Sequence[bytes], label: bytes) -> None:
        """Whole messages: what clients fetch most of."""
        view, messages = self._session.view, self._session.ports.messages
        for group in _groups(rows, BODIES_AT_ONCE):
            some = rows[group]
            if some[0][SIZE] > SMALL:
                await self._large(some[0], heads[group.start], self._wanted(some[0], None))
                continue
            contents = await messages.contents(view.ref, [row[UID] for row in some])
            out: list[bytes] = []
            for row, head, content in zip(some, heads[group], contents, strict=True):
                if isinstance(content, bytes) and not _cut_short(content, row):
                    out += (b"%b%b {%d}\r\n" % (head, label, len(content)), content, b")\r\n")
                elif content is None:
                    out.append(b"%b%b NIL)\r\n" % (head, label))
                else:
                    self.unreadable.append(row[UID])
            await self._session.write(_printable(b"".join(out)))

    def _wanted(self, row: MetaRow, parts: bytes | None) -> list[_Wanted]:
        structure = Structure.unpack(parts) if parts is not None else None
        wanted: list[_Wanted] = []
        for at, section in enumerate(self._sections):
            label = b" " + section.label if at else section.label
            if isinstance(section, BinarySection):
                binary = target(section, structure) if structure else None
                wanted.append(_Wanted(section, label, binary.span if binary else None, binary))
            elif section.spec:
                wanted.append(_Wanted(section, label, structure.locate(section.spec) if structure else None))
            else:
                wanted.append(_Wanted(section, label, Span(0, row[SIZE])))
        return wanted

    def _binary(self, wanted: _Wanted, content: bytes | None) -> tuple[bytes, ...]:
        section = wanted.section
        if content is None or wanted.binary is None or not isinstance(section, BinarySection):
            return (_nothing(wanted),)
        try:
            octets = decoded(wanted.binary, content)
        except UnknownEncoding:
            self.unknown_encoding = True
            return (_nothing(wanted),)
        if section.size:
            return (b"%b %d" % (wanted.label, len(octets)),)
        span = _cut(Span(0, len(octets)), section.partial)
        octets = octets[span.start : span.stop]
        return _literal(wanted.label, len(octets), eight=b"\0" in octets), octets

    # Large messages

    async def _large(self, row: MetaRow, head: bytes, wanted: Sequence[_Wanted]) -> None:
        write = self._session.write
        try:
            # Its last octet: a literal that is announced must come whole, and others come behind it.
            last = await self._session.ports.messages.content(self._session.view.ref, row[UID], row[SIZE] - 1, 1)
        except MailboxError as error:
            if error.condition is not Condition.UNAVAILABLE:
                raise
            last = b""
        if last == b"":
            self.unreadable.append(row[UID])  # Nothing of its response has been written yet.
            return
        await write(head)
        try:
            for each in wanted:
                if each.binary is not None:
                    await self._large_binary(row[UID], each, each.binary)
                else:
                    await self._large_section(row[UID], each)
        except MailboxError as error:
            raise self._vanished(row[UID], error.detail or str(error)) from None
        except BaseException:
            # The client waits for octets that will not come: nothing can be said in their place.
            self._session.connection.abort()
            raise
        await write(b")\r\n")

    async def _large_section(self, uid: int, wanted: _Wanted) -> None:
        messages, ref, write = self._session.ports.messages, self._session.view.ref, self._session.write
        span = wanted.span
        if span is not None and isinstance(wanted.section, BodySection) and wanted.section.fields:
            header = await messages.content(ref, uid, span.start, min(span.length, MAX_HEADER))
            await write(b"".join(_section(replace(wanted, span=Span(0, len(header or b""))), header)))
            return
        if span is not None:
            span = _cut(span, wanted.section.partial)
        first = await messages.content(ref, uid, span.start, min(span.length, READ_AT_ONCE)) if span else None
        if span is None or first is None:
            await write(_nothing(wanted))
            return
        await write(_literal(wanted.label, span.length))
        await write(_printable(first))
        sent = len(first)
        while sent < span.length:
            more = await messages.content(ref, uid, span.start + sent, min(span.length - sent, READ_AT_ONCE))
            if not more:
                raise self._vanished(uid, f"it ends after {span.start + sent} octets")
            await write(_printable(more))
            sent += len(more)

    async def _large_binary(self, uid: int, wanted: _Wanted, part_of: Target) -> None:
        messages, ref, write, section = self._session.ports.messages, self._session.view.ref, self._session.write, (
            wanted.section
        )  # fmt: skip

        async def read(start: int, length: int) -> bytes | None:
            return await messages.content(ref, uid, start, length)

        part = Decoded(part_of, read)
        try:
            await part.prepare()
        except UnknownEncoding:
            self.unknown_encoding = True
            await write(_nothing(wanted))
            return
        size = await part.size()
        if isinstance(section, BinarySection) and section.size:
            await write(b"%b %d" % (wanted.label, size))
            return
        span = _cut(Span(0, size), section.partial)
        # Whether a NUL is among so many octets is not known before they are sent: literal8 takes them all.
        await write(_literal(wanted.label, span.length, eight=True))
        sent = 0
        async for piece in _within(part.pieces(), span):
            await write(piece)
            sent += len(piece)
        if sent != span.length:
            raise self._vanished(uid, f"{sent} of {span.length} decoded octets are left")

    def _vanished(self, uid: int, detail: str) -> Closed:
        """Ends the connection: the client waits for octets that will not come, and nothing can be said in their
        place."""
        session = self._session
        session.log.error("imap.broken", uid=uid, mailbox=session.view.ref.mailbox, detail=detail)
        session.connection.abort()
        return Closed("a message was cut short while it was sent")


async def _within(pieces: AsyncIterator[bytes], span: Span) -> AsyncIterator[bytes]:
    """Those octets of `pieces` that lie in `span`."""
    at = 0
    async for piece in pieces:
        cut = piece[max(0, span.start - at) : max(0, span.stop - at)]
        at += len(piece)
        if cut:
            yield cut
        if at >= span.stop:
            return


def _cut_short(content: bytes | None, row: MetaRow) -> bool:
    """Its file holds less than the index says: half a message must not pass for the whole."""
    return content is not None and len(content) < row[SIZE]


def _groups(rows: Sequence[MetaRow], most: int) -> Iterator[slice]:
    """Runs of small messages that have `most` octets together, or of one; and each large message alone."""
    start = size = 0
    for at, row in enumerate(rows):
        size += row[SIZE]
        if at > start and (size > most or row[SIZE] > SMALL or rows[start][SIZE] > SMALL):
            yield slice(start, at)
            start, size = at, row[SIZE]
    if rows:
        yield slice(start, len(rows))


def _cut(span: Span, partial: tuple[int, int] | None) -> Span:
    if partial is None:
        return span
    first = min(partial[0], span.length)
    return Span(span.start + first, min(partial[1], span.length - first))


def _nothing(wanted: _Wanted) -> bytes:
    if isinstance(wanted.section, BinarySection) and wanted.section.size:
        return wanted.label + b" 0"  # RFC 3516 7: a number, never NIL.
    return wanted.label + b" NIL"


def _literal(label: bytes, size: int, *, eight: bool = False) -> bytes:
    return b"%b %b{%d}\r\n" % (label, b"~" if eight else b"", size)


def _printable(octets: bytes) -> bytes:
    return octets.replace(b"\0", _NUL_SIGN) if b"\0" in octets else octets


def _section(wanted: _Wanted, content: bytes | None) -> tuple[bytes, ...]:
    """`BODY[TEXT] {n}` and the octets, from a whole message (or from a header, for its fields)."""
    section, span = wanted.section, wanted.span
    if span is None or content is None:
        return (_nothing(wanted),)
    if isinstance(section, BodySection) and section.fields:
        header = content[span.start : span.start + span.length]
        content = pick(header, section.fields, invert=section.what.endswith("NOT"))
        span = Span(0, len(content))
    span = _cut(span, section.partial)
    octets = content[span.start : span.start + span.length]
    return _literal(wanted.label, len(octets)), _printable(octets)
