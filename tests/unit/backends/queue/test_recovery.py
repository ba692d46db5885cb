"""The queue on disk after crashes, failed barriers, and with two processes."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from tests.support.queue_house import NOW, QueueHouse, entry, open_queue
from whimbrel.backends.disk.barrier import BarrierError, Touched
from whimbrel.core.errors import MailError
from whimbrel.core.queue import CONTENT_LOST, QueueFilter, RecipientState


def run(root: Path, test: Callable[[QueueHouse], Coroutine[object, object, None]]) -> None:
    async def inside() -> None:
        async with asyncio.timeout(60), open_queue(root) as house:
            await test(house)

    asyncio.run(inside())


def test_a_row_without_its_file_is_removed_and_told(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        await house.add(entry("a-2"))
        (tmp_path / "queue" / "a-1.eml").unlink()
        assert house.queue.recover() == 1
        assert [one.id for one in await house.queue.select(QueueFilter())] == ["a-2"]
        assert [record["queue_id"] for record in house.log.named("queue.content-missing")] == ["a-1"]

    run(tmp_path, check)


def test_what_was_taken_in_for_certain_and_lost_its_content_is_seen_and_given_up(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1", created=NOW - 3600))  # Long before the latest.
        await house.add(entry("a-2", "b@else.test"))
        await house.add(replace(entry("a-3", created=NOW - 3600), held=True))
        await house.add(entry("a-4", "b@whole.test"), b"whole")
        await house.add(entry("a-5", "b@last.test"))
        (tried,) = await house.queue.lease(NOW, 1, 60, room={"remote.test": 0, "whole.test": 0, "last.test": 0})
        await house.queue.update(replace(tried, attempts=2, next_attempt=NOW + 9000))
        for name in ("a-1", "a-3", "a-5"):
            (tmp_path / "queue" / f"{name}.eml").unlink()
        (tmp_path / "queue" / "a-2.eml").write_bytes(b"torn")
        for _ in range(2):  # Whoever starts before they are returned finds them again.
            assert house.queue.recover() >= 3
            found = {one.id: one for one in await house.queue.select(QueueFilter())}
            assert found.keys() == {"a-1", "a-2", "a-3", "a-4"}  # "a-5" may never have been acknowledged.
            for name in ("a-1", "a-2", "a-3"):
                assert (found[name].give_up, found[name].recipients[0].status) == (CONTENT_LOST, CONTENT_LOST)
            assert found["a-3"].held and not found["a-4"].give_up
        assert {one.id for one in await house.queue.select(QueueFilter(status="5.3.0"))} == {"a-1", "a-2", "a-3"}
        assert {one.id for one in await house.queue.lease(NOW, 9, 60)} == {"a-1", "a-2", "a-4"}

    run(tmp_path, check)


def test_a_torn_file_is_never_sent(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"), b"whole content")
        (tmp_path / "queue" / "a-1.eml").write_bytes(b"whole")
        assert house.queue.recover() == 1
        assert await house.queue.get("a-1") is None
        assert (tmp_path / "queue" / "lost" / "a-1.eml").read_bytes() == b"whole"

    run(tmp_path, check)


def test_a_file_without_a_row_is_kept_in_lost(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        folder = tmp_path / "queue"
        (folder / "stray.eml").write_bytes(b"who sent me?")
        (folder / "empty.eml").write_bytes(b"")
        assert house.queue.recover() == 2
        assert (folder / "lost" / "stray.eml").read_bytes() == b"who sent me?"
        assert sorted(path.name for path in folder.glob("*.eml")) == []
        (folder / "stray.eml").write_bytes(b"another")
        house.queue.recover()
        assert len(list((folder / "lost").iterdir())) == 2

    run(tmp_path, check)


def test_a_stray_file_does_not_block_its_id(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        (tmp_path / "queue" / "a-1.eml").write_bytes(b"left by a crash")
        assert await house.add(entry("a-1"), b"new") is None
        assert await house.queue.content("a-1") == b"new"
        assert (tmp_path / "queue" / "lost" / "a-1.eml").read_bytes() == b"left by a crash"

    run(tmp_path, check)


def test_a_settled_entry_whose_file_is_left_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"), b"sent already")
        (leased,) = await house.queue.lease(NOW, 1, 10)
        await house.queue.update(
            replace(leased, recipients=(replace(leased.recipients[0], state=RecipientState.RELAYED),))
        )
        # As if the crash came between the barrier and the removal.
        (tmp_path / "queue" / "a-1.eml").write_bytes(b"sent already")

    async def again(house: QueueHouse) -> None:
        connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        connection.execute(
            "INSERT INTO entry(id, sender, created, next_attempt, size, attempts, held, message_id, user, client, "
            "envid, ret_full, utf8, body_8bit, origin, done) "
            "VALUES('a-1', '', 0, 0, 12, 1, 0, '', '', '', '', 0, 0, 0, '', 1)"
        )
        connection.close()
        assert house.queue.recover() == 0
        assert not (tmp_path / "queue" / "a-1.eml").exists()
        assert not (tmp_path / "queue" / "lost").exists()

    run(tmp_path, check)
    run(tmp_path, again)


def test_leases_of_a_dead_process_end_at_the_next_start(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        assert len(await house.queue.lease(NOW, 1, 10_000)) == 1

    async def again(house: QueueHouse) -> None:
        assert await house.queue.lease(NOW, 1, 10) == []
        house.queue.recover()
        assert len(await house.queue.lease(NOW, 1, 10)) == 1

    run(tmp_path, check)
    run(tmp_path, again)


def test_two_processes_share_one_queue(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        async with open_queue(tmp_path) as other:
            await asyncio.gather(
                *(house.add(entry(f"a-{n}")) for n in range(20)), *(other.add(entry(f"b-{n}")) for n in range(20))
            )
            leases = await asyncio.gather(*(one.queue.lease(NOW, 7, 60) for _ in range(4) for one in (house, other)))
            names = [item.id for lease in leases for item in lease]
            assert len(names) == len(set(names)) == 40
            # Neither mistakes what the other is writing for a leftover.
            assert other.queue.recover() == 0
            assert await other.queue.delete(QueueFilter()) == 40
            assert await house.queue.select(QueueFilter()) == []

    run(tmp_path, check)


def test_an_attempt_does_not_bring_back_what_another_process_deleted(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        (leased,) = await house.queue.lease(NOW, 1, 60)
        async with open_queue(tmp_path) as other:
            assert await other.queue.delete(QueueFilter()) == 1
            await house.queue.update(replace(leased, attempts=1))
            for one in (house, other):
                assert await one.queue.get("a-1") is None

    run(tmp_path, check)


def test_what_a_failed_barrier_covered_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(house: QueueHouse) -> None:
        assert await house.add(entry("good")) is None
        barrier = house.committer._barrier
        complete = barrier.complete

        def fail(touched: Touched) -> None:
            monkeypatch.setattr(barrier, "complete", complete)
            raise BarrierError("disk on fire")

        monkeypatch.setattr(barrier, "complete", fail)
        with pytest.raises(MailError, match=r"^451 4\.3\.0"):
            await house.add(entry("refused"))
        assert await house.add(entry("after")) is None
        assert sorted(one.id for one in await house.queue.select(QueueFilter())) == ["after", "good"]
        assert not (tmp_path / "queue" / "refused.eml").exists()
        assert house.queue.recover() == 0

    run(tmp_path, check)


def test_all_that_was_added_since_the_last_good_barrier_goes_when_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several batches can be applied while one barrier runs. What was refused is sent once more by whoever sent it."""

    async def check(house: QueueHouse) -> None:
        assert await house.add(entry("good")) is None
        barrier = house.committer._barrier
        complete, begun, gate = barrier.complete, threading.Event(), threading.Event()

        def fail(touched: Touched) -> None:
            begun.set()
            assert gate.wait(30)
            monkeypatch.setattr(barrier, "complete", complete)
            raise BarrierError("disk on fire")

        monkeypatch.setattr(barrier, "complete", fail)
        adding = [asyncio.create_task(house.add(entry("first")))]
        assert await asyncio.to_thread(begun.wait, 30)
        for name in ("second", "third"):
            adding.append(asyncio.create_task(house.add(entry(name))))
            while await house.queue.get(name) is None:
                await asyncio.sleep(0)
        adding.append(asyncio.create_task(house.add(entry("good"))))  # Refused for its id: that is another's.
        while house.committer.jobs < 5:
            await asyncio.sleep(0)
        gate.set()
        for refused in await asyncio.gather(*adding, return_exceptions=True):
            assert isinstance(refused, MailError) and refused.temporary
        assert await house.add(entry("after")) is None
        assert sorted(one.id for one in await house.queue.select(QueueFilter())) == ["after", "good"]
        assert sorted(path.name for path in (tmp_path / "queue").glob("*.eml")) == ["after.eml", "good.eml"]

    run(tmp_path, check)


