"""Servers that babble, drip, hang up or lie: bounded in time and memory, and never taken for a delivery."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.support.flow_fakes import FakeResolver, MemoryQueue
from tests.support.queue_house import entry
from whimbrel.core.net import TlsInfo, TlsPolicy
from whimbrel.core.values import Duration
from whimbrel.flow.delivery.destination import Finder, destination
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import Parcel
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.settings import SmtpSettings
from whimbrel.protocols.smtp.reply import MAX_LINE, MAX_LINES

MAIL = b"Subject: x\r\n\r\nhello\r\n"
HELLO = [b"220 mx ESMTP\r\n", b"250-mx\r\n250 PIPELINING\r\n"]


class Babbler:
    """A link that says what it was told to, whatever it hears; "" at the end, or silence, or the same for ever."""

    def __init__(self, words: list[bytes], then: str) -> None:
        self._words, self._then = iter(words), then
        self.reads = self.written = 0
        self.closed = False

    peer = local = "192.0.2.1:25"
    tls: TlsInfo | None = None

    async def read(self) -> bytes:
        self.reads += 1
        assert self.reads < 100_000, "it is listened to for ever"
        for word in self._words:
            return word
        if self._then == "silence":
            await asyncio.Event().wait()
        if self._then == "reset":
            raise ConnectionResetError("Connection reset by peer")
        await asyncio.sleep(0)
        return self._then.encode()

    async def write(self, data: bytes) -> None:
        self.written += len(data)

    async def start_tls(self) -> None:
        raise OSError("no")

    async def close(self) -> None:
        self.closed = True


class Net:
    def __init__(self, link: Babbler) -> None:
        self.link = link

    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> Babbler:
        return self.link


def send(words: list[bytes], then: str = "", *recipients: str, timeout: str = "0.05s") -> tuple[list[Outcome], Babbler]:
    link = Babbler(words, then)
    plain = DeliverySettings(relay_host="192.0.2.1").model_dump()
    quick = {"command_timeout": Duration(timeout), "final_timeout": Duration(timeout)}
    settings = DeliverySettings.model_construct(**{**plain, **quick})
    config, names, queue = FakeConfig(settings, SmtpSettings()), FakeResolver(), MemoryQueue()
    names.hosts["192.0.2.1"] = ["192.0.2.1"]
    agent = SmtpAgent(
        queue=queue,
        finder=Finder(names, config),
        connector=Net(link),
        config=config,
        log=MemoryLog(),
        clock=FakeClock(),
    )

    async def run() -> list[Outcome]:
        queue.add(entry("q1", *(recipients or ("b@remote.test",))), MAIL)
        item = queue.items["q1"]
        async with asyncio.timeout(20):
            found = await agent.deliver(Parcel(item, destination("remote.test", settings), item.recipients))
            await agent.close()
        return found

    return asyncio.run(run()), link


def early_ends() -> Iterator[list[bytes]]:
    whole = [*HELLO, b"250 ok\r\n250 ok\r\n354 go\r\n"]
    for end in range(len(whole) + 1):
        yield whole[:end]
        if end < len(whole):
            yield [*whole[:end], whole[end][:-3]]


@pytest.mark.parametrize("then", ["", "silence", "reset"])
@pytest.mark.parametrize("words", list(early_ends()), ids=range(7))
def test_an_end_at_any_step_is_tried_again(words: list[bytes], then: str) -> None:
    outcomes, link = send(words, then)
    assert [one.state.value for one in outcomes] == ["waiting"]
    assert link.closed


@pytest.mark.parametrize(
    "words",
    [
        [b"220-more\r\n" * (MAX_LINES + 1)],
        [b"220 " + b"x" * (MAX_LINE + 1)],
        [*HELLO, b"250-more\r\n" * (MAX_LINES + 1)],
        [b"\x16\x03\x01\x00\x00"],
        [b"HTTP/1.1 400 Bad Request\r\n"],
        [*HELLO, b"250 ok\r\n250 ok\r\n354 go\r\n", b"999 what\r\n"],
        [*HELLO, b"250 ok\r\n250 ok\r\n354 go\r\n250 taken before it was sent\r\n"],
        [*HELLO, b"250 ok\r\n250 ok\r\n250 this is no 354\r\n"],
        [*HELLO, b"250 ok\r\n250 ok\r\n354 go\r\n", b"354 go on\r\n"],
        [*HELLO, b"250 ok\r\n" * 50],
        [*HELLO, b"421 4.3.2 closing\r\n"],
        [*HELLO, b"250 ok\r\n421 4.3.2 closing\r\n"],
    ],
)
@pytest.mark.parametrize("then", ["", "silence"])
def test_babble_is_no_delivery(words: list[bytes], then: str) -> None:
    outcomes, link = send(words, then)
    assert [one.state.value for one in outcomes] == ["waiting"]
    assert link.closed


@pytest.mark.parametrize("then", ["250-more\r\n", "x", "250 ok\r\n"])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_endless_words_are_listened_to_for_a_bounded_time(steps: int, then: str) -> None:
    outcomes, link = send(HELLO[:steps], then)
    assert outcomes[0].state.value == "waiting"
    assert link.closed and link.reads < 20_000


@pytest.mark.parametrize("steps", range(4))
def test_all_waits_for_one_server_have_an_end_together(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whimbrel.flow.delivery.smtp.ATTEMPT", 0.05)
    outcomes, link = send([*HELLO, b"250 ok\r\n"][:steps], "silence", timeout="1h")
    assert outcomes[0].state.value == "waiting" and "timed out" in outcomes[0].status
    assert link.closed


def test_a_refusal_in_many_words_is_told_in_some_and_final() -> None:
    refusal = b"550-5.1.1 nobody\r\n" * 299 + b"550 5.1.1 nobody\r\n"
    outcomes, _ = send([*HELLO, b"250 ok\r\n" + refusal + b"554 no\r\n221 bye\r\n"])
    assert outcomes[0].state.value == "failed"
    assert outcomes[0].status.startswith("5.1.1 nobody") and len(outcomes[0].status) <= 512


def test_a_slow_server_that_goes_on_answering_is_given_its_time() -> None:
    """RFC 5321 4.5.3.2: a time-out is for one reply; many recipients may take many times as long."""

    class Slow(Babbler):
        async def read(self) -> bytes:
            await asyncio.sleep(0.02)
            return await super().read()

    people = [f"u{n}@remote.test" for n in range(6)]
    link = Slow([*HELLO, *[b"250 ok\r\n"] * 7, b"354 go\r\n", b"250 2.0.0 taken\r\n"], "")
    plain = DeliverySettings(relay_host="192.0.2.1").model_dump()
    settings = DeliverySettings.model_construct(**{**plain, "command_timeout": Duration("0.1s")})
    config, names, queue = FakeConfig(settings, SmtpSettings()), FakeResolver(), MemoryQueue()
    agent = SmtpAgent(
        queue=queue,
        finder=Finder(names, config),
        connector=Net(link),
        config=config,
        log=MemoryLog(),
        clock=FakeClock(),
    )

    async def run() -> list[Outcome]:
        queue.add(entry("q1", *people), MAIL)
        item = queue.items["q1"]
        return await agent.deliver(Parcel(item, destination("remote.test", settings), item.recipients))

    assert {one.state.value for one in asyncio.run(run())} == {"relayed"}
