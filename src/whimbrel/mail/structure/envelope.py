"""ENVELOPE in its wire form.

Standards: RFC 9051 7.5.2 (ENVELOPE: order; Sender and Reply-To default to From), 9 (envelope)
"""

from whimbrel.mail.structure.address_list import wire
from whimbrel.mail.structure.mime import (
    BCC,
    CC,
    DATE,
    FROM,
    IN_REPLY_TO,
    MESSAGE_ID,
    REPLY_TO,
    SENDER,
    SUBJECT,
    TO,
    Fields,
)
from whimbrel.mail.structure.nstring import NIL, nstring


def envelope(fields: Fields) -> bytes:
    """`(date subject from sender reply-to to cc bcc in-reply-to message-id)`"""
    sent_by = _addresses(fields[FROM])
    sender, reply_to = _addresses(fields[SENDER]), _addresses(fields[REPLY_TO])
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(fields[DATE]),
        nstring(fields[SUBJECT]),
        sent_by,
        sent_by if sender is NIL else sender,
        sent_by if reply_to is NIL else reply_to,
        _addresses(fields[TO]),
        _addresses(fields[CC]),
        _addresses(fields[BCC]),
        nstring(fields[IN_REPLY_TO]),
        nstring(fields[MESSAGE_ID]),
    )


def _addresses(value: bytes | None) -> bytes:
    return wire(value) if value else NIL
