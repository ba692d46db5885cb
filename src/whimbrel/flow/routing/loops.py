"""Mail that comes back to an address which has sent it on before.

What an alias or a forwarding sends to another server bears `Delivered-To` with all addresses of ours that it went
through (`flow/intake/plan.py`); a message that has one of them already goes round. Mail into a mailbox here is none
of that: people send on what they got, fields and all.

Standards: RFC 5321 6.3 (loops), RFC 3463 3.5 (X.4.6); RFC 9228 (Delivered-To)
"""

from dataclasses import replace
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.errors import MailError
from whimbrel.flow.routing.route import Expansion, Local, Remote
from whimbrel.flow.transaction import Transaction

_FIELD: Final = b"delivered-to"


def decline_loops(tx: Transaction) -> None:
    """Leaves an error with each addressee who gets nothing. Where only a part of what it stands for has had the
    message, that part is taken out of its expansion. MailError if nobody is left."""
    if not tx.header.has(_FIELD):
        return
    seen = {key for value in tx.header.values(_FIELD) if (key := _key(value))}
    for to in tx.addressees:
        expansion = to.expansion
        if to.error is not None or expansion.relayed or not expansion.remote:
            continue
        rest = _not_yet(expansion, seen)
        if rest.local or rest.remote:
            to.expansion = rest
        else:
            to.error = MailError(554, "5.4.6", "Mail loop: the message has been sent on by this address before")
    errors = [to.error for to in tx.addressees if to.error is not None]
    if errors and len(errors) == len(tx.addressees):
        raise errors[-1]


def _not_yet(expansion: Expansion, seen: set[str]) -> Expansion:
    def fresh(step: Local | Remote) -> bool:
        return not any(address.key in seen for address in step.through)

    return replace(
        expansion, local=tuple(filter(fresh, expansion.local)), remote=tuple(filter(fresh, expansion.remote))
    )


def _key(value: str) -> str:
    try:
        return Address.parse(value.strip("<> ")).key
    except ValueError:
        return ""
