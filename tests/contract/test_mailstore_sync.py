"""How sessions learn of changes: SELECT's snapshot, changes since a modseq, hints, and what a restart keeps.

RFC 7162, RFC 3501 2.3.2
"""

import asyncio
from collections.abc import Callable

from tests.contract.backends import Backend
from tests.contract.calls import (
    ANN,
    BOB,
    add,
    append,
    assert_counts_are_true,
    expunge,
    fill,
    flags,
    folder,
    inbox,
    item,
    mail,
    names,
    refused,
    status,
    texts,
)
from whimbrel.core.errors import Condition
from whimbrel.core.mailbox import DELETED, FLAGGED, SEEN, AccountId, FolderRef, MailboxId, SpecialUse
from whimbrel.core.uids import ALL

# Snapshot


async def test_a_snapshot_of_an_empty_folder_is_empty(backend: Backend) -> None:
    ref = await inbox(backend)
    snapshot = await backend.messages.snapshot(ref)
    assert (list(snapshot.uids), snapshot.keywords, snapshot.first_unseen) == ([], (), 0)
    assert snapshot.status == await status(backend, ref)


async def test_a_snapshot_numbers_messages_and_finds_the_first_unseen(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 6)
    await expunge(backend, ref, [2])
    await add(backend, ref, [1, 3, 5], SEEN, "b", "a")
    snapshot = await backend.messages.snapshot(ref)
    assert list(snapshot.uids) == [1, 3, 4, 5, 6]
    assert (snapshot.uids.itemsize >= 4, snapshot.first_unseen) == (True, 4)
    assert set(snapshot.keywords) == {"a", "b"}
    await add(backend, ref, [4, 6], SEEN)
    assert (await backend.messages.snapshot(ref)).first_unseen == 0


async def test_a_message_is_recent_for_one_session_only(backend: Backend) -> None:
    ref = await inbox(backend)

    async def recent(*, take: bool) -> list[int]:
        snapshot = await backend.messages.snapshot(ref, take_recent=take)
        return [uid for uid in snapshot.uids if uid >= snapshot.status.first_recent]

    await fill(backend, ref, 2)
    assert await recent(take=False) == [1, 2]  # EXAMINE takes nothing.
    assert await recent(take=True) == [1, 2]
    assert await recent(take=True) == []
    await fill(backend, ref, 2)
    assert (await status(backend, ref)).first_recent == 3
    assert await recent(take=False) == [3, 4]
    taken = await asyncio.gather(*(recent(take=True) for _ in range(5)))
    assert sorted(map(len, taken)) == [0, 0, 0, 0, 2]


async def test_taking_recent_is_no_change_of_the_messages(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 2)
    before = await status(backend, ref)
    await backend.messages.snapshot(ref, take_recent=True)
    after = await status(backend, ref)
    assert after.highest_modseq == before.highest_modseq
    assert (before.first_recent, after.first_recent) == (1, 3)


# Changes


async def test_changes_since_now_are_none(backend: Backend) -> None:
    ref = await inbox(backend)
    for _ in range(2):
        now = (await status(backend, ref)).highest_modseq
        delta = await backend.messages.changes(ref, now)
        assert (delta.rows, list(delta.expunged), delta.complete, delta.highest_modseq) == ([], [], True, now)
        await fill(backend, ref, 3)


async def test_changes_tell_what_is_new_changed_and_gone(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 5)
    marks = [(await status(backend, ref)).highest_modseq]

    async def mark() -> None:
        marks.append((await status(backend, ref)).highest_modseq)

    await add(backend, ref, [2], SEEN, "w")
    await mark()
    await append(backend, ref)  # 6
    await mark()
    await expunge(backend, ref, [3])
    await mark()
    assert marks == sorted(set(marks))
    delta = await backend.messages.changes(ref, marks[0])
    assert [row[:3] for row in delta.rows] == [(2, SEEN, "w"), (6, 0, "")]
    assert (list(delta.expunged), delta.complete, delta.highest_modseq) == ([3], True, marks[-1])
    delta = await backend.messages.changes(ref, marks[1])
    assert ([row[0] for row in delta.rows], list(delta.expunged)) == ([6], [3])
    delta = await backend.messages.changes(ref, marks[2])
    assert (delta.rows, list(delta.expunged)) == ([], [3])
    delta = await backend.messages.changes(ref, marks[3])
    assert (delta.rows, list(delta.expunged)) == ([], [])


async def test_what_came_and_went_since_is_not_among_the_rows(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 1)
    since = (await status(backend, ref)).highest_modseq
    await fill(backend, ref, 2)
    await expunge(backend, ref, [1, 2])
    delta = await backend.messages.changes(ref, since)
    assert [row[0] for row in delta.rows] == [3]
    assert {1} <= set(delta.expunged) <= {1, 2}


