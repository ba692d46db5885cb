"""What every mail store must do with COPY and MOVE. RFC 9051 6.4.7, 6.4.8 (RFC 6851), RFC 4315"""

import asyncio

from tests.contract.backends import Backend
from tests.contract.calls import (
    ANN,
    BOB,
    add,
    append,
    expunge,
    fill,
    flags,
    folder,
    inbox,
    mail,
    refused,
    status,
    texts,
)
from whimbrel.core.errors import Condition
from whimbrel.core.mailbox import DELETED, FLAGGED, MAX_KEYWORDS, SEEN, Usage
from whimbrel.core.uids import ALL, UidSet

NONEXISTENT, LIMIT = Condition.NONEXISTENT, Condition.LIMIT


async def test_copies_have_flags_keywords_date_content_and_ids_of_their_originals(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    for number in range(1, 6):
        await append(
            backend, ref, mail(number), flags=number % 4, keywords=frozenset({f"k{number}"}), internal_date=number
        )
    await fill(backend, work, 2, first=90)
    before, rows = await status(backend, ref), await backend.messages.meta(ref, ALL)
    copied = await backend.messages.copy(ref, UidSet([(2, 3), (5, 5), (9, 20)]), work)
    assert copied.source == (2, 3, 5) and copied.target == (3, 4, 5)
    told = await status(backend, work)
    assert copied.uid_validity == told.uid_validity
    new = {row[0]: row for row in await backend.messages.meta(work, ALL)}
    for source, target in zip(copied.source, copied.target, strict=True):
        old = rows[source - 1]
        assert (*new[target][1:3], *new[target][4:]) == (*old[1:3], *old[4:])
    assert (await texts(backend, work))[2:] == [mail(2), mail(3), mail(5)]
    searched, found = await backend.messages.search_rows(ref, ALL), await backend.messages.search_rows(work, ALL)
    assert [row[4:-1] for row in found[2:]] == [searched[n - 1][4:-1] for n in (2, 3, 5)]  # But the save date.
    old_parts, new_parts = await backend.messages.parts(ref, ALL), await backend.messages.parts(work, ALL)
    assert [row[1:] for row in new_parts[2:]] == [old_parts[n - 1][1:] for n in (2, 3, 5)]
    assert await status(backend, ref) == before
    assert await backend.messages.meta(ref, ALL) == rows


async def test_copies_are_new_messages(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 2)
    await backend.messages.snapshot(work, take_recent=True)
    since = (await status(backend, work)).highest_modseq
    await backend.messages.copy(ref, ALL, work)
    delta = await backend.messages.changes(work, since)
    assert delta.complete and [row[0] for row in delta.rows] == [1, 2]
    assert all(row[3] > since for row in delta.rows)
    assert (await status(backend, work)).first_recent == 1


async def test_a_folder_can_be_copied_into_itself(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    await add(backend, ref, [2], SEEN, "w")
    copied = await backend.messages.copy(ref, ALL, ref)
    assert (copied.source, copied.target) == ((1, 2, 3), (4, 5, 6))
    assert await texts(backend, ref) == [mail(n) for n in (1, 2, 3, 1, 2, 3)]
    assert (await flags(backend, ref))[5] == (SEEN, "w")


async def test_copying_nothing_is_no_error_and_no_change(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 2)
    await expunge(backend, ref, [2])
    before = await status(backend, ref), await status(backend, work)
    for call in (backend.messages.copy, backend.messages.move):
        for uids in (UidSet(), UidSet([(50, 60)]), UidSet.of([2])):
            copied = await call(ref, uids, work)
            assert (copied.source, copied.target) == ((), ())
            assert copied.uid_validity == before[1].uid_validity
    assert (await status(backend, ref), await status(backend, work)) == before


async def test_a_copy_is_independent_of_its_original(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 2)
    await backend.messages.copy(ref, ALL, work)
    await add(backend, work, [1], FLAGGED, "only-here")
    assert (await flags(backend, ref))[1] == (0, "")
    await expunge(backend, ref, [1, 2])
    assert await texts(backend, work) == [mail(1), mail(2)]
    await backend.folders.delete(ANN, "Work")
    assert await backend.messages.contents(ref, [1, 2]) == [mail(1), mail(2)]


async def test_a_copy_survives_the_deletion_of_its_folder_of_origin(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, work, 2)
    await backend.messages.copy(work, ALL, ref)
    await backend.folders.delete(ANN, "Work")
    assert await texts(backend, ref) == [mail(1), mail(2)]


async def test_moved_messages_are_there_and_no_longer_here(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    for number in range(1, 5):
        await append(backend, ref, mail(number), flags=number, keywords=frozenset({f"k{number}"}), internal_date=number)
    rows = await backend.messages.meta(ref, ALL)
    since, since_work = (await status(backend, ref)).highest_modseq, (await status(backend, work)).highest_modseq
    moved = await backend.messages.move(ref, UidSet([(1, 1), (3, 4)]), work)
    assert (moved.source, moved.target) == ((1, 3, 4), (1, 2, 3))
    assert moved.uid_validity == (await status(backend, work)).uid_validity
    assert list(await flags(backend, ref)) == [2]
    new = await backend.messages.meta(work, ALL)
    assert [(*row[1:3], *row[4:]) for row in new] == [(*rows[n][1:3], *rows[n][4:]) for n in (0, 2, 3)]
    assert await texts(backend, work) == [mail(1), mail(3), mail(4)]
    delta = await backend.messages.changes(ref, since)
    assert delta.complete and delta.rows == [] and list(delta.expunged) == [1, 3, 4]
    assert [row[0] for row in (await backend.messages.changes(work, since_work)).rows] == [1, 2, 3]
    assert (await status(backend, ref)).uid_next == 5
    assert await backend.messages.content(ref, 3) == mail(3)  # A session may show it yet.


async def test_moving_there_and_back_gives_new_uids_each_time(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 3)
    for turn in range(4):
        source, target = (ref, work) if turn % 2 == 0 else (work, ref)
        await backend.messages.move(source, ALL, target)
    assert await texts(backend, ref) == [mail(1), mail(2), mail(3)]
    assert list(await flags(backend, ref)) == [7, 8, 9]
    assert (await status(backend, work)).messages == 0


async def test_a_move_within_one_folder_gives_new_uids_and_loses_nothing(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    await add(backend, ref, [2], FLAGGED | DELETED, "w")
    since = (await status(backend, ref)).highest_modseq
    moved = await backend.messages.move(ref, UidSet([(2, 3)]), ref)
    assert (moved.source, moved.target) == ((2, 3), (4, 5))
    assert await flags(backend, ref) == {1: (0, ""), 4: (FLAGGED | DELETED, "w"), 5: (0, "")}
    assert await texts(backend, ref) == [mail(1), mail(2), mail(3)]
    delta = await backend.messages.changes(ref, since)
    assert [row[0] for row in delta.rows] == [4, 5] and list(delta.expunged) == [2, 3]


async def test_all_or_none_are_copied_or_moved(backend: Backend) -> None:
    ref, work, gone = await inbox(backend), await folder(backend, "Work"), await folder(backend, "Gone")
    await backend.folders.delete(ANN, "Gone")
    await fill(backend, ref, 4)
    await add(backend, ref, [3], 0, "one-too-many")
    await append(backend, work, keywords=frozenset(f"k{n}" for n in range(MAX_KEYWORDS)))
    before = await status(backend, ref), await status(backend, work)
    contents = await texts(backend, ref), await texts(backend, work)
    for call in (backend.messages.copy, backend.messages.move):
        await refused(call(ref, ALL, work), LIMIT)
        await refused(call(ref, ALL, gone), NONEXISTENT)
        await refused(call(gone, ALL, work), NONEXISTENT)
        assert (await status(backend, ref), await status(backend, work)) == before
        assert (await texts(backend, ref), await texts(backend, work)) == contents
    await backend.messages.move(ref, UidSet.of([1, 2, 4]), work)
    assert (await status(backend, work)).messages == 4


async def test_between_accounts_it_is_the_same(backend: Backend) -> None:
    ref, other = await inbox(backend), await inbox(backend, BOB)
    await fill(backend, ref, 3)
    await add(backend, ref, [1, 2, 3], FLAGGED, "w")
    copied = await backend.messages.copy(ref, UidSet.of([1]), other)
    moved = await backend.messages.move(ref, UidSet.of([2, 3]), other)
    assert (copied.target, moved.target) == ((1,), (2, 3))
    assert await flags(backend, other) == dict.fromkeys((1, 2, 3), (FLAGGED, "w"))
    assert await texts(backend, other) == [mail(1), mail(2), mail(3)]
    assert await backend.folders.usage(ANN) == Usage(len(mail()), 1)
    assert (await backend.folders.usage(BOB)).messages == 3


async def test_moves_against_each_other_neither_hang_nor_lose(backend: Backend) -> None:
    refs = [await inbox(backend), await folder(backend, "Work"), await inbox(backend, BOB)]
    for number, ref in enumerate(refs):
        await fill(backend, ref, 10, first=number * 10)
    pairs = [(a, b) for a in refs for b in refs if a != b]
    await asyncio.gather(*(backend.messages.move(a, ALL, b) for _ in range(3) for a, b in pairs))
    left = [text for ref in refs for text in await texts(backend, ref)]
    assert len(left) == 30 and set(left) == {mail(n) for n in range(30)}


async def test_many_are_copied_at_once_in_order(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 300)
    odd = UidSet.of(range(1, 301, 2))
    copied = await backend.messages.copy(ref, odd, work)
    assert copied.source == tuple(odd) and copied.target == tuple(range(1, 151))
    assert await texts(backend, work) == [mail(n) for n in odd]
    await backend.messages.move(ref, odd, work)
    assert (await status(backend, ref)).messages == 150
    assert await texts(backend, work) == [mail(n) for n in odd] * 2
