"""Everything the index keeps of a message, from one pass over its bytes; done once, when it arrives.

Standards: RFC 9051 7.5.2 (ENVELOPE, BODYSTRUCTURE), RFC 8970 (PREVIEW), RFC 5256 (what SORT and THREAD need)
"""

from typing import NamedTuple

from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.sorting.identifiers import message_id, references
from whimbrel.mail.sorting.sortkeys import SortKeys, sort_keys
from whimbrel.mail.structure import date
from whimbrel.mail.structure.bodystructure import Lines, bodystructure
from whimbrel.mail.structure.envelope import envelope
from whimbrel.mail.structure.mime import BCC, CC, DATE, FROM, IN_REPLY_TO, MESSAGE_ID, REFERENCES, SUBJECT, TO, parse
from whimbrel.mail.structure.parts import pack
from whimbrel.mail.text.preview import preview

MAX_SEARCHED = 1 << 16
"""Bytes of a field that SEARCH looks at."""


class Scan(NamedTuple):
    """Wire forms, offsets, and the values for SEARCH, SORT and THREAD."""

    envelope: bytes
    bodystructure: bytes
    parts: bytes
    """`mail.structure.Structure.unpack` reads it."""
    sent: int
    """Date: in seconds, the sender's local time as if it were UTC; 0 if there is none, or none that can be read."""
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    """Ids with angle brackets, the oldest first; that of In-Reply-To if there is no References."""
    from_: str
    to: str
    cc: str
    bcc: str
    subject: str
    """Decoded and case-folded."""
    preview: str
    sent_utc: int | None
    """Date: in seconds UTC; None if there is none, or none that can be read."""
    sort: SortKeys


def scan(message: bytes) -> Scan:
    """Reads `message`. Never raises, whatever the bytes are."""
    root = parse(message)
    fields = root.fields
    sent = date.read(fields[DATE] or b"")
    replied = fields[IN_REPLY_TO]
    subject = words((fields[SUBJECT] or b"")[:MAX_SEARCHED])
    return Scan(
        envelope(fields),
        bodystructure(root, Lines(message)),
        pack(root),
        sent.local if sent else 0,
        message_id(fields[MESSAGE_ID]),
        message_id(replied),
        references(fields[REFERENCES], replied),
        _folded(fields[FROM]),
        _folded(fields[TO]),
        _folded(fields[CC]),
        _folded(fields[BCC]),
        subject.casefold(),
        preview(message, root),
        sent.utc if sent else None,
        sort_keys(fields[FROM], fields[TO], fields[CC], subject),
    )


def scan_body(message: bytes) -> bytes:
    """BODY: the form of BODYSTRUCTURE without extension data. RFC 9051 7.5.2"""
    return bodystructure(parse(message), Lines(message), extended=False)


def _fold(value: bytes) -> str:
    return words(value[:MAX_SEARCHED]).casefold()


_known = remember(4096)(_fold)


def _folded(value: bytes | None) -> str:
    return _known(value) if value else ""
