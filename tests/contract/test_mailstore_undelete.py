"""What every mail store must do with what was deleted: keep it out of sight, list it, bring it back, let it go."""

import pytest

from tests.contract.backends import Backend
from tests.contract.calls import (
    ANN,
    add,
    append,
    expunge,
    fill,
    flags,
    folder,
    inbox,
    mail,
    names,
    refused,
    status,
    texts,
)
from whimbrel.core.errors import Condition
from whimbrel.core.mailbox import DELETED, FLAGGED, SEEN, SpecialUse
from whimbrel.core.uids import ALL, UidSet
from whimbrel.core.undelete import Chosen, DeletedMessage, Tally


async def test_an_expunged_message_is_listed_and_no_client_sees_it(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref, mail("Hällo"), flags=SEEN, keywords=frozenset({"$Work"}), internal_date=1_600_000_000)
    await fill(backend, ref, 2)
    before = await backend.folders.usage(ANN)
    await expunge(backend, ref, [1])
    (found,) = (await backend.undelete.messages(ANN)).messages
    assert (found.folder, found.size, found.internal_date) == ("INBOX", len(mail("Hällo")), 1_600_000_000)
    assert (found.sender, found.subject) == ("Sue <sue@example.org>", "Number Hällo")
    assert found.flags == SEEN | DELETED and found.keywords == "$Work" and found.email_id.startswith("M")
    assert list(await flags(backend, ref)) == [2, 3]
    assert (await backend.folders.usage(ANN)).bytes == before.bytes - found.size


async def test_a_restored_message_has_a_new_uid_its_flags_but_deleted_and_its_date(backend: Backend) -> None:
    ref = await inbox(backend)
    words = frozenset({"$Work", "b"})
    await append(backend, ref, mail(1), flags=SEEN | FLAGGED, keywords=words, internal_date=1_600_000_000)
    await fill(backend, ref, 2, first=2)
    email_id = (await backend.messages.meta(ref, UidSet.of([1])))[0][6]
    await expunge(backend, ref, [1])
    modseq = (await status(backend, ref)).highest_modseq
    assert await backend.undelete.restore(ANN, Chosen()) == Tally(1, len(mail(1)))
    assert await flags(backend, ref) == {2: (0, ""), 3: (0, ""), 4: (SEEN | FLAGGED, "$Work b")}
    row = (await backend.messages.meta(ref, UidSet.of([4])))[0]
    assert (row[4], row[6]) == (1_600_000_000, email_id)
    assert await backend.messages.content(ref, 4) == mail(1)
    delta = await backend.messages.changes(ref, modseq)
    assert [each[0] for each in delta.rows] == [4] and delta.complete
    assert not (await backend.undelete.messages(ANN)).messages
    assert await backend.undelete.restore(ANN, Chosen()) == Tally(0, 0)


async def test_messages_are_restored_to_a_named_folder_that_is_made(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 3)
    await fill(backend, work, 3, first=4)
    await expunge(backend, ref, [1, 2])
    await expunge(backend, work, [3])
    assert (await backend.undelete.restore(ANN, Chosen(), "Back/Here")).messages == 3
    made = await backend.folders.find(ANN, "Back/Here")
    assert made is not None
    assert sorted(text or b"" for text in await texts(backend, made.ref)) == [mail(1), mail(2), mail(6)]
    assert list(await flags(backend, ref)) == [3] and list(await flags(backend, work)) == [1, 2]


