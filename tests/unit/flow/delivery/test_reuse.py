"""A session serves several messages, and none waits behind one that died."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.support.flow_fakes import FakeConnector, FakeLink, FakeResolver, MemoryQueue, ScriptedServer
from tests.support.queue_house import entry
from whimbrel.core.address import Address, Domain
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.core.net import TlsPolicy
from whimbrel.core.values import Duration
from whimbrel.flow.delivery import sessions as sessions_module
from whimbrel.flow.delivery.destination import Finder, destination
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import Parcel
from whimbrel.flow.delivery.settings import DeliverySettings, RelayRoute
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.settings import SmtpSettings

MAIL = b"Subject: x\r\n\r\nhello\r\n"


class Wires(FakeConnector):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[FakeLink] = []
        self.sources: list[str] = []

    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> FakeLink:
        link = await super().open(host, port, source, tls)
        self.links.append(link)
        self.sources.append(source)
        return link


@dataclass(slots=True)
class Office:
    settings: DeliverySettings = field(default_factory=lambda: DeliverySettings(relay_host="192.0.2.1"))
    net: Wires = field(default_factory=Wires)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    agent: SmtpAgent = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.net.servers |= {f"192.0.2.{n}:25": self.server for n in range(1, 200)}
        names = FakeResolver()
        names.hosts |= {f"192.0.2.{n}": [f"192.0.2.{n}"] for n in range(1, 200)}
        config = FakeConfig(self.settings, SmtpSettings(hostname=Domain("mail.example.test")))
        self.agent = SmtpAgent(
            queue=self.queue,
            finder=Finder(names, config),
            connector=self.net,
            config=config,
            log=MemoryLog(),
            clock=self.clock,
        )

    async def send(self, *recipients: str, content: bytes = MAIL, sender: str = "a@example.test") -> list[Outcome]:
        self.count += 1
        item = entry(f"q{self.count}", *(recipients or ("b@remote.test",)), sender=sender)
        self.queue.add(item, content)
        item = self.queue.items[item.id]
        way = destination(item.recipients[0].recipient.address.domain, self.settings, item.sender)
        return await self.agent.deliver(Parcel(item, way, item.recipients))

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            await work()
            await self.agent.close()

        asyncio.run(main())


def good(outcomes: list[Outcome]) -> bool:
    return all(outcome.state.value == "relayed" for outcome in outcomes)


def settings(**values: object) -> DeliverySettings:
    return DeliverySettings(relay_host="192.0.2.1", **values)


def test_one_session_serves_one_message_after_the_other_and_ends_with_quit() -> None:
    office = Office()

    async def work() -> None:
        for _ in range(3):
            assert good(await office.send())
        assert office.server.connections == 1 and "QUIT" not in office.server.lines

    office.run(work)
    assert office.server.lines.count("EHLO mail.example.test") == 2  # Before and after TLS.
    assert office.server.lines[-1] == "QUIT" and office.net.links[0].closed


def test_the_outcome_over_a_session_that_was_kept_tells_its_tls() -> None:
    office = Office()

    async def work() -> None:
        first, second = (await office.send())[0], (await office.send())[0]
        assert first == second and second.tls == "TLSv1.3"

    office.run(work)


def test_a_session_carries_so_many_messages_and_no_more() -> None:
    office = Office(settings(reuse_count=2))

    async def work() -> None:
        for _ in range(5):
            await office.send()

    office.run(work)
    assert office.server.connections == 3
    office = Office()
    office.server.extensions = ("PIPELINING", "LIMITS MAILMAX=1")  # RFC 9422 4.1
    office.run(work_of(office, 2))
    assert office.server.connections == 2


def work_of(office: Office, times: int) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        for _ in range(times):
            assert good(await office.send())

    return work


def test_with_no_idle_time_nothing_is_kept() -> None:
    office = Office(settings(reuse_idle=Duration("0s")))
    office.run(work_of(office, 2))
    assert office.server.connections == 2


@pytest.mark.parametrize("chunking", [True, False])
def test_a_session_that_ended_meanwhile_is_no_failed_attempt(chunking: bool) -> None:
    office = Office()
    office.server.extensions = ("PIPELINING", "CHUNKING") if chunking else ("PIPELINING",)

    async def work() -> None:
        await office.send()
        office.net.links[0].closed = True  # Writing fails,
        assert good(await office.send())
        link = office.net.links[1]

        async def swallow(data: bytes) -> None:
            """or nothing comes back."""

        link.write = swallow  # type: ignore[method-assign]
        assert good(await office.send())

    office.run(work)
    assert office.server.connections == 3 and len(office.server.messages) == 3


def test_421_to_a_kept_session_is_no_failed_attempt_but_to_a_new_one_it_is() -> None:
    office = Office()

    async def work() -> None:
        await office.send()
        office.net.links[0]._out = b"421 4.4.2 Idle for too long\r\n"
        assert good(await office.send())
        office.server.answers["MAIL"] = "421 4.3.2 Closing"
        (outcome,) = await office.send()
        assert outcome.status == "4.3.2 Closing"

    office.run(work)


def test_a_failed_transaction_is_cleared_before_the_next() -> None:
    office = Office()

    async def work() -> None:
        office.server.answers["RCPT"] = "550 5.1.1 No"
        assert not good(await office.send())
        del office.server.answers["RCPT"]
        assert good(await office.send())

    office.run(work)
    assert office.server.connections == 1 and "RSET" in office.server.lines


def test_a_session_that_idled_is_asked_whether_it_lives() -> None:
    office = Office()

    async def work() -> None:
        await office.send()
        office.clock.forward(3)
        assert good(await office.send())
        assert office.server.lines.count("RSET") == 1
        office.clock.forward(3)
        office.server.answers["RSET"] = "500 what?"
        assert good(await office.send())

    office.run(work)
    assert office.server.connections == 2


def test_an_idle_session_is_ended_after_its_time() -> None:
    office = Office(settings(reuse_idle=Duration("0.01s")))

    async def work() -> None:
        await office.send()
        async with asyncio.timeout(5):
            while not office.net.links[0].closed:
                await asyncio.sleep(0)

    office.run(work)
    assert office.server.lines[-1] == "QUIT"


def test_the_sessions_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "MAX_IDLE", 5)
    office = Office(
        DeliverySettings(routes=tuple(RelayRoute(domain=f"d{n}.test", host=f"192.0.2.{n}") for n in range(1, 100)))
    )

    async def work() -> None:
        for n in range(1, 20):
            await office.send(f"b@d{n}.test")
        assert len(office.agent._sessions) == 5
        await asyncio.sleep(0)

    office.run(work)
    assert all(link.closed for link in office.net.links)


def test_another_source_user_or_server_has_a_session_of_its_own() -> None:
    from whimbrel.flow.delivery.settings import SourceAddress

    office = Office(settings(sources=(SourceAddress(domain="two.test", ipv4="192.0.2.99"),)))

    async def work() -> None:
        await office.send()
        await office.send(sender="a@two.test")
        await office.send(sender="c@example.test")

    office.run(work)
    assert office.net.sources == ["", "192.0.2.99"]


def test_a_cancelled_delivery_closes_its_connection_and_keeps_nothing() -> None:
    office = Office()

    async def work() -> None:
        await office.send()
        office.server.extensions = ("PIPELINING",)
        hang = asyncio.Event()
        link = office.net.links[0]

        async def read() -> bytes:
            hang.set()
            await asyncio.Event().wait()
            return b""

        link.read = read  # type: ignore[method-assign]
        task = asyncio.ensure_future(office.send())
        await hang.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert link.closed and len(office.agent._sessions) == 0

    office.run(work)


def test_recipients_that_are_too_many_for_a_transaction_have_one_of_their_own() -> None:
    """RFC 5321 4.5.3.1.10; RFC 9422 4.2"""
    office = Office()
    office.server.extensions = ("PIPELINING", "LIMITS RCPTMAX=2")
    people = [f"u{n}@remote.test" for n in range(5)]

    async def work() -> None:
        assert good(await office.send(*people))

    office.run(work)
    assert [len(message[1]) for message in office.server.messages] == [2, 2, 1]


@pytest.mark.parametrize("answer", ["452 4.5.3 Too many", "452 Too many", "552 5.5.3 Too many"])
def test_a_server_that_takes_two_at_a_time_gets_all_at_once(answer: str) -> None:
    class Picky(ScriptedServer):
        def answer(self, line: str, otherwise: str) -> str | None:
            if line.startswith("MAIL"):
                self.taken = 0
            if line.startswith("RCPT"):
                self.taken += 1
                return otherwise if self.taken <= 2 else answer
            return otherwise

        taken = 0

    office = Office(server=Picky())

    async def work() -> None:
        assert good(await office.send(*(f"u{n}@remote.test" for n in range(5))))

    office.run(work)
    assert [len(message[1]) for message in office.server.messages] == [2, 2, 1]
    # One that takes nobody is not asked for ever.
    office = Office()
    office.server.answers["RCPT"] = answer

    async def refused() -> None:
        (outcome,) = await office.send()
        assert (outcome.state.value, outcome.status.split(" ", 1)[1]) == ("waiting", "Too many")

    office.run(refused)
    assert sum(line.startswith("RCPT") for line in office.server.lines) == 1


def test_what_was_taken_stays_taken_when_the_session_breaks_before_the_rest() -> None:
    class Breaks(ScriptedServer):
        def answer(self, line: str, otherwise: str) -> str | None:
            return None if line.startswith("MAIL") and self.messages else otherwise

    office = Office(server=Breaks())
    office.server.extensions = ("PIPELINING", "LIMITS RCPTMAX=2")

    async def work() -> None:
        outcomes = await office.send(*(f"u{n}@remote.test" for n in range(5)))
        assert [one.state.value for one in outcomes] == ["relayed", "relayed", "waiting", "waiting", "waiting"]

    office.run(work)


def test_requests_for_reports_are_passed_on_and_the_outcome_says_whether_they_could_be() -> None:
    from dataclasses import replace

    async def once(office: Office) -> list[Outcome]:
        item = replace(entry("q1", "b@remote.test"), options=MailOptions(envid="e1", ret="FULL"))
        wish = Recipient(Address("b", "remote.test"), frozenset({Notify.SUCCESS}), "rfc822;bob@old.test")
        item = replace(item, recipients=(replace(item.recipients[0], recipient=wish),))
        office.queue.add(item, MAIL)
        return await office.agent.deliver(Parcel(item, destination("remote.test", office.settings), item.recipients))

    for offered in (True, False):
        office = Office()
        office.server.extensions = ("PIPELINING", "DSN") if offered else ("PIPELINING",)
        (outcome,) = asyncio.run(once(office))
        assert outcome.dsn is offered and outcome.state.value == "relayed"
        sender, (recipient,), _ = office.server.messages[0]
        assert ("RET=FULL ENVID=e1" in sender) is offered
        assert ("NOTIFY=SUCCESS ORCPT=rfc822;bob@old.test" in recipient) is offered


@pytest.mark.parametrize("size", [10, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 700_000])
@pytest.mark.parametrize("chunking", [True, False])
def test_content_of_any_size_arrives_whole(size: int, chunking: bool) -> None:
    """Around the sizes at which it is read, and written, in another way."""
    content = b"Subject: x\r\n" + b".123456789abcde\r\n" * (size // 17)
    content = content[: size - 2] + b"\r\n"
    office = Office(settings(chunking=chunking))
    office.server.extensions = ("PIPELINING", "CHUNKING")

    async def work() -> None:
        assert good(await office.send(content=content))

    office.run(work)
    arrived = office.server.messages[0][2]
    assert (arrived if chunking else arrived.replace(b"\r\n..", b"\r\n.")) == content.replace(b"\r\r\n", b"\r\n\r\n")
    assert any(line.startswith("BDAT") for line in office.server.lines) is chunking
