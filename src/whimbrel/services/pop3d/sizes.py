"""How long messages are as POP3 sends them: the index knows their stored size, not their bare LFs.

Messages received by SMTP have none, but APPEND and import keep what they get. So each message is read once in the
life of a worker. Messages never change and UIDs ascend: what is remembered for a folder is up to which UID all are
known, and the few that gain octets.

Standards: RFC 1939 11 (message size)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from whimbrel.core.mailbox import FolderRef, Messages
from whimbrel.protocols.pop3.octets import Added, added

MAX_FOLDERS = 10_000
BATCH_MESSAGES = 64
BATCH_BYTES = 4 << 20
PIECE = 1 << 20


@dataclass(slots=True)
class _Known:
    upto: int = 0
    gains: dict[int, int] = field(default_factory=dict)


class WireSizes:
    """One for each worker."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._folders: dict[tuple[FolderRef, int], _Known] = {}

    async def of(self, ref: FolderRef, validity: int, stored: Sequence[tuple[int, int]]) -> list[int]:
        """For each (uid, stored size), in ascending order and all of the folder, the octets that are sent."""
        key = ref, validity
        known = self._folders.pop(key, None) or _Known()
        self._folders[key] = known  # The folder used last is last.
        if len(self._folders) > MAX_FOLDERS:
            del self._folders[next(iter(self._folders))]
        batch: list[tuple[int, int]] = []
        held = 0
        for uid, size in stored:
            if uid <= known.upto:
                continue
            if batch and (len(batch) >= BATCH_MESSAGES or held + size > BATCH_BYTES):
                await self._learn(ref, known, batch)
                batch, held = [], 0
            batch.append((uid, size))
            held += size
        if batch:
            await self._learn(ref, known, batch)
        return [size + known.gains.get(uid, 0) for uid, size in stored]

    async def _learn(self, ref: FolderRef, known: _Known, batch: Sequence[tuple[int, int]]) -> None:
        uids = [uid for uid, _ in batch]
        if len(batch) == 1 and batch[0][1] > BATCH_BYTES:
            found = [await self._large(ref, *batch[0])]
        else:
            found = [added(content or b"") for content in await self._messages.contents(ref, uids)]
        known.gains.update((uid, gain) for uid, gain in zip(uids, found, strict=True) if gain)
        known.upto = max(known.upto, uids[-1])

    async def _large(self, ref: FolderRef, uid: int, size: int) -> int:
        count = Added()
        for start in range(0, size, PIECE):
            count.feed(await self._messages.content(ref, uid, start, PIECE) or b"")
        return count.octets
