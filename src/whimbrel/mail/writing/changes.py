"""What an administrator's rules change in a message: header fields, a mark in the subject, parts taken out, text added.

A `Change` is a value that says what is wanted; `Plan` makes exact edits of it (`edit.py`), so that every octet which no
change names stays as it came. Where only the header changes, its first octets are enough; else the message is surveyed
once in pieces. Nobody holds it.

Text is added as a part of its own: nothing that is there has to be decoded for it, whatever its charset, encoding or
type. Only a body of plain text that is plainly ASCII or UTF-8 is extended at its end. Signed and encrypted mail gets no
text: its reader would see a broken signature, or nothing. A part is taken out of signed mail all the same, as nobody
may smuggle one in by signing it; that its signature is broken is then true.

Standards: RFC 5322 2.2 (fields), 3.6.5 (Subject), RFC 2047 6.2 (white space between encoded words), RFC 2045 5.2, 6.4
(composite types say 7bit, 8bit or binary), RFC 2046 5.1 (multipart), 5.1.3 (mixed), RFC 3676 4.4 (space-stuffing),
RFC 1847 2.1, 2.2 (signed, encrypted), RFC 8551 3.2 (application/pkcs7-mime), RFC 4880 6.2 (PGP in a text)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.structure import header
from whimbrel.mail.structure.mime import LEAF, MESSAGE, MULTIPART
from whimbrel.mail.structure.outline import Entity, Outline, TooComplex, encodes_nothing
from whimbrel.mail.structure.parameters import media_type
from whimbrel.mail.writing.compose import clean, crlf, encoded_words, fold, text_part
from whimbrel.mail.writing.edit import Edit
from whimbrel.mail.writing.trace import joint

_SEALED: Final = frozenset(
    (b"multipart/signed", b"multipart/encrypted", b"application/pkcs7-mime", b"application/x-pkcs7-mime")
)
_PGP: Final = (b"\n-----BEGIN PGP MESSAGE-----", b"\n-----BEGIN PGP SIGNED MESSAGE-----")
_OVERLAP: Final = max(map(len, _PGP)) - 1
_LINE: Final = 998


class Change:
    """An edit of the message. Copies with equal changes share one file."""

    __slots__ = ()
    in_front = False
    """It stands before the message and needs nothing of it."""


@dataclass(frozen=True, slots=True)
class AddField(Change):
    """A header field in front of all that came. `raw` is all of it, with its CRLF."""

    raw: bytes
    in_front = True


@dataclass(frozen=True, slots=True)
class RemoveFields(Change):
    """All fields called `name` (lower case) of the header that came; `name` may end in `*`: all that begin so."""

    name: bytes


@dataclass(frozen=True, slots=True)
class RemoveExactly(Change):
    """Fields of the header that came, by all of their octets: those of a name are not all meant."""

    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MarkSubject(Change):
    """Text in front of the subject, unless that begins with it already."""

    mark: str


@dataclass(frozen=True, slots=True)
class TakeOut(Change):
    """A part is replaced by a note to the reader. `part` is its place among all entities in the order in which they
    begin, 0 being the message itself: as in `Outline.entities`, and as `mime.parse` has them depth first."""

    part: int
    note: str


@dataclass(frozen=True, slots=True)
class AddText(Change):
    """Text behind the message (a footer, a warning), its lines ending in LF."""

    text: str


class Survey:
    """What must be known of a whole message before its body can be changed: `feed` it all, then `end`. TooComplex"""

    def __init__(self) -> None:
        self._outline = Outline()
        self._digest = blake2b(digest_size=16)
        self._tail = b"\n"
        self.size = 0
        self.pgp = False
        """Text that PGP has signed or encrypted stands in it."""

    def feed(self, piece: bytes) -> None:
        self._outline.feed(piece)
        self._digest.update(piece)
        self.size += len(piece)
        data = self._tail + piece
        self.pgp = self.pgp or any(begin in data for begin in _PGP)
        self._tail = data[-_OVERLAP:]

    def end(self) -> None:
        self._outline.end()

    @property
    def entities(self) -> Sequence[Entity]:
        return self._outline.entities

    @property
    def ends_line(self) -> bool:
        return self._tail.endswith(b"\n")

    @property
    def sealed(self) -> bool:
        """Signed or encrypted. What is attached as a message of its own does not count."""
        return self.pgp or any(b"%b/%b" % (entity.main, entity.sub) in _SEALED for entity in self._outer())

    def _outer(self) -> Iterator[Entity]:
        inside: set[int] = set()
        for number, entity in enumerate(self.entities):
            if entity.parent in inside or (entity.parent >= 0 and self.entities[entity.parent].kind == MESSAGE):
                inside.add(number)
            else:
                yield entity

    def boundary(self) -> bytes:
        """One that does not stand in the message: nobody can write a message that holds its own digest."""
        return b"=_" + self._digest.hexdigest().encode()

    def stop(self, number: int) -> int:
        """Where an entity ends, all that is in it included; the line end before a delimiter is the delimiter's."""
        within, last = {number}, self.entities[number].blank
        for at, entity in enumerate(self.entities):
            if at == number or entity.parent in within:
                within.add(at)
                last = max(last, entity.blank, *(run.stop for run in entity.runs))
        return last


