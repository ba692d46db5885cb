"""The SMTP service in a test: a reception that remembers, a directory of a few, connections without a port."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache

from tests.support.fakes import FakeClock, FakeConfig, FakeIds, InlinePool, MemoryCounters, MemoryLog
from whimbrel.backends.net.driver import Connection
from whimbrel.core.address import Address, Domain, ReversePath
from whimbrel.core.directory import Account, LocalDomain, Rights, Target
from whimbrel.core.envelope import PLAIN, MailOptions, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.core.mailbox import AccountId
from whimbrel.core.settings import Section
from whimbrel.core.spool import Spooled, SpoolWriter
from whimbrel.core.values import Secret, Size
from whimbrel.flow.assessment import Assessment
from whimbrel.flow.routing.route import Expansion
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Addressee, Answers, Result, Transaction
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server_events import ServerEvent
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.passwords import hash_password
from whimbrel.services.smtpd.server import SmtpServer

DOMAIN = "example.test"
PASSWORD = "open sesame"


@lru_cache(8)
def verifier(password: str = PASSWORD) -> Secret:
    """Made once a run: argon2 is slow on purpose."""
    return hash_password(Secret(password))


def account(name: str, *, enabled: bool = True, password: str = PASSWORD) -> Account:
    address = Address(name, DOMAIN)
    return Account(
        id=AccountId(address.key),
        address=address,
        full_name="",
        enabled=enabled,
        password=verifier(password),
        rights=Rights.NONE,
        quota_bytes=0,
        quota_messages=0,
        max_message_size=0,
        forward_to=(),
        keep_copy=False,
    )


class FakeDirectory:
    """alice and bob, and carol who is disabled."""

    def __init__(self, *accounts: Account) -> None:
        found = accounts or (account("alice"), account("bob"), account("carol", enabled=False))
        self.accounts = {entry.address.key: entry for entry in found}

    async def domain(self, name: str) -> LocalDomain | None:
        return await self.primary() if name == DOMAIN else None

    async def primary(self) -> LocalDomain:
        return LocalDomain(Domain(DOMAIN), primary=True)

    async def resolve(self, address: Address) -> Target | None:
        return None

    async def account(self, account: AccountId) -> Account | None:
        return self.accounts.get(account)

    async def sign_in(self, name: str) -> Account | None:
        return self.accounts.get(name.casefold() if "@" in name else f"{name.casefold()}@{DOMAIN}")

    async def administrators(self) -> tuple[Account, ...]:
        return ()

    async def domains(self) -> tuple[LocalDomain, ...]:
        return (await self.primary(),)


class MemoryContent:
    def __init__(self, content: bytes) -> None:
        self.content, self.closed = content, False

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def head(self) -> bytes:
        return self.content[:65536]

    async def read(self, start: int = 0, length: int | None = None) -> bytes:
        return self.content[start : None if length is None else start + length]

    def close(self) -> None:
        self.closed = True


class MemoryWriter:
    def __init__(self, fail: MailError | None = None) -> None:
        self.blocks: list[bytes] = []
        self.discarded, self._fail = False, fail

    async def write(self, data: bytes) -> None:
        if self._fail is not None:
            raise self._fail
        self.blocks.append(data)

    async def finish(self, *, crlf: bool = False) -> Spooled:
        return MemoryContent(b"".join(self.blocks))

    def discard(self) -> None:
        self.discarded = True


@dataclass
class Received:
    """A message that got through."""

    sender: ReversePath
    recipients: list[str]
    content: bytes
    client: Client
    origin: Origin
    user: str
    options: MailOptions
    answers: Answers


@dataclass
class FakeReception:
    """Takes mail for anybody at example.test but nobody@; to the world from trusted origins only. `before_complete`
    runs before a message counts as accepted."""

    received: list[Received] = field(default_factory=list)
    writers: list[MemoryWriter] = field(default_factory=list)
    contents: list[Spooled] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    refuse: dict[str, MailError] = field(default_factory=dict)
    """By step: connect, helo, mail, write, complete; or by recipient, for what LMTP answers."""
    before_complete: Callable[[], Awaitable[None]] | None = None
    count: int = 0
    max_recipients: int = 1000
    forgotten: list[str] = field(default_factory=list)
    """Queue ids whose answer did not get out."""

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.refuse:
            raise self.refuse[name]

    async def connect(self, origin: Origin, client: Client) -> None:
        self._step("connect")

    async def helo(self, origin: Origin, client: Client, before: Assessment | None) -> None:
        self._step("helo")

    async def mail(
        self,
        origin: Origin,
        client: Client,
        account: Account | None,
        sender: ReversePath,
        options: MailOptions = PLAIN,
        answers: Answers = Answers.ONE,
        known: Assessment | None = None,
    ) -> Transaction:
        self._step("mail")
        self.count += 1
        return Transaction(f"q{self.count}", origin, client, account, sender, options, 0.0, answers)

    async def rcpt(self, tx: Transaction, recipient: Recipient) -> None:
        self._step("rcpt")
        if len(tx.addressees) >= self.max_recipients:
            raise MailError(452, "4.5.3", "Too many recipients")
        if recipient.address.domain != DOMAIN and not tx.trusted:
            raise MailError(550, "5.7.1", "Relaying denied")
        if recipient.address.local == "nobody":
            raise MailError(550, "5.1.1", "No such user here")
        tx.addressees.append(Addressee(recipient, Expansion()))

    def data(self, tx: Transaction) -> SpoolWriter:
        self.writers.append(MemoryWriter(self.refuse.get("write")))
        return self.writers[-1]

    async def complete(self, tx: Transaction, content: Spooled) -> Result:
        self._step("complete")
        if self.before_complete is not None:
            await self.before_complete()
        self.contents.append(content)
        names = [str(to.recipient.address) for to in tx.addressees]
        user = tx.account.id if tx.account else ""
        body = await content.read()
        self.received.append(Received(tx.sender, names, body, tx.client, tx.origin, user, tx.options, tx.answers))
        return Result(tx.queue_id, tuple(self.refuse.get(name) for name in names))

    async def unanswered(self, tx: Transaction) -> None:
        self.forgotten.append(tx.queue_id)


class _Connection(Connection[ServerEvent, Reply]):
    """Over a socket pair, which has no addresses of its own."""

    address = ("192.0.2.9", 4711)

    @property
    def peer(self) -> tuple[str, int]:
        return self.address


class House:
    """One SMTP server with fakes around it."""

    def __init__(self, *sections: Section, tls: ssl.SSLContext | None = None, ip: str = "192.0.2.9") -> None:
        smtp = SmtpSettings(hostname=Domain("mail.example.test"), max_message_size=Size(100_000))
        self.config = FakeConfig(smtp, *sections)
        self.reception, self.directory = FakeReception(), FakeDirectory()
        self.log, self.clock = MemoryLog(), FakeClock()
        self.counters, self.pauses = MemoryCounters(), list[float]()
        self.ip, self.tls = ip, tls
        self.sessions: list[asyncio.Task[None]] = []
        self.connections: list[Connection[ServerEvent, Reply]] = []
        self.sign_in = Authenticator.of_users_file(
            directory=self.directory,
            config=self.config,
            counters=self.counters,
            pool=InlinePool(),
            log=self.log,
            clock=self.clock,
            pause=self._pause,
        )
        self.server = SmtpServer(
            reception=self.reception,
            directory=self.directory,
            config=self.config,
            sign_in=self.sign_in,
            log=self.log,
            clock=self.clock,
            ids=FakeIds(),
            tls=lambda: self.tls,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def dial(self, service: str = "smtp") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's end of a new connection to `service`."""
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()

        def ready(connection: Connection[ServerEvent, Reply]) -> None:
            self.connections.append(connection)
            self.sessions.append(loop.create_task(serve(connection)))

        async def serve(connection: Connection[ServerEvent, Reply]) -> None:
            if tls is not None:
                await connection.handshake()
            await self.server.session(connection, service)

        def connection() -> Connection[ServerEvent, Reply]:
            made = _Connection(self.server.engine(service), ready)
            made.address = (self.ip, 4711)
            if tls is not None:
                made.expect_tls(tls)
            return made

        ours.setblocking(False)
        theirs.setblocking(False)
        tls = self.tls if service == "submissions" else None
        await loop.connect_accepted_socket(connection, ours)
        return await asyncio.open_connection(sock=theirs)

    async def talk(self, *pieces: bytes, service: str = "smtp") -> list[str]:
        """Sends the pieces, then ends; all that was answered."""
        self.sessions.clear()
        reader, writer = await self.dial(service)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await asyncio.gather(*self.sessions, return_exceptions=True)
        return answer.decode().splitlines()
