"""What every backend of the port Queue must do. One table: a second backend adds a line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

from tests.support.queue_house import NOW, QueueHouse, entry, open_queue
from whimbrel.core.address import Address
from whimbrel.core.commit import Enqueue, PassOn, Rendition
from whimbrel.core.disposition import Disposition, Parked, Place
from whimbrel.core.envelope import MailOptions, Notify, Recipient, Ret
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import SEEN, AccountId, SpecialUse
from whimbrel.core.queue import (
    MIXED,
    ORDERS,
    Deferral,
    QueueFilter,
    QueueItem,
    QueueRecipient,
    RecipientState,
)

QUEUES = {"sqlite": open_queue}


@pytest.fixture(params=sorted(QUEUES))
def within(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[[QueueHouse], Awaitable[None]]], None]:
    """Runs a test in an open queue; again on the same one if it is called again."""

    def run(test: Callable[[QueueHouse], Awaitable[None]]) -> None:
        async def inside() -> None:
            async with asyncio.timeout(60), QUEUES[request.param](tmp_path) as house:
                await test(house)

        asyncio.run(inside())

    return run


Within = Callable[[Callable[[QueueHouse], Awaitable[None]]], None]
ALL = QueueFilter()


def rich(queue_id: str) -> QueueItem:
    return QueueItem(
        id=queue_id,
        sender=Address.parse('"odd \\"one\\""@example.test'),
        recipients=(
            QueueRecipient(
                Recipient(
                    Address.parse("grün@remote.test"), frozenset({Notify.SUCCESS, Notify.DELAY}), "rfc822;g@remote.test"
                ),
                RecipientState.WAITING,
                "4.4.1 Cannot connect to remote host",
                "mx.remote.test[192.0.2.1]:25",
                reported_delay=True,
            ),
            QueueRecipient(Recipient(Address.parse("bob@example.test")), local=True, account="bob@example.test"),
            QueueRecipient(Recipient(Address.parse("x@[192.0.2.7]")), RecipientState.FAILED, "5.1.1 User unknown"),
        ),
        created=NOW + 0.25,
        next_attempt=NOW + 1.5,
        attempts=3,
        held=False,
        message_id="<1@example.test>",
        user="alice@example.test",
        client="192.0.2.9",
        options=MailOptions(
            utf8=True,
            body_8bit=True,
            ret="FULL",
            envid="env+id",
            require_tls=True,
            hold_until=NOW + 3600.5,
            verp="+=",
            account=AccountId("alice@example.test"),
        ),
        origin="submission",
        tls_optional=True,
        unchecked=True,
        give_up="5.7.1 Enough",
        urgent=True,
    )


def test_an_entry_comes_out_as_it_went_in(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        content = b"Subject: \xe4\r\n\r\n" + b"x" * 300_000
        assert await house.add(rich("6ab3f000-00000001"), content, b"Received: by us\r\n") is None
        found = await house.queue.get("6ab3f000-00000001")
        whole = b"Received: by us\r\n" + content
        assert found == replace(rich("6ab3f000-00000001"), size=len(whole), checksum=crc32(whole))
        assert await house.queue.content(found.id) == whole
        assert await house.queue.content(found.id, 10, 12) == b"by us\r\nSubje"
        assert await house.queue.content("6ab3f000-00000009") is None
        assert await house.queue.content("../queue.db") is None
        assert await house.queue.get("nothing") is None

    within(check)


def test_what_the_sender_wants_returned_is_kept_as_it_was_said(within: Within) -> None:
    """RFC 3461 4.3: all, the header, or nothing said."""

    async def check(house: QueueHouse) -> None:
        sayings: dict[str, Ret] = {"a-1": "FULL", "a-2": "HDRS", "a-3": ""}
        for name, ret in sayings.items():
            await house.add(replace(entry(name), options=MailOptions(ret=ret)))
            found = await house.queue.get(name)
            assert found is not None and found.options == MailOptions(ret=ret)

    within(check)


def test_what_was_sent_to_all_is_taken_out_together(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(5):
            await house.add(entry(f"a-{n}", "b@one.test" if n % 2 else "c@two.test"))
        leased = await house.queue.lease(NOW, 4, 60)
        await house.queue.finish([one.id for one in leased])
        left = await house.queue.select(ALL)
        assert len(left) == 1 and left[0].id not in {one.id for one in leased}
        assert [await house.queue.content(one.id) for one in leased] == [None] * 4
        assert {one.lane for one in await house.queue.lanes(9)} == {left[0].lane}
        assert [one.id for one in await house.queue.lease(NOW, 9, 60)] == [left[0].id]

    within(check)


def test_what_was_deleted_or_finished_before_is_finished_without_complaint(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(3):
            await house.add(entry(f"a-{n}"))
        assert await house.queue.delete(QueueFilter(ids=frozenset({"a-1"}))) == 1
        for _ in range(2):
            await house.queue.finish(["a-0", "a-1", "gone"])
        await house.queue.finish([])
        assert [one.id for one in await house.queue.select(ALL)] == ["a-2"]

    within(check)


def test_entries_are_leased_with_all_their_recipients_in_order(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(30):
            await house.add(entry(f"a-{n:02}", *(f"r{m}@d{n}.test" for m in range(n % 3 + 1)), due=NOW - 100 + n))
        leased = await house.queue.lease(NOW, 30, 60)
        assert [one.id for one in leased] == [f"a-{n:02}" for n in range(30)]
        for n, one in enumerate(leased):
            assert [str(r.recipient.address) for r in one.recipients] == [f"r{m}@d{n}.test" for m in range(n % 3 + 1)]

    within(check)


def test_a_report_has_the_null_reverse_path(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1", sender=""))
        found = await house.queue.get("a-1")
        assert found is not None and found.sender is None

    within(check)


def test_entries_survive_a_restart(within: Within) -> None:
    async def put(house: QueueHouse) -> None:
        await house.add(rich("a-1"))

    async def look(house: QueueHouse) -> None:
        found = await house.queue.get("a-1")
        assert found is not None and found.recipients == rich("a-1").recipients
        assert await house.queue.content("a-1") == b"Subject: x\r\n\r\nhello\r\n"
        assert house.queue.recover() == 0

    within(put)
    within(look)


def test_due_entries_are_leased_earliest_first_to_one_only(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for name, due in (("late", NOW + 5), ("early", NOW - 5), ("later", NOW + 60)):
            await house.add(entry(name, due=due))
        queue = house.queue
        assert [one.id for one in await queue.lease(NOW + 10, 10, 30)] == ["early", "late"]
        assert await queue.lease(NOW + 10, 10, 30) == []
        assert await queue.next_due() == NOW + 40
        # A lease that nobody renews ends.
        assert [one.id for one in await queue.lease(NOW + 41, 1, 30)] == ["early"]
        await queue.renew(["early"], NOW + 200)
        assert [one.id for one in await queue.lease(NOW + 100, 10, 30)] == ["late", "later"]

    within(check)


def test_an_update_ends_the_lease_and_stores_the_outcome(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        await house.add(entry("a-1", "b@remote.test", "c@remote.test"))
        (leased,) = await queue.lease(NOW, 10, 1000)
        done = replace(leased.recipients[0], state=RecipientState.RELAYED, status="2.0.0 OK", remote="mx")
        waits = replace(leased.recipients[1], status="4.2.0 Later", reported_delay=True)
        after = replace(leased, recipients=(done, waits), attempts=1, next_attempt=NOW + 300)
        await queue.update(after)
        assert await queue.get("a-1") == after
        assert await queue.lease(NOW + 299, 10, 10) == []
        (leased,) = await queue.lease(NOW + 300, 10, 10)
        assert [one.recipient.address.local for one in leased.waiting] == ["c"]
        await queue.update(replace(leased, recipients=(done, replace(waits, state=RecipientState.FAILED))))
        assert await queue.get("a-1") is None
        assert await queue.content("a-1") is None
        assert await queue.next_due() is None
        assert (await queue.counts(NOW)).waiting == 0

    within(check)


def test_what_was_deleted_during_an_attempt_does_not_come_back(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        (leased,) = await house.queue.lease(NOW, 10, 1000)
        assert await house.queue.delete(ALL) == 1
        await house.queue.update(replace(leased, attempts=1))
        assert await house.queue.get("a-1") is None
        assert await house.queue.select(ALL) == []

    within(check)


def test_held_entries_wait_for_a_person(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        await house.add(entry("a-1"))
        await house.add(replace(entry("a-2"), held=True))
        assert [one.id for one in await queue.lease(NOW, 10, 0)] == ["a-1"]
        assert await queue.hold(QueueFilter(ids=frozenset({"a-1"})), held=True) == 1
        assert await queue.hold(ALL, held=True) == 0
        assert await queue.lease(NOW, 10, 0) == []
        assert await queue.next_due() is None
        assert await queue.try_now(ALL, NOW) == 0
        assert [one.id for one in await queue.select(QueueFilter(held=True))] == ["a-1", "a-2"]
        # An attempt that ends meanwhile does not release it.
        found = await queue.get("a-1")
        assert found is not None
        await queue.update(replace(found, held=False, attempts=1))
        assert await queue.lease(NOW, 10, 0) == []
        assert await queue.hold(ALL, held=False) == 2
        assert len(await queue.lease(NOW, 10, 0)) == 2

    within(check)


def test_what_is_parked_waits_for_its_time_or_a_person(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        until = {"a-1": None, "a-2": NOW + 60, "a-3": NOW + 120}
        for name, at in until.items():
            await house.add(replace(entry(name), held=True, parked=Parked("quarantine", at)))
        await house.add(replace(entry("a-4"), held=True, parked=Parked("moderation")))
        assert (await queue.get("a-2")).parked == Parked("quarantine", NOW + 60)  # type: ignore[union-attr]
        assert [one.id for one in await queue.select(QueueFilter(parked="moderation"))] == ["a-4"]
        assert await queue.lease(NOW + 59, 9, 60) == [] and await queue.next_due() == NOW + 60
        (due,) = await queue.lease(NOW + 60, 9, 600)
        assert (due.id, due.held, due.parked) == ("a-2", False, None)
        assert await queue.next_due() == NOW + 120  # Not at the end of the lease alone.
        assert await queue.hold(QueueFilter(parked="quarantine"), held=False) == 2
        assert {one.id for one in await queue.lease(NOW + 61, 9, 60)} == {"a-1", "a-3"}
        assert await queue.hold(QueueFilter(ids=frozenset({"a-1"})), held=True) == 1
        again = await queue.get("a-1")
        assert again is not None and again.held and again.parked is None

    within(check)


def test_an_entry_goes_on_as_others_as_a_whole_or_not_at_all(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(replace(entry("a-1", "b@one.test", "c@two.test"), unchecked=True))
        await house.add(entry("b-2"))
        held = house.spool.hold(b"Subject: y\r\n\r\n")
        old = await house.queue.get("a-1")
        assert old is not None
        ended = {0: replace(old.recipients[0], state=RecipientState.DELIVERED, status="2.0.0 Passed on")}

        async def pass_on(*names: str) -> object:
            entries = tuple(Enqueue(entry(name), Rendition(b"", held)) for name in names)
            job = house.queue.job(PassOn("a-1", ended, entries))
            await house.committer.commit([(house.queue, job)])
            return job.result

        assert isinstance(await pass_on("a-2", "b-2"), MailError)  # Of two new ones, one cannot be added.
        assert [one.id for one in await house.queue.select(ALL)] == ["a-1", "b-2"]
        assert await house.queue.get("a-1") == old and await house.queue.content("a-2") is None
        assert await pass_on("a-2", "a-3") is None
        assert [one.id for one in await house.queue.select(ALL)] == ["a-1", "a-2", "a-3", "b-2"]
        now = await house.queue.get("a-1")
        assert now is not None and [one.state.value for one in now.recipients] == ["delivered", "waiting"]
        assert await house.queue.content("a-3") == b"Subject: y\r\n\r\n"

    within(check)


def test_what_is_left_to_be_done_at_a_mailbox_is_stored_with_its_recipient(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        both = Disposition((Place(SpecialUse.JUNK, SEEN, create=True), Place("A/b", 0, frozenset({"$x"}))))
        local = QueueRecipient(Recipient(Address.parse("b@example.test")), local=True, account="b@example.test")
        await house.add(replace(entry("a-1"), recipients=(replace(local, disposition=both),)))
        (item,) = await house.queue.lease(NOW, 9, 60)
        assert item.recipients[0].disposition == both
        rest = replace(item.recipients[0], disposition=Disposition(both.places[1:]), status="4.2.0 Busy")
        await house.queue.update(replace(item, recipients=(rest,)))
        (item,) = await house.queue.lease(NOW, 9, 60)
        assert item.recipients == (rest,)

    within(check)


def test_try_now_makes_entries_due(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1", due=NOW + 3600))
        assert await house.queue.lease(NOW, 10, 10) == []
        assert await house.queue.try_now(ALL, NOW) == 1
        assert len(await house.queue.lease(NOW, 10, 10)) == 1

    within(check)


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (ALL, ["a-1", "a-2", "a-3"]),
        (QueueFilter(ids=frozenset({"a-2", "a-9"})), ["a-2"]),
        (QueueFilter(sender="ALICE@"), ["a-1"]),
        (QueueFilter(sender="<>"), ["a-3"]),
        (QueueFilter(recipient="remote"), ["a-1", "a-2"]),
        (QueueFilter(recipient="%"), ["a-2"]),
        (QueueFilter(recipient="_"), []),
        (QueueFilter(older_than=NOW - 50), ["a-1"]),
        (QueueFilter(text="A-2"), ["a-2"]),
        (QueueFilter(text="Alice"), ["a-1"]),
        (QueueFilter(text="else.test"), ["a-3"]),
        (QueueFilter(text="%"), ["a-2"]),
        (QueueFilter(text="nothing"), []),
        (QueueFilter(text="a-", sender="alice"), ["a-1"]),
        (QueueFilter(sender="alice", recipient="nobody"), []),
    ],
)
def test_a_filter_means_what_fits_all_its_parts(within: Within, which: QueueFilter, found: list[str]) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1", "x@remote.test", "y@remote.test", sender="alice@example.test", created=NOW - 100))
        await house.add(entry("a-2", "50%@remote.test", sender="bob@example.test", created=NOW - 50))
        await house.add(entry("a-3", "z@else.test", sender=""))
        assert [one.id for one in await house.queue.select(which)] == found
        assert await house.queue.delete(which) == len(found)
        left = [one.id for one in await house.queue.select(ALL)]
        assert left == [name for name in ("a-1", "a-2", "a-3") if name not in found]

    within(check)


def test_a_filter_by_status_looks_at_waiting_recipients(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(rich("a-1"))
        assert len(await house.queue.select(QueueFilter(status="4.4.1"))) == 1
        assert await house.queue.select(QueueFilter(status="5.1.1")) == []

    within(check)


ORDERED = {
    "created": "a-3 a-4 a-0 a-1 a-2",
    "id": "a-0 a-1 a-2 a-3 a-4",
    "sender": "a-4 a-1 a-0 a-2 a-3",
    "recipients": "a-3 a-0 a-1 a-2 a-4",
    "next_attempt": "a-0 a-4 a-3 a-2 a-1",
    "size": "a-0 a-1 a-2 a-3 a-4",
    "held": "a-1 a-2 a-3 a-4 a-0",
}


async def five(house: QueueHouse) -> None:
    """Entries whose order differs by each column."""
    for n, (sender, to) in enumerate([("c", "d"), ("B", "E"), ("d", "f"), ("e", "c"), ("a", "g")]):
        made = entry(
            f"a-{n}", f"{to}@remote.test", sender=f"{sender}@x.test", created=NOW + (n + 2) % 5, due=NOW + 100 - n
        )
        await house.add(made, b"12345" * (n + 1))
    await house.queue.hold(QueueFilter(ids=frozenset({"a-0"})), held=True)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_are_ordered_by_any_column_and_give_each_entry_once(within: Within, order: str, turned: bool) -> None:
    async def check(house: QueueHouse) -> None:
        await five(house)
        ids, after = list[str](), ""
        while True:
            page = await house.queue.page(ALL, 2, f"{'-' * turned}{order}", after)
            ids += [one.id for one in page.items]
            assert page.total == 5 and len(page.items) <= 2
            after = page.more
            if not after:
                break
        assert sorted(ids) == ["a-0", "a-1", "a-2", "a-3", "a-4"]
        if order in ORDERED:
            assert (ids[::-1] if turned else ids) == ORDERED[order].split()

    within(check)


def test_a_page_goes_on_behind_what_was_delivered_meanwhile(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await five(house)
        whole = await house.queue.page(ALL, 100)
        for skip in range(len(whole.items) + 2):
            part = await house.queue.page(ALL, 2, skip=skip)
            assert (part.items, part.total) == (whole.items[skip : skip + 2], whole.total)
            if part.more:  # It goes on from there as if the pages before had been read.
                assert (await house.queue.page(ALL, 100, after=part.more)).items == whole.items[skip + 2 :]
        page = await house.queue.page(ALL, 2)
        assert [one.id for one in page.items] == ["a-3", "a-4"]
        await house.queue.delete(QueueFilter(ids=frozenset({"a-3", "a-4"})))
        page = await house.queue.page(ALL, 2, after=page.more)
        assert ([one.id for one in page.items], page.total) == (["a-0", "a-1"], 3)
        page = await house.queue.page(QueueFilter(sender="c@"), 2)
        assert ([one.id for one in page.items], page.total, page.more) == (["a-0"], 1, "")
        for wrong in ("nonsense", "[1]", '["size",1,"a"]', '["created",1' + "0" * 400 + ',"a"]', "{}"):
            with pytest.raises(ValueError, match="list"):
                await house.queue.page(ALL, 2, after=wrong)

    within(check)


def test_selection_is_paged_oldest_first_and_counted(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(5):
            await house.add(entry(f"a-{n}", created=NOW - n, due=NOW + (n - 2) * 10), b"12345")
        await house.queue.hold(QueueFilter(ids=frozenset({"a-4"})), held=True)
        assert [one.id for one in await house.queue.select(ALL, limit=2, offset=1)] == ["a-3", "a-2"]
        counts = await house.queue.counts(NOW)
        assert (counts.waiting, counts.held, counts.due, counts.bytes) == (4, 1, 3, 25)
        assert counts.oldest == NOW - 4

    within(check)


def test_one_id_is_never_given_to_two_messages(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        assert await house.add(entry("a-1"), b"first") is None
        assert isinstance(await house.add(entry("a-1"), b"second"), Exception)
        assert await house.queue.content("a-1") == b"first"

    within(check)


def test_waiting_ends_when_something_is_added(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.queue.wait(0.01)  # Nothing comes.
        waiting = asyncio.create_task(house.queue.wait(30))
        await asyncio.sleep(0)
        await house.add(entry("a-1"))
        async with asyncio.timeout(5):
            await waiting

    within(check)


def test_lanes_take_turns_and_get_no_more_than_their_room(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        for n in range(6):
            await house.add(entry(f"big-{n}", "b@big.test", due=NOW - 100 + n))
        for n in range(3):
            await house.add(entry(f"small-{n}", f"b@small{n}.test", due=NOW - n))
        first = [one.id for one in await queue.lease(NOW, 3, 60, each=2)]
        assert first == ["big-0", "big-1", "small-2"]
        # The long lane was served just now: the others come before it.
        assert [one.id for one in await queue.lease(NOW, 3, 60, each=2)] == ["small-1", "small-0", "big-2"]
        assert await queue.lease(NOW, 3, 60, each=2, room={"big.test": 0}) == []
        assert [one.id for one in await queue.lease(NOW, 9, 60, each=1, room={"big.test": 2})] == ["big-3", "big-4"]
        assert [one.id for one in await queue.lease(NOW, 9, 60)] == ["big-5"]
        assert await queue.next_due() == NOW + 60

    within(check)


def test_a_lane_of_many_domains_is_one_of_its_own_until_one_domain_is_left(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        await house.add(entry("a-1", "b@one.test", "c@two.test"))
        assert await queue.lease(NOW, 9, 60, room={MIXED: 0}) == []
        (item,) = await queue.lease(NOW, 9, 60, room={"one.test": 0, "two.test": 0})
        done = replace(item.recipients[0], state=RecipientState.RELAYED)
        await queue.update(replace(item, recipients=(done, item.recipients[1])))
        assert await queue.lease(NOW, 9, 60, room={"two.test": 0}) == []
        assert len(await queue.lease(NOW, 9, 60, room={MIXED: 0, "one.test": 0})) == 1

    within(check)


def test_lanes_that_were_not_proven_can_be_left_out(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        for name in ("living", "dead", "unknown"):
            await house.add(entry(name, f"b@{name}.test"))
        await queue.verify({"living.test": True, "dead.test": True, "nobody.test": True})
        await queue.verify({"dead.test": False})
        assert [one.id for one in await queue.lease(NOW, 9, 60, unverified=0)] == ["living"]
        assert {one.id for one in await queue.lease(NOW, 9, 60)} == {"dead", "unknown"}

    within(check)


def test_of_strangers_comes_one_each_and_the_bound_of_the_others_does_not_count_them(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        for n in range(3):
            await house.add(entry(f"dead{n}", "b@dead.test"))
            await house.add(entry(f"new{n}", f"b@new{n}.test"))
            await house.add(entry(f"known{n}", "b@known.test"))
        await house.add(entry("mixed", "b@dead.test", "b@new0.test"))
        await queue.verify({"known.test": True})
        first = await queue.lease(NOW, 4, 60, each=3, unverified=3)
        # A message to several is among the known: it must not wait until each of its destinations has answered.
        assert sorted(one.id for one in first[:4]) == ["known0", "known1", "known2", "mixed"]
        assert len(first) == 7 and len({one.lane for one in first[4:]}) == 3
        assert [one.id for one in await queue.lease(NOW, 0, 60, unverified=1)] != []
        assert await queue.lease(NOW, 9, 60, unverified=0) == []

    within(check)


def test_that_a_lane_was_proven_outlives_what_stood_in_it(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        await house.add(entry("first", "b@living.test"))
        await queue.lease(NOW, 9, 60)
        await queue.verify({"living.test": True})
        await queue.finish(["first"])
        assert await queue.next_due() is None
        house.queue.recover()
        assert await queue.next_due() is None
        await house.add(entry("second", "b@living.test"))
        assert [one.id for one in await queue.lease(NOW, 9, 60, unverified=0)] == ["second"]
        await queue.verify({"living.test": False})
        await queue.finish(["second"])
        await house.add(entry("third", "b@living.test"))
        assert await queue.lease(NOW, 9, 60, unverified=0) == []

    within(check)


def test_a_dead_lane_is_put_off_as_one_and_without_attempts(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        for n in range(20):
            await house.add(entry(f"d-{n}", "b@dead.test", created=NOW - 50))
        await house.add(entry("notice", "b@dead.test", created=NOW - 1000, due=NOW - 1))
        await house.add(entry("later", "b@dead.test", created=NOW - 980))
        await house.add(entry("other", "b@living.test"))
        assert await queue.try_now(QueueFilter(ids=frozenset({"d-19"})), NOW) == 1
        mine, theirs = await queue.lease(NOW, 2, 60, room={"living.test": 0, "dead.test": 2})
        # Leased by us, and put off too; `theirs` is at work.
        deferral = Deferral(
            "dead.test", NOW, NOW + 300, 60, "4.4.1 Dead", "mx", ages=(1000.0, 4000.0), leased=frozenset({mine.id})
        )
        await queue.defer([deferral])
        found = {one.id: one for one in await queue.select(ALL)}
        waits = [one.next_attempt - NOW for name, one in found.items() if name[:2] == "d-" and name != "d-19"]
        quiet = [one for one in waits if one >= 300]
        assert len(quiet) >= 17 and max(quiet) <= 360 and len(set(quiet)) > 5
        assert found["d-5"].attempts == 0 and found["d-5"].recipients[0].status == "4.4.1 Dead"
        assert found["later"].next_attempt == NOW + 20  # A notice is due at 1000 seconds of age.
        due = {one.id for one in await queue.lease(NOW, 99, 60)}
        # What a person wants now, what must be told now, and what is of another lane.
        assert due - {"notice", "d-19", "other", theirs.id, mine.id} == set()
        assert {"other"} <= due and "notice" in due | {mine.id, theirs.id}

    within(check)


def test_only_what_is_named_is_put_off_where_not_the_whole_lane_is_meant(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(3):
            await house.add(entry(f"d-{n}", "b@dead.test", due=NOW - n))
        (mine,) = await house.queue.lease(NOW, 1, 60)
        deferral = Deferral("dead.test", NOW, NOW + 300, 0, "4.4.1 Dead", leased=frozenset({mine.id}), whole=False)
        assert await house.queue.defer([deferral]) == 1
        assert len(await house.queue.lease(NOW, 9, 60)) == 2

    within(check)


def test_what_was_leased_and_not_begun_can_be_given_back(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1"))
        (leased,) = await house.queue.lease(NOW, 1, 600)
        await house.queue.back([leased.id, "nothing"])
        assert len(await house.queue.lease(NOW, 1, 600)) == 1

    within(check)


def test_what_was_sent_is_recorded_while_others_are_still_tried(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1", "b@one.test", "c@two.test"))
        (leased,) = await house.queue.lease(NOW, 1, 600)
        done = replace(leased.recipients[1], state=RecipientState.RELAYED, status="2.0.0 OK")
        await house.queue.record("a-1", {1: done})
        found = await house.queue.get("a-1")
        assert found is not None and found.recipients == (leased.recipients[0], done)
        assert await house.queue.lease(NOW, 1, 600) == []  # The lease goes on.

    within(check)


def test_what_is_given_up_is_due_at_once_even_if_it_was_held_or_is_at_work(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue = house.queue
        await house.add(entry("a-1", due=NOW + 3600))
        await house.add(replace(entry("a-2", "b@x.test"), held=True))
        await house.add(entry("a-3", "b@y.test"))
        (leased,) = await queue.lease(NOW, 9, 600)
        assert await queue.give_up(ALL, "5.7.1 Enough", NOW) == 3
        assert await queue.give_up(ALL, "5.7.1 Again", NOW) == 0
        assert {one.id: one.give_up for one in await queue.lease(NOW, 9, 600)} == {
            "a-1": "5.7.1 Enough",
            "a-2": "5.7.1 Enough",
        }
        # The attempt that was under way ends with a plan for later; the wish is stronger.
        await queue.update(replace(leased, attempts=1, next_attempt=NOW + 900))
        assert [one.give_up for one in await queue.lease(NOW, 9, 600)] == ["5.7.1 Enough"]

    within(check)


def test_counts_by_filter_and_by_lane(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        for n in range(3):
            await house.add(entry(f"a-{n}", "b@one.test", created=NOW - n), b"12345" * (n + 1))
        await house.add(replace(entry("b-1", "b@two.test"), held=True))
        assert await house.queue.count(QueueFilter(size_over=5, recipient="one")) == 2
        one, two = await house.queue.lanes(10)
        assert (one.lane, one.waiting, one.held, one.bytes, one.oldest) == ("one.test", 3, 0, 30, NOW - 2)
        assert (two.lane, two.waiting, two.held, two.next_attempt) == ("two.test", 0, 1, None)
        assert len(await house.queue.lanes(1)) == 1

    within(check)


def test_a_clock_that_was_set_back_makes_nothing_wait_for_the_time_it_showed(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        queue, month = house.queue, 30 * 86_400.0
        await house.add(entry("a-1", created=NOW + month, due=NOW + month + 60))  # Came while it was ahead.
        await house.add(entry("a-2", due=NOW + month))  # Was tried then.
        await house.add(entry("a-3", due=NOW + 3600))
        await house.add(replace(entry("a-4"), held=True, parked=Parked("scheduled", NOW + 2 * month)))
        await house.add(entry("a-5", "x@else.test", due=NOW))
        assert [one.id for one in await queue.lease(NOW + month, 1, 60, room={"remote.test": 0})] == ["a-5"]
        await queue.restrain(NOW, 2 * 3600.0)
        found = {one.id: one for one in await queue.select(ALL)}
        assert found["a-1"].created == NOW and found["a-1"].next_attempt == NOW + 60
        assert NOW <= found["a-2"].next_attempt <= NOW + 60 and found["a-3"].next_attempt == NOW + 3600
        assert found["a-4"].parked == Parked("scheduled", NOW + 2 * month)
        assert {one.id for one in await queue.lease(NOW + 61, 9, 60)} == {"a-1", "a-2", "a-5"}

    within(check)


def test_what_was_put_off_past_its_end_is_looked_at(within: Within) -> None:
    async def check(house: QueueHouse) -> None:
        await house.add(entry("a-1", created=NOW - 1000, due=NOW - 10))
        await house.add(entry("a-2", created=NOW - 100, due=NOW - 10))
        deferral = Deferral("remote.test", NOW, NOW + 60, 0.0, "4.4.1 No", ages=(500.0, 900.0))
        assert await house.queue.defer([deferral]) == 1
        assert [one.id for one in await house.queue.lease(NOW, 9, 60)] == ["a-1"]

    within(check)