class Plan:
    """What becomes of a message of `size` octets that begins with `head`. `front` is put before it; `whole` says that
    the edits cannot be known without a survey. TooComplex: its header is longer than `head`."""

    def __init__(self, changes: Sequence[Change], head: bytes, size: int) -> None:
        stop = header.end(head)
        headless = joint(head) == b"\r\n"  # It is all body: our fields are ended by an empty line.
        self._header = b"" if headless else head[:stop]
        self._line_end = b"\n" if b"\n" in head and b"\r\n" not in head[: head.find(b"\n") + 1] else b"\r\n"
        fields = header.fields(self._header)
        marks = [change.mark for change in changes if isinstance(change, MarkSubject)]
        self._removed = tuple(change.name for change in changes if isinstance(change, RemoveFields))
        self._exact = frozenset(raw for change in changes if isinstance(change, RemoveExactly) for raw in change.raws)
        self._edits = list(self._of_header(fields, marks))
        self.front = b"".join(change.raw for change in changes if isinstance(change, AddField))
        if marks and not any(field.name.lower() == b"subject" and not self._goes(field) for field in fields):
            self.front += fold(f"Subject: {' '.join(encoded(mark) for mark in marks)}")
        self._taken = {change.part: change.note for change in changes if isinstance(change, TakeOut)}
        self._texts = [change.text for change in changes if isinstance(change, AddText)]
        self.whole = bool(self._taken or self._texts) and not headless
        cut = stop == len(head) < size and not head.endswith((b"\n\r\n", b"\n\n")) and not headless
        if cut and (self.whole or marks or self._removed or self._exact):
            raise TooComplex("its header is too long")

    def edits(self, survey: Survey | None = None) -> list[Edit]:
        """In order, none overlapping another. `survey`: of the whole message, if `whole`."""
        edits = list(self._edits)
        if survey is not None and self.whole:
            # Text may follow the header without an empty line: a line in it that looks like a field is text.
            blank = survey.entities[0].blank
            edits = [edit for edit in edits if edit.start < blank] + list(self._of_body(survey))
        return sorted(edits, key=lambda edit: (edit.start, edit.stop))

    def _goes(self, field: header.Field) -> bool:
        name = field.name.lower()
        return field.raw in self._exact or any(
            name == sought or (sought.endswith(b"*") and name.startswith(sought[:-1])) for sought in self._removed
        )

    def _of_header(self, fields: Sequence[header.Field], marks: Sequence[str]) -> Iterator[Edit]:
        at = 0
        for field in fields:
            stop = at + len(field.raw)
            if self._goes(field):
                yield Edit(at, stop)
            elif marks and field.name.lower() == b"subject":
                yield from self._mark(field, at, marks)
            at = stop

    def _mark(self, field: header.Field, at: int, marks: Sequence[str]) -> Iterator[Edit]:
        """Behind the colon: the subject stays as it is, encoded, folded or empty."""
        value, text = field.value, words(field.value).lstrip()
        new = [mark for mark in marks if not text.startswith(clean(mark))]
        if not new:
            return
        colon = field.raw.index(b":") + 1
        # RFC 2047 6.2: white space between two encoded words is not shown, so the first brings its own.
        joined = value.startswith(b"=?")
        mark = " ".join(encoded(text, space=joined) for text in new).encode()
        rest = field.raw[colon:]
        first = rest.partition(b"\n")[0].rstrip(b"\r")
        if colon + 1 + len(mark) + len(first) > _LINE:
            gap = self._line_end if rest[:1] in (b" ", b"\t") else self._line_end + b" "
        else:
            gap = b"" if rest[:1] in (b" ", b"\t", b"\r", b"\n") else b" "
        yield Edit(at + colon, at + colon, b" " + mark + gap)

    # The body

    def _of_body(self, survey: Survey) -> Iterator[Edit]:
        taken = sorted(number for number in self._taken if number < len(survey.entities))
        texts = [] if survey.sealed else self._texts
        if 0 in taken:
            yield from self._all_out(survey, [self._taken[0], *texts])
            return
        until = -1
        for number in taken:
            entity, stop = survey.entities[number], survey.stop(number)
            if entity.start >= until:  # Else it went with the part that it was in.
                yield Edit(entity.start, stop, self._native(text_part(self._taken[number])))
                until = stop
        if texts:
            yield from self._text(survey, texts)

    def _native(self, text: bytes) -> bytes:
        """With the line ends of the message."""
        return text if self._line_end == b"\r\n" else text.replace(b"\r\n", b"\n")

    def _all_out(self, survey: Survey, notes: Sequence[str]) -> Iterator[Edit]:
        """The content as a whole, with the fields that describe it."""
        root = survey.entities[0]
        fields, _ = self._describing(survey)
        yield from (Edit(start, stop) for start, stop, _ in fields)
        text = self._more_fields(root, fields) + text_part("\n\n".join(notes))
        yield Edit(root.blank, survey.size, self._native(text))

    def _more_fields(self, root: Entity, moved: Sequence[tuple[int, int, bytes]]) -> bytes:
        """What stands between the fields that stay and Content- fields of ours."""
        gone = any(stop == len(self._header) for _, stop, _ in moved) or any(
            edit.stop == len(self._header) > edit.start for edit in self._edits
        )
        ended = gone or not self._header or self._header.endswith(b"\n")
        return (b"" if ended else b"\r\n") + (b"" if root.versioned else b"MIME-Version: 1.0\r\n")

    def _describing(self, survey: Survey) -> tuple[list[tuple[int, int, bytes]], int]:
        """The Content- fields of the message and where they stand; where its content begins."""
        root, at, fields = survey.entities[0], 0, list[tuple[int, int, bytes]]()
        for field in header.fields(self._header):
            stop = at + len(field.raw)
            if at >= root.blank:
                break  # Text without an empty line before it, where a line looks like a field: it goes with it.
            if field.name.lower().startswith(b"content-") and not self._goes(field):
                fields.append((at, stop, field.raw))
            at = stop
        body = root.runs[0].start if root.runs else survey.entities[1].start if len(survey.entities) > 1 else root.blank
        return fields, body

    def _text(self, survey: Survey, texts: Sequence[str]) -> Iterator[Edit]:
        root = survey.entities[0]
        if self._extensible(root, texts):
            before = b"" if survey.ends_line else b"\r\n"
            body = b"\r\n".join(crlf(text.strip("\n").encode("utf-8", "replace")) for text in texts)
            yield Edit(survey.size, survey.size, self._native(before + b"\r\n" + self._stuffed(root, body) + b"\r\n"))
            return
        children = [number for number, entity in enumerate(survey.entities) if entity.parent == 0]
        # A delimiter that is one of an inner multipart too would put the text in there.
        alone = not any(entity.boundary.startswith(root.boundary) for entity in survey.entities[1:])
        if (root.kind, root.sub) == (MULTIPART, b"mixed") and children and alone:
            mark = b"--" + root.boundary
            parts = b"".join(b"\r\n%b\r\n%b" % (mark, text_part(text)) for text in texts)
            closed = len(root.runs) > 1
            at = survey.stop(children[-1]) if closed else survey.size
            yield Edit(at, at, self._native(parts if closed else b"%b\r\n%b--\r\n" % (parts, mark)))
            return
        yield from self._wrapped(survey, texts)

    def _wrapped(self, survey: Survey, texts: Sequence[str]) -> Iterator[Edit]:
        """All that is there becomes the first part of a multipart/mixed."""
        root = survey.entities[0]
        fields, body = self._describing(survey)
        mark = b"--" + survey.boundary()
        head = self._more_fields(root, fields) + b'Content-Type: multipart/mixed; boundary="%b"\r\n' % survey.boundary()
        if root.encoding in (b"8bit", b"binary"):
            head += b"Content-Transfer-Encoding: %b\r\n" % root.encoding
        yield from (Edit(start, stop) for start, stop, _ in fields)
        moved = b"".join(raw if raw.endswith(b"\n") else raw + self._line_end for _, _, raw in fields)
        yield Edit(root.blank, body, self._native(head + b"\r\n" + mark + b"\r\n") + moved + self._line_end)
        parts = b"".join(b"\r\n%b\r\n%b" % (mark, text_part(text)) for text in texts)
        yield Edit(survey.size, survey.size, self._native(b"%b\r\n%b--\r\n" % (parts, mark)))

    def _extensible(self, root: Entity, texts: Sequence[str]) -> bool:
        """Text that needs no decoding: lines can be put behind it as they are."""
        if root.kind != LEAF or (root.main, root.sub) != (b"text", b"plain") or not encodes_nothing(root.encoding):
            return False
        charset = (self._parameter(b"charset") or b"us-ascii").lower()
        if all(text.isascii() for text in texts):
            return charset in (b"us-ascii", b"ascii", b"utf-8", b"utf8")
        return charset in (b"utf-8", b"utf8") and root.encoding in (b"8bit", b"binary")

    def _stuffed(self, root: Entity, body: bytes) -> bytes:
        """Lines of flowed text that begin so are quoted otherwise. RFC 3676 4.4"""
        lines = [line.rstrip(b" ") for line in body.split(b"\r\n")]  # 4.1: a space at the end would join two of them.
        if (self._parameter(b"format") or b"").lower() == b"flowed":
            lines = [b" " + line if line.startswith((b" ", b">", b"From ")) else line for line in lines]
        return b"\r\n".join(lines)

    def _parameter(self, name: bytes) -> bytes | None:
        for field in header.fields(self._header):
            if field.name.lower() == b"content-type" and field.value:
                media = media_type(field.value)
                return media.raw(name) if media is not None else None
        return None


def encoded(mark: str, *, space: bool = False) -> str:
    """A mark as it stands in a subject; `space`: with one that is seen before an encoded word."""
    mark = clean(mark)
    if mark.isascii() and not space:
        return mark
    return encoded_words(mark + " " * space)


__all__ = [
    "AddField",
    "AddText",
    "Change",
    "MarkSubject",
    "Plan",
    "RemoveExactly",
    "RemoveFields",
    "Survey",
    "TakeOut",
    "TooComplex",
]
