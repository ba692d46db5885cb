"""The one pass over a message: its parts, where they begin and end, and the fields that describe them.

Parts nest as RFC 2046 says, found by delimiter lines; a delimiter of an outer multipart ends all inner ones. Bare LF
counts as a line end. A header without an empty line behind it ends where its fields do. What cannot be understood is a
leaf; nothing raises. Bounded: depth, parts, fields, and bytes searched, so that no message costs more than a few times
its length.

Standards: RFC 2045 5.2 (defaults), RFC 2046 5.1 (multipart; 5.1.1 delimiters, 5.1.5 digest), 5.2.1 (message/rfc822),
RFC 6532 3.7 (message/global)
"""

import re
from typing import Final

from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.structure import header
from whimbrel.mail.structure.parameters import Value, encoding, media_type

MAX_DEPTH: Final = 64
MAX_PARTS: Final = 1000
MAX_FIELDS: Final = 4000
MAX_VALUE: Final = 1 << 18
"""Bytes of a field that are looked at."""
MAX_BOUNDARY: Final = 1000
_FREE_SEARCH = 1 << 26

LEAF: Final = 0
MULTIPART: Final = 1
MESSAGE: Final = 2

(DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, REFERENCES,
 TYPE, ENCODING, DISPOSITION, ID, DESCRIPTION, LANGUAGE, LOCATION, MD5) = range(19)  # fmt: skip
_NAMES = (
    b"date subject from sender reply-to to cc bcc in-reply-to message-id references content-type "
    b"content-transfer-encoding content-disposition content-id content-description content-language "
    b"content-location content-md5"
).split()
_SLOTS = {name: slot for slot, name in enumerate(_NAMES)}

Fields = list[bytes | None]
"""Values of the fields above by their number, unfolded; None: not there."""


class Part:
    """A node. `header`, `text` and `end` are offsets: fields stand in header..text, content in text..end."""

    __slots__ = ("children", "end", "fields", "header", "kind", "main", "media", "sub", "text")

    def __init__(self, start: int, text: int, fields: Fields) -> None:
        self.header, self.text, self.end = start, text, text
        self.kind = LEAF
        self.fields = fields
        self.media: Value | None = None
        """Content-Type as it stands; None: missing or not understood."""
        self.main, self.sub = b"text", b"plain"
        """The type in lower case, defaults applied."""
        self.children: list[Part] = []

    @property
    def encoding(self) -> bytes:
        """Content-Transfer-Encoding in lower case; empty if there is none."""
        value = self.fields[ENCODING]
        return encoding(value).lower() if value else b""


_FIELD_NAME = re.compile(rb"[!-9;-~]*[ \t]*\Z")


@remember(512)
def _slot(name: bytes) -> int | None:
    """Its number, None if it is another field, -1 if it can be none."""
    return _SLOTS.get(name.rstrip().lower()) if _FIELD_NAME.match(name) else -1


def read_fields(head: bytes) -> Fields:
    """The fields we know. Where one stands twice (RFC 5322 3.6 forbids it): addresses add up, of the other envelope
    fields the last counts and of Content- fields the first, as other servers have it."""
    return _read_fields(head)[0]


def _read_fields(head: bytes) -> tuple[Fields, bool]:
    """The same, and whether there are lines that are no fields."""
    values: Fields = [None] * 19
    broken = False
    head = head.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b"\t")
    for line in head.split(b"\n", MAX_FIELDS):
        name, colon, value = line.partition(b":")
        slot = _slot(name)
        if not colon or slot == -1:
            broken |= bool(line)
        elif slot is not None:
            before = values[slot]
            if len(value) > MAX_VALUE:
                value = value[:MAX_VALUE]
            if before is None or not (before or slot < TYPE):
                values[slot] = value.lstrip(b" \t")
            elif FROM <= slot <= BCC:
                if len(before) + len(value) <= MAX_VALUE:
                    values[slot] = b"%b,%b" % (before, value.lstrip(b" \t")) if before else value.lstrip(b" \t")
            elif slot < TYPE:
                values[slot] = value.lstrip(b" \t")
    return values, broken


def _head(message: bytes, start: int, stop: int) -> tuple[int, Fields]:
    """Where the text behind the header begins, and its fields; without an empty line it ends at `stop`."""
    text = header.end(message, start, stop)
    values, broken = _read_fields(message[start:text])
    if broken:
        body = header.body_start(message, start, text)
        if body < text:
            return body, _read_fields(message[start:body])[0]
    return text, values


@remember(1024)
def media_of(value: bytes) -> tuple[Value | None, bytes, bytes, bytes]:
    """Content-Type understood: as it stands, type and subtype in lower case, boundary."""
    media = media_type(value)
    if media is None:
        return None, b"text", b"plain", b""  # RFC 2045 5.2
    main = media.main.lower()
    boundary = b""
    if main == b"multipart":
        plain = media.raw(b"boundary")
        if plain is None:
            plain = (media.text(b"boundary") or "").encode("latin-1", "replace")
        boundary = plain[:MAX_BOUNDARY].rstrip(b" \t")  # RFC 2046 5.1.1: bchars do not end in space.
        if not boundary:
            return None, b"text", b"plain", b""  # 5.1.1: the parameter is required; RFC 2045 5.2.
    return media, main, media.sub.lower(), boundary


