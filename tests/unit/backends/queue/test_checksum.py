"""What the queue knows of the content it has written: a file that holds anything else is never sent."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from zlib import crc32

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.queue_house import NOW, QueueHouse, entry, open_queue
from whimbrel.backends.disk.spool import IN_MEMORY
from whimbrel.backends.queue import content, recovery, rows
from whimbrel.backends.queue.checksum import checksum, damaged, joined
from whimbrel.core.commit import Enqueue, Rendition
from whimbrel.core.queue import CONTENT_LOST, QueueFilter

HEAD = b"Subject: x\r\n\r\n"


def run(root: Path, test: Callable[[QueueHouse], Coroutine[object, object, None]]) -> None:
    async def inside() -> None:
        async with asyncio.timeout(60), open_queue(root) as house:
            await test(house)

    asyncio.run(inside())


def forget_checksums(root: Path) -> None:
    """As if a release before had added all."""
    connection = apsw.Connection(str(root / "queue" / "queue.db"))
    connection.execute("UPDATE entry SET checksum = NULL")
    connection.close()


async def names(house: QueueHouse) -> set[str]:
    return {one.id for one in await house.queue.select(QueueFilter())}


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 700))
def test_the_checksum_of_two_pieces_comes_from_those_of_each(first: bytes, piece: bytes, times: int) -> None:
    second = piece * times
    assert joined(crc32(first), crc32(second), len(second)) == crc32(first + second)


def test_content_in_a_file_has_the_checksum_it_would_have_in_memory(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        text = HEAD + os.urandom(IN_MEMORY + 12_345)
        for prefix in (b"", b"Received: by us\r\n"):
            writer = house.spool.start()
            for start in range(0, len(text), 300_000):
                await writer.write(text[start : start + 300_000])
            spooled = await writer.finish()
            rendition = Rendition(prefix, spooled)
            assert checksum(rendition) == checksum(Rendition(prefix, house.spool.hold(text))) == crc32(prefix + text)
            name = f"a-{len(prefix)}"
            job = house.queue.job(Enqueue(entry(name), rendition))
            await house.committer.commit([(house.queue, job)])
            spooled.close()
            item = await house.queue.get(name)
            assert job.result is None and item is not None and item.checksum == crc32(prefix + text)
        assert house.queue.recover() == 0
        assert len(await names(house)) == 2

    run(tmp_path, check)


def test_large_content_is_copied_while_nobody_waits_for_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(house: QueueHouse) -> None:
        other = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        copy = content.materialise
        copied: list[bool] = []

        def look(rendition: Rendition, folder: Path, modified: int | None) -> object:
            copied.append(not rendition.content.materialised)  # type: ignore[attr-defined]
            if copied == [True]:
                other.execute("BEGIN IMMEDIATE; ROLLBACK")  # apsw.BusyError if the queue were locked.
            return copy(rendition, folder, modified)

        monkeypatch.setattr(content, "materialise", look)
        writer = house.spool.start()
        await writer.write(HEAD + bytes(IN_MEMORY))
        spooled = await writer.finish()
        job = house.queue.job(Enqueue(entry("a-1"), Rendition(b"X: y\r\n", spooled)))
        await house.committer.commit([(house.queue, job)])
        spooled.close()
        other.close()
        assert job.result is None and copied == [True, False]

    run(tmp_path, check)


def test_a_message_that_holds_nothing_but_nuls_survives_a_crash(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        text = HEAD + bytes(3 * 4096) + b"\r\n"
        await house.add(entry("a-1"), text)
        assert house.queue.recover() == 0
        assert await house.queue.content("a-1") == text

    run(tmp_path, check)


@pytest.mark.parametrize("spoilt", [bytes(20_000), b"y" * 20_000, b"x" * 19_999 + b"y"], ids=["nul", "other", "bit"])
def test_a_file_whose_length_alone_reached_the_disk_is_never_sent(tmp_path: Path, spoilt: bytes) -> None:
    async def check(house: QueueHouse) -> None:
        text = b"x" * 20_000
        for name, created in (("a-1", NOW), ("a-2", NOW), ("a-3", NOW - 3600)):
            await house.add(entry(name, created=created), text)
        for name in ("a-1", "a-3"):  # The third was acknowledged long ago: a power cut has nothing to do with it.
            (tmp_path / "queue" / f"{name}.eml").write_bytes(spoilt)
        assert house.queue.recover() == 1
        assert await names(house) == {"a-2", "a-3"}
        assert (tmp_path / "queue" / "lost" / "a-1.eml").read_bytes() == spoilt

    run(tmp_path, check)


def test_without_a_checksum_a_block_of_nuls_stands_for_data_that_was_not_written(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        text = HEAD + b"text with a \0 in it\r\n" * 1000
        for name, created in (("a-1", NOW), ("a-2", NOW), ("a-3", NOW - 3600)):
            await house.add(entry(name, created=created), text)
        forget_checksums(tmp_path)
        for name in ("a-1", "a-3"):
            (tmp_path / "queue" / f"{name}.eml").write_bytes(text[:8192] + bytes(len(text) - 8192))
        assert house.queue.recover() == 1
        assert await names(house) == {"a-2", "a-3"}

    run(tmp_path, check)


def test_a_queue_of_the_format_before_knows_no_checksums_and_keeps_its_mail(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-2"))
        found = {one.id: one.checksum is None for one in await house.queue.select(QueueFilter())}
        assert found == {"a-1": True, "a-2": False}
        assert house.queue.recover() == 0
        assert await house.queue.content("a-1") == b"12345"

    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "a-1.eml").write_bytes(b"12345")
    connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
    for step in (rows.SCHEMA, rows.LANES, rows.RETURNS, "INSERT INTO meta VALUES('format', '1.2')"):
        connection.execute(step).fetchall()
    connection.execute(
        "INSERT INTO entry(id, sender, created, next_attempt, size, attempts, held, message_id, user, client, envid, "
        "ret_full, utf8, body_8bit, origin, lane) "
        f"VALUES('a-1', '', {NOW}, {NOW}, 5, 0, 0, '', '', '', '', 0, 0, 0, '', 'remote.test')"
    )
    connection.execute("INSERT INTO recipient VALUES('a-1', 0, 'b@remote.test', '', '', 'waiting', '', '', 0, 0, '')")
    connection.close()
    run(tmp_path, check)


def test_what_the_disk_cannot_read_any_more_stops_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(house: QueueHouse) -> None:
        for name in ("a-1", "a-2"):
            await house.add(entry(name), name.encode())
        bad, read = (tmp_path / "queue" / "a-1.eml").stat().st_ino, os.read

        def failing(descriptor: int, length: int) -> bytes:
            if os.fstat(descriptor).st_ino == bad:
                raise OSError(errno.EIO, "bad sector")
            return read(descriptor, length)

        with monkeypatch.context() as patched:
            patched.setattr(os, "read", failing)
            assert house.queue.recover() == 1
        assert await names(house) == {"a-2"}
        assert (tmp_path / "queue" / "lost" / "a-1.eml").exists()

    run(tmp_path, check)


def test_a_file_that_we_may_not_read_is_not_taken_for_damaged(tmp_path: Path) -> None:
    (tmp_path / "folder.eml").mkdir()  # Any error that tells nothing of the content.
    with pytest.raises(IsADirectoryError):
        damaged(str(tmp_path / "folder.eml"), 1)


def test_mail_is_taken_in_while_files_are_read_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        reading, gate = threading.Event(), threading.Event()

        def slow(path: str, expected: int | None) -> bool:
            reading.set()
            assert gate.wait(30)
            return damaged(path, expected)

        monkeypatch.setattr(recovery, "damaged", slow)
        recovering = asyncio.create_task(asyncio.to_thread(house.queue.recover))
        assert await asyncio.to_thread(reading.wait, 30)
        assert await house.add(entry("a-2")) is None
        gate.set()
        assert await recovering == 0
        assert await names(house) == {"a-1", "a-2"}

    run(tmp_path, check)


def test_an_entry_that_is_ahead_of_the_clock_hides_none_of_the_last_moment(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        now = time.time()
        await house.add(entry("ahead", created=now + 365 * 86_400.0))
        await house.add(entry("torn", created=now - 600), b"x" * 5000)
        await house.add(entry("slow", created=now - 800), b"x" * 5000)  # Before the clock was set back a little.
        await house.add(entry("gone", created=now - 5000), b"x" * 5000)
        for name in ("torn", "slow"):
            (tmp_path / "queue" / f"{name}.eml").write_bytes(bytes(5000))
        (tmp_path / "queue" / "gone.eml").unlink()
        assert house.queue.recover() == 3
        found = {one.id: one.give_up for one in await house.queue.select(QueueFilter())}
        assert found == {"ahead": "", "slow": CONTENT_LOST, "gone": CONTENT_LOST}

    run(tmp_path, check)


def test_a_file_that_another_process_removes_meanwhile_is_nothing_odd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        settled = tmp_path / "queue" / "settled.eml"  # Its row has gone; its file goes at this moment.
        settled.write_bytes(b"sent")
        scan = os.scandir

        class Scan:
            def __init__(self, folder: Path) -> None:
                self._entries = scan(folder)

            def __enter__(self) -> Iterator["os.DirEntry[str]"]:
                found = list(self._entries)
                settled.unlink()
                return iter(found)

            def __exit__(self, *_: object) -> None:
                self._entries.close()

        with monkeypatch.context() as patched:
            patched.setattr(os, "scandir", Scan)
            assert house.queue.recover() == 0
        recovery.lose(tmp_path / "queue", "settled.eml")
        assert await names(house) == {"a-1"}

    run(tmp_path, check)
