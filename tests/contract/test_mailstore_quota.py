"""What every mail store must do about an account's limit: nothing goes over it, by one octet or one message, whatever
else is going on. RFC 9208 4.3.1 (OVERQUOTA), RFC 9051 6.4.7 (COPY is all or none)"""

import asyncio
import random
from itertools import count

from tests.contract.backends import Backend
from tests.contract.calls import ANN, BOB, append, expunge, fill, folder, inbox, item, mail, refused, status
from whimbrel.core.commit import Appended
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import Copied, FolderRef, Limit, Usage
from whimbrel.core.uids import ALL, UidSet

SIZE = len(mail())
OVERQUOTA = Condition.OVERQUOTA


async def held(backend: Backend) -> Usage:
    return await backend.folders.usage(ANN)


async def test_the_last_octet_and_the_last_message_fit_and_the_next_does_not(backend: Backend) -> None:
    ref = await inbox(backend)
    work = [item(backend, ref, mail(n), limit=Limit(3 * SIZE, 0)) for n in range(1, 5)]
    done = await backend.commit.commit(work)
    assert [isinstance(one, Appended) for one in done] == [True, True, True, False]
    assert isinstance(done[3], MailboxError) and done[3].condition is OVERQUOTA
    (refusal,) = await backend.commit.commit([item(backend, ref, mail(5), limit=Limit(0, 3))])
    assert isinstance(refusal, MailboxError) and refusal.condition is OVERQUOTA
    await append(backend, ref, mail(5), limit=Limit(4 * SIZE, 4))
    assert await held(backend) == Usage(4 * SIZE, 4)


async def test_all_folders_of_the_account_count_within_one_commit_too(backend: Backend) -> None:
    refs = [await inbox(backend), await folder(backend, "Work")]
    work = [item(backend, refs[n % 2], mail(n), limit=Limit(0, 5)) for n in range(8)]
    done = await backend.commit.commit(work)
    assert sum(isinstance(one, Appended) for one in done) == 5 and (await held(backend)).messages == 5


async def test_what_one_recipient_has_no_room_for_the_others_get(backend: Backend) -> None:
    mine, his = await inbox(backend), await inbox(backend, BOB)
    work = [item(backend, ref, mail(), limit=limit) for ref, limit in ((mine, Limit(1, 0)), (his, None))]
    full, taken = await backend.commit.commit(work)
    assert isinstance(full, MailboxError) and isinstance(taken, Appended)
    assert (await status(backend, mine)).messages == 0 and (await status(backend, his)).messages == 1


async def test_a_delivery_that_was_made_already_needs_no_room(backend: Backend) -> None:
    ref = await inbox(backend)
    again = {"queue_id": "q1", "recipient": "ann@example.test", "limit": Limit(SIZE, 1)}
    assert await append(backend, ref, **again) == 1
    assert await append(backend, ref, **again) == 0


async def test_a_copy_that_does_not_fit_leaves_nothing_and_one_that_does_is_whole(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 5)
    before = await status(backend, work)
    for limit in (Limit(10 * SIZE - 1, 0), Limit(0, 9)):
        await refused(backend.messages.copy(ref, ALL, work, limit), OVERQUOTA)
        await refused(backend.messages.copy(ref, ALL, ref, limit), OVERQUOTA)
    assert await status(backend, work) == before and await held(backend) == Usage(5 * SIZE, 5)
    copied = await backend.messages.copy(ref, ALL, work, Limit(10 * SIZE, 10))
    assert len(copied.target) == 5 and await held(backend) == Usage(10 * SIZE, 10)


async def test_the_limit_of_a_copy_is_that_of_the_account_it_goes_to(backend: Backend) -> None:
    ref, his = await inbox(backend), await inbox(backend, BOB)
    await fill(backend, ref, 3)
    await refused(backend.messages.copy(ref, ALL, his, Limit(0, 2)), OVERQUOTA)
    assert len((await backend.messages.copy(ref, ALL, his, Limit(0, 3))).target) == 3


async def test_a_copy_of_nothing_needs_no_room(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 2)
    assert (await backend.messages.copy(ref, UidSet([(8, 9)]), work, Limit(1, 1))).target == ()


async def test_who_is_over_the_limit_can_move_and_delete_and_then_has_room(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await fill(backend, ref, 6)
    limit = Limit(0, 3)
    assert len((await backend.messages.move(ref, ALL, work)).target) == 6
    await refused(backend.messages.copy(work, UidSet([(1, 1)]), ref, limit), OVERQUOTA)
    await expunge(backend, work, range(1, 5))
    assert len((await backend.messages.copy(work, UidSet([(5, 5)]), ref, limit)).target) == 1


async def test_deliveries_appends_and_copies_at_once_never_go_over_the_limit(backend: Backend) -> None:
    """What was acknowledged is there, what was refused is not, and the sum is at the bound but not above it."""
    refs = [await inbox(backend), await folder(backend, "Work"), await folder(backend, "Old")]
    await fill(backend, refs[0], 3)
    limit, numbers, rng = Limit(40_000, 60), count(100), random.Random(7)
    made, refusals, over = dict[FolderRef, int](), 0, 0

    async def deliver(ref: FolderRef, **rest: object) -> int:
        content = mail(next(numbers), body=b"x" * rng.randrange(3000))
        (done,) = await backend.commit.commit([item(backend, ref, content, limit=limit, **rest)])
        if isinstance(done, Exception):
            raise done
        return 1

    async def copy(source: FolderRef, target: FolderRef) -> int:
        done: Copied = await backend.messages.copy(source, UidSet([(1, rng.randrange(1, 5))]), target, limit)
        return len(done.target)

    async def client(number: int) -> None:
        nonlocal refusals
        for turn in range(12):
            ref = rng.choice(refs)
            try:
                if number < 8:
                    gained = await deliver(refs[0], queue_id=f"{number}.{turn}", recipient="ann@example.test")
                    ref = refs[0]
                elif number == 8:
                    gained = await deliver(ref)
                else:
                    gained = await copy(refs[0], ref)
            except MailboxError as error:
                assert error.condition is OVERQUOTA
                refusals += 1
            else:
                made[ref] = made.get(ref, 0) + gained

    async def watch() -> None:
        nonlocal over
        while True:
            over += limit.exceeded(await held(backend), 0, 0)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(client(number) for number in range(10)))
    watching.cancel()
    assert refusals and not over
    usage = await held(backend)
    assert not limit.exceeded(usage, 0, 0)
    found = {ref: (await status(backend, ref)).messages for ref in refs}
    made[refs[0]] = made.get(refs[0], 0) + 3
    assert found == {ref: made.get(ref, 0) for ref in refs}
    # As full as it can be: what is left is less than one more of what was refused.
    assert usage.messages == 60 or usage.bytes > 40_000 - 3000 - SIZE - 20, usage
