"""The entities of a message that is too large to be held: where they are, and what octets they are made of.

`mime.parse` reads a message that is in memory; this reads pieces of any size, and keeps nothing but the header that it
is in the middle of. Both see the same entities. What it will not follow (too deep, too many, too long a header) raises
TooComplex: then nobody can tell what a change would do.

Standards: RFC 2046 5.1 (multipart), 5.1.5 (digest), 5.2.1 (message/rfc822), RFC 1847 2.1 (multipart/signed)
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from whimbrel.mail.structure import header
from whimbrel.mail.structure.mime import LEAF, MAX_DEPTH, MAX_PARTS, MESSAGE, MULTIPART, media_of
from whimbrel.mail.structure.octets import LONGEST, Octets
from whimbrel.mail.structure.parameters import encoding

MAX_HEADER: Final = 256 * 1024
"""Octets of one header."""
MAX_KEPT: Final = 1024 * 1024
"""Octets of header fields that are kept, of all headers."""
_ENCODED: Final = frozenset((b"base64", b"quoted-printable", b"uuencode", b"uue"))
_TAIL: Final = 4
"""Octets that may begin a delimiter line: CRLF and two hyphens."""


class TooComplex(Exception):
    """Why the message cannot be followed."""


@dataclass(slots=True)
class Run:
    """Octets that belong together: the body of a leaf, or what stands in front of the parts of a multipart or behind
    them. `stop` excludes the line end that belongs to a delimiter."""

    start: int
    stop: int
    octets: Octets = field(default_factory=Octets)


@dataclass(slots=True)
class Entity:
    """A header and what follows. All numbers are offsets into the message."""

    start: int
    kind: int
    main: bytes
    sub: bytes
    root: bool
    """A whole message, not a part of one."""
    signed: bool
    """It stands within a multipart/signed: changed in one octet, it is not what was signed."""
    encoding: bytes = b""
    """In lower case; empty if there is none."""
    encodings: tuple[tuple[int, int], ...] = ()
    """Where the Content-Transfer-Encoding fields stand."""
    versioned: bool = False
    """There is a MIME-Version."""
    blank: int = 0
    """Where the fields end: new ones go here."""
    folds: tuple[tuple[int, bool], ...] = ()
    """Where too long lines can be cut: at white space (False), or, if there is none, anywhere (True)."""
    eight_bit: tuple[tuple[int, bytes], ...] = ()
    """Fields with octets above 127: where they begin, and all of each."""
    boundary: bytes = b""
    """Of a multipart."""
    parent: int = -1
    """Which of the entities holds it; -1: it is the message."""
    runs: list[Run] = field(default_factory=list)


class _Level(NamedTuple):
    """An open multipart."""

    delimiter: bytes
    entity: Entity
    depth: int
    number: int
    """Its place among the entities."""


class Outline:
    """`feed` the message, then `end`; after that `entities` are all there are, in order. Both may raise TooComplex."""

    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self._data = b""  # What is not settled yet,
        self._base = 0  # and the offset of its first octet.
        self._read = 0  # Lines of a header before this place in `_data` do not end it.
        self._run: Run | None = None  # None: in a header, or in a delimiter line.
        self._fresh = True  # Nothing of the run is behind us: a delimiter needs no LF before it.
        self._found: tuple[int, bool] | None = None  # In a delimiter line: which level, and whether it closes it.
        self._levels: list[_Level] = []
        self._kept = 0  # Octets of header fields.
        self._within: Entity | None = None  # Of the entity whose header is being read,
        self._parent = -1  # and its place among the entities.
        self._depth = 0

    def feed(self, piece: bytes) -> None:
        self._data += piece
        while self._step(final=False):
            pass

    def end(self) -> None:
        while self._step(final=True):
            pass
        if self._run is not None:
            self._run.octets.end()

    def _step(self, *, final: bool) -> bool:
        """False: more is needed, or there is no more."""
        if self._found is not None:
            return self._delimiter(*self._found, final=final)
        return self._header(final=final) if self._run is None else self._body(self._run, final=final)

    def _take(self, count: int) -> None:
        self._data = self._data[count:]
        self._base += count

    def _match(self, at: int) -> tuple[int, bool] | None:
        """Which open multipart the line at `at` delimits, and whether it closes it. RFC 2046 5.1.1: the boundary need
        only begin the line. Of several that do, the longest is meant; of equal ones the innermost."""
        level, longest = -1, 0
        for number, open_level in enumerate(self._levels):
            if len(open_level.delimiter) >= longest and self._data.startswith(open_level.delimiter, at):
                level, longest = number, len(open_level.delimiter)
        return None if level < 0 else (level, self._data.startswith(b"--", at + longest))

    def _header(self, *, final: bool) -> bool:
        """Until an empty line, a delimiter, or the end of the message."""
        data = self._data
        while True:
            if self._read > MAX_HEADER:
                raise TooComplex("a header is too long")
            stop = data.find(b"\n", self._read) + 1
            if not stop:
                if not final:
                    if len(data) > MAX_HEADER:
                        raise TooComplex("a header is too long")
                    return False
                stop = len(data)
            if data.startswith(b"--", self._read) and (match := self._match(self._read)):
                body = header.body_start(data, 0, self._read)
                if body < self._read:  # The empty line is missing: text follows.
                    self._entity(body, body)
                    return True
                self._entity(self._read, self._read)
                # Whatever the entity is, it is empty, unless this is the first delimiter of its own parts.
                self._run, self._found = None, match
                return True
            line = data[self._read : stop]
            if line in (b"", b"\r\n", b"\n"):
                body = header.body_start(data, 0, self._read)
                self._entity(*((body, body) if body < self._read else (self._read, stop)))
                return True
            self._read = stop

    def _entity(self, blank: int, text: int) -> None:
        """The next one: its fields end at `blank`, its content begins at `text`."""
        within, head = self._within, self._data[:blank]
        root = within is None or within.kind == MESSAGE
        entity = Entity(self._base, LEAF, b"text", b"plain", root, signed=False, blank=self._base + blank)
        if within is not None:
            entity.signed = within.signed or (within.main, within.sub) == (b"multipart", b"signed")
            if (within.main, within.sub) == (b"multipart", b"digest"):
                entity.main, entity.sub = b"message", b"rfc822"  # RFC 2046 5.1.5
        entity.parent = self._parent
        entity.boundary = boundary = _fields(entity, head)
        entity.folds = tuple((self._base + at, hard) for at, hard in folds(head))
        self._kept += sum(len(raw) for _, raw in entity.eight_bit)
        if self._kept > MAX_KEPT:
            raise TooComplex("there are too many octets above 127 in header fields")
        number = len(self.entities)
        self.entities.append(entity)
        if len(self.entities) > MAX_PARTS:
            raise TooComplex("there are too many parts")
        self._take(text)
        self._read = 0
        if entity.kind != LEAF:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise TooComplex("parts are nested too deeply")
        if entity.kind == MULTIPART:
            self._levels.append(_Level(b"--" + boundary, entity, self._depth, number))
        if entity.kind == MESSAGE:
            self._within, self._parent = entity, number
        else:
            self._begin(entity)

    def _begin(self, entity: Entity) -> None:
        self._run = Run(self._base, self._base)
        entity.runs.append(self._run)
        self._fresh = True

    def _body(self, run: Run, *, final: bool) -> bool:
        """Until a delimiter."""
        data, size = self._data, len(self._data)
        if not self._levels:
            self._more(run, size)
            return False
        delimiters = tuple(level.delimiter for level in self._levels)
        enough = max(map(len, delimiters)) + 2
        at = 0 if self._fresh and data.startswith(b"--") else _dashes(data, 0)
        while at >= 0:
            if size - at < enough and not final and data.find(b"\n", at) < 0:
                self._more(run, max(at - 2, 0))
                return False
            if data.startswith(delimiters, at):
                # 5.1.1: the line end before it is the delimiter's.
                stop = at - (at > 0)
                stop -= data[stop - 1 : stop] == b"\r"
                self._found = self._match(at)
                self._more(run, stop)
                self._take(at - stop)
                run.octets.end()
                self._run = None
                return True
            at = _dashes(data, at)
        self._more(run, size if final else max(size - _TAIL, 0))
        return False

    def _more(self, run: Run, count: int) -> None:
        """So many octets are of `run`."""
        if count:
            run.octets.feed(self._data[:count])
            run.stop += count
            self._fresh = False
            self._take(count)

    def _delimiter(self, level: int, closing: bool, *, final: bool) -> bool:
        """To the end of its line: a part begins, or what stands behind the last one."""
        stop = self._data.find(b"\n") + 1
        self._take(stop or len(self._data))
        if not (stop or final):
            return False
        self._found = None
        open_level = self._levels[level]
        del self._levels[level + (not closing) :]
        if closing:
            self._begin(open_level.entity)
        else:
            self._depth, self._within, self._parent = open_level.depth, open_level.entity, open_level.number
        return True


def _dashes(data: bytes, after: int) -> int:
    """The next line that begins with two hyphens; -1 if there is none."""
    line = data.find(b"\n--", after)
    return line + 1 if line >= 0 else -1


def _fields(entity: Entity, head: bytes) -> bytes:
    """Reads what the header says; the boundary."""
    at, encodings, boundary, typed = entity.start, [], b"", False
    eight_bit: list[tuple[int, bytes]] = []
    for item in header.fields(head):
        name, stop = item.name.lower(), at + len(item.raw)
        if name == b"content-transfer-encoding":
            encodings.append((at, stop))
            entity.encoding = entity.encoding or encoding(item.value).lower()
        elif name == b"content-type" and item.value and not typed:
            typed = True
            _, entity.main, entity.sub, boundary = media_of(item.value)
        elif name == b"mime-version":
            entity.versioned = True
        if not item.raw.isascii():
            eight_bit.append((at, item.raw))
        at = stop
    entity.encodings, entity.eight_bit = tuple(encodings), tuple(eight_bit)
    if entity.main == b"multipart":
        entity.kind = MULTIPART
    elif (entity.main, entity.sub) == (b"message", b"rfc822") and encodes_nothing(entity.encoding):
        entity.kind = MESSAGE
    return boundary


def encodes_nothing(name: bytes) -> bool:
    """7bit, 8bit, binary, and what nobody decodes: "8bits", "plain" and more of the kind come in real mail. RFC 2045
    6.2, 6.3 (names of one's own begin with X-)"""
    return not (name in _ENCODED or name.startswith(b"x-"))


def folds(head: bytes) -> list[tuple[int, bool]]:
    """Where the too long lines of a header are cut in shorter ones: at white space, which begins the next line then
    (False), or where there is none before the octet that is too many (True). RFC 5322 2.2.3"""
    cuts, start = [], 0
    for line in head.split(b"\n") if len(head) > LONGEST else ():
        text, at, longest = line.rstrip(b"\r"), 0, LONGEST
        while len(text) - at > longest:
            until = at + longest + 1
            cut = max(text.rfind(b" ", at + 1, until), text.rfind(b"\t", at + 1, until))
            # 3.2.2: no line may be of white space alone.
            hard = cut < 0 or not text[at:cut].strip()
            if hard:
                cut = at + longest
                while cut > at + longest - 4 and text[cut] & 0xC0 == 0x80:  # Not within a character of UTF-8.
                    cut -= 1
            if not (text[at:cut].strip() and text[cut:].strip()):
                break
            cuts.append((start + cut, hard))
            at, longest = cut, LONGEST - hard
        start += len(line) + 1
    return cuts
