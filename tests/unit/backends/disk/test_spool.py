"""Content on its way in, in memory."""

import asyncio
from pathlib import Path

from whimbrel.backends.disk import spool
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool


def test_a_message_of_tiny_pieces_takes_no_more_memory_than_its_size(tmp_path: Path) -> None:
    async def scene() -> None:
        pool = ThreadPool(1)
        writer = DiskSpool(tmp_path, pool).start()
        most = 0
        for number in range(5000):
            await writer.write(b"%02d" % (number % 100))
            most = max(most, len(writer._blocks))
        assert most <= spool.MOST_BLOCKS
        content = await writer.finish()
        assert await content.read() == b"".join(b"%02d" % (number % 100) for number in range(5000))
        content.close()
        pool.close()

    asyncio.run(scene())
