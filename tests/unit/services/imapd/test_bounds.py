"""What one client may cost, and what limits it meets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.unit.services.imapd.house import House, account
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import FolderRef, Limit, Usage
from whimbrel.core.quota import DomainQuota
from whimbrel.protocols.imap.search import MAX_CONTENTS
from whimbrel.services.imapd import patterns
from whimbrel.services.imapd.patterns import MailboxPattern, matching
from whimbrel.services.imapd.session import Session
from whimbrel.services.imapd.settings import ImapSettings


def run(test: Callable[[House], Awaitable[None]], house: House | None = None) -> None:
    async def main() -> None:
        async with house or House() as started:
            await test(started)

    asyncio.run(main())


class DomainLimit:
    """The port Quotas for a domain that holds `usage`."""

    def __init__(self, limit: Limit, usage: Usage | None) -> None:
        self._quota = DomainQuota(limit, usage)

    async def check(self, account: Account, size: int, messages: int = 1) -> None:
        raise AssertionError("what is told to senders of mail")

    def refusal(self, limit: Limit, size: int, *, detail: str = "") -> MailError:
        raise AssertionError("what is told to senders of mail")

    async def domain(self, name: str) -> DomainQuota | None:
        assert name == "example.test"
        return self._quota


def limited(house: House, limit: Limit, usage: Usage | None) -> None:
    ports = house.server._ports
    house.server._ports = replace(ports, quotas=DomainLimit(limit, usage))


def test_a_domain_that_is_full_takes_no_more_and_its_users_see_why() -> None:
    async def test(house: House) -> None:
        limited(house, Limit(10_000, 100), Usage(9_990, 7))
        client = await house.signed_in()
        assert await client.ask(b"GETQUOTAROOT INBOX") == (
            b"* QUOTAROOT INBOX account domain\r\n"
            b"* QUOTA account (STORAGE 0 48)\r\n"
            b"* QUOTA domain (STORAGE 10 9 MESSAGE 7 100)\r\n"
        )
        assert await client.ask(b"GETQUOTA domain") == b"* QUOTA domain (STORAGE 10 9 MESSAGE 7 100)\r\n"
        assert await client.ask(b"APPEND INBOX {10+}\r\n0123456789") == b""
        assert b"NO [OVERQUOTA]" in await client.say(b"t APPEND INBOX {11+}", b"01234567890")
        await client.ask(b"SELECT INBOX")
        assert b"t OK [COPYUID" in await client.say(b"t COPY 1 Drafts")
        assert b"t OK" in await client.say(b"t MOVE 1 Drafts")

    run(test, House(accounts=(account(quota_bytes=50_000),)))


def test_copies_count_against_the_domain_though_the_account_has_no_limit() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        await house.deliver(b"Subject: x\r\n\r\nx\r\n")
        limited(house, Limit(0, 5), Usage(0, 5))
        other = await house.signed_in(b"SELECT INBOX")
        assert b"NO [OVERQUOTA]" in await other.say(b"t COPY 1 Drafts")
        assert await client.ask(b"GETQUOTAROOT INBOX") == b"* QUOTAROOT INBOX\r\n"

    run(test)


def test_a_domain_that_was_not_counted_yet_limits_nothing_and_is_no_root() -> None:
    async def test(house: House) -> None:
        limited(house, Limit(1, 1), None)
        client = await house.signed_in()
        assert await client.ask(b"GETQUOTAROOT INBOX") == b"* QUOTAROOT INBOX\r\n"
        assert await client.ask(b"APPEND INBOX {10+}\r\n0123456789") == b""

    run(test)


def test_whoever_signed_out_late_has_the_whole_time_to_sign_in_again() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        house.clock.forward(3600)
        assert b"t OK" in await client.say(b"t UNAUTHENTICATE")
        assert b"t OK" in await client.say(b"t LOGIN alice secret"), "RFC 8437 2: as if just connected"
        await client.ask(b"UNAUTHENTICATE")
        house.clock.forward(float(ImapSettings().sign_in_time) + 1)
        assert b"BYE" in await client.say(b"t NOOP", b"t NOOP")

    run(test)


def test_many_sections_of_many_messages_are_never_in_memory_together(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = Session.write

    async def write(self: Session, data: bytes) -> None:
        sizes.append(len(data))
        await real(self, data)

    async def test(house: House) -> None:
        client = await house.signed_in()
        for _ in range(20):
            await house.deliver(b"Subject: x\r\n\r\n" + b"x" * 50_000)
        await client.ask(b"EXAMINE INBOX")
        monkeypatch.setattr(Session, "write", write)
        wanted = b" ".join(b"BODY.PEEK[]<%d.65536>" % at for at in range(40))
        said = await client.ask(b"FETCH 1:* (%b)" % wanted)
        assert len(said) > 20 * 40 * 49_000
        assert max(sizes) < 41 * 51_000, "no more than one message at a time"

    run(test)


def test_a_search_that_would_read_each_message_very_often_is_refused() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        for key in (b"TEXT", b"BODY"):
            assert b"t OK" in await client.say(b"t SEARCH " + b" ".join([key + b" x"] * MAX_CONTENTS))
            assert b"t BAD" in await client.say(b"t SEARCH " + b" ".join([key + b" x"] * (MAX_CONTENTS + 1)))
        nested = b"OR TEXT x " * MAX_CONTENTS + b"TEXT x"
        assert b"t BAD" in await client.say(b"t SEARCH " + nested)

    run(test)


def test_sizes_in_a_search_have_63_bits() -> None:
    async def test(house: House) -> None:
        await house.signed_in()
        await house.deliver(b"Subject: x\r\n\r\nx\r\n")
        client = await house.signed_in(b"SELECT INBOX")
        assert await client.ask(b"SEARCH SMALLER %d" % (1 << 40)) == b"* SEARCH 1\r\n"
        assert await client.ask(b"SEARCH LARGER %d" % ((1 << 63) - 1)) == b"* SEARCH\r\n"
        assert b"t BAD" in await client.say(b"t SEARCH LARGER %d" % (1 << 63))

    run(test)


def test_others_have_their_turn_while_patterns_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "AT_ONCE", 1000)

    async def main() -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        names = [f"{'a' * 90}/{number}" for number in range(100)]
        found = await matching(names, [MailboxPattern("b*"), MailboxPattern("*a*/*7")])
        task.cancel()
        assert len(found) == 10 and turns >= 15

    asyncio.run(main())


@pytest.mark.parametrize("pattern", ["*" + "a" * 60_000, "%a" * 30_000, "a*" * 30_000])
def test_a_pattern_longer_than_a_name_is_not_even_tried(pattern: str) -> None:
    found = MailboxPattern(pattern)
    assert not found.matches("a" * 29_999) and found._exact._least >= 30_000
    assert MailboxPattern("*ab*%c").matches("abc") and not MailboxPattern("*ab*%c").matches("ab")


def test_fields_are_looked_for_in_no_more_of_a_header_than_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        line = b"X-Filler: " + b"y" * 989 + b"\r\n"
        await house.deliver(b"Subject: first\r\n" + line * 5000 + b"Cc: last\r\n\r\nbody\r\n")
        await client.ask(b"SELECT INBOX")
        asked: list[int] = []
        real = house.store.content

        async def content(ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
            asked.append(length or 0)
            return await real(ref, uid, start, length)

        monkeypatch.setattr(house.store, "content", content)
        said = await client.ask(b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject Cc)])")
        assert b"Subject: first\r\n" in said and b"last" not in said
        assert 0 < max(asked) <= 4 << 20
        assert b"Cc: last\r\n" in await client.ask(b"FETCH 1 (BODY.PEEK[HEADER])"), "the whole of it comes in pieces"

    run(test)
