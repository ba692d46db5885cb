"""What becomes of whole mailboxes: put aside, brought back, renamed under the hands of who uses them, deleted."""

import asyncio
from itertools import count

from tests.contract.backends import Backend
from tests.contract.calls import ANN, BOB, append, fill, folder, inbox, mail, names, refused, texts
from whimbrel.core.errors import Condition
from whimbrel.core.mailbox import INBOX, AccountId, FolderRef, Usage

EVE = AccountId("eve@other.test")
_numbers = count(0x18A0000000000000)


def new_id() -> str:
    return f"{next(_numbers):x}"


async def test_what_was_put_aside_is_out_of_sight_and_comes_back_as_it_was(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 3)
    await fill(backend, work, 2)
    id = new_id()
    await backend.mailboxes.put_aside(ANN, id, '{"quota": "5G"}')
    assert await backend.folders.usage(ANN) == Usage(0, 0)
    (removed,) = await backend.mailboxes.removed()
    assert (removed.id, removed.account, removed.messages, removed.record) == (id, ANN, 5, '{"quota": "5G"}')
    assert removed.bytes > 0 and removed.removed == int(id, 16) / 1e9
    await backend.mailboxes.bring_back(id, ANN)
    await backend.mailboxes.drop_record(ANN)
    assert await names(backend) == [INBOX, "Work"]
    assert len(await texts(backend, await inbox(backend))) == 3
    assert not await backend.mailboxes.removed()


async def test_it_comes_back_under_another_name_and_in_another_domain(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 3)
    id = new_id()
    await backend.mailboxes.put_aside(ANN, id, "r")
    await backend.mailboxes.bring_back(id, EVE)
    assert (await backend.folders.usage(EVE)).messages == 3
    assert (await inbox(backend, EVE)).account == EVE
    assert await append(backend, await inbox(backend, EVE)) == 4


async def test_a_mailbox_that_holds_mail_is_not_replaced_and_an_empty_one_is(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 2)
    id = new_id()
    await backend.mailboxes.put_aside(ANN, id, "")
    uid = await append(backend, await inbox(backend))
    await refused(backend.mailboxes.bring_back(id, ANN), Condition.ALREADYEXISTS)
    assert len(await texts(backend, await inbox(backend))) == uid == 1
    other = new_id()
    await backend.mailboxes.put_aside(ANN, other, "")
    await folder(backend, "Drafts")
    await backend.mailboxes.bring_back(id, ANN)
    assert (await backend.folders.usage(ANN)).messages == 2
    assert await names(backend) == [INBOX]


async def test_each_step_can_be_made_again(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 1)
    id = new_id()
    for _ in range(2):
        await backend.mailboxes.put_aside(ANN, id, "r")
    assert len(await backend.mailboxes.removed()) == 1
    await backend.mailboxes.bring_back(id, ANN)
    for _ in range(2):
        await backend.mailboxes.drop_record(ANN)
        await backend.mailboxes.rename(ANN, EVE)
    assert (await backend.folders.usage(EVE)).messages == 1


async def test_a_user_without_mail_leaves_a_record_all_the_same(backend: Backend) -> None:
    await backend.mailboxes.put_aside(EVE, new_id(), "all of it")
    (removed,) = await backend.mailboxes.removed()
    assert (removed.account, removed.messages, removed.bytes, removed.record) == (EVE, 0, 0, "all of it")


async def test_who_gets_a_name_that_was_used_begins_with_nothing(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 2)
    assert list(await backend.mailboxes.make_way([EVE, ANN], new_id())) == [ANN]
    assert await backend.folders.usage(ANN) == Usage(0, 0)
    assert [each.messages for each in await backend.mailboxes.removed()] == [2]
    assert not await backend.mailboxes.make_way([EVE], new_id())


async def test_mail_that_is_on_its_way_to_a_renamed_mailbox_arrives_there(backend: Backend) -> None:
    before = await inbox(backend)
    await fill(backend, before, 3)
    await backend.mailboxes.rename(ANN, EVE)
    assert await append(backend, before, mail(9)) == 4  # It was resolved before the rename.
    after = await inbox(backend, EVE)
    assert after.mailbox == before.mailbox
    assert len(await texts(backend, after)) == 4
    assert (await backend.folders.usage(EVE)).messages == 4


async def test_mail_arrives_all_through_a_rename(backend: Backend) -> None:
    for round in range(5):
        old, new = AccountId(f"old{round}@example.test"), AccountId(f"new{round}@other.test")
        ref = await inbox(backend, old)
        started = asyncio.Event()

        async def deliver(ref: FolderRef = ref, started: asyncio.Event = started) -> None:
            for number in range(30):
                await append(backend, ref, mail(number))
                started.set()

        async def rename(old: AccountId = old, new: AccountId = new, started: asyncio.Event = started) -> None:
            await started.wait()
            await backend.mailboxes.rename(old, new)

        await asyncio.gather(deliver(), rename())
        assert (await backend.folders.usage(new)).messages == 30
    assert not await backend.mailboxes.removed()


async def test_a_rename_can_be_taken_back_however_far_it_came(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 2)
    await backend.mailboxes.undo_rename(ANN, EVE)
    await backend.mailboxes.rename(ANN, EVE)
    for _ in range(2):
        await backend.mailboxes.undo_rename(ANN, EVE)
        assert (await backend.folders.usage(ANN)).messages == 2
    assert (await backend.folders.usage(EVE)).messages == 0


async def test_a_name_that_has_a_mailbox_is_not_overwritten(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 1)
    await fill(backend, await inbox(backend, BOB), 2)
    await refused(backend.mailboxes.rename(ANN, BOB), Condition.ALREADYEXISTS)
    assert (await backend.folders.usage(BOB)).messages == 2


async def test_who_gets_a_former_name_has_a_mailbox_of_his_own(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 2)
    await backend.mailboxes.rename(ANN, EVE)
    assert not await backend.mailboxes.make_way([ANN], new_id())
    assert await append(backend, await inbox(backend)) == 1
    assert (await backend.folders.usage(EVE)).messages == 2


async def test_purged_is_gone_for_good(backend: Backend) -> None:
    await fill(backend, await inbox(backend), 2)
    id = new_id()
    await backend.mailboxes.put_aside(ANN, id, "")
    assert (await backend.mailboxes.purge(id)).messages == 2
    assert not await backend.mailboxes.removed()
    await refused(backend.mailboxes.purge(id), Condition.NONEXISTENT)
    await refused(backend.mailboxes.bring_back(id, ANN), Condition.NONEXISTENT)


async def test_removed_mailboxes_outlive_a_restart(durable: Backend) -> None:
    await fill(durable, await inbox(durable), 2)
    id = new_id()
    await durable.mailboxes.put_aside(ANN, id, "kept")
    assert durable.reopen is not None
    again = await durable.reopen()
    (removed,) = await again.mailboxes.removed()
    assert (removed.messages, removed.record) == (2, "kept")
    await again.mailboxes.bring_back(id, BOB)
    assert (await again.folders.usage(BOB)).messages == 2
