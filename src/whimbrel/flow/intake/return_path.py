"""What final delivery takes off a message: Return-Path fields of an earlier delivery, since ours is to be the only one.

A message that only passes through to other servers stays as it came: a relay does not look. Postfix and Exim drop the
field from all mail.

Standards: RFC 5321 4.4 (one Return-Path; none in what is submitted), RFC 6376 5.4.1 (signatures leave it out)
"""

from typing import Final

from whimbrel.core.commit import Spool, Spooled
from whimbrel.core.intake import Origin
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.structure.header import pick

_RETURN_PATH: Final = b"return-path"
_BLOCK: Final = 256 * 1024


def has_old_path(tx: Transaction) -> bool:
    """There is one to take off. A header that is longer than what we look at is let be."""
    if not tx.header.has(_RETURN_PATH) or not (tx.header.complete or len(tx.header.raw) == tx.size):
        return False
    return tx.origin is Origin.SUBMISSION or any(to.expansion.local for to in tx.addressees)


async def without_old_path(tx: Transaction, content: Spooled, spool: Spool) -> Spooled:
    """A copy, which the caller closes. MailError: the disk is full."""
    header = tx.header.raw
    writer = spool.start()
    try:
        await writer.write(pick(header, (_RETURN_PATH,), invert=True).removesuffix(b"\r\n"))  # The empty line follows.
        for start in range(len(header), content.size, _BLOCK):
            await writer.write(await content.read(start, min(_BLOCK, content.size - start)))
        return await writer.finish()
    except BaseException:
        writer.discard()
        raise
