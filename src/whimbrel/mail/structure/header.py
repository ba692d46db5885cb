"""Header fields as they stand in the bytes of a message.

A header ends at the first empty line, or with the message; where its sender forgot that line, at the first line that is
no field (`body_start`). Lines end in CRLF or bare LF. Nothing here raises.

Standards: RFC 5322 2.2 (fields), 2.2.3 (folding), 4.5 (obsolete: space before the colon);
RFC 9051 6.4.5 (HEADER.FIELDS)
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from whimbrel.mail.decoding.encoded import words

MAX_LINES: Final = 4000
"""Lines of a header that are looked at one by one."""
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_KNOWN: Final = frozenset(
    b"""bcc cc content-description content-disposition content-id content-language content-location
    content-transfer-encoding content-type date dkim-signature from in-reply-to message-id mime-version received
    references reply-to return-path sender subject to""".split()
)
"""Fields by which a header is known to go on."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `raw` is all of it, folded as it came, with its last line end."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """What stands after the colon, unfolded, without white space around it."""
        return unfold(self.raw.partition(b":")[2]).strip()

    @property
    def text(self) -> str:
        return words(self.value)


def end(message: bytes, start: int = 0, limit: int | None = None) -> int:
    """Where the body begins: behind the empty line; `limit` (the length of `message`) if there is none before it."""
    stop = len(message) if limit is None else limit
    if message.startswith(b"\n", start, stop):
        return start + 1
    if message.startswith(b"\r\n", start, stop):
        return start + 2
    window = 8192  # Both forms of an empty line are looked for; a growing window keeps the one that is absent cheap.
    while True:
        until = min(start + window, stop)
        crlf = message.find(b"\n\r\n", start, until)
        bare = message.find(b"\n\n", start, until if crlf < 0 else crlf)
        if bare >= 0:
            return bare + 2
        if crlf >= 0:
            return crlf + 3
        if until == stop:
            return stop
        window *= 8


def body_start(message: bytes, start: int, stop: int) -> int:
    """Where the body begins if the empty line of the header in start..stop came too late: at the first line that is
    neither a field nor folded, if no field follows that every header has and this one had not yet. `stop` if all is
    well. A broken line among fields is so part of the header, text with quoted fields in it is not."""
    seen: set[bytes] = set()
    body, at, lines = -1, start, 0
    while at < stop and lines < MAX_LINES:
        lines += 1
        after = message.find(b"\n", at, stop) + 1 or stop
        match = _NAME.match(message, at, after)
        if match:
            name = match[1].lower()
            if name in _KNOWN and name not in seen:
                seen.add(name)
                body = -1
        elif (
            body < 0
            and not (at > start and message[at] in b" \t")
            and not (at == start and message.startswith((b"From ", b">From "), at))  # Of a mailbox file.
            and message[at:after] not in (b"\r\n", b"\n")
        ):
            body = at
        at = after
    return stop if body < 0 else body


def unfold(value: bytes) -> bytes:
    """Line ends go, the white space that folded stays. RFC 5322 2.2.3"""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value


def fields(header: bytes) -> list[Field]:
    """All fields in order. A line without a colon is a field with an empty name; the empty line at the end is none."""
    listed: list[Field] = []
    for raw in _raw_fields(header):
        name, colon, _ = raw.partition(b":")
        listed.append(Field(name.rstrip(b" \t") if colon else b"", raw))
    return listed


def pick(header: bytes, names: Iterable[bytes], *, invert: bool = False) -> bytes:
    """The fields called `names` (any case), or with `invert` all others, as they stand, and an empty line.

    RFC 9051 6.4.5: HEADER.FIELDS and HEADER.FIELDS.NOT; the delimiting empty line is always there.
    """
    wanted = {name.strip().lower() for name in names}
    out = []
    for raw in _raw_fields(header):
        if (raw.partition(b":")[0].rstrip(b" \t\r\n").lower() in wanted) is not invert:
            out.append(raw if raw.endswith(b"\n") else raw + b"\r\n")
    out.append(b"\r\n")
    return b"".join(out)


def decode(value: bytes) -> str:
    """A field's value as text: unfolded, encoded words decoded. RFC 2047"""
    return words(unfold(value).strip())


def _raw_fields(header: bytes) -> list[bytes]:
    """Cut at LF only, not at a bare CR, and joined where folded."""
    out, start, size = [], 0, end(header)
    while start < size:
        stop = header.find(b"\n", start, size) + 1 or size
        while stop < size and header[stop] in b" \t":
            stop = header.find(b"\n", stop, size) + 1 or size
        line = header[start:stop]
        if line not in (b"\r\n", b"\n"):
            out.append(line)
        start = stop
    return out
