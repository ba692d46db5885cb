"""What a crash, a person or a full disk leaves behind is put right, and told in the log."""

import asyncio
import errno
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier, BarrierError, Touched
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import generation
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.purge import Purger
from whimbrel.backends.store.disk.self_check import maintain
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import DELETED, FLAGGED, SEEN, AccountId, FlagChange, FlagOp, FolderRef
from whimbrel.core.uids import ALL, UidSet

ANN = AccountId("ann@example.test")
MAIL = b"Subject: hello\r\nMessage-ID: <1@x.test>\r\n\r\nbody\r\n"


class House:
    """A store that can be stopped, cleanly or not, and started again."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, MemoryLog()
        self.folder = root / "mail" / "example.test" / "ann" / "INBOX"
        self.start()

    def start(self) -> None:
        self.generation = generation.begin(self.root)
        self.pool = ThreadPool(2)
        self.barrier = Barrier(self.root)
        self.committer = Committer(self.barrier, self.log)
        self.store = DiskStore(
            self.root, committer=self.committer, pool=self.pool, notices=LocalNotices(), log=self.log,
            generation=self.generation,
        )  # fmt: skip
        self.spool = DiskSpool(self.store.spool, self.pool)

    def stop(self, *, clean: bool = True) -> None:
        self.committer.close()
        self.store.close()
        self.pool.close()
        self.barrier.close()
        if clean:
            generation.end(self.root, self.generation)

    async def inbox(self) -> FolderRef:
        found = await self.store.find(ANN, "INBOX")
        assert found is not None
        return found.ref

    async def append(self, content: bytes = MAIL, *, flags: int = 0, at: int = 1_700_000_000) -> Appended | Exception:
        ref = await self.inbox()
        item = Append(ref, Rendition(b"", self.spool.hold(content)), flags=flags, internal_date=at)
        found = (await self.store.commit([item]))[0]
        assert isinstance(found, Appended | Exception)
        return found

    async def rows(self) -> dict[int, tuple[int, str]]:
        return {uid: (flags, words) for uid, flags, words, _ in await self.store.flags(await self.inbox(), ALL)}


def run(tmp_path: Path, test: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        house = House(tmp_path)
        await test(house)
        house.stop()

    asyncio.run(main())


async def filled(house: House) -> int:
    """Three messages with flags, a keyword and dates; one more that was expunged. The UIDVALIDITY."""
    for number in range(4):
        await house.append(MAIL + b"%d" % number, at=1_600_000_000 + number)
    ref = await house.inbox()
    await house.store.set_flags(ref, UidSet.of([1]), FlagChange(FlagOp.ADD, SEEN | FLAGGED, frozenset({"$Work"})))
    await house.store.set_flags(ref, UidSet.of([3]), FlagChange(FlagOp.ADD, DELETED))
    await house.store.expunge(ref, UidSet.of([3]))
    return (await house.store.status(ref)).uid_validity


@pytest.mark.parametrize("way", ["renamed", "renamed with its WAL left", "garbage", "empty", "cut", "deleted"])
@pytest.mark.parametrize("running", [True, False])
def test_an_index_that_is_gone_or_damaged_is_rebuilt_with_flags_dates_and_uids(
    tmp_path: Path, way: str, running: bool
) -> None:
    async def test(house: House) -> None:
        validity = await filled(house)
        house.stop()  # Writes flags.bak.
        house.start()
        if running:
            await house.rows()
        index = house.folder / "index.fld"
        if way.startswith("renamed"):
            index.rename(index.with_name("index.bad"))
            if way == "renamed":
                for suffix in ("-wal", "-shm"):
                    Path(f"{index}{suffix}").unlink(missing_ok=True)
        elif way == "garbage":
            index.write_bytes(b"no database at all" * 100)
        elif way == "empty":
            os.truncate(index, 0)
        elif way == "cut":
            os.truncate(index, 3 * 4096)
        else:
            index.unlink()
        assert await house.rows() == {1: (SEEN | FLAGGED, "$Work"), 2: (0, ""), 4: (0, "")}
        ref = await house.inbox()
        meta = await house.store.meta(ref, ALL)
        assert [row[4] for row in meta] == [1_600_000_000, 1_600_000_001, 1_600_000_003]
        status = await house.store.status(ref)
        assert (status.uid_validity, status.messages, status.unseen) == (validity, 3, 2)
        appended = await house.append()
        assert isinstance(appended, Appended) and appended.uid > 4
        assert house.log.named("store.rebuilt")

    run(tmp_path, test)


def test_files_put_in_by_hand_become_messages_and_files_taken_away_disappear(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        (house.folder / "#msgs" / "from a friend.eml").write_bytes(MAIL + b"by hand")
        (house.folder / "#msgs" / "00000002.eml").unlink()
        ref = await house.inbox()
        snapshot = await house.store.snapshot(ref)
        assert list(snapshot.uids) == [1, 4, 5]
        assert await house.store.content(ref, 5) == MAIL + b"by hand"
        assert (await house.store.status(ref)).messages == 3
        assert [record["uid"] for record in house.log.named("store.message-gone")] == [2]

    run(tmp_path, test)


def test_a_file_deleted_under_a_reader_costs_one_message_and_one_warning(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        ref = await house.inbox()
        before = (await house.store.snapshot(ref)).status.highest_modseq
        (house.folder / "#msgs" / "00000001.eml").unlink()
        assert await house.store.contents(ref, [1, 2]) == [None, MAIL + b"1"]
        assert set(await house.rows()) == {2, 4}
        assert house.log.named("store.message-gone")
        delta = await house.store.changes(ref, before)
        assert delta.complete and 1 in delta.expunged

    run(tmp_path, test)


def test_after_an_unclean_stop_uids_jump_and_no_old_modseq_is_trusted(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        ref = await house.inbox()
        before = await house.store.status(ref)
        messages = house.folder / "#msgs"
        (messages / "00000009.eml").write_bytes(MAIL)  # Linked, its row never committed.
        (messages / "0000000a.eml").write_bytes(b"")  # As a power cut leaves it.
        (messages / "00000003.eml").write_bytes(MAIL)  # An expunge that was not finished.
        os.truncate(messages / "00000002.eml", 5)  # Its data never reached the disk.
        house.stop(clean=False)
        house.start()
        assert set(await house.rows()) == {1, 4}
        after = await house.store.status(ref)
        assert after.uid_next > before.uid_next + 500 and after.resync_floor > before.highest_modseq
        delta = await house.store.changes(ref, before.highest_modseq)
        assert not delta.complete and [row[0] for row in delta.rows] == [1, 4]
        lost = {path.name.partition("-")[0] for path in (house.folder / "#lost").iterdir()}
        assert lost == {"00000009", "00000002"}
        assert sorted(path.name for path in messages.iterdir()) == ["00000001.eml", "00000004.eml"]
        assert (house.folder / "#deleted" / "00000003.eml").exists()

    run(tmp_path, test)


def test_a_clean_stop_checks_nothing_at_the_next_start(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        before = await house.store.status(await house.inbox())
        house.stop()
        house.start()
        assert await house.store.status(await house.inbox()) == before

    run(tmp_path, test)


def test_a_lost_account_seq_and_account_fld_are_made_again(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        await house.store.create(ANN, "Work/2026")
        await house.store.subscribe(ANN, "Work/2026", subscribed=True)
        ids = {folder.name: folder.ref for folder in await house.store.list(ANN)}
        usage = await house.store.usage(ANN)
        house.stop()
        for name in ("account.seq", "account.fld", "account.fld-wal", "account.fld-shm"):
            (house.folder.parent / name).unlink(missing_ok=True)
        house.start()
        folders = await house.store.list(ANN)
        assert {folder.name: folder.ref for folder in folders} == ids
        assert [folder.name for folder in folders if folder.subscribed] == ["Work/2026"]
        assert await house.store.usage(ANN) == usage

    run(tmp_path, test)


def test_expunged_files_go_after_their_time_and_not_before_and_are_not_told_anew(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        kept = house.folder / "#deleted" / "00000003.eml"
        assert kept.exists()
        ref = await house.inbox()
        now = [time.time() + 900]

        async def keep(_account: AccountId) -> float:
            return 1000.0

        purger = Purger(house.store, house.pool, keep, pause=0, now=lambda: now[0])
        assert (await purger.round([ANN])).messages == 0 and kept.exists()
        now[0] += 101
        assert (await purger.round([ANN])).messages == 1 and not kept.exists()
        assert (await purger.round([ANN])).messages == 0
        assert list((await house.store.changes(ref, (await house.store.status(ref)).resync_floor)).expunged) == [3]
        assert await house.rows() == {1: (SEEN | FLAGGED, "$Work"), 2: (0, ""), 4: (0, "")}

    run(tmp_path, test)


def test_too_many_links_make_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EMLINK, "Too many links")

        monkeypatch.setattr("whimbrel.backends.disk.spool.os.link", refuse)
        assert isinstance(await house.append(), Appended)
        assert await house.store.content(await house.inbox(), 1) == MAIL

    run(tmp_path, test)


def test_a_full_disk_is_452_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        await filled(house)

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("whimbrel.backends.disk.spool.os.writev", full)
            refused = await house.append()
        assert isinstance(refused, MailError) and (refused.code, refused.enhanced) == (452, "4.3.1")
        assert set(await house.rows()) == {1, 2, 4}
        assert isinstance(await house.append(), Appended)

    run(tmp_path, test)


def test_a_failed_barrier_acknowledges_nothing_until_the_store_was_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(house: House) -> None:
        await filled(house)
        complete = Barrier.complete
        failing = [True]

        def fail_once(self: Barrier, touched: Touched) -> None:
            if failing and touched.databases:
                failing.clear()
                raise BarrierError("EIO")
            complete(self, touched)

        monkeypatch.setattr(Barrier, "complete", fail_once)
        with pytest.raises(MailError, match="451"):
            await house.append(MAIL + b"never acknowledged")
        assert house.committer.poisoned
        assert isinstance(await house.append(MAIL + b"after"), Appended)
        assert not house.committer.poisoned and house.log.named("store.restored")
        assert house.log.named("store.rebuilt")
        rows = await house.rows()
        assert rows[1] == (SEEN | FLAGGED, "$Work")

    run(tmp_path, test)


def test_a_change_of_another_process_is_heard_though_its_hint_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whimbrel.backends.store.disk.notifier.POLL", 0.01)

    async def test(here: House) -> None:
        ref = await here.inbox()
        there = House(tmp_path)  # As two processes that share no notices.
        heard, folders = asyncio.Event(), asyncio.Event()
        end = here.store.watch(ANN, lambda mailbox: (heard if mailbox == ref.mailbox else folders).set())
        assert isinstance(await there.append(), Appended)
        await there.store.create(ANN, "New")
        async with asyncio.timeout(20):
            await heard.wait()
            await folders.wait()
        end()
        there.stop()

    run(tmp_path, test)


def test_a_round_of_self_checks_heals_files_rows_counters_and_the_copy_of_flags(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await filled(house)
        ref = await house.inbox()
        (house.folder / "#msgs" / "00000002.eml").unlink()
        shard = house.store.shard(ANN)
        await house.pool.run(maintain, shard, ref.mailbox)
        assert set(await house.rows()) == {1, 4}
        backup = (house.folder / "flags.bak").read_text()
        assert backup.splitlines()[1].startswith("1 5 1600000000 $Work")
        await house.pool.run(shard.read, ref.mailbox, spoil)
        await house.pool.run(maintain, shard, ref.mailbox)
        assert (await house.store.status(ref)).messages == 2 and house.log.named("store.counters-wrong")

    def spoil(index: FolderIndex) -> None:
        index.connection.execute("UPDATE folder SET messages = 77")

    run(tmp_path, test)
