"""A message for servers that do not take it as it is: those without 8BITMIME, and all where its lines are too long.

`edits` says what changes, from the outline of the message; `edit.Rewriter` makes the changes while the message passes
by in pieces. Neither holds the message. What needs no change stays as it is, octet for octet: text becomes
quoted-printable, all else base64, and only in the parts that need it; header fields are folded, and cut where they have
no white space, as Postfix does it.

What is within a multipart/signed is never changed: the signature would be broken, and to its reader a broken signature
is worse than a report to its sender, who can send it again in seven bits, as RFC 1847 2.1 has demanded of him. DKIM
signatures do break, as they do with every server that converts; RFC 6376 5.3 tells signers to convert before they sign.

Raw octets above 127 in header fields become encoded words for a server without 8BITMIME (`header_ascii.py`); others
take them, and a signature over them stays whole.

Standards: RFC 6152 3 (converting, or returning), RFC 2045 4 (MIME-Version), 6.2, 6.4 (composite types say 7bit, 8bit or
binary), RFC 2046 5.1.1 (what stands around parts is to be ignored), 5.2 (message), RFC 6532 3.7 (message/global may be
encoded), RFC 3464 2.1.1, RFC 1847 2.1, RFC 5322 2.1.1, 2.2.3 (folding), RFC 5321 4.5.3.1.6
"""

# RFC 1428 3: not done, no charset is named where the sender named none: readers guess it as they would have.

from collections.abc import Iterable, Iterator
from typing import Final

from whimbrel.mail.structure.mime import LEAF
from whimbrel.mail.structure.outline import Entity, Outline, Run, encodes_nothing
from whimbrel.mail.writing.edit import Edit
from whimbrel.mail.writing.header_ascii import ascii_field
from whimbrel.mail.writing.recode import Ascii, Base64, MendedQuotedPrintable, QuotedPrintable, Recoder, RewrappedBase64

_UNLABELLED: Final = (b"8bit", b"binary")
"""What must be labelled 7bit when it has become that."""
_REPORTS: Final = (b"delivery-status", b"disposition-notification", b"feedback-report")
"""Fields in ASCII; other octets are mistakes of who wrote them, and no reason to keep the report from its reader."""


class Unconvertible(Exception):
    """Why it cannot be converted to 7 bits."""


def edits(outline: Outline, *, seven_bit: bool) -> list[Edit]:
    """In order, none overlapping another. With `seven_bit` no body has an octet above 127 afterwards: else
    Unconvertible. Too long lines are healed as far as that can be."""
    changes: list[Edit] = []
    for entity in outline.entities:
        if entity.signed:
            if seven_bit and any(run.octets.eight_bit for run in entity.runs):
                raise Unconvertible("a signed part has octets above 127")
        else:
            changes += _of(entity, seven_bit=seven_bit)
    return sorted(changes, key=lambda edit: (edit.start, edit.stop))


def _of(entity: Entity, *, seven_bit: bool) -> Iterator[Edit]:
    needy = [run for run in entity.runs if run.octets.long_line or (seven_bit and run.octets.eight_bit)]
    label = b""
    if entity.kind != LEAF:
        yield from (Edit(run.start, run.stop, recoder=Ascii) for run in needy)
        signed = (entity.main, entity.sub) == (b"multipart", b"signed")
        if seven_bit and entity.encoding in _UNLABELLED and not signed:  # What it holds may say 8bit still.
            label = b"7bit"
    elif needy:
        label, recoder = _coding(entity, needy[0], seven_bit=seven_bit)
        if recoder is not None:
            yield Edit(needy[0].start, needy[0].stop, recoder=recoder)
    elif seven_bit and entity.encoding in _UNLABELLED:
        label = b"7bit"
    if label:
        yield from _labelled(entity, label)
    replaced = list(entity.encodings) if label else []
    if seven_bit:
        for start, raw in entity.eight_bit:
            if not (label and any(start == at for at, _ in entity.encodings)):
                replaced.append((start, start + len(raw)))
                yield Edit(start, start + len(raw), ascii_field(raw))
    yield from (
        Edit(at, at, b"\r\n " if hard else b"\r\n")
        for at, hard in entity.folds
        if not any(start <= at < stop for start, stop in replaced)
    )


def _coding(entity: Entity, run: Run, *, seven_bit: bool) -> tuple[bytes, type[Recoder] | None]:
    """A new Content-Transfer-Encoding (none if the old one is right) and what makes it."""
    if entity.encoding == b"base64":
        return b"", RewrappedBase64
    if entity.encoding == b"quoted-printable":
        return b"", MendedQuotedPrintable
    known, message = encodes_nothing(entity.encoding), entity.main == b"message"
    if known and message and entity.sub in _REPORTS:
        return b"7bit" if entity.encoding in _UNLABELLED else b"", Ascii
    # RFC 2045 6.4, RFC 6532 3.7: of all that holds messages only the international forms are ever encoded.
    if not known or (message and not entity.sub.startswith(b"global")):
        if seven_bit and run.octets.eight_bit:
            name = b"/".join((entity.main, entity.sub)).decode("ascii", "replace")[:80]
            raise Unconvertible(f"a part of type {name} may not be encoded")
        return b"", None
    # In a binary part CR and LF need not be line ends, of whatever type it is.
    if entity.main in (b"text", b"message") and entity.encoding != b"binary":
        return b"quoted-printable", QuotedPrintable
    return b"base64", Base64


def _labelled(entity: Entity, encoding: bytes) -> Iterator[Edit]:
    """One Content-Transfer-Encoding, where the first one stood."""
    text = b"Content-Transfer-Encoding: %b\r\n" % encoding
    if entity.root and not entity.versioned:  # Else the encoding means nothing. RFC 2045 4
        text = b"MIME-Version: 1.0\r\n" + text
    for start, stop in entity.encodings or ((entity.blank, entity.blank),):
        yield Edit(start, stop, text)
        text = b""


def outline_of(pieces: Iterable[bytes]) -> Outline:
    """The outline of a message that is at hand. TooComplex"""
    outline = Outline()
    for piece in pieces:
        outline.feed(piece)
    outline.end()
    return outline
