"""Everything the index keeps of a message, from one pass over its bytes; done once, when it arrives.

Standards: RFC 9051 7.5.2 (ENVELOPE, BODYSTRUCTURE), RFC 8970 (PREVIEW), RFC 5256 (what SORT and THREAD need)
"""

import re
from typing import NamedTuple

from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.sorting.identifiers import message_id, references
from whimbrel.mail.sorting.sortkeys import SortKeys, sort_keys
from whimbrel.mail.structure import date
from whimbrel.mail.structure.address_list import entries
from whimbrel.mail.structure.bodystructure import Lines, bodystructure
from whimbrel.mail.structure.envelope import envelope
from whimbrel.mail.structure.mime import BCC, CC, DATE, FROM, IN_REPLY_TO, MESSAGE_ID, REFERENCES, SUBJECT, TO, parse
from whimbrel.mail.structure.parts import pack
from whimbrel.mail.text.preview import preview

_REWRITTEN = re.compile(rb"[(\\]|[ \t][@.>]|[@.<][ \t]|\"@|<@")
"""What may stand in an address that ENVELOPE shows otherwise: comments, blanks, quotes, routes."""
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
    """As the field has them, decoded and case-folded; behind it the addresses that ENVELOPE shows and it does not."""
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
        _addresses(fields[FROM]),
        _addresses(fields[TO]),
        _addresses(fields[CC]),
        _addresses(fields[BCC]),
        subject.casefold(),
        preview(message, root),
        sent.utc if sent else None,
        sort_keys(fields[FROM], fields[TO], fields[CC], subject),
    )


def scan_body(message: bytes) -> bytes:
    """BODY: the form of BODYSTRUCTURE without extension data. RFC 9051 7.5.2"""
    return bodystructure(parse(message), Lines(message), extended=False)


@remember(4096)
def _searched(value: bytes) -> str:
    """RFC 9051 6.4.4: FROM and its like look "in the envelope structure's field"."""
    value = value[:MAX_SEARCHED]
    text = words(value).casefold()
    if not _REWRITTEN.search(value):
        return text
    shown = [words(b"%b@%b" % (entry.mailbox or b"", entry.host)).casefold() for entry in entries(value) if entry.host]
    return ", ".join([text, *dict.fromkeys(address for address in shown if address not in text)])


def _addresses(value: bytes | None) -> str:
    return _searched(value) if value else ""
