"""Sizes as POP3 tells them: each message is read once, large ones in pieces."""

import asyncio

from tests.support.fakes import FakeClock
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.mailbox import INBOX, AccountId, FolderRef
from whimbrel.core.uids import ALL
from whimbrel.services.pop3d.sizes import BATCH_BYTES, BATCH_MESSAGES, WireSizes

ANN = AccountId("ann@example.test")


class Reading(MemoryStore):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.whole: list[int] = []
        self.pieces = 0

    async def contents(self, ref: FolderRef, uids: "list[int]") -> "list[bytes | None]":  # type: ignore[override]
        self.whole.extend(uids)
        assert len(uids) <= BATCH_MESSAGES
        found = await super().contents(ref, uids)
        assert sum(len(content or b"") for content in found) <= BATCH_BYTES
        return found

    async def content(self, ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        self.pieces += 1
        assert length is not None and length <= BATCH_BYTES
        return await super().content(ref, uid, start, length)


async def fill(store: Reading, *contents: bytes) -> FolderRef:
    found = await store.find(ANN, INBOX)
    assert found is not None
    spool = MemorySpool()
    await store.commit([Append(found.ref, Rendition(b"", spool.hold(content))) for content in contents])
    return found.ref


async def told(store: Reading, sizes: WireSizes, ref: FolderRef) -> list[int]:
    validity = (await store.status(ref)).uid_validity
    return await sizes.of(ref, validity, [(uid, size) for uid, size, _ in await store.parts(ref, ALL)])


def test_each_message_is_read_once() -> None:
    async def test() -> None:
        store = Reading()
        sizes = WireSizes(store)
        ref = await fill(store, *(b"a\n" * (n % 3) + b"b\r\n" for n in range(200)))
        want = [3 * (n % 3) + 3 for n in range(200)]
        assert await told(store, sizes, ref) == want
        assert store.whole == list(range(1, 201))
        assert await told(store, sizes, ref) == want
        assert store.whole == list(range(1, 201))
        await fill(store, b"\n")
        assert await told(store, sizes, ref) == [*want, 2]
        assert store.whole == list(range(1, 202))

    asyncio.run(test())


def test_large_messages_are_read_in_pieces_and_batches_have_bounds() -> None:
    async def test() -> None:
        store = Reading()
        line = b"x" * 997 + b"\r\n"  # So that pieces end within line ends.
        large = line * (2 * BATCH_BYTES // len(line))
        half = b"y" * (BATCH_BYTES * 2 // 3) + b"\n"
        ref = await fill(store, large, half, half, large.replace(b"\r\n", b"\n"), b"z")
        assert await told(store, WireSizes(store), ref) == [len(large), len(half) + 1, len(half) + 1, len(large), 3]
        assert store.whole == [2, 3, 5] and store.pieces > 4

    asyncio.run(test())


def test_another_uidvalidity_is_another_folder() -> None:
    async def test() -> None:
        store = Reading()
        sizes = WireSizes(store)
        ref = await fill(store, b"\n\n")
        assert await sizes.of(ref, 1, [(1, 2)]) == [4]
        assert await sizes.of(ref, 2, [(1, 2)]) == [4]
        assert store.whole == [1, 1]

    asyncio.run(test())
