"""Circles of forwardings end: each mailbox has one copy, and where nobody has one the sender hears of it.

Two servers, each a whole reception; what one queues for the other is carried there until nothing moves.
Standards: RFC 5321 6.3 (loops), 3.9 (aliases and lists), RFC 3463 3.5 (X.4.6)
"""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.flow_fakes import FakeDirectory
from tests.support.reception_house import MAIL, House
from whimbrel.core.directory import TargetKind
from whimbrel.core.errors import MailError

ROUNDS = 40
HERE, THERE = "one.test", "two.test"
Arranged = Callable[[FakeDirectory, FakeDirectory], None]


class World:
    """The servers of two domains; the sender is a stranger, whose reports are counted."""

    def __init__(self, arrange: Arranged) -> None:
        self.servers = {name: House(FakeDirectory(domains={name: ()})) for name in (HERE, THERE)}
        arrange(self.servers[HERE].directory, self.servers[THERE].directory)
        self.returned: list[str] = []
        """Recipients of which the sender was told that they failed."""
        self.refused = 0
        self.moves = 0

    def send(self, *recipients: str, content: bytes = MAIL) -> "World":
        asyncio.run(self._send(recipients, content))
        return self

    async def _send(self, recipients: tuple[str, ...], content: bytes) -> None:
        try:
            await self.servers[HERE].send(*recipients, content=content)
        except MailError:
            self.refused += 1
        while any(server.store.queued for server in self.servers.values()):
            for server in self.servers.values():
                waiting, server.store.queued = server.store.queued, []
                for item, mail in waiting:
                    self.moves += 1
                    assert self.moves < ROUNDS, "it goes round for ever"
                    for one in item.recipients:
                        await self._carry(str(one.recipient.address), str(item.sender or ""), mail)

    async def _carry(self, to: str, sender: str, mail: bytes) -> None:
        if not sender:
            self.returned.append(to)
            return
        try:
            await self.servers[to.rpartition("@")[2]].send(to, sender=sender, content=mail)
        except MailError:
            self.returned.append(to)  # Whoever carries it there tells the sender.

    @property
    def copies(self) -> Counter[str]:
        return Counter(one.account for server in self.servers.values() for one in server.store.filed)


def within(*keeping: str) -> Arranged:
    def arrange(one: FakeDirectory, _two: FakeDirectory) -> None:
        for name, to in (("a", "b"), ("b", "c"), ("c", "a")):
            one.user(f"{name}@{HERE}", forward_to=(f"{to}@{HERE}",), keep_copy=name in keeping)
        one.alias(f"list@{HERE}", f"a@{HERE}", f"team@{HERE}")
        one.alias(f"team@{HERE}", f"list@{HERE}", f"c@{HERE}", kind=TargetKind.GROUP)
        one.alias(f"@{HERE}", f"list@{HERE}")

    return arrange


@pytest.mark.parametrize("to", ["a", "b", "c", "list", "team", "anybody"])
@pytest.mark.parametrize("keeping", ["a", "b", "ab", "abc"])
def test_inside_one_server_each_who_keeps_has_one_copy(to: str, keeping: str) -> None:
    world = World(within(*keeping)).send(f"{to}@{HERE}")
    assert world.copies == {f"{name}@{HERE}": 1 for name in keeping}
    assert (world.refused, world.returned, world.moves) == (0, [], 0)


@pytest.mark.parametrize("to", ["a", "b", "c", "list", "team", "anybody"])
def test_a_circle_in_which_nobody_keeps_a_copy_refuses_the_recipient(to: str) -> None:
    with pytest.raises(MailError, match=r"554 5\.4\.6"):
        asyncio.run(World(within()).servers[HERE].begin(f"{to}@{HERE}"))


def across(*keeping: str) -> Arranged:
    def arrange(one: FakeDirectory, two: FakeDirectory) -> None:
        one.user(f"a@{HERE}", forward_to=(f"b@{THERE}",), keep_copy="a" in keeping)
        two.user(f"b@{THERE}", forward_to=(f"a@{HERE}",), keep_copy="b" in keeping)
        one.user(f"c@{HERE}")
        one.alias(f"info@{HERE}", f"a@{HERE}")
        one.alias(f"all@{HERE}", f"a@{HERE}", f"c@{HERE}", kind=TargetKind.GROUP)
        one.alias(f"nest@{HERE}", f"info@{HERE}", f"all@{HERE}")
        one.alias(f"@{HERE}", f"a@{HERE}")

    return arrange


@pytest.mark.parametrize("to", ["a", "A", "a+tag", "info", "all", "nest", "anybody"])
@pytest.mark.parametrize("keeping", ["a", "b", "ab"])
def test_over_two_servers_each_who_keeps_has_one_copy(to: str, keeping: str) -> None:
    world = World(across(*keeping)).send(f"{to}@{HERE}")
    members = keeping + ("c" if to in ("all", "nest") else "")
    assert world.copies == {f"{name}@{THERE if name == 'b' else HERE}": 1 for name in members}
    assert world.refused == 0 and world.moves <= 4


@pytest.mark.parametrize("to", ["a", "a+tag", "info", "anybody"])
def test_over_two_servers_without_any_copy_the_sender_is_told(to: str) -> None:
    world = World(across()).send(f"{to}@{HERE}")
    assert not world.copies and world.returned


def test_a_circle_that_comes_back_by_another_name_ends_too() -> None:
    def arrange(one: FakeDirectory, two: FakeDirectory) -> None:
        one.user(f"a@{HERE}", forward_to=(f"b@{THERE}",), keep_copy=True)
        one.user(f"c@{HERE}")
        one.alias(f"all@{HERE}", f"a@{HERE}", f"c@{HERE}")
        two.user(f"b@{THERE}", forward_to=(f"all@{HERE}", f"a+x@{HERE}"), keep_copy=True)

    world = World(arrange).send(f"a@{HERE}")
    # What comes back to all is new to c alone.
    assert world.copies == {f"a@{HERE}": 1, f"b@{THERE}": 1, f"c@{HERE}": 1}


def test_several_recipients_of_a_circle_have_one_copy_each() -> None:
    world = World(across("a", "b")).send(f"a@{HERE}", f"info@{HERE}", f"c@{HERE}")
    assert world.copies == {f"a@{HERE}": 1, f"b@{THERE}": 1, f"c@{HERE}": 1}


def test_a_server_that_takes_our_fields_off_is_stopped_by_the_count_of_received() -> None:
    world = World(across())
    lost = b"".join(b"Received: from x by y; Tue, 24 Nov 2026 10:00:00 +0000\r\n" for _ in range(200)) + MAIL
    world.send(f"a@{HERE}", content=lost)
    assert world.refused == 1 and not world.moves


def test_each_server_on_the_way_counts_as_one_received() -> None:
    seen: list[int] = []
    world = World(across())
    carry = world._carry

    async def watched(to: str, sender: str, mail: bytes) -> None:
        seen.append(mail.count(b"Received: "))
        await carry(to, sender, mail)

    world._carry = watched  # type: ignore[method-assign]
    world.send(f"a@{HERE}")
    assert seen == [1, 2]
