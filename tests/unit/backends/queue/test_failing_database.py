"""A database that cannot be used for a moment: what asks is told to come again, in the words of the port."""

import asyncio
from pathlib import Path

import apsw
import pytest

from tests.support.queue_house import NOW, entry, open_queue
from whimbrel.core.errors import MailError


def test_a_locked_database_is_a_temporary_failure_and_nothing_else(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            await house.add(entry("a-1"))
            (leased,) = await house.queue.lease(NOW, 1, 60)
            await house.add(entry("a-2"))
            house.queue.database.reader.set_busy_timeout(0)
            house.queue.database.writer.set_busy_timeout(0)
            other = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
            other.execute("BEGIN IMMEDIATE")
            for call in (
                house.queue.lease(NOW, 1, 60),
                house.queue.renew(["a-1"], NOW + 120),
                house.queue.update(leased),
                house.queue.finish(["a-1"]),
            ):
                with pytest.raises(MailError) as caught:
                    await call
                assert caught.value.temporary
            other.execute("ROLLBACK")
            other.close()
            assert [one.id for one in await house.queue.lease(NOW, 9, 60)] == ["a-2"]
            await house.queue.finish(["a-1", "a-2"])
            assert (await house.queue.counts(NOW)).waiting == 0

    asyncio.run(scene())
