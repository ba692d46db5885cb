"""Mail that comes back to an address which has sent it on before.

What an alias or a forwarding sends to another server bears `Delivered-To` with all addresses of ours that it went
through (`flow/intake/dispatch.py`); a message that has one of them already goes round. Mail into a mailbox here is none
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


def looping(tx: Transaction) -> tuple[MailError | None, ...]:
    """For each recipient None, or why it gets nothing. Empty: no message of a loop.

    Where only a part of what a recipient stands for has had the message, that part is taken out of its expansion."""
    if not tx.header.has(_FIELD):
        return ()
    seen = {key for value in tx.header.values(_FIELD) if (key := _key(value))}
    declined: list[MailError | None] = [None] * len(tx.recipients)
    for at, expansion in enumerate(tx.expansions):
        if expansion.relayed or not expansion.remote:
            continue
        rest = _not_yet(expansion, seen)
        if rest.local or rest.remote:
            tx.expansions[at] = rest
        else:
            text = "Mail loop: the message has been sent on by this address before"
            declined[at] = MailError(554, "5.4.6", text)
    return tuple(declined)


def _not_yet(expansion: Expansion, seen: set[str]) -> Expansion:
    def fresh(one: Local | Remote) -> bool:
        return not any(address.key in seen for address in one.through)

    return replace(
        expansion, local=tuple(filter(fresh, expansion.local)), remote=tuple(filter(fresh, expansion.remote))
    )


def _key(value: str) -> str:
    try:
        return Address.parse(value.strip("<> ")).key
    except ValueError:
        return ""