def parse(message: bytes) -> Part:
    """The tree of `message`."""
    text, values = _head(message, 0, len(message))
    root = Part(0, text, values)
    value = root.fields[TYPE]
    if value is not None:
        root.media, root.main, root.sub, boundary = media_of(value)
        if root.main == b"multipart" or (root.main == b"message" and root.sub in (b"rfc822", b"global")):
            walk = _Walk(message)
            walk.content(root, boundary, 1)
    root.end = len(message)
    return root


class _Walk:
    """Where we are: the open boundaries, outermost first, each with the line of its next delimiter."""

    __slots__ = ("boundaries", "budget", "close", "level", "line", "message", "nexts", "parts", "size")

    def __init__(self, message: bytes) -> None:
        self.message, self.size = message, len(message)
        self.boundaries: list[bytes] = []
        self.nexts: list[int] = []
        self.parts = 1
        self.budget = _FREE_SEARCH + 4 * self.size
        self.line = self.size
        """Start of the next delimiter line, or the end of the message."""
        self.level = -1
        """Which boundary it is."""

    def content(self, part: Part, boundary: bytes, depth: int) -> None:
        """Reads what `part` holds. Afterwards `line` is the delimiter that ends it."""
        if depth > MAX_DEPTH or self.parts >= MAX_PARTS:
            part.main, part.sub = b"application", b"octet-stream"
        elif part.main == b"multipart":
            part.kind = MULTIPART
            if boundary and self.budget > 0:
                self.multipart(part, b"--" + boundary, depth)
        elif part.main == b"message" and part.sub in (b"rfc822", b"global"):
            part.kind = MESSAGE
            part.children.append(self.entity(part.text, depth + 1, digest=False))

    def multipart(self, part: Part, boundary: bytes, depth: int) -> None:
        level = len(self.boundaries)
        self.boundaries.append(boundary)
        self.nexts.append(-1)
        self.seek(part.text)
        digest = part.sub == b"digest"
        while self.level >= level:
            after = self.message.find(b"\n", self.line) + 1 or self.size
            if self.message.startswith(b"--", self.line + len(boundary)):
                del self.boundaries[level:], self.nexts[level:]
                self.seek(after)
                return
            if self.parts >= MAX_PARTS - 1:  # This is the last part; it has all the rest.
                self.boundaries, self.nexts = [], []
            self.seek(after)
            part.children.append(self.entity(after, depth + 1, digest=digest))
        del self.boundaries[level:], self.nexts[level:]

    def entity(self, start: int, depth: int, *, digest: bool) -> Part:
        """Header and content from `start` to the next delimiter."""
        self.parts += 1
        # The line end before a delimiter is the delimiter's, even if it would be the empty line after a header.
        limit = max(start, self.before())
        text, values = _head(self.message, start, limit)
        part = Part(start, text, values)
        value = part.fields[TYPE]
        boundary = b""
        if value is not None:
            part.media, part.main, part.sub, boundary = media_of(value)
            if boundary and text == limit and self.line < self.size:
                if self.own(b"--" + boundary, limit, start):
                    part.text = self.line
                else:
                    boundary = b""  # A delimiter of another ended the header: there is no content to cut up.
        elif digest:
            part.main, part.sub = b"message", b"rfc822"  # RFC 2046 5.1.5
        if part.main in (b"multipart", b"message"):
            self.content(part, boundary, depth)
        part.end = max(part.text, self.before())
        return part

    def own(self, boundary: bytes, limit: int, start: int) -> bool:
        """An empty line ended the header, and the delimiter behind it, which looked like an outer one, is the first of
        this very multipart: nested ones with equal boundaries are seen in the wild."""
        return (
            (limit == start or self.message[limit - 1] == 0x0A)
            and self.message.startswith(boundary, self.line)
            and (self.level < 0 or len(boundary) >= len(self.boundaries[self.level]))
        )

    def before(self) -> int:
        """The end of what the delimiter ends: its own line begins with the line end before it. RFC 2046 5.1.1"""
        line = self.line
        if line >= self.size:
            return self.size
        if line and self.message[line - 1] == 0x0A:
            line -= 1
            if line and self.message[line - 1] == 0x0D:
                line -= 1
        return line

    def seek(self, at: int) -> None:
        """Finds the first delimiter line at or after `at`, which is the start of a line."""
        message, limit = self.message, self.size
        nexts = self.nexts
        for level, boundary in enumerate(self.boundaries):
            line = nexts[level]
            if line < at:
                # Nothing of an inner multipart lies behind the next delimiter of an outer one.
                if self.budget > 0:
                    until = min(self.size, limit + len(boundary) + 1)
                    delimiter = message.find(b"\n" + boundary, max(at - 1, 0), until)
                    line = delimiter + 1 if delimiter >= 0 else self.size
                    self.budget -= min(line, limit) - at + 100
                else:
                    line = self.size
                nexts[level] = line
            if line < limit:
                limit = line
        self.line, self.level = limit, -1
        if limit < self.size:
            # RFC 2046 5.1.1: the boundary need only begin the line. Of several that do, the longest is meant; of
            # equal ones the innermost.
            longest = 0
            for level, boundary in enumerate(self.boundaries):
                if len(boundary) >= longest and message.startswith(boundary, limit):
                    self.level, longest = level, len(boundary)
