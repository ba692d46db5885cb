"""APPENDs that a client sends without waiting for answers: one commit, answers in order, each command for itself.

Standards: RFC 3501 5.5, 6.3.11; RFC 7888
"""

import asyncio
import re
from collections.abc import Sequence

import pytest

from tests.unit.services.imapd.house import Client, House, account
from whimbrel.core.commit import Append, Appended, Enqueue
from whimbrel.core.errors import MailError
from whimbrel.services.imapd import append as service


def command(tag: bytes, content: bytes = b"a: b\r\n", folder: bytes = b"INBOX", *, sync: bool = False) -> bytes:
    return b"%b APPEND %b {%d%b}\r\n%b\r\n" % (tag, folder, len(content), b"" if sync else b"+", content)


class Commits:
    """Counts the commits of a house's store, and may let them fail."""

    def __init__(self, house: House) -> None:
        self.sizes: list[int] = []
        self.error: Exception | None = None
        self.refused: set[int] = set()
        """Of a commit these items fail."""
        self._commit = house.store.commit
        house.server._ports.commit.commit = self.commit  # type: ignore[method-assign]

    async def commit(self, work: Sequence[Append | Enqueue]) -> Sequence[Appended | Exception | None]:
        self.sizes.append(len(work))
        if self.error is not None:
            raise self.error
        kept = [item for at, item in enumerate(work) if at not in self.refused]
        made = iter(await self._commit(kept))
        return [MailError(452, "4.3.1", "Full") if at in self.refused else next(made) for at in range(len(work))]


async def send(client: Client, data: bytes) -> bytes:
    client.connection.data_received(data)
    return await client.read()


def tagged(said: bytes) -> list[bytes]:
    """The tagged answers, without their texts."""
    return re.findall(rb"(?m)^(\w+ (?:OK|NO|BAD)(?: \[[^\]]*\])?)", said)


def test_what_was_sent_together_is_stored_with_one_commit_and_answered_in_order() -> None:
    async def run() -> None:
        async with House() as house:
            commits = Commits(house)
            client = await house.signed_in()
            said = await send(
                client, b"".join([command(b"a%d" % n, b"s: %d\r\n" % n) for n in range(5)]) + b"z NOOP\r\n"
            )
            found = tagged(said)
            assert [line.split()[0] for line in found] == [b"a0", b"a1", b"a2", b"a3", b"a4", b"z"]
            assert [int(line[:-1].split()[-1]) for line in found[:5]] == [1, 2, 3, 4, 5]
            assert commits.sizes == [5]
            await client.ask(b"SELECT INBOX")
            assert b"s: 3" in await client.ask(b"FETCH 4 BODY[]")

    asyncio.run(run())


@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_however_the_octets_arrive_the_answers_are_the_same(cut: int) -> None:
    async def run() -> None:
        async with House() as house:
            client = await house.signed_in()
            data = b"".join([command(b"a%d" % n) for n in range(6)])
            said = b"".join([await send(client, data[at : at + cut]) for at in range(0, len(data), cut)])
            assert [line.split()[:2] for line in tagged(said)] == [[b"a%d" % n, b"OK"] for n in range(6)]

    asyncio.run(run())


def test_the_selected_mailbox_is_told_before_the_first_of_the_answers() -> None:
    async def run() -> None:
        async with House() as house:
            client = await house.signed_in(b"SELECT INBOX")
            said = await send(client, command(b"a") + command(b"b"))
            assert said.index(b"* 2 EXISTS") < said.index(b"a OK") < said.index(b"b OK")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        (command(b"w", folder=b"Nowhere"), b"w NO [TRYCREATE]"),
        (command(b"w", b""), b"w NO [CANNOT]"),
        (b"w APPEND INBOX (nonsense {3+}\r\nabc\r\n", b"w BAD"),
        (b"w APPEND INBOX x {3+}\r\nabc\r\n", b"w BAD"),
        (b"w APPEND {5+}\r\nINBOX\r\n", b"w BAD"),
        (b"w CHECK x {3+}\r\nabc\r\n", b"w BAD"),
    ],
)
def test_one_that_is_wrong_costs_only_itself(wrong: bytes, answer: bytes) -> None:
    async def run() -> None:
        async with House() as house:
            client = await house.signed_in()
            found = tagged(await send(client, command(b"a") + command(b"b") + wrong + command(b"c")))
            assert [line.split()[:2] for line in found[:2] + found[3:]] == [[b"a", b"OK"], [b"b", b"OK"], [b"c", b"OK"]]
            assert found[2].startswith(answer)
            assert b"MESSAGES 3" in await client.ask(b"STATUS INBOX (MESSAGES)")

    asyncio.run(run())


