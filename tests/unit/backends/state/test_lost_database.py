"""state.db is deleted, emptied or replaced under the processes that have it open."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.fakes import FakeClock, MemoryLog
from whimbrel.backends.state.state import SqliteState


@pytest.mark.parametrize("way", ["deleted", "all deleted", "emptied", "garbage", "replaced", "a directory", "a link"])
def test_all_share_one_file_again_with_one_line_in_the_log(tmp_path: Path, way: str) -> None:
    path = tmp_path / "state.db"
    log = MemoryLog()

    async def main() -> None:
        here, there = (SqliteState(path, FakeClock(), log, interval=3600) for _ in range(2))
        await here.set("k", "before", "1")
        await here.flush()
        assert await there.get("k", "before") == "1"
        if way.endswith("deleted"):
            for each in tmp_path.glob("state.db*" if way == "all deleted" else "state.db"):
                each.unlink()
        elif way == "a directory":
            path.unlink()
            (path / "something").mkdir(parents=True)
        elif way == "a link":
            path.rename(tmp_path / "moved")
            path.symlink_to(tmp_path / "moved")
        elif way == "replaced":
            (tmp_path / "other").write_bytes(b"x" * 9000)
            os.replace(tmp_path / "other", path)
        else:
            path.write_bytes(b"" if way == "emptied" else b"x" * path.stat().st_size)
        assert await there.get("k", "before") in ("1", None)
        await here.set("k", "after", "2")
        await here.flush()
        await there.set("k", "later", "3")
        await there.flush()
        assert await there.get("k", "after") == "2"
        assert await here.get("k", "later") == "3"
        if way.endswith("deleted"):
            assert await here.get("k", "before") == await there.get("k", "before") == "1"
        assert len(log.named("state.lost")) <= 2 and not log.named("state.failed")
        await here.close()
        await there.close()
        again = SqliteState(path, FakeClock(), log, interval=3600)
        assert (await again.get("k", "after"), await again.get("k", "later")) == ("2", "3")
        await again.close()

    asyncio.run(main())
