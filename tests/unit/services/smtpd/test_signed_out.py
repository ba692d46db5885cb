"""A submission session lives by the account as it is now: who is gone relays no more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.smtp import House, verifier
from tests.unit.services.smtpd.test_session import AUTH, CLEAR
from whimbrel.core.values import Secret

ALICE = "alice@example.test"
OUT = b"421 4.7.0 Your sign-in is not valid any more: connect and sign in again\r\n"
ENVELOPE = b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<friend@elsewhere.example>\r\n"


class Dialogue:
    """A client that has signed in to submission."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, text: bytes, answers: int) -> list[bytes]:
        self._writer.write(text)
        return [await asyncio.wait_for(self._reader.readline(), 10) for _ in range(answers)]

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), 10)


def session(house: House, work: Callable[[Dialogue], Awaitable[None]]) -> None:
    async def test() -> None:
        reader, writer = await house.dial("submission")
        dialogue = Dialogue(reader, writer)
        await dialogue.say(b"", 1)
        writer.write(b"EHLO c\r\n")
        while (await asyncio.wait_for(reader.readline(), 10))[3:4] == b"-":
            pass
        assert (await dialogue.say(AUTH, 1))[0].startswith(b"235")
        await work(dialogue)
        writer.close()
        await asyncio.gather(*house.sessions)
        assert not house.log.named("session.crashed")

    asyncio.run(test())


def gone(house: House) -> None:
    del house.directory.accounts[ALICE]
    house.sign_in.directory_changed()


def disabled(house: House) -> None:
    house.directory.accounts[ALICE] = replace(house.directory.accounts[ALICE], enabled=False)
    house.sign_in.directory_changed()


def new_password(house: House) -> None:
    house.directory.accounts[ALICE] = replace(house.directory.accounts[ALICE], password=verifier("new"))
    house.sign_in.directory_changed()


ENDS = [gone, disabled, new_password]


@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_waits_is_told_at_once(end: Callable[[House], None]) -> None:
    house = House(CLEAR)

    async def work(dialogue: Dialogue) -> None:
        end(house)
        assert await dialogue.rest() == OUT

    session(house, work)
    assert house.log.named("signin.ended")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", [b"NOOP\r\n", ENVELOPE[:31], b"RSET\r\n"])
def test_the_next_command_is_the_last(end: Callable[[House], None], command: bytes) -> None:
    house = House(CLEAR)

    async def work(dialogue: Dialogue) -> None:
        await dialogue.say(ENVELOPE, 2)
        end(house)
        dialogue._writer.write(command)
        assert await dialogue.rest() == OUT

    session(house, work)
    assert house.reception.received == []


@pytest.mark.parametrize("end", ENDS)
def test_a_message_that_was_under_way_is_not_accepted(end: Callable[[House], None]) -> None:
    house = House(CLEAR)

    async def work(dialogue: Dialogue) -> None:
        assert (await dialogue.say(ENVELOPE + b"DATA\r\nSubject: half", 3))[2].startswith(b"354")
        end(house)
        await asyncio.sleep(0)
        dialogue._writer.write(b" of it\r\n.\r\n")
        assert await dialogue.rest() == OUT

    session(house, work)
    assert house.reception.received == []
    assert "complete" not in house.reception.steps


def test_limits_and_rights_are_those_of_now() -> None:
    house = House(CLEAR)

    async def work(dialogue: Dialogue) -> None:
        await dialogue.say(ENVELOPE, 2)
        changed = replace(house.directory.accounts[ALICE], max_message_size=5)
        house.directory.accounts[ALICE] = changed
        house.sign_in.directory_changed()
        await dialogue.say(b"DATA\r\n", 1)
        assert (await dialogue.say(b"x\r\n.\r\n", 1))[0].startswith(b"250")
        assert house.accounts == [changed]

    completed: list[Any] = []
    take = house.reception.complete

    async def complete(tx: Any, content: Any) -> Any:
        completed.append(tx.account)
        return await take(tx, content)

    house.reception.complete = complete  # type: ignore[method-assign]
    house.accounts = completed  # type: ignore[attr-defined]
    session(house, work)


def test_an_upgraded_verifier_ends_nothing() -> None:
    from whimbrel.services.session.passwords import make_password

    house = House(CLEAR)

    async def work(dialogue: Dialogue) -> None:
        alice = house.directory.accounts[ALICE]
        credential = await house.sign_in._sources[0].verify(alice, Secret("open sesame"))
        anew = make_password(Secret("open sesame"), credential=(credential or "").removeprefix("password:"))
        house.directory.accounts[ALICE] = replace(alice, password=anew.verifier, password_keys=anew.beside())
        house.sign_in.directory_changed()
        assert (await dialogue.say(b"NOOP\r\n", 1))[0].startswith(b"250")

    session(house, work)


def test_sessions_that_never_signed_in_are_untouched() -> None:
    house = House(CLEAR)

    async def test() -> None:
        reader, writer = await house.dial("smtp")
        gone(house)
        writer.write(b"QUIT\r\n")
        assert b"221" in await asyncio.wait_for(reader.read(), 10)
        writer.close()

    asyncio.run(test())
