"""Fields that a message must not keep: those that its sender's program should have taken off, and Return-Path fields of
an earlier delivery, since ours is to be the only one.

What is submitted (by a signed-in user, or from a network that may relay) loses Bcc, or every recipient would read whom
the others were not to know; with it go Resent-Bcc, Return-Path and Content-Length, as with Postfix. Other mail that
only passes through to other servers stays as it came; at final delivery it loses Return-Path.

Standards: RFC 5322 3.6.3 (Bcc), 3.6.6 (Resent-Bcc), RFC 5321 4.4 (one Return-Path; none in what is submitted),
RFC 6376 5.4.1 (signatures leave it out)
"""

from typing import Final

from whimbrel.core.intake import Origin
from whimbrel.core.spool import Spool, Spooled
from whimbrel.flow.assessment import Peer
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.writing.drop_fields import FieldDropper

_SUBMITTED: Final = (b"bcc", b"resent-bcc", b"return-path", b"content-length")
_DELIVERED: Final = (b"return-path",)
_BLOCK: Final = 256 * 1024


def to_drop(tx: Transaction) -> tuple[bytes, ...]:
    """Names of fields, in lower case; none if the message has none of them."""
    header = tx.header
    if header.complete and not header.begin(*_SUBMITTED):
        return ()  # Nearly always.
    if tx.origin is Origin.SUBMISSION or tx.peer is Peer.NETWORK:
        return _SUBMITTED
    if any(to.expansion.local for to in tx.addressees):
        return _DELIVERED
    return ()


async def without(names: tuple[bytes, ...], content: Spooled, spool: Spool) -> Spooled:
    """A copy, which the caller closes. MailError: the disk is full."""
    dropper, writer = FieldDropper(names), spool.start()
    try:
        for start in range(0, content.size, _BLOCK):
            if left := dropper.feed(await content.read(start, min(_BLOCK, content.size - start))):
                await writer.write(left)
        if left := dropper.end():
            await writer.write(left)
        return await writer.finish()
    except BaseException:
        writer.discard()
        raise
