"""Sending one message to one destination, against servers of every temper."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.support.flow_fakes import FakeConnector, FakeResolver, MemoryQueue, ScriptedServer
from tests.support.queue_house import entry
from whimbrel.core.address import Domain
from whimbrel.core.net import Mx, TlsMode
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.core.values import Secret
from whimbrel.flow.delivery.destination import Finder, destination
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.parcel import PIECE, Parcel
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.settings import SmtpSettings

MAIL = b"Subject: x\r\n\r\n.leading dot\r\nhello\r\n"


@dataclass(slots=True)
class World:
    settings: DeliverySettings = field(default_factory=DeliverySettings)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    names: FakeResolver = field(default_factory=FakeResolver)
    net: FakeConnector = field(default_factory=FakeConnector)
    log: MemoryLog = field(default_factory=MemoryLog)
    first: ScriptedServer = field(default_factory=lambda: ScriptedServer("mx1.remote.test"))
    second: ScriptedServer = field(default_factory=lambda: ScriptedServer("mx2.remote.test"))

    def __post_init__(self) -> None:
        self.names.exchangers["remote.test"] = [Mx(10, "mx1.remote.test"), Mx(20, "mx2.remote.test")]
        self.names.hosts |= {"mx1.remote.test": ["192.0.2.1"], "mx2.remote.test": ["192.0.2.2"]}
        self.names.hosts["relay.test"] = ["192.0.2.1"]
        for port in (25, 587, 465):
            self.net.servers |= {f"192.0.2.1:{port}": self.first, f"192.0.2.2:{port}": self.second}

    def send(self, *recipients: str, item: QueueItem | None = None, content: bytes = MAIL) -> list[Outcome]:
        item = item or entry("q1", *(recipients or ("b@remote.test",)))
        self.queue.add(item, content)
        config = FakeConfig(self.settings, SmtpSettings(hostname=Domain("mail.example.test")))
        finder = Finder(self.names, config)
        agent = SmtpAgent(
            queue=self.queue, finder=finder, connector=self.net, config=config, log=self.log, clock=FakeClock()
        )
        item = self.queue.items[item.id]
        way = destination("remote.test", self.settings, item.sender)

        async def run() -> list[Outcome]:
            outcomes = await agent.deliver(Parcel(item, way, item.recipients))
            await agent.close()
            return outcomes

        return asyncio.run(run())


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state.value for outcome in outcomes]


def test_a_message_is_relayed_over_tls_in_one_transaction() -> None:
    world = World()
    outcomes = world.send("b@remote.test", "c@remote.test")
    assert states(outcomes) == ["relayed", "relayed"]
    assert outcomes[0].status == "2.0.0 Taken" and outcomes[0].remote == "mx1.remote.test[192.0.2.1]:25"
    assert (outcomes[0].tls, outcomes[0].cipher, outcomes[0].verified) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", False)
    ((sender, recipients, content),) = world.first.messages
    assert sender.startswith("MAIL FROM:<a@example.test> SIZE=")
    assert recipients == ["RCPT TO:<b@remote.test>", "RCPT TO:<c@remote.test>"]
    assert content == MAIL.replace(b"\r\n.", b"\r\n..")
    assert world.first.lines[0] == "EHLO mail.example.test" and world.first.lines[-1] == "QUIT"
    assert world.second.connections == 0


def test_large_content_is_sent_whole() -> None:
    world = World()
    content = b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * (2 * PIECE // 17)
    assert states(world.send(content=content)) == ["relayed"]
    assert world.first.messages[0][2] == content


def test_each_recipient_has_the_servers_answer() -> None:
    world = World()
    world.first.answers = {
        "RCPT TO:<bad@remote.test>": "550 5.1.1 No such user",
        "RCPT TO:<grey@remote.test>": "451 4.7.1 Come back later",
    }
    outcomes = world.send("good@remote.test", "bad@remote.test", "grey@remote.test")
    assert states(outcomes) == ["relayed", "failed", "waiting"]
    assert outcomes[1].status == "5.1.1 No such user" and outcomes[1].reply == "550 5.1.1 No such user"
    assert world.second.connections == 0  # What was answered is final for this attempt.


def test_the_next_server_is_tried_when_one_cannot_be_reached() -> None:
    world = World()
    del world.net.servers["192.0.2.1:25"]
    outcomes = world.send()
    assert states(outcomes) == ["relayed"] and outcomes[0].remote.startswith("mx2.")
    del world.net.servers["192.0.2.2:25"]
    (outcome,) = world.send()
    assert outcome.state is RecipientState.WAITING
    assert outcome.status == "4.4.1 Cannot connect to remote host: Connection refused"


@pytest.mark.parametrize("greeting", ["421 4.3.2 Too busy", "554 5.7.1 Not you", "220", ""])
def test_the_next_server_is_tried_when_one_does_not_want_to_talk(greeting: str) -> None:
    world = World()
    world.first.greeting = greeting
    if greeting == "220":
        world.first.answers = {"EHLO": "421 4.3.2 Too busy"}
    assert states(world.send()) == ["relayed"]
    assert world.second.messages


def test_a_refusal_to_talk_is_final_only_if_every_server_says_so() -> None:
    world = World()
    world.first.greeting = world.second.greeting = "554 5.7.1 Not you"
    (outcome,) = world.send()
    assert (outcome.state, outcome.status) == (RecipientState.FAILED, "5.7.1 Not you")
    del world.net.servers["192.0.2.1:25"]
    assert states(world.send()) == ["waiting"]


def test_a_connection_lost_before_the_content_has_an_heir() -> None:
    world = World()
    world.first.answers = {"MAIL": None}
    assert states(world.send()) == ["relayed"]
    assert world.second.messages


def test_a_connection_lost_after_the_content_has_none() -> None:
    world = World()
    world.first.answers = {"content": None}
    (outcome,) = world.send()
    assert outcome.state is RecipientState.WAITING and outcome.status.startswith("4.4.2")
    assert world.second.connections == 0  # RFC 1047: it may have been taken.


@pytest.mark.parametrize(("answer", "state"), [("552 5.3.4 Too big", "failed"), ("452 4.3.1 Disk full", "waiting")])
def test_the_answer_after_the_content_is_everybodys(answer: str, state: str) -> None:
    world = World()
    world.first.answers = {"content": answer}
    assert states(world.send("b@remote.test", "c@remote.test")) == [state, state]


def test_a_failed_handshake_is_followed_by_one_try_in_the_clear() -> None:
    world = World()
    world.first.tls_fails = True
    (outcome,) = world.send()
    assert outcome.state is RecipientState.RELAYED and outcome.tls == ""
    assert world.net.opened == [("192.0.2.1:25", TlsMode.OPPORTUNISTIC), ("192.0.2.1:25", TlsMode.NONE)]
    assert world.log.named("delivery.tls-failed")


def test_without_an_offer_of_tls_it_goes_in_the_clear() -> None:
    world = World()
    world.first.extensions = ("PIPELINING",)
    assert world.send()[0].tls == ""
    world.first.extensions = ("STARTTLS",)
    world.first.answers = {"STARTTLS": "454 4.7.0 Not now"}
    (outcome,) = world.send()
    assert (outcome.state, outcome.tls) == (RecipientState.RELAYED, "")


def test_required_tls_is_never_given_up() -> None:
    for setup in ("handshake", "no offer", "refused"):
        world = World(DeliverySettings(tls="required"))
        for server in (world.first, world.second):
            if setup == "handshake":
                server.tls_fails = True
            elif setup == "no offer":
                server.extensions = ("PIPELINING",)
            else:
                server.answers = {"STARTTLS": "454 4.7.0 Not now"}
        (outcome,) = world.send()
        assert outcome.state is RecipientState.WAITING and outcome.status.startswith("4.7.")
        assert not world.first.messages and not world.second.messages
        assert TlsMode.NONE not in [mode for _, mode in world.net.opened]


def relay(**values: object) -> DeliverySettings:
    return DeliverySettings(relay_host="relay.test", relay_user="user", relay_password=Secret("pass"), **values)


def test_a_relay_host_is_signed_in_to_over_tls() -> None:
    world = World(relay(relay_port=587))
    world.first.extensions = ("STARTTLS", "AUTH PLAIN LOGIN")
    world.first.answers = {"AUTH": "235 2.7.0 Welcome"}
    assert states(world.send()) == ["relayed"]
    lines = world.first.lines
    assert lines.index("STARTTLS") < next(at for at, line in enumerate(lines) if line.startswith("AUTH PLAIN "))
    assert world.net.opened == [("192.0.2.1:587", TlsMode.OPPORTUNISTIC)]


def test_a_password_never_goes_in_the_clear() -> None:
    for broken in (True, False):
        world = World(relay())
        world.first.extensions = ("STARTTLS", "AUTH PLAIN") if broken else ("AUTH PLAIN",)
        world.first.tls_fails = broken
        assert states(world.send()) == ["waiting"]
        assert not any(line.startswith("AUTH") for line in world.first.lines)
        assert len(world.net.opened) == 1
    world = World(relay(relay_tls="none"))  # Unless the administrator says so.
    world.first.extensions = ("AUTH PLAIN",)
    world.first.answers = {"AUTH": "235 2.7.0 Welcome"}
    assert states(world.send()) == ["relayed"]


def test_a_wrong_password_returns_no_mail() -> None:
    world = World(relay())
    world.first.extensions = ("STARTTLS", "AUTH PLAIN")
    world.first.answers = {"AUTH": "535 5.7.8 Wrong"}
    (outcome,) = world.send()
    assert outcome.state is RecipientState.WAITING and outcome.status.startswith("4.7.0")
    assert world.log.named("delivery.sign-in-failed")
    assert "pass" not in repr(world.log.records)


def test_implicit_tls_needs_no_starttls() -> None:
    world = World(DeliverySettings(relay_host="relay.test", relay_port=465, relay_tls="implicit"))
    (outcome,) = world.send()
    assert outcome.state is RecipientState.RELAYED and outcome.tls and outcome.verified
    assert "STARTTLS" not in world.first.lines


def test_a_server_with_our_name_is_ourselves() -> None:
    world = World()
    world.first.name = world.second.name = "mail.example.test"
    (outcome,) = world.send()
    assert (outcome.state, outcome.status[:5]) == (RecipientState.FAILED, "5.4.6")
    # A relay host was set by a person, who may run it beside us.
    world = World(DeliverySettings(relay_host="relay.test"))
    world.first.name = "mail.example.test"
    assert states(world.send()) == ["relayed"]


def test_a_domain_without_mail_is_final_without_a_connection() -> None:
    world = World()
    world.names.exchangers["remote.test"] = [Mx(0, "")]
    (outcome,) = world.send()
    assert (outcome.state, outcome.status[:6]) == (RecipientState.FAILED, "5.1.10")
    assert not world.net.opened


def test_a_message_too_large_for_the_server_is_not_sent() -> None:
    world = World()
    world.first.extensions = ("SIZE 10",)
    assert world.send()[0].status.startswith("5.3.4")
    assert not any(line.startswith("MAIL") for line in world.first.lines)


def test_internationalised_mail_needs_a_server_that_takes_it() -> None:
    world = World()
    (outcome,) = world.send("grün@remote.test")
    assert (outcome.state, outcome.status[:5]) == (RecipientState.FAILED, "5.6.7")
    world.first.extensions = ("SMTPUTF8", "8BITMIME")
    assert states(world.send("grün@remote.test")) == ["relayed"]
    assert world.first.messages[0][0].endswith(" SMTPUTF8")


def test_eight_bit_content_is_declared() -> None:
    world = World()
    world.send(content="Subject: x\r\n\r\nüber\r\n".encode())
    assert " BODY=8BITMIME" in world.first.messages[0][0]
    world.send()
    assert "BODY" not in world.first.messages[1][0]


def test_an_entry_whose_content_is_gone_waits() -> None:
    world = World()
    item = entry("q1")
    world.queue.add(item, MAIL)
    del world.queue.contents["q1"]
    config = FakeConfig()
    agent = SmtpAgent(
        queue=world.queue,
        finder=Finder(world.names, config),
        connector=world.net,
        config=config,
        log=world.log,
        clock=FakeClock(),
    )
    (outcome,) = asyncio.run(agent.deliver(Parcel(item, destination("remote.test", world.settings), item.recipients)))
    assert outcome.state is RecipientState.WAITING and not world.net.opened


def test_a_silent_server_is_left() -> None:
    class Silent(FakeConnector):
        async def open(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    world = World(DeliverySettings(connect_timeout=1))
    world.net = Silent()
    world.names.exchangers["remote.test"] = [Mx(10, "mx1.remote.test")]
    assert world.send()[0].status == "4.4.1 Cannot connect to remote host: timed out"
