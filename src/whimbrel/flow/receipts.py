"""Answers a repeated message without delivering it again.

When our answer was late, or the client was gone before it, the client may not know that its message was taken and
sends it again (RFC 1047). A receipt for such a message is kept for a day.

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
_KIND: Final = "receipt"
_ASKED: Final = frozenset({Origin.INBOUND, Origin.SUBMISSION})


class Receipts:
    def __init__(self, state: State, counters: Counters, clock: Clock) -> None:
        self._state, self._counters, self._clock = state, counters, clock

    async def known(self, tx: Transaction) -> str | None:
        """The queue id under which the same message was taken already."""
        if tx.origin not in _ASKED or not self._counters.get(_KIND, window=KEPT):
            return None  # Nearly always: no receipt exists, and nothing is hashed.
        return await self._state.get(_KIND, _digest(tx))

    async def keep(self, tx: Transaction) -> None:
        if tx.origin in _ASKED and tx.content is not None:
            await self._state.set(_KIND, _digest(tx), tx.queue_id, expires=self._clock.now() + KEPT)
            self._counters.add(_KIND, window=KEPT)


def _digest(tx: Transaction) -> str:
    """Of reverse-path, recipients, size and the first 64 KiB: messages that agree in those, header with Message-ID and
    Date included, are one."""
    assert tx.content is not None
    parts = [path_text(tx.sender), str(tx.content.size), *sorted(one.address.key for one in tx.recipients)]
    digest = blake2b("\n".join(parts).encode(), digest_size=20)
    digest.update(b"\n\n" + tx.content.head[:HEAD])
    return digest.hexdigest()