async def test_changes_since_ever_tell_every_message(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 4)
    await expunge(backend, ref, [2])
    delta = await backend.messages.changes(ref, 0)
    assert delta.rows == await backend.messages.flags(ref, ALL)
    assert [row[0] for row in delta.rows] == [1, 3, 4]
    if delta.complete:
        assert 2 in delta.expunged


async def test_changes_below_the_floor_are_told_in_full(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    told = await status(backend, ref)
    assert told.resync_floor <= told.highest_modseq
    if told.resync_floor > 0:
        delta = await backend.messages.changes(ref, told.resync_floor - 1)
        assert not delta.complete and [row[0] for row in delta.rows] == [1, 2, 3]
    assert (await backend.messages.changes(ref, told.resync_floor)).complete


async def test_modseqs_rise_over_all_folders_of_an_account(backend: Backend) -> None:
    """An account's state is one number (RFC 8620 5.1): a change anywhere is above all changes before it."""
    ref, work = await inbox(backend), await folder(backend, "Work")
    last = 0
    for turn in range(4):
        for each, act in ((ref, append), (work, append)):
            await act(backend, each, mail(turn))
            now = (await status(backend, each)).highest_modseq
            assert now > last
            last = now
        await add(backend, ref, [turn + 1], FLAGGED)
        now = (await status(backend, ref)).highest_modseq
        assert now > last
        last = now
    await backend.messages.move(ref, ALL, work)
    assert (await status(backend, ref)).highest_modseq > last
    assert (await status(backend, work)).highest_modseq > last
    assert (await status(backend, work)).highest_modseq < 2**63  # RFC 7162 3.1.1


async def test_a_replica_that_follows_changes_is_never_wrong(backend: Backend) -> None:
    ref = await inbox(backend)
    replica: dict[int, tuple[int, str]] = {}
    since = 0

    async def follow() -> None:
        nonlocal since
        delta = await backend.messages.changes(ref, since)
        if not delta.complete:
            replica.clear()
        for uid in delta.expunged:
            replica.pop(uid, None)
        replica.update({uid: (bits, words) for uid, bits, words, _ in delta.rows})
        since = delta.highest_modseq

    async def write() -> None:
        for turn in range(15):
            uids = await fill(backend, ref, 3, first=turn * 3)
            await add(backend, ref, uids[:2], SEEN, f"w{turn % 3}")
            await expunge(backend, ref, uids[1:2])
            if turn % 4 == 3:
                await backend.messages.move(ref, ALL, ref)

    writing = asyncio.ensure_future(write())
    while not writing.done():
        await follow()
        await asyncio.sleep(0)
    await writing
    await follow()
    assert replica == await flags(backend, ref)


async def test_a_snapshot_and_the_changes_since_it_leave_no_gap(backend: Backend) -> None:
    ref = await inbox(backend)
    writing = asyncio.gather(*(append(backend, ref, mail(n)) for n in range(40)))
    seen: list[tuple[set[int], int]] = []
    while not writing.done():
        snapshot = await backend.messages.snapshot(ref)
        seen.append((set(snapshot.uids), snapshot.status.highest_modseq))
        await asyncio.sleep(0)
    await writing
    for uids, modseq in seen:
        new = {row[0] for row in (await backend.messages.changes(ref, modseq)).rows}
        assert not new & uids and new | uids == set(range(1, 41))


# Hints


class Heard:
    """What a watcher was told."""

    def __init__(self, backend: Backend, account: AccountId = ANN) -> None:
        self._event = asyncio.Event()
        self.told: list[MailboxId | None] = []
        self.end: Callable[[], None] = backend.changes.watch(account, self._wake)

    def _wake(self, mailbox: MailboxId | None) -> None:
        asyncio.get_running_loop()  # RuntimeError if it is called outside the loop.
        self.told.append(mailbox)
        self._event.set()

    async def of(self, mailbox: MailboxId | None) -> None:
        """Returns once `mailbox` was told; then all is forgotten."""
        async with asyncio.timeout(10):
            while mailbox not in self.told:
                self._event.clear()
                await self._event.wait()
        self.told.clear()


async def test_every_change_of_messages_wakes_who_watches(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    heard = Heard(backend)
    await append(backend, ref)
    await heard.of(ref.mailbox)
    await add(backend, ref, [1], DELETED)
    await heard.of(ref.mailbox)
    await backend.messages.copy(ref, ALL, work)
    await heard.of(work.mailbox)
    await backend.messages.expunge(ref, ALL)
    await heard.of(ref.mailbox)
    await backend.messages.move(work, ALL, ref)
    await asyncio.sleep(0)
    await heard.of(work.mailbox)
    heard.end()


async def test_every_change_of_the_folder_list_wakes_who_watches(backend: Backend) -> None:
    heard = Heard(backend)
    await backend.folders.create(ANN, "a/b")
    await heard.of(None)
    await backend.folders.rename(ANN, "a", "c")
    await heard.of(None)
    await backend.folders.delete(ANN, "c/b")
    await heard.of(None)
    heard.end()


async def test_hints_are_of_the_account_watched_and_end_when_told(backend: Backend) -> None:
    ref, other = await inbox(backend), await inbox(backend, BOB)
    first, second, bobs = Heard(backend), Heard(backend), Heard(backend, BOB)
    await append(backend, ref)
    await first.of(ref.mailbox)
    await second.of(ref.mailbox)
    first.end()
    first.end()
    first.told.clear()
    await append(backend, ref)
    await second.of(ref.mailbox)
    await append(backend, other)
    await bobs.of(other.mailbox)
    assert first.told == [] and other.mailbox not in second.told
    second.end()
    bobs.end()


# A restart


async def reopened(backend: Backend) -> Backend:
    assert backend.reopen is not None
    return await backend.reopen()


async def picture(backend: Backend, account: AccountId = ANN) -> list[object]:
    """All that an account holds."""
    found: list[object] = [await backend.folders.subscriptions(account), await backend.folders.usage(account)]
    for each in await backend.folders.list(account):
        found.append(each)
        if each.selectable:
            found += [
                await status(backend, each.ref),
                await backend.messages.meta(each.ref, ALL),
                await backend.messages.search_rows(each.ref, ALL),
                await backend.messages.parts(each.ref, ALL),
                await texts(backend, each.ref),
            ]
    return found


async def furnish(backend: Backend) -> FolderRef:
    ref, work = await inbox(backend), await folder(backend, "Wörk/✉")
    await backend.folders.create(ANN, "Junk", SpecialUse.JUNK)
    await backend.folders.create(ANN, "level/below")
    await backend.folders.delete(ANN, "level")
    for number in range(8):
        await append(backend, ref, mail(number), flags=number, internal_date=number, keywords=frozenset({f"k{number}"}))
    await backend.messages.copy(ref, ALL, work)
    await expunge(backend, ref, [3])
    await backend.messages.snapshot(work, take_recent=True)
    await backend.folders.subscribe(ANN, "gone", subscribed=True)
    await backend.folders.subscribe(ANN, "Junk", subscribed=True)
    return ref


async def test_a_restart_keeps_everything(durable: Backend) -> None:
    await furnish(durable)
    before = await picture(durable)
    again = await reopened(durable)
    assert await picture(again) == before
    await assert_counts_are_true(again)


async def test_after_a_restart_nothing_is_given_twice(durable: Backend) -> None:
    ref = await furnish(durable)
    await expunge(durable, ref, [8])
    before = await status(durable, ref)
    first = await folder(durable, "Once")
    validity = (await status(durable, first)).uid_validity
    await durable.folders.delete(ANN, "Once")
    again = await reopened(durable)
    assert (await status(again, ref)).uid_next == before.uid_next
    assert await append(again, ref) == before.uid_next
    assert (await status(again, ref)).highest_modseq > before.highest_modseq
    second = await folder(again, "Once")
    assert second != first and (await status(again, second)).uid_validity > validity


async def test_changes_are_told_across_a_restart(durable: Backend) -> None:
    ref = await furnish(durable)
    since = (await status(durable, ref)).highest_modseq
    await add(durable, ref, [1], FLAGGED)
    await expunge(durable, ref, [2])
    again = await reopened(durable)
    delta = await again.messages.changes(ref, since)
    assert delta.complete and [row[0] for row in delta.rows] == [1] and list(delta.expunged) == [2]
    assert await again.messages.content(ref, 2) == mail(1)


async def test_a_delivery_made_before_a_restart_is_not_made_again(durable: Backend) -> None:
    ref = await inbox(durable)
    assert await append(durable, ref, queue_id="q1", recipient="ann@example.test") == 1
    again = await reopened(durable)
    assert await append(again, ref, queue_id="q1", recipient="ann@example.test") == 0
    assert await append(again, ref, queue_id="q1", recipient="bob@example.test") == 2


async def test_what_was_removed_stays_removed_across_a_restart(durable: Backend) -> None:
    ref = await inbox(durable)
    await append(durable, ref)
    work = await folder(durable, "Work")
    await append(durable, work)
    await durable.folders.delete(ANN, "Work")
    await durable.folders.rename(ANN, "INBOX", "Old")
    again = await reopened(durable)
    assert await names(again) == ["INBOX", "Old"]
    await refused(again.messages.snapshot(work), Condition.NONEXISTENT)
    await again.mailboxes.put_aside(ANN, "a", "")
    third = await reopened(again)
    assert await names(third) == ["INBOX"]
    assert (await third.folders.usage(ANN)).messages == 0


async def test_two_restarts_in_a_row_change_nothing(durable: Backend) -> None:
    await furnish(durable)
    done = await durable.commit.commit([item(durable, await inbox(durable, BOB), mail(n)) for n in range(20)])
    assert len(done) == 20
    before = await picture(durable), await picture(durable, BOB)
    again = await reopened(await reopened(durable))
    assert (await picture(again), await picture(again, BOB)) == before
