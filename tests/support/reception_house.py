"""A whole Reception on fakes, and a session that drives it as SMTP would."""

from dataclasses import dataclass, field

from tests.support.fakes import FakeClock, FakeConfig, FakeIds, MemoryCounters, MemoryLog, MemoryState
from tests.support.filters import filter_ports
from tests.support.flow_fakes import FakeDirectory, FakeStore, HeldContent, MemorySpool, address
from tests.support.names import Names
from whimbrel.core.directory import Account, Rights
from whimbrel.core.envelope import PLAIN, MailOptions, Recipient
from whimbrel.core.intake import Client, Origin
from whimbrel.core.settings import Section
from whimbrel.core.signing import SigningKeys
from whimbrel.core.space import Space
from whimbrel.flow.intake.reception import Reception
from whimbrel.flow.judging.filter import Filter
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.policy import Policy
from whimbrel.flow.judging.ports import FilterPorts
from whimbrel.flow.transaction import Answers, Result, Transaction

STRANGER = Client("192.0.2.66", 40000, "192.0.2.25", 25, "mail.stranger.test", "ESMTP", session_id="s1", service="smtp")
MAIL = (
    b"From: a@b.test\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@b.test>\r\nSubject: x\r\n\r\nhello\r\n"
)
AUTHENTICATION = ("spf", "spf-relayed", "dkim", "arc", "dmarc", "authentication-results")
_ANSWERS = {Origin.LMTP: Answers.EACH, Origin.INTERNAL: Answers.NOBODY}


@dataclass(slots=True)
class House:
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    store: FakeStore = field(default_factory=FakeStore)
    config: FakeConfig = field(default_factory=FakeConfig)
    clock: FakeClock = field(default_factory=FakeClock)
    log: MemoryLog = field(default_factory=MemoryLog)
    ids: FakeIds = field(default_factory=FakeIds)
    spool: MemorySpool = field(default_factory=MemorySpool)
    filters: tuple[Filter, ...] = ()
    """Besides those that are always there."""
    authenticated: bool = False
    """With SPF, DKIM and DMARC, whose names are `names`; else each message is stored as it came."""
    names: Names = field(default_factory=Names)
    keys: SigningKeys | None = None
    space: Space | None = None
    reception: Reception = field(init=False)
    ports: FilterPorts = field(init=False)
    policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        state, counters = MemoryState(), MemoryCounters()
        self.ports = filter_ports(
            self.config, self.log, clock=self.clock, directory=self.directory, state=state, counters=counters,
            resolver=self.names,
        )  # fmt: skip
        kinds = [kind for kind in FILTERS if self.authenticated or kind.name not in AUTHENTICATION]
        self.policy = Policy([*(kind(self.ports) for kind in kinds), *self.filters], self.ports)
        self.reception = Reception(
            directory=self.directory,
            folders=self.store,
            spool=self.spool,
            commit=self.store,
            policy=self.policy,
            config=self.config,
            state=state,
            counters=counters,
            clock=self.clock,
            ids=self.ids,
            log=self.log,
            space=self.space,
            keys=self.keys,
        )

    async def begin(
        self,
        *recipients: str | Recipient,
        origin: Origin = Origin.INBOUND,
        sender: str = "a@b.test",
        client: Client = STRANGER,
        account: Account | None = None,
        options: MailOptions = PLAIN,
        answers: Answers | None = None,
    ) -> Transaction:
        answers = answers or _ANSWERS.get(origin, Answers.ONE)
        tx = await self.reception.mail(origin, client, account, address(sender) if sender else None, options, answers)
        for one in recipients:
            await self.reception.rcpt(tx, one if isinstance(one, Recipient) else Recipient(address(one)))
        return tx

    async def finish(self, tx: Transaction, content: bytes = MAIL) -> Result:
        writer = self.reception.data(tx)
        await writer.write(content)
        return await self.reception.complete(tx, await writer.finish())

    async def send(
        self,
        *recipients: str | Recipient,
        content: bytes = MAIL,
        origin: Origin = Origin.INBOUND,
        sender: str = "a@b.test",
        account: Account | None = None,
        options: MailOptions = PLAIN,
        answers: Answers | None = None,
    ) -> Result:
        tx = await self.begin(
            *recipients, origin=origin, sender=sender, account=account, options=options, answers=answers
        )
        return await self.finish(tx, content)


def house(
    *sections: Section, filters: tuple[Filter, ...] = (), space: Space | None = None, authenticated: bool = False
) -> House:
    """alice, bob and an administrator of example.test."""
    made = House(config=FakeConfig(*sections), filters=filters, space=space, authenticated=authenticated)
    made.directory.user("alice@example.test")
    made.directory.user("bob@example.test")
    made.directory.user("admin@example.test", rights=Rights.SERVER_WRITE)
    return made


__all__ = ["MAIL", "STRANGER", "HeldContent", "House", "house"]
