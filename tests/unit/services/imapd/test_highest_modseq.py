"""A client that computes its HIGHESTMODSEQ by RFC 7162 6 and comes back later misses nothing."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from tests.unit.services.imapd.house import ALICE, Client, House
from whimbrel.core.mailbox import FLAGGED, FlagChange, FlagOp
from whimbrel.core.uids import UidSet

_MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
_HIGHEST = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]")


def run(test: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        async with House() as house:
            await test(house)

    asyncio.run(main())


async def three(house: House) -> tuple[Client, int]:
    """A client with QRESYNC in an INBOX of three messages, and its HIGHESTMODSEQ."""
    client = await house.signed_in(b"ENABLE QRESYNC")
    for _ in range(3):
        await house.deliver(b"Subject: x\r\n\r\nx\r\n")
    return client, computed(await client.ask(b"SELECT INBOX"), 0)


def computed(said: bytes, before: int) -> int:
    """RFC 7162 6: the response code counts, else the highest MODSEQ seen."""
    codes = _HIGHEST.findall(said)
    if codes:
        return int(codes[-1])
    return max([before, *map(int, _MODSEQ.findall(said))])


async def missed(house: House, modseq: int) -> bytes:
    client = await house.signed_in(b"ENABLE QRESYNC")
    status = await client.ask(b"STATUS INBOX (UIDVALIDITY)")
    validity = int(re.findall(rb"UIDVALIDITY (\d+)", status)[0])
    return await client.ask(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, modseq))


def test_an_expunge_that_could_not_be_told_is_told_when_the_client_comes_back() -> None:
    async def test(house: House) -> None:
        client, highest = await three(house)
        other = await house.signed_in(b"SELECT INBOX", b"STORE 2 +FLAGS (\\Deleted)", b"EXPUNGE")
        await other.ask(b"STORE 2 +FLAGS (\\Flagged)")
        said = await client.ask(b"STORE 1 +FLAGS (\\Seen)")
        assert b"VANISHED" not in said and b"\\Flagged" in said
        highest = computed(said, highest)
        await client.hang_up()
        house.clients.remove(client)
        assert b"* VANISHED (EARLIER) 2\r\n" in await missed(house, highest)

    run(test)


def test_a_modseq_shown_by_fetch_never_hides_what_changed_before_it() -> None:
    async def test(house: House) -> None:
        client, highest = await three(house)
        found = await house.store.find(ALICE, "INBOX")
        assert found is not None
        ref, flag = found.ref, FlagChange(FlagOp.ADD, FLAGGED)
        await house.store.expunge(ref, UidSet.of([1]), marked=False)
        await house.store.set_flags(ref, UidSet.of([2]), flag)
        await house.store.set_flags(ref, UidSet.of([3]), flag)
        assert client.connection is not None
        for session in [hints for watch in house.server._ports.watches._of.values() for hints in watch._members]:
            session.stale = False  # The hints are still on their way.
        said = await client.ask(b"FETCH 3 (MODSEQ)")
        highest = computed(said, highest)
        assert b"EXPUNGE" not in said and b"VANISHED" not in said
        await client.hang_up()
        house.clients.remove(client)
        said = said + await missed(house, highest)
        assert b"* VANISHED (EARLIER) 1\r\n" in said
        assert b"UID 2 FLAGS (\\Flagged" in said

    run(test)


def test_once_it_was_told_the_highest_modseq_counts_again() -> None:
    async def test(house: House) -> None:
        client, highest = await three(house)
        await house.signed_in(b"SELECT INBOX", b"STORE 2 +FLAGS (\\Deleted)", b"EXPUNGE")
        highest = computed(await client.ask(b"FETCH 1 (MODSEQ)"), highest)
        said = await client.ask(b"UID FETCH 1 (MODSEQ)")
        assert b"* VANISHED 2\r\n" in said and b"HIGHESTMODSEQ" not in said
        await client.ask(b"UID STORE 1 +FLAGS.SILENT (x)")
        said = await client.ask(b"FETCH 1 (FLAGS MODSEQ)")
        assert b"HIGHESTMODSEQ" not in said and computed(said, highest) > highest

    run(test)
