"""What every mail store must do with names and messages that are elsewhere: moved is not deleted, a subscription is no
folder, and some names are none."""

import pytest

from tests.contract.backends import Backend
from tests.contract.calls import ANN, fill, folder, inbox, mail, names, refused
from whimbrel.backends.store import names as rules
from whimbrel.backends.store.disk import tree_jobs
from whimbrel.backends.store.memory import account as memory
from whimbrel.core.errors import Condition
from whimbrel.core.mailbox import SpecialUse
from whimbrel.core.uids import ALL, UidSet
from whimbrel.core.undelete import Chosen, Tally


async def test_a_moved_message_is_not_among_the_deleted_and_is_still_read_where_it_was(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 3)
    await backend.messages.move(ref, UidSet.of([1, 2]), work)
    assert not (await backend.undelete.messages(ANN)).messages
    assert await backend.undelete.count(ANN, Chosen()) == Tally(0, 0)
    # A session that has not heard of it yet may still ask.
    assert await backend.messages.content(ref, 1) == mail(1)
    await backend.messages.expunge(ref, ALL, marked=False)
    assert (await backend.undelete.restore(ANN, Chosen())).messages == 1
    assert len(await backend.messages.flags(work, ALL)) == 2


async def test_what_left_a_renamed_inbox_is_not_among_the_deleted(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 2)
    await backend.folders.rename(ANN, "INBOX", "Old")
    assert not (await backend.undelete.messages(ANN)).messages


@pytest.mark.parametrize("name", ["a\ufffe", "\uffff", "x/\uffffy"])
async def test_a_name_that_xml_cannot_keep_is_refused_and_leaves_nothing(backend: Backend, name: str) -> None:
    await inbox(backend)
    before = await names(backend)
    await refused(backend.folders.create(ANN, name), Condition.CANNOT)
    await refused(backend.folders.subscribe(ANN, name, subscribed=True), Condition.CANNOT)
    await backend.folders.subscribe(ANN, "Good", subscribed=True)
    assert list(await backend.folders.subscriptions(ANN)) == ["Good"]
    assert await names(backend) == before


async def test_subscriptions_are_bounded_and_those_there_are_can_be_ended(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rules, tree_jobs, memory):
        monkeypatch.setattr(module, "MAX_SUBSCRIPTIONS", 3)
    for name in "abc":
        await backend.folders.subscribe(ANN, name, subscribed=True)
    await refused(backend.folders.subscribe(ANN, "d", subscribed=True), Condition.LIMIT)
    await backend.folders.subscribe(ANN, "c", subscribed=True)
    await backend.folders.subscribe(ANN, "a", subscribed=False)
    await backend.folders.subscribe(ANN, "d", subscribed=True)
    assert list(await backend.folders.subscriptions(ANN)) == ["b", "c", "d"]


async def test_a_level_that_becomes_a_folder_gets_its_special_use(backend: Backend) -> None:
    await folder(backend, "A/B")
    await backend.folders.delete(ANN, "A")
    made = await backend.folders.create(ANN, "A", SpecialUse.DRAFTS)
    assert made.special_use is SpecialUse.DRAFTS and made.selectable
    found = await backend.folders.find(ANN, "A")
    assert found is not None and found.special_use is SpecialUse.DRAFTS


async def test_annotations_are_bounded_together(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_ANNOTATED", 1000)
    ref = await inbox(backend)
    await backend.folders.annotate(ANN, ref.mailbox, {"/private/a": b"x" * 600})
    await refused(backend.folders.annotate(ANN, ref.mailbox, {"/private/b": b"x" * 500}), Condition.LIMIT)
    await backend.folders.annotate(ANN, ref.mailbox, {"/private/a": None, "/private/b": b"x" * 900})
    assert dict(await backend.folders.annotations(ANN, ref.mailbox)) == {"/private/b": b"x" * 900}
    monkeypatch.setattr(rules, "MAX_ANNOTATED", 100)
    await backend.folders.annotate(ANN, ref.mailbox, {"/private/b": None})
