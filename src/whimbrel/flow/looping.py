"""Mail that comes back to an address which has sent it on before.

What an alias or a forwarding sends to another server bears `Delivered-To` with that address (`dispatch.py`); a message
that has it already goes round. Mail into a mailbox here is none of that: people send on what they got, fields and all.

Standards: RFC 5321 6.3 (loops), RFC 3463 3.5 (X.4.6); RFC 9228 (Delivered-To)
"""

from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.errors import MailError
from whimbrel.flow.transaction import Transaction

_FIELD: Final = b"delivered-to"


def looping(tx: Transaction) -> tuple[MailError | None, ...]:
    """For each recipient None, or why it gets nothing. Empty: no message of a loop."""
    if not tx.header.has(_FIELD):
        return ()
    seen = {key for value in tx.header.values(_FIELD) if (key := _key(value))}
    return tuple(
        MailError(554, "5.4.6", "Mail loop: the message has been sent on by this address before")
        if expansion.remote and not expansion.relayed and recipient.address.key in seen
        else None
        for recipient, expansion in zip(tx.recipients, tx.expansions, strict=True)
    )


def _key(value: str) -> str:
    try:
        return Address.parse(value.strip("<> ")).key
    except ValueError:
        return ""
