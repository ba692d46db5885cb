"""Answers a repeated message without delivering it again.

When our answer was late, or the client was gone before it, the client may not know that its message was taken and
sends it again (RFC 1047). A receipt for such a message is kept for a day. A message without a Message-ID gets none: a
script that sends the same alarm twice, and closes its side before it reads the answer, means two. Nor does one that was
not taken for all its recipients (PRDR): whom it was refused for, the repeated one must be refused for again.

Standards: RFC 1047, RFC 5321 4.5.3.2.6
"""

from hashlib import blake2b
from typing import Final

from whimbrel.core.address import path_text
from whimbrel.core.clock import Clock
from whimbrel.core.intake import Origin
from whimbrel.core.state import Counters, State
from whimbrel.flow.transaction import HEAD, Transaction

KEPT: Final = 86_400.0
LATE: Final = 10.0
"""Seconds after which a client may have given up waiting."""
PIECE: Final = 256 * 1024
_KIND: Final = "receipt"
_ASKED: Final = frozenset({Origin.INBOUND, Origin.SUBMISSION})


class Receipts:
    """A receipt lies under a digest of envelope, size and first bytes, and holds that of all bytes: a message is read
    to its end only if one that begins like it has a receipt."""

    def __init__(self, state: State, counters: Counters, clock: Clock) -> None:
        self._state, self._counters, self._clock = state, counters, clock

    async def known(self, tx: Transaction) -> str | None:
        """The queue id under which the same message was taken already."""
        if not _named(tx) or not self._counters.get(_KIND, window=KEPT):
            return None  # Nearly always: no receipt exists, and nothing is hashed.
        kept = await self._state.get(_KIND, _digest(tx))
        if kept is None:
            return None
        queue_id, _, whole = kept.partition(" ")
        return queue_id if whole == await _whole(tx) else None

    async def keep(self, tx: Transaction) -> None:
        """The transaction's content must be open still."""
        if tx.content is not None and _named(tx):
            value = f"{tx.queue_id} {await _whole(tx)}"
            await self._state.set(_KIND, _digest(tx), value, expires=self._clock.now() + KEPT)
            self._counters.add(_KIND, window=KEPT)


def _named(tx: Transaction) -> bool:
    """The client tells its messages apart, so one that is the same is the same."""
    return tx.origin in _ASKED and tx.header.has(b"message-id")


def _digest(tx: Transaction) -> str:
    """Of reverse-path, recipients, size and the first 64 KiB."""
    assert tx.content is not None
    parts = [path_text(tx.sender), str(tx.content.size), *sorted(to.recipient.address.key for to in tx.addressees)]
    digest = blake2b("\n".join(parts).encode(), digest_size=20)
    digest.update(b"\n\n" + tx.content.head[:HEAD])
    return digest.hexdigest()


async def _whole(tx: Transaction) -> str:
    assert tx.content is not None
    digest, start = blake2b(digest_size=20), 0
    while piece := await tx.content.read(start, PIECE):
        digest.update(piece)
        start += len(piece)
    return digest.hexdigest()
