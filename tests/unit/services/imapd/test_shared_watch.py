"""Sessions that idle on one mailbox are told together: one query, each hint counts, nobody hears twice or never."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.services.imapd.house import ALICE, Client, House, account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import Delta, FolderRef, MailboxId
from whimbrel.core.uids import UidSet
from whimbrel.services.imapd.shared_watch import BETWEEN_TURNS, MAX_ACCOUNTS, MAX_QUERIES, SharedWatches

REF = FolderRef(ALICE, MailboxId("m"))
MAIL = b"Subject: x\r\n\r\ny\r\n"


class Store:
    """Messages and Changes of one mailbox, as far as a watch asks; `gate` holds queries back."""

    def __init__(self) -> None:
        self.highest = 1
        self.asked: list[int] = []
        self.watchers: list[Callable[[MailboxId | None], None]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    def watch(self, account: object, wake: Callable[[MailboxId | None], None]) -> Callable[[], None]:
        self.watchers.append(wake)
        return lambda: self.watchers.remove(wake)

    async def changes(self, ref: FolderRef, since: int) -> Delta:
        self.asked.append(since)
        highest = self.highest
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Delta(highest, [], UidSet(), complete=True)

    def change(self, mailbox: MailboxId | None = REF.mailbox) -> None:
        self.highest += 1
        for wake in tuple(self.watchers):
            wake(mailbox)


class Waiting:
    """A session that idles."""

    def __init__(self, watches: SharedWatches, modseq: int = 1, *, claiming: bool = False, takes: bool = True) -> None:
        self.modseq, self.claiming, self.takes = modseq, claiming, takes
        self.news: list[int] = []
        self.woken = 0
        self.hints = watches.join(REF)
        self.hints.listener = self
        self.hints.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def push(self, delta: Delta, *, claimed: bool) -> bool:
        if not self.takes or (self.claiming and not claimed):
            return False
        self.modseq = delta.highest_modseq
        self.news.append(delta.highest_modseq)
        return True


def run(test: Callable[[Store, SharedWatches], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store()
        await test(store, SharedWatches(store, store))  # type: ignore[arg-type]

    asyncio.run(main())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_all_that_wait_are_told_by_one_query() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        waiting = [Waiting(watches) for _ in range(BETWEEN_TURNS * 3)]
        store.change()
        await settle()
        assert store.asked == [1]
        assert all(one.news == [2] and not one.hints.stale and not one.woken for one in waiting)

    run(test)


def test_another_mailbox_of_the_account_costs_nothing() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        one = Waiting(watches)
        store.change(MailboxId("other"))
        await settle()
        assert store.asked == [] and not one.hints.stale

    run(test)


def test_a_hint_during_the_query_is_another_query() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        one = Waiting(watches)
        store.gate.clear()
        store.change()
        await settle()
        store.change()
        store.gate.set()
        await settle()
        assert store.asked == [1, 2] and one.news == [2, 3] and not one.hints.stale

    run(test)


def test_one_who_leaves_idle_during_the_query_stays_stale_and_is_not_told() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        one = Waiting(watches)
        store.gate.clear()
        store.change()
        await settle()
        one.hints.listener = None
        store.gate.set()
        await settle()
        assert one.news == [] and one.hints.stale

    run(test)


def test_one_who_was_told_otherwise_meanwhile_is_not_told_the_same_again() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        one, other = Waiting(watches), Waiting(watches)
        store.gate.clear()
        store.change()
        await settle()
        one.modseq, one.hints.stale = 2, False  # By a command of its own, within which it left IDLE and came back.
        store.gate.set()
        await settle()
        assert one.news == [] and other.news == [2]

    run(test)


def test_a_busy_session_is_hinted_and_asks_for_itself() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        one = Waiting(watches)
        one.hints.listener = None
        store.change()
        await settle()
        assert store.asked == [] and one.hints.stale and one.woken == 1

    run(test)


def test_one_claims_what_is_recent_and_the_others_need_not_wait_for_it() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        reader = Waiting(watches)
        claiming = [Waiting(watches, claiming=True) for _ in range(3)]
        store.change()
        await settle()
        assert [one.woken for one in claiming] == [1, 0, 0] and reader.news == [2]
        assert [one.news for one in claiming] == [[], [2], [2]] and claiming[0].hints.stale

    run(test)


def test_one_who_does_not_read_is_woken_and_claims_nothing() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        deaf = Waiting(watches, takes=False)
        one = Waiting(watches, claiming=True)
        store.change()
        await settle()
        assert deaf.woken == 1 and one.woken == 1

    run(test)


def test_different_starting_points_are_asked_up_to_a_bound() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        store.highest = 50
        many = [Waiting(watches, 7) for _ in range(3)]
        few = [Waiting(watches, 10 + number) for number in range(MAX_QUERIES + 2)]
        store.change()
        await settle()
        assert store.asked[0] == 7 and len(store.asked) == MAX_QUERIES
        assert all(one.news == [51] for one in many)
        assert sum(one.woken for one in few) == len(few) - MAX_QUERIES + 1
        assert all(one.woken or one.news == [51] for one in few)

    run(test)


@pytest.mark.parametrize("error", [MailError(451, "4.3.0", "Not now"), RuntimeError("a bug")])
def test_a_query_that_fails_wakes_all_who_wait(error: Exception) -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        waiting = [Waiting(watches) for _ in range(3)]
        store.error = error
        store.change()
        await settle()
        assert [one.woken for one in waiting] == [1, 1, 1] and all(one.hints.stale for one in waiting)
        store.error = None
        store.change()
        await settle()
        assert all(one.news == [3] for one in waiting), "and it goes on"

    run(test)


def test_the_watch_ends_with_the_last_and_may_end_while_all_are_told() -> None:
    async def test(store: Store, watches: SharedWatches) -> None:
        one, other = Waiting(watches), Waiting(watches)
        assert len(store.watchers) == 1 and len(watches) == 1
        store.gate.clear()
        store.change()
        await settle()
        one.hints.end()
        one.hints.end()
        other.hints.end()
        assert not store.watchers and not len(watches)
        store.gate.set()
        await settle()
        assert one.news == other.news == []
        again = Waiting(watches)
        store.change()
        await settle()
        assert again.news == [3]

    run(test)


def test_sessions_of_an_account_share_what_is_known_of_it_until_it_changes() -> None:
    async def test(_store: Store, watches: SharedWatches) -> None:
        first, same, changed = account(), account(), account(quota_bytes=5)
        assert watches.account(first) is first and watches.account(same) is first
        assert watches.account(changed) is changed
        for number in range(MAX_ACCOUNTS + 10):
            watches.account(account(f"u{number}@example.test"))
        assert len(watches._accounts) <= MAX_ACCOUNTS

    run(test)


# Over whole sessions


def in_house(test: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        async with House() as house:
            await test(house)

    asyncio.run(main())


async def idling(house: House, *commands: bytes) -> Client:
    client = await house.signed_in(*(commands or (b"SELECT INBOX",)))
    assert await client.say(b"i IDLE") == b"+ idling\r\n"
    return client


def test_idling_clients_hear_of_new_mail_and_one_of_them_has_it_as_recent() -> None:
    async def test(house: House) -> None:
        clients = [await idling(house) for _ in range(4)]
        await house.deliver(MAIL)
        said = [await client.read() for client in clients]
        assert all(b"* 1 EXISTS\r\n" in one for one in said), said
        assert sorted(one.count(b"* 1 RECENT") for one in said) == [0, 0, 0, 1]
        assert [one.count(b"EXISTS") for one in said] == [1, 1, 1, 1]

    in_house(test)


def test_idling_clients_ask_the_store_once_for_all() -> None:
    async def test(house: House) -> None:
        clients = [await idling(house, b"EXAMINE INBOX") for _ in range(6)]
        changes, asked = house.store.changes, []

        async def counted(ref: FolderRef, since: int) -> Delta:
            asked.append(since)
            return await changes(ref, since)

        house.store.changes = counted  # type: ignore[method-assign]
        await house.deliver(MAIL)
        assert all([b"* 1 EXISTS" in await client.read() for client in clients])
        assert len(asked) == 1

    in_house(test)


def test_flags_and_expunges_of_others_are_told_in_idle_in_each_clients_words() -> None:
    async def test(house: House) -> None:
        await house.deliver(MAIL)
        await house.deliver(MAIL)
        plain = await idling(house)
        modern = await idling(house, b"ENABLE QRESYNC", b"SELECT INBOX")
        writer = await house.signed_in(b"SELECT INBOX", b"STORE 1 +FLAGS (\\Deleted new)")
        assert b"* 1 FETCH (FLAGS (\\Deleted \\Recent new))" in (said := await plain.read()), said
        assert b"* FLAGS (" in said, "a new keyword is told before its use"
        assert b"* 1 FETCH (UID 1 FLAGS (\\Deleted new) MODSEQ (" in (said := await modern.read()), said
        await writer.ask(b"EXPUNGE")
        assert b"* 1 EXPUNGE" in await plain.read()
        assert await modern.read() == b"* VANISHED 1\r\n"
        assert b"i OK" in await plain.say(b"DONE")
        assert b"* 1 FETCH (UID 2)" in await plain.ask(b"FETCH 1 (UID)")

    in_house(test)


def test_a_client_that_does_not_read_costs_only_itself() -> None:
    async def test(house: House) -> None:
        deaf, other = await idling(house), await idling(house)
        deaf.connection.pause_writing()
        await house.deliver(MAIL)
        assert b"* 1 EXISTS" in await other.read()
        deaf.connection.resume_writing()
        assert b"* 1 EXISTS" in await deaf.read()

    in_house(test)


def test_a_deleted_mailbox_ends_all_that_idle_in_it() -> None:
    async def test(house: House) -> None:
        first = await house.signed_in(b"CREATE x", b"SELECT x")
        second = await house.signed_in(b"SELECT x")
        for client in (first, second):
            await client.say(b"i IDLE")
        await house.store.delete(ALICE, "x")
        for client in (first, second):
            assert b"* BYE" in await client.read()

    in_house(test)


def test_nothing_is_lost_between_the_first_look_and_the_waiting() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"EXAMINE INBOX")
        changes = house.store.changes

        async def slow(ref: FolderRef, since: int) -> Delta:
            found = await changes(ref, since)
            house.store.changes = changes  # type: ignore[method-assign]
            await house.deliver(MAIL)  # Behind the query's back, with its hint.
            return found

        house.store.changes = slow  # type: ignore[method-assign]
        assert b"* 1 EXISTS" in await client.say(b"i IDLE")

    in_house(test)
