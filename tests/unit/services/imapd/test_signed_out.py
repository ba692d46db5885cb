"""An IMAP session lives by the account as it is now: at its next command, and in IDLE at the notice."""

import asyncio
from collections.abc import Callable

import pytest

from tests.unit.services.imapd.house import ALICE, House, account
from whimbrel.core.values import Secret
from whimbrel.services.session.passwords import hash_password

NEW = hash_password(Secret("new"))
BYE = b"* BYE Your sign-in is not valid any more\r\n"


def gone(house: House) -> None:
    del house.people._accounts[ALICE]


def disabled(house: House) -> None:
    house.people._accounts[ALICE] = account(enabled=False)


def new_password(house: House) -> None:
    house.people._accounts[ALICE] = account(password=NEW)


ENDS = [gone, disabled, new_password]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("before", [(), (b"SELECT INBOX",)])
def test_the_next_command_is_the_last(end: Callable[[House], None], before: tuple[bytes, ...]) -> None:
    async def test() -> None:
        async with House() as house:
            client = await house.signed_in(*before)
            end(house)
            house.sign_in.directory_changed()
            said = await client.say(b"a CREATE Work")
            assert said == BYE
            assert client.wire.closed
            assert await house.store.find(ALICE, "Work") is None
            assert house.log.named("signin.ended")

    asyncio.run(test())


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("selected", [True, False])
def test_who_idles_is_told_at_the_notice(end: Callable[[House], None], selected: bool) -> None:
    async def test() -> None:
        async with House() as house:
            client = await house.signed_in(*([b"SELECT INBOX"] if selected else []))
            assert (await client.say(b"i IDLE")).endswith(b"+ idling\r\n")
            end(house)
            house.sign_in.directory_changed()
            assert (await client.read()).startswith(BYE)
            assert client.wire.closed

    asyncio.run(test())


def test_who_waits_for_nothing_is_told_as_well() -> None:
    async def test() -> None:
        async with House() as house:
            client = await house.signed_in()
            gone(house)
            house.sign_in.directory_changed()
            assert await client.read() == BYE
            assert client.wire.closed

    asyncio.run(test())


def test_a_quota_is_that_of_now() -> None:
    async def test() -> None:
        async with House() as house:
            client = await house.signed_in(b"SELECT INBOX")
            house.people._accounts[ALICE] = account(quota_bytes=2048)
            house.sign_in.directory_changed()
            assert b"STORAGE 0 2" in await client.ask(b"GETQUOTAROOT INBOX")
            house.people._accounts[ALICE] = account(quota_bytes=4096)
            house.sign_in.directory_changed()
            assert b"STORAGE 0 4" in await client.ask(b"GETQUOTAROOT INBOX")

    asyncio.run(test())


def test_after_unauthenticate_nobody_is_asked_about() -> None:
    async def test() -> None:
        async with House() as house:
            client = await house.signed_in(b"UNAUTHENTICATE")
            gone(house)
            house.sign_in.directory_changed()
            assert b"OK" in await client.say(b"a NOOP")

    asyncio.run(test())
