"""Both families, a short head start, and no second wait for a server that is dead."""

import asyncio

import pytest

from tests.support.fakes import FakeClock, FakeConfig
from tests.support.flow_fakes import FakeLink, ScriptedServer
from whimbrel.core.net import TlsPolicy
from whimbrel.core.values import Duration
from whimbrel.flow.delivery import dial as dial_module
from whimbrel.flow.delivery.destination import Server
from whimbrel.flow.delivery.dial import Dialer, Dialled
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.source import Sources

SIX, SIX2, FOUR, FOUR2 = (Server("mx.test", ip, 25) for ip in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"))


class Net:
    """Addresses that answer, refuse, or say nothing until `open_gates`."""

    def __init__(self, **kinds: str) -> None:
        self.kinds, self.opened = kinds, list[tuple[str, str]]()
        self.gate = asyncio.Event()
        self.links: list[FakeLink] = []

    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> FakeLink:
        self.opened.append((host, source))
        kind = self.kinds["six" if ":" in host else "four"]
        if kind == "refuses":
            raise ConnectionRefusedError("Connection refused")
        if kind == "silent":
            await asyncio.Event().wait()
        if kind == "slow":
            await self.gate.wait()
        if kind == "stubborn":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass  # The connection came about in this very moment.
        link = FakeLink(ScriptedServer(), tls, f"{host}:{port}")
        self.links.append(link)
        return link


def dialer(net: Net, clock: FakeClock | None = None, **values: object) -> Dialer:
    values.setdefault("connect_timeout", Duration("0.02s"))
    settings = DeliverySettings.model_construct(**{**DeliverySettings().model_dump(), **values})
    return Dialer(net, FakeConfig(settings), clock or FakeClock())


@pytest.fixture(autouse=True)
def no_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_module, "HEAD_START", 0.001)


async def opened(dialer: Dialer, *servers: Server) -> Dialled:
    return await dialer.open(servers, TlsPolicy(), Sources("192.0.2.9", "2001:db8::9"))


def test_the_first_family_wins_if_it_answers_and_the_other_is_not_troubled() -> None:
    async def main() -> None:
        net = Net(six="answers", four="answers")
        assert (await opened(dialer(net), SIX, FOUR)).server == SIX
        assert net.opened == [("2001:db8::1", "2001:db8::9")]
        net = Net(six="answers", four="answers")
        assert (await opened(dialer(net), FOUR, SIX)).server == FOUR
        assert net.opened == [("192.0.2.1", "192.0.2.9")]

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["refuses", "silent", "slow"])
def test_the_second_family_takes_over_from_a_dead_first(kind: str) -> None:
    async def main() -> None:
        net = Net(six=kind, four="answers")
        found = await opened(dialer(net, connect_timeout=Duration("30s")), SIX, SIX2, FOUR)
        assert found.server == FOUR and found.link is net.links[0]
        assert set(found.failed) == ({SIX, SIX2} if kind == "refuses" else set())

    asyncio.run(main())


def test_a_person_who_wants_it_tried_now_has_no_server_passed_over() -> None:
    async def main() -> None:
        net = Net(four="silent")
        one = dialer(net)
        assert not (await opened(one, FOUR)).link
        net.kinds["four"] = "answers"
        found = await opened(one, FOUR)
        assert not found.link and "a moment ago" in found.failed[FOUR]
        assert (await one.open([FOUR], TlsPolicy(), Sources("", ""), anew=True)).server == FOUR
        assert (await opened(one, FOUR)).server == FOUR  # What was remembered is forgotten for all.

    asyncio.run(main())


def test_a_connection_that_comes_too_late_is_closed() -> None:
    async def main() -> None:
        net = Net(six="stubborn", four="answers")
        one = dialer(net, connect_timeout=Duration("30s"))
        found = await opened(one, SIX, FOUR)
        assert found.server == FOUR
        for _ in range(5):
            await asyncio.sleep(0)
        await one.close()
        late = next(link for link in net.links if link is not found.link)
        assert (late.closed and not net.links[0].closed) or late is not net.links[0]

    asyncio.run(main())


def test_a_cancelled_call_leaves_no_connection() -> None:
    async def main() -> None:
        net = Net(six="stubborn", four="silent")
        one = dialer(net, connect_timeout=Duration("30s"))
        task = asyncio.ensure_future(opened(one, SIX, FOUR))
        while len(net.opened) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(5):
            await asyncio.sleep(0)
        await one.close()
        assert net.links and all(link.closed for link in net.links)

    asyncio.run(main())


def test_what_timed_out_is_passed_over_for_a_while_and_what_refused_is_not() -> None:
    async def main() -> None:
        clock, net = FakeClock(), Net(six="silent", four="refuses")
        one = dialer(net, clock)
        found = await opened(one, SIX, FOUR)
        assert found.link is None
        assert {found.failed[SIX], found.failed[FOUR]} == {"timed out", "Connection refused"}
        net.opened.clear()
        found = await opened(one, SIX, FOUR)
        assert found.failed[SIX] == "timed out a moment ago" and net.opened == [("192.0.2.1", "192.0.2.9")]
        clock.forward(121)
        await opened(one, SIX)
        assert len(net.opened) == 2

    asyncio.run(main())


def test_memory_of_the_dead_is_bounded_and_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_module, "MAX_REMEMBERED", 3)

    async def main() -> None:
        net = Net(six="answers", four="silent")
        one = dialer(net, connect_timeout=Duration("0.001s"))
        for n in range(6):
            await opened(one, Server("mx.test", f"192.0.2.{n}", 25))
        assert list(one._dead) == [(f"192.0.2.{n}", 25) for n in (3, 4, 5)]
        one = dialer(net, connect_timeout=Duration("0.001s"), unreachable_for=Duration("0s"))
        await opened(one, FOUR)
        assert not one._dead

    asyncio.run(main())


def test_no_address_is_no_link() -> None:
    found = asyncio.run(opened(dialer(Net(six="answers", four="answers"))))
    assert found == Dialled()


def test_in_a_crowd_no_address_gets_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(dial_module, "HURRIED", 0.02)
        one = dialer(Net(four="silent"), connect_timeout=Duration("10m"), unreachable_for=Duration("0s"))
        async with asyncio.timeout(20):
            found = await one.open([FOUR, FOUR2], TlsPolicy(), Sources("", ""), crowded=True)
        assert found.link is None and list(found.failed) == [FOUR, FOUR2]
        # A set time that is shorter stays.
        monkeypatch.setattr(dial_module, "HURRIED", 600.0)
        short = dialer(Net(four="silent"), connect_timeout=Duration("0.02s"))
        async with asyncio.timeout(20):
            assert (await short.open([FOUR], TlsPolicy(), Sources("", ""), crowded=True)).link is None

    asyncio.run(main())
