"""Parts without their transfer encoding, for FETCH BINARY.

Small messages are at hand as a whole; of large ones the part is read and decoded in pieces, twice if it must be known
beforehand how long it is, so that it is never in memory as a whole.

Standards: RFC 3516 4.2, 4.3 (UNKNOWN-CTE)
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from whimbrel.mail.decoding.encoded import Decoder, content
from whimbrel.mail.structure.mime import ENCODING, LEAF, read_fields
from whimbrel.mail.structure.parameters import encoding
from whimbrel.mail.structure.parts import Span, Structure
from whimbrel.protocols.imap.binary import BinarySection
from whimbrel.services.imapd.offer import Offer

READ_AT_ONCE = 1 << 20
_KNOWN = frozenset({b"", b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"})
_PLAIN = frozenset({b"", b"7bit", b"8bit", b"binary"})
Read = Callable[[int, int], Awaitable[bytes | None]]
"""Octets of the message from a place on; None when it is gone."""


class UnknownEncoding(Exception):
    """It cannot be undone: NO with UNKNOWN-CTE."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a part lies, and where its header; None for parts that have no encoding of their own (RFC 2045 6.4)."""

    span: Span
    header: Span | None


def target(section: BinarySection, structure: Structure) -> Target | None:
    """None: there is no such part."""
    if not section.part:
        return Target(Span(0, structure.root.end), None)
    node = structure.part(section.part)
    if node is None:
        return None
    span = Span(node.text, node.end - node.text)
    return Target(span, Span(node.header, node.text - node.header) if node.kind == LEAF else None)


def transfer_encoding(header: bytes) -> bytes:
    """Of a part, in lower case. UnknownEncoding."""
    value = read_fields(header)[ENCODING]
    name = encoding(value).lower() if value else b""
    if name not in _KNOWN:
        raise UnknownEncoding
    return name


def decoded(part: Target, message: bytes) -> bytes:
    """From a whole message. UnknownEncoding."""
    octets = message[part.span.start : part.span.stop]
    if part.header is None:
        return octets
    return content(octets, transfer_encoding(message[part.header.start : part.header.stop]))


class Decoded:
    """A part of a large message."""

    def __init__(self, part: Target, read: Read) -> None:
        self._span, self._header, self._read = part.span, part.header, read
        self._encoding = b""

    async def prepare(self) -> None:
        """UnknownEncoding."""
        if self._header is not None:
            header = await self._read(self._header.start, self._header.length)
            self._encoding = transfer_encoding(header or b"")

    async def size(self) -> int:
        if self._encoding in _PLAIN:
            return self._span.length
        return sum([len(piece) async for piece in self.pieces()])

    async def pieces(self) -> AsyncIterator[bytes]:
        """Ends early if the message goes away."""
        decoder = Decoder(self._encoding)
        at, stop = self._span.start, self._span.stop
        while at < stop:
            data = await self._read(at, min(stop - at, READ_AT_ONCE))
            if not data:
                return
            at += len(data)
            yield decoder.feed(data)
        yield decoder.finish()


OFFER = Offer(handlers={}, capabilities=(b"BINARY",))
