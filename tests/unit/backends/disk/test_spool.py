"""Content on its way in, in memory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import (
    IN_MEMORY,
    MOST_BLOCKS,
    ROOM,
    SMALL,
    DiskSpool,
    FileContent,
    HeldContent,
    only_crlf,
)
from whimbrel.core.commit import Rendition

PIECE = 1 << 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[DiskSpool]:
    pool = ThreadPool(1)
    yield DiskSpool(tmp_path, pool)
    pool.close()


def _written(disk: DiskSpool, size: int) -> HeldContent | FileContent:
    async def write() -> HeldContent | FileContent:
        writer = disk.start()
        for _ in range(size // PIECE):
            await writer.write(b"x" * PIECE)
        content = await writer.finish()
        assert isinstance(content, HeldContent | FileContent) and content.size == size
        assert await content.read(size - 10) == b"x" * 10
        return content

    return asyncio.run(write())


def test_a_large_message_stays_in_memory_while_there_is_room(disk: DiskSpool) -> None:
    one = _written(disk, 1 << 20)
    assert isinstance(one, HeldContent) and disk._room.left == ROOM - (1 << 20)
    one.close()
    one.close()
    assert disk._room.left == ROOM


def test_a_very_large_message_goes_to_a_file_and_gives_its_room_back(disk: DiskSpool) -> None:
    content = _written(disk, IN_MEMORY + PIECE)
    assert isinstance(content, FileContent) and disk._room.left == ROOM
    content.close()


def test_large_messages_go_to_files_when_the_room_is_taken_and_small_ones_stay(disk: DiskSpool) -> None:
    held = [_written(disk, 1 << 20) for _ in range(ROOM >> 20)]
    assert all(isinstance(one, HeldContent) for one in held) and disk._room.left == 0
    in_file = _written(disk, 1 << 20)
    assert isinstance(in_file, FileContent)
    in_file.close()
    assert isinstance(_written(disk, SMALL), HeldContent)
    held.pop().close()
    assert isinstance(_written(disk, 1 << 20), HeldContent)


def test_line_ends_are_known_only_where_somebody_looked(disk: DiskSpool) -> None:
    async def content(*, crlf: bool) -> HeldContent:
        writer = disk.start()
        await writer.write(b"a\r\n")
        found = await writer.finish(crlf=crlf)
        assert isinstance(found, HeldContent)
        return found

    assert only_crlf(Rendition(b"", asyncio.run(content(crlf=True))))
    assert not only_crlf(Rendition(b"", asyncio.run(content(crlf=False))))
    assert not only_crlf(Rendition(b"", disk.hold(b"a\n")))


def test_what_is_discarded_gives_its_room_back(disk: DiskSpool) -> None:

    async def scene() -> None:
        writer = disk.start()
        for _ in range(8):
            await writer.write(b"x" * PIECE)
        assert disk._room.left < ROOM
        writer.discard()
        writer.discard()

    asyncio.run(scene())
    assert disk._room.left == ROOM


def test_a_message_of_tiny_pieces_takes_no_more_memory_than_its_size(tmp_path: Path) -> None:
    async def scene() -> None:
        pool = ThreadPool(1)
        writer = DiskSpool(tmp_path, pool).start()
        most = 0
        for number in range(5000):
            await writer.write(b"%02d" % (number % 100))
            most = max(most, len(writer._blocks))
        assert most <= MOST_BLOCKS
        content = await writer.finish()
        assert await content.read() == b"".join(b"%02d" % (number % 100) for number in range(5000))
        content.close()
        pool.close()

    asyncio.run(scene())
