"""queue.db is deleted, emptied or replaced under a process: nothing is acknowledged into a file without a name."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.queue_house import NOW, entry, open_queue
from whimbrel.core.errors import MailError


@pytest.mark.parametrize("way", ["deleted", "all deleted", "emptied", "replaced"])
def test_nothing_new_is_acknowledged_and_what_was_queued_goes_on(tmp_path: Path, way: str) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as house:
            await house.add(entry("a-1"))
            path = tmp_path / "queue" / "queue.db"
            if way.endswith("deleted"):
                for each in path.parent.glob("queue.db*" if way == "all deleted" else "queue.db"):
                    each.unlink()
            elif way == "emptied":
                os.truncate(path, 0)
            else:
                other = path.with_name("other.db")
                other.write_bytes(path.read_bytes())
                os.replace(other, path)
            for name in ("a-2", "a-3"):
                refused = await house.add(entry(name))
                assert isinstance(refused, MailError) and refused.code == 451
            assert len(house.log.named("queue.database-lost")) == 1
            assert not list(path.parent.glob("a-[23].eml"))
            if way != "emptied":
                assert [item.id for item in await house.queue.lease(NOW, 9, 60)] == ["a-1"]

    asyncio.run(scene())


def test_a_process_that_comes_then_begins_with_a_log_of_its_own(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), open_queue(tmp_path) as former:
            await former.add(entry("a-1"))
            (tmp_path / "queue" / "queue.db").unlink()
            async with open_queue(tmp_path) as house:
                await house.add(entry("b-1"))
                assert [item.id for item in await house.queue.lease(NOW, 9, 60)] == ["b-1"]
                assert [item.id for item in await former.queue.lease(NOW, 9, 60)] == ["a-1"]

    asyncio.run(scene())
