"""A POP3 session lives by the account as it is now; one that ends without QUIT deletes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.smtp import PASSWORD, verifier
from tests.unit.services.pop3d.house import House

ALICE = "alice@example.test"


def gone(house: House) -> None:
    del house.directory.accounts[ALICE]


def disabled(house: House) -> None:
    house.directory.accounts[ALICE] = replace(house.directory.accounts[ALICE], enabled=False)


def new_password(house: House) -> None:
    house.directory.accounts[ALICE] = replace(house.directory.accounts[ALICE], password=verifier("new"))


async def signed_in(house: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    await house.deliver(b"Subject: x\r\n\r\n")
    reader, writer = await house.dial()
    writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nDELE 1\r\n".encode())
    for _ in range(4):
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"+OK")
    return reader, writer


@pytest.mark.parametrize("end", [gone, disabled, new_password])
@pytest.mark.parametrize("command", [b"", b"RETR 1\r\n", b"QUIT\r\n", b"NOOP\r\n"])
def test_who_may_not_be_here_any_more_is_sent_away_and_nothing_is_deleted(
    end: Callable[[House], None], command: bytes
) -> None:
    async def test() -> None:
        async with House() as house:
            reader, writer = await signed_in(house)
            end(house)
            if command:
                for signed in house.sign_in._watch._held:
                    signed.outdated = True  # The command comes while the notice is on its way.
                writer.write(command)
            else:
                house.sign_in.directory_changed()
            said = await asyncio.wait_for(reader.read(), 10)
            # Without a command there is nothing to answer. RFC 1939 3
            assert said == (b"-ERR [AUTH] Your sign-in is not valid any more\r\n" if command else b"")
            assert await house.left() == {1: 0}
            assert house.log.named("signin.ended")

    asyncio.run(test())


def test_others_go_on() -> None:
    async def test() -> None:
        async with House() as house:
            reader, writer = await signed_in(house)
            del house.directory.accounts["bob@example.test"]
            house.sign_in.directory_changed()
            writer.write(b"QUIT\r\n")
            assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"+OK")
            assert await house.left() == {}

    asyncio.run(test())