async def test_ids_folder_text_and_time_choose(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    for to, first in ((ref, 1), (work, 11)):
        await fill(backend, to, 3, first=first)
        await expunge(backend, to, [1, 2, 3])
    undelete = backend.undelete

    async def subjects(chosen: Chosen) -> set[str]:
        found = (await undelete.messages(ANN, chosen)).messages
        assert (await undelete.count(ANN, chosen)).messages == len(found)
        return {each.subject.removeprefix("Number ") for each in found}

    assert await subjects(Chosen(folder="Work")) == {"11", "12", "13"}
    assert await subjects(Chosen(folder="inbox")) == {"1", "2", "3"}
    assert await subjects(Chosen(text="NUMBER 1")) == {"1", "11", "12", "13"}
    assert await subjects(Chosen(text="sue@EXAMPLE")) == {"1", "2", "3", "11", "12", "13"}
    assert await subjects(Chosen(text="Number 1", folder="INBOX")) == {"1"}
    assert await subjects(Chosen(text="'; DROP TABLE msg")) == set()
    at = (await undelete.messages(ANN)).messages[0].deleted
    assert len(await subjects(Chosen(since=at - 1000, until=at + 1000))) == 6
    assert await subjects(Chosen(until=at - 1000)) == await subjects(Chosen(since=at + 1000)) == set()
    ids = tuple(each.id for each in (await undelete.messages(ANN, Chosen(text="number 12"))).messages)
    assert await subjects(Chosen(ids=ids)) == {"12"}
    assert await subjects(Chosen(ids=("nonsense", "F" + "0" * 32 + ".1"))) == set()
    await refused(undelete.count(ANN, Chosen(ids=("x",) * 1001)), Condition.LIMIT)


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
async def test_pages_show_each_message_once(backend: Backend, limit: int) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    for to in (ref, work):
        await fill(backend, to, 7)
        await expunge(backend, to, [1, 2, 3])
        await expunge(backend, to, [5, 7])
    seen: list[DeletedMessage] = []
    after = ""
    while True:
        page = await backend.undelete.messages(ANN, after=after, limit=limit)
        assert 0 < len(page.messages) <= limit
        seen += page.messages
        after = page.next
        if not after:
            break
    assert len({each.id for each in seen}) == len(seen) == 10
    assert [each.deleted for each in seen] == sorted((each.deleted for each in seen), reverse=True)
    await refused(backend.undelete.messages(ANN, after="nonsense"), Condition.NONEXISTENT)


async def test_a_purged_message_is_gone_for_good_and_its_uid_is_still_told(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    since = (await status(backend, ref)).highest_modseq
    await expunge(backend, ref, [1, 3])
    assert await backend.messages.content(ref, 1) == mail(1)  # A session may still show it.
    (one,) = (await backend.undelete.messages(ANN, Chosen(text="number 1"))).messages
    assert await backend.undelete.purge(ANN, Chosen(ids=(one.id,))) == Tally(1, len(mail(1)))
    assert await backend.messages.content(ref, 1) is None
    assert [each.subject for each in (await backend.undelete.messages(ANN)).messages] == ["Number 3"]
    assert await backend.undelete.restore(ANN, Chosen(ids=(one.id,))) == Tally(0, 0)
    assert list((await backend.messages.changes(ref, since)).expunged) == [1, 3]
    assert await backend.undelete.purge(ANN, Chosen()) == Tally(1, len(mail(3)))


async def test_what_was_moved_can_be_restored_where_it_was_deleted(backend: Backend) -> None:
    """Not where it came from: to restore all that was deleted must not double what was only filed."""
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 2)
    await backend.messages.move(ref, ALL, work)
    assert not (await backend.undelete.messages(ANN)).messages
    await expunge(backend, work, [1])
    assert {each.folder for each in (await backend.undelete.messages(ANN)).messages} == {"Work"}
    assert await backend.undelete.restore(ANN, Chosen()) == Tally(1, len(mail(1)))
    assert not await flags(backend, ref) and list(await flags(backend, work)) == [2, 3]


async def test_a_deleted_folder_comes_back_as_it_was(backend: Backend) -> None:
    made = await backend.folders.create(ANN, "Old", SpecialUse.ARCHIVE)
    await fill(backend, made.ref, 3)
    await add(backend, made.ref, [2], SEEN, "word")
    await backend.folders.annotate(ANN, made.ref.mailbox, {"/private/comment": b"mine"})
    before, had = await status(backend, made.ref), await flags(backend, made.ref)
    await backend.folders.delete(ANN, "Old")
    await refused(backend.messages.flags(made.ref, ALL), Condition.NONEXISTENT)
    (found,) = await backend.undelete.folders(ANN)
    assert (found.name, found.messages, found.size) == ("Old", 3, before.size)
    assert await backend.undelete.restore_folder(ANN, found.id) == ["Old"]
    again = await backend.folders.find(ANN, "Old")
    assert again is not None and again.ref == made.ref and again.special_use is SpecialUse.ARCHIVE
    assert await flags(backend, made.ref) == had and await texts(backend, made.ref) == [mail(1), mail(2), mail(3)]
    assert (await status(backend, made.ref)).uid_validity == before.uid_validity
    assert await backend.folders.annotations(ANN, made.ref.mailbox) == {"/private/comment": b"mine"}
    assert await append(backend, made.ref, mail(4)) >= before.uid_next
    assert not await backend.undelete.folders(ANN)
    await refused(backend.undelete.restore_folder(ANN, found.id), Condition.NONEXISTENT)


async def test_a_deleted_tree_comes_back_from_its_top(backend: Backend) -> None:
    refs = {name: await folder(backend, name) for name in ("a", "a/b", "a/b/c", "ab")}
    for number, ref in enumerate(refs.values(), 1):
        await append(backend, ref, mail(number))
    for name in ("a/b/c", "a/b", "a", "ab"):
        await backend.folders.delete(ANN, name)
    assert await names(backend) == ["INBOX"]
    (top,) = [each for each in await backend.undelete.folders(ANN) if each.name == "a"]
    assert await backend.undelete.restore_folder(ANN, top.id) == ["a", "a/b", "a/b/c"]
    assert await names(backend) == ["INBOX", "a", "a/b", "a/b/c"]
    for number, name in enumerate(("a", "a/b", "a/b/c"), 1):
        assert await texts(backend, refs[name]) == [mail(number)]
    assert [each.name for each in await backend.undelete.folders(ANN)] == ["ab"]


async def test_a_name_in_use_is_not_taken_and_another_can_be_given(backend: Backend) -> None:
    first = await folder(backend, "Work")
    await append(backend, first, mail(1))
    await backend.folders.delete(ANN, "Work")
    second = await folder(backend, "Work")
    (found,) = await backend.undelete.folders(ANN)
    await refused(backend.undelete.restore_folder(ANN, found.id), Condition.ALREADYEXISTS)
    assert await backend.undelete.restore_folder(ANN, found.id, "Work/Old/Deep") == ["Work/Old/Deep"]
    assert await names(backend) == ["INBOX", "Work", "Work/Old", "Work/Old/Deep"]
    assert await texts(backend, first) == [mail(1)] and await texts(backend, second) == []


async def test_a_level_that_was_left_becomes_the_folder_again(backend: Backend) -> None:
    top = await folder(backend, "top")
    child = await folder(backend, "top/child")
    await append(backend, top, mail(1))
    await append(backend, child, mail(2))
    await backend.folders.delete(ANN, "top")
    level = await backend.folders.find(ANN, "top")
    assert level is not None and not level.selectable
    (found,) = await backend.undelete.folders(ANN)
    assert await backend.undelete.restore_folder(ANN, found.id) == ["top"]
    again = await backend.folders.find(ANN, "top")
    assert again is not None and again.selectable and again.ref == top
    assert await texts(backend, top) == [mail(1)] and await texts(backend, child) == [mail(2)]
    assert await names(backend) == ["INBOX", "top", "top/child"]


async def test_a_purged_folder_is_gone_for_good(backend: Backend) -> None:
    ref = await folder(backend, "Old")
    await fill(backend, ref, 250)
    await backend.folders.delete(ANN, "Old")
    (found,) = await backend.undelete.folders(ANN)
    assert (await backend.undelete.purge_folder(ANN, found.id)).messages == 250
    assert not await backend.undelete.folders(ANN)
    await refused(backend.undelete.purge_folder(ANN, found.id), Condition.NONEXISTENT)


async def test_a_large_restore_goes_in_steps_and_keeps_the_order(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 450)
    await expunge(backend, ref, range(1, 451))
    assert (await backend.undelete.restore(ANN, Chosen())).messages == 450
    assert sorted(text or b"" for text in await texts(backend, ref)) == sorted(mail(n) for n in range(1, 451))


async def test_what_was_deleted_survives_a_restart(durable: Backend) -> None:
    ref, old = await inbox(durable), await folder(durable, "Old")
    await fill(durable, ref, 3)
    await append(durable, old, mail(9))
    await expunge(durable, ref, [2])
    await durable.folders.delete(ANN, "Old")
    assert durable.reopen is not None
    again = await durable.reopen()
    (deleted,) = await again.undelete.folders(ANN)
    assert await again.undelete.restore_folder(ANN, deleted.id) == ["Old"]
    assert (await again.undelete.restore(ANN, Chosen())).messages == 1
    assert await texts(again, ref) == [mail(1), mail(3), mail(2)] and await texts(again, old) == [mail(9)]
