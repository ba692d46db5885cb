"""BODYSTRUCTURE and BODY in their wire form.

Standards: RFC 9051 7.5.2 (BODY, BODYSTRUCTURE), 9 (body); RFC 2045 5.2, 6.1 (defaults); RFC 2231 6 (continuations)
"""

from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.structure.envelope import envelope
from whimbrel.mail.structure.mime import (
    DESCRIPTION,
    DISPOSITION,
    ENCODING,
    ID,
    LANGUAGE,
    LOCATION,
    MD5,
    MESSAGE,
    MULTIPART,
    TYPE,
    Part,
)
from whimbrel.mail.structure.nstring import NIL, nstring, string
from whimbrel.mail.structure.parameters import Parameter, disposition, encoding, media_type, tokens

_NO_PART = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0%b)'
"""A multipart has at least one part (RFC 9051 9 body-type-mpart); one that has none is shown with this in it."""
_BLOCK = 1 << 16


class Lines:
    """Counts line ends in any stretch of a message. Nested messages count the same bytes again and again, so long
    stretches are put together from blocks counted once."""

    __slots__ = ("_message", "_sums")

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._sums: list[int] = [0]

    def between(self, start: int, stop: int) -> int:
        if stop - start < 4 * _BLOCK:
            return self._message.count(b"\n", start, stop)
        return self._until(stop) - self._until(start)

    def _until(self, at: int) -> int:
        sums, block = self._sums, at // _BLOCK
        while len(sums) <= block:
            begin = (len(sums) - 1) * _BLOCK
            sums.append(sums[-1] + self._message.count(b"\n", begin, begin + _BLOCK))
        return sums[block] + self._message.count(b"\n", block * _BLOCK, at)


def bodystructure(part: Part, lines: Lines, *, extended: bool = True) -> bytes:
    """The form of BODYSTRUCTURE, or that of BODY: the same without extension data."""
    if part.kind == MULTIPART:
        return _multipart(part, lines, extended=extended)
    fields = part.fields
    size = part.end - part.text
    if part.kind == MESSAGE:
        inner = part.children[0]
        kind = _type(part)
        extra = b" %b %b %d" % (
            envelope(inner.fields),
            bodystructure(inner, lines, extended=extended),
            lines.between(part.text, part.end),
        )
    else:
        kind = _type(part)
        extra = b" %d" % lines.between(part.text, part.end) if part.main == b"text" else b""
    return b"(%b %b %b %b %d%b%b)" % (
        kind,
        nstring(fields[ID]),
        nstring(fields[DESCRIPTION]),
        _encoding(fields[ENCODING]),
        size,
        extra,
        b" %b%b" % (nstring(fields[MD5]), _common(part)) if extended else b"",
    )


def _multipart(part: Part, lines: Lines, *, extended: bool) -> bytes:
    pieces = [bodystructure(child, lines, extended=extended) for child in part.children]
    if not pieces:
        pieces = [_NO_PART % (b" NIL NIL NIL NIL" if extended else b"")]
    media = part.media
    subtype = string(media.sub) if media else b'"mixed"'
    if not extended:
        return b"(%b %b)" % (b"".join(pieces), subtype)
    shown = parameters(media.parameters) if media else NIL
    return b"(%b %b %b%b)" % (b"".join(pieces), subtype, shown, _common(part))


def _common(part: Part) -> bytes:
    """Disposition, language, location."""
    fields = part.fields
    placed, language, location = fields[DISPOSITION], fields[LANGUAGE], fields[LOCATION]
    if placed is None and language is None and location is None:
        return b" NIL NIL NIL"
    return b" %b %b %b" % (
        _disposition(placed) if placed else NIL,
        _languages(language) if language else NIL,
        nstring(location),
    )


def _type(part: Part) -> bytes:
    """Type, subtype, parameters."""
    value = part.fields[TYPE]
    if value is not None and part.media is not None and part.media.main.lower() == part.main:
        return _known_type(value)
    if part.main == b"text":
        return b'"text" "plain" ("charset" "us-ascii")'
    return b"%b %b NIL" % (string(part.main), string(part.sub))  # In a digest, or too deep to be looked into.


@remember(1024)
def _known_type(value: bytes) -> bytes:
    media = media_type(value)
    if media is None:
        return b'"text" "plain" ("charset" "us-ascii")'
    shown = media.parameters
    if media.main.lower() == b"text" and media.raw(b"charset") is None:  # RFC 2045 5.2
        shown = (*shown, (b"charset", b"us-ascii"))
    return b"%b %b %b" % (string(media.main), string(media.sub), parameters(shown))


def parameters(pairs: tuple[Parameter, ...]) -> bytes:
    if not pairs:
        return NIL
    return b"(%b)" % b" ".join([b"%b %b" % (string(name), string(value)) for name, value in pairs])


@remember(256)
def _encoding_word(value: bytes) -> bytes:
    word = encoding(value)
    return string(word) if word else b'"7bit"'


def _encoding(value: bytes | None) -> bytes:
    return b'"7bit"' if value is None else _encoding_word(value)


@remember(1024)
def _disposition(value: bytes) -> bytes:
    value_read = disposition(value)
    return b"(%b %b)" % (string(value_read.main), parameters(value_read.parameters)) if value_read else NIL


def _languages(value: bytes) -> bytes:
    value_read = tokens(value)
    return b"(%b)" % b" ".join(map(string, value_read)) if value_read else NIL