def test_each_has_the_answer_to_its_own_message() -> None:
    async def run() -> None:
        async with House() as house:
            commits = Commits(house)
            commits.refused = {1, 3}
            client = await house.signed_in()
            found = tagged(await send(client, b"".join([command(b"a%d" % n) for n in range(4)])))
            assert [line.split()[1] for line in found] == [b"OK", b"NO", b"OK", b"NO"]

    asyncio.run(run())


def test_a_commit_that_fails_is_told_to_all_of_them() -> None:
    async def run() -> None:
        async with House() as house:
            commits = Commits(house)
            commits.error = MailError(451, "4.3.0", "Storage failure, try again later", detail="disk")
            client = await house.signed_in()
            found = tagged(await send(client, command(b"a") + command(b"b")))
            assert found == [b"a NO [UNAVAILABLE]", b"b NO [UNAVAILABLE]"]

    asyncio.run(run())


def test_the_quota_counts_what_is_not_stored_yet() -> None:
    async def run() -> None:
        async with House(accounts=(account(quota_messages=3),)) as house:
            client = await house.signed_in()
            found = tagged(await send(client, b"".join([command(b"a%d" % n) for n in range(5)])))
            assert [line.split()[1] for line in found] == [b"OK", b"OK", b"OK", b"NO", b"NO"]
            assert found[3].endswith(b"[OVERQUOTA]")

    asyncio.run(run())


def test_no_more_than_a_bounded_number_waits_for_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with House() as house:
            commits = Commits(house)
            client = await house.signed_in()
            await send(client, b"".join([command(b"a%d" % n) for n in range(10)]))
            assert max(commits.sizes) == 3 and sum(commits.sizes) == 10

    monkeypatch.setattr(service, "MAX_MESSAGES", 3)
    asyncio.run(run())


def test_no_more_than_a_bounded_amount_waits_for_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with House() as house:
            commits = Commits(house)
            client = await house.signed_in()
            await send(client, b"".join([command(b"a%d" % n, b"x" * 40) for n in range(9)]))
            assert max(commits.sizes) == 3 and sum(commits.sizes) == 9

    monkeypatch.setattr(service, "MAX_TOGETHER", 100)
    asyncio.run(run())


def test_a_literal_that_must_be_asked_for_is_asked_for_after_the_answers_before_it() -> None:
    async def run() -> None:
        async with House() as house:
            client = await house.signed_in()
            said = await send(client, command(b"a") + b"b APPEND INBOX {6}\r\n")
            assert said.index(b"a OK") < said.index(b"+ ")
            assert b"b OK" in await send(client, b"a: b\r\n\r\n")

    asyncio.run(run())


def test_two_clients_at_once_do_not_fill_an_account_beyond_its_limit() -> None:
    """Each is looked at before its content comes, when there still is room for either."""

    async def scene() -> None:
        async with House(accounts=(account(quota_messages=1),)) as house:
            one, two = await house.signed_in(), await house.signed_in()
            assert await one.say(b"a APPEND INBOX {12+}", b"Subject: ") == b""
            assert (await two.say(b"b APPEND INBOX {12+}", b"Subject: b\r\n")).startswith(b"b OK [APPENDUID ")
            assert (await one.say(b"a")) == b"a NO [OVERQUOTA] Mailbox is full\r\n"

    asyncio.run(scene())
