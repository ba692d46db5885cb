"""What was kept long enough goes, in bounded steps, and nothing else does."""

import time
from pathlib import Path

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk import purge
from whimbrel.backends.store.disk.deleted_folders import remove_some
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.mailboxes import DiskMailboxes
from whimbrel.backends.store.disk.purge import ForgetJob, Purger
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.mailbox import AccountId
from whimbrel.core.uids import ALL, UidSet

DAY = 86400.0


def purger(store: Store, later: float, keep: float = 10 * DAY) -> Purger:
    async def kept(_account: AccountId) -> float:
        return keep

    return Purger(store.ports, store.pool, kept, pause=0, now=lambda: time.time() + later)


def test_messages_and_folders_go_after_their_time_and_not_before_and_removed_accounts_never(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 450)
        await store.fill(work, 5)
        await store.ports.expunge(ref, UidSet([(1, 449)]), marked=False)
        await store.ports.delete(ANN, "Work")
        bob = AccountId("bob@example.test")
        assert await store.ports.find(bob, "INBOX")
        await DiskMailboxes(store.ports, store.pool).put_aside(bob, f"{time.time_ns():x}", "")
        removed = [path for path in (tmp_path / "mail" / "example.test").iterdir() if path.name.startswith("#removed")]
        assert len(removed) == 1 and await store.ports.find(bob, "INBOX") is not None
        assert (await purger(store, 9 * DAY).round([ANN])).messages == 0
        assert removed[0].exists() and len(await store.undelete.folders(ANN)) == 1
        found = await purger(store, 11 * DAY).round([ANN])
        assert found.messages == 454
        assert removed[0].exists() and not await store.undelete.folders(ANN)
        assert not (await store.undelete.messages(ANN)).messages
        assert not list((store.account / "INBOX" / "#deleted").iterdir())
        assert [row[0] for row in await store.ports.flags(ref, ALL)] == [450]
        assert (await purger(store, 11 * DAY).round([ANN])).messages == 0

    run(tmp_path, test)


async def kept_for(store: Store, account: AccountId, ages: dict[int, float]) -> None:
    """Expunged messages of INBOX, by UID, that were deleted so many days ago."""
    found = await store.ports.find(account, "INBOX")
    assert found is not None
    for uid in ages:
        item = Append(found.ref, Rendition(b"", store.spool.hold(b"Subject: %d\r\n\r\n" % uid)))
        await store.ports.commit([item])
    await store.ports.expunge(found.ref, ALL, marked=False)

    def older(index: FolderIndex) -> None:
        for uid, days in ages.items():
            index.connection.execute("UPDATE expunged SET at = at - ? WHERE uid = ?", (int(days * DAY) + 60, uid))

    store.ports.shard(account).read(found.ref.mailbox, older)


def left(store: Store) -> list[str]:
    mail = store.root / "mail" / "example.test"
    return sorted(f"{path.parts[-4]} {int(path.stem, 16)}" for path in mail.glob("*/INBOX/#deleted/*.eml"))


def test_where_the_disk_is_nearly_full_deleted_mail_goes_the_oldest_first_until_there_is_room(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        bob = AccountId("bob@example.test")
        await kept_for(store, ANN, {1: 9.0, 2: 5.0, 3: 0.1})
        await kept_for(store, bob, {1: 0.2, 2: 6.0})

        async def short() -> bool:
            return len(left(store)) > 2

        found = await purger(store, 0).relieve([ANN, bob], short)
        assert left(store) == ["ann 3", "bob 1"] and found.messages == 3 and found.bytes > 0
        assert (await purger(store, 0).relieve([ANN, bob], short)).messages == 0
        shown = (await store.undelete.messages(ANN)).messages
        assert [each.subject for each in shown] == ["3"]

    run(tmp_path, test)


def test_a_disk_that_stays_full_takes_all_deleted_mail_and_nothing_else(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        bob = AccountId("bob@example.test")
        await kept_for(store, ANN, {1: 9.0, 2: 5.0, 3: 0.0})
        ref, work = await store.folder(), await store.folder("Work")
        await store.fill(ref, 2)
        await store.fill(work, 4)
        await store.ports.delete(ANN, "Work")
        assert await store.ports.find(bob, "INBOX")
        await DiskMailboxes(store.ports, store.pool).put_aside(bob, f"{time.time_ns():x}", "")

        async def short() -> bool:
            return True

        found = await purger(store, 10).relieve([ANN], short)
        assert found.messages == 7
        assert not left(store) and not await store.undelete.folders(ANN)
        assert len(await store.ports.flags(ref, ALL)) == 2
        assert any(path.name.startswith("#removed") for path in (tmp_path / "mail" / "example.test").iterdir())
        assert (await purger(store, 10).relieve([ANN], short)).messages == 0

    run(tmp_path, test)


def test_while_there_is_room_nothing_goes_before_its_time(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await kept_for(store, ANN, {1: 9.0, 2: 5.0})

        async def short() -> bool:
            return False

        assert (await purger(store, 0).relieve([ANN], short)).messages == 0
        assert len(left(store)) == 2

    run(tmp_path, test)


def test_tombstones_are_bounded_and_who_was_away_longer_gets_a_full_answer(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()
        await store.fill(ref, 40)
        start = (await store.ports.status(ref)).highest_modseq
        steps = []
        for uid in range(1, 31):
            await store.ports.expunge(ref, UidSet.of([uid]), marked=False)
            steps.append((await store.ports.status(ref)).highest_modseq)
        await purger(store, 11 * DAY).round([ANN])
        job = ForgetJob(ref.mailbox)
        purge.TOMBSTONES, before = 10, purge.TOMBSTONES
        try:
            await store.ports.run(ANN, job)
        finally:
            purge.TOMBSTONES = before
        assert not (await store.ports.changes(ref, start)).complete
        delta = await store.ports.changes(ref, steps[-5])
        assert delta.complete and list(delta.expunged) == [27, 28, 29, 30]
        delta = await store.ports.changes(ref, (await store.ports.status(ref)).resync_floor)
        assert delta.complete and len(list(delta.expunged)) == 10

    run(tmp_path, test)


def test_old_marks_against_double_delivery_are_forgotten_and_new_ones_kept(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        ref = await store.folder()

        async def deliver(queue_id: str) -> int:
            item = Append(ref, Rendition(b"", store.spool.hold(b"x\r\n")), queue_id=queue_id, recipient="a@b.test")
            (done,) = await store.ports.commit([item])
            assert isinstance(done, Appended)
            return done.uid

        assert await deliver("old") == 1 and await deliver("new") == 2
        shard = store.ports.shard(ANN)
        shard.read(
            ref.mailbox,
            lambda index: index.connection.execute("UPDATE delivered SET at = 5 WHERE queue_id = 'old'").fetchall(),
        )
        await purge.forget_marks(store.ports, store.pool, shard, ref.mailbox)
        assert await deliver("new") == 0 and await deliver("old") == 3

    run(tmp_path, test)


def test_a_tree_is_removed_some_files_at_a_time(tmp_path: Path) -> None:
    for folder in ("a", "a/b", "c"):
        (tmp_path / "tree" / folder).mkdir(parents=True, exist_ok=True)
        for number in range(7):
            (tmp_path / "tree" / folder / str(number)).touch()
    done: list[int] = []
    while not done or done[-1] == 5:
        done.append(remove_some(tmp_path / "tree", 5))
    assert sum(done) == 21 and all(each <= 5 for each in done)
    assert not (tmp_path / "tree").exists()