def test_one_bad_entry_does_not_spoil_the_batch(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        results = await asyncio.gather(house.add(entry("a-1")), house.add(entry("a-2")), house.add(entry("a-3")))
        assert [isinstance(result, MailError) for result in results] == [True, False, False]
        assert len(await house.queue.select(QueueFilter())) == 3

    run(tmp_path, check)


def test_a_queue_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        connection.execute("UPDATE meta SET value = '2.0'")
        connection.close()
        with pytest.raises(RuntimeError, match=r"2\.0"):
            async with open_queue(tmp_path):
                pass

    run(tmp_path, check)


def test_removed_entries_leave_no_rows(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(3):
            await house.add(entry(f"a-{n}"))
        await house.queue.delete(QueueFilter())
        await house.add(entry("b-1"))  # The next batch sweeps.
        connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        assert connection.execute("SELECT count(*) FROM entry").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM recipient").fetchall() == [(1,)]
        connection.close()

    run(tmp_path, check)


def test_a_queue_of_the_first_format_is_taken_over_on_opening(tmp_path: Path) -> None:
    async def put(house: QueueHouse) -> None:
        await house.add(entry("a-1", "b@one.test"))
        await house.add(entry("a-2", "b@one.test", "c@two.test"))

    async def check(house: QueueHouse) -> None:
        assert {one.lane for one in await house.queue.lanes(9)} == {"one.test", "*"}
        assert len(await house.queue.lease(NOW, 9, 60)) == 2
        # A former release that goes on writing knows of no lanes.
        connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        connection.execute("UPDATE entry SET lane = '?', lease_until = 0")
        connection.close()
        assert house.queue.recover() == 0
        assert {one.lane for one in await house.queue.lanes(9)} == {"one.test", "*"}
        assert len(await house.queue.lease(NOW, 9, 60)) == 2

    run(tmp_path, put)
    connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
    connection.execute("DROP INDEX entry_lane; DROP INDEX entry_parked; DROP TABLE lane")
    later = "ready lane require_tls tls_optional unchecked give_up urgent ret_hdrs checksum options parked parked_until"
    for column in later.split():
        connection.execute(f"ALTER TABLE entry DROP COLUMN {column}")
    connection.execute("ALTER TABLE recipient DROP COLUMN disposition")
    connection.execute("UPDATE meta SET value = '1.0'; CREATE INDEX entry_due ON entry(next_attempt)")
    connection.close()
    run(tmp_path, check)


def test_a_lane_leaves_no_row_behind(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(5):
            await house.add(entry(f"a-{n}", f"b@d{n}.test"))
        await house.queue.delete(QueueFilter())
        connection = apsw.Connection(str(tmp_path / "queue" / "queue.db"))
        assert connection.execute("SELECT count(*) FROM lane").fetchall() == [(0,)]
        connection.close()

    run(tmp_path, check)


def test_after_a_clock_that_was_set_back_nothing_waits_for_years(tmp_path: Path) -> None:
    async def check(house: QueueHouse) -> None:
        now, years = time.time(), 4 * 365 * 86_400.0
        ahead = now + years  # A machine without a battery for its clock, until the network told it the time.
        await house.add(replace(entry("a-1", created=ahead), next_attempt=ahead + 3600))
        await house.add(replace(entry("a-2", created=now - 60), next_attempt=now + 7 * 86_400))
        house.queue.recover()
        first, second = sorted(await house.queue.select(QueueFilter()), key=lambda one: one.id)
        assert now <= first.created < now + 60 and 3600 <= first.next_attempt - now < 3660
        assert (second.created, second.next_attempt) == (now - 60, now + 7 * 86_400)
        assert [one.id for one in await house.queue.lease(now + 3700, 9, 60)] == ["a-1"]

    run(tmp_path, check)
