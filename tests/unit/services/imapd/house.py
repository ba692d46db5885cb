"""The IMAP service over a store in memory, and clients of it without a socket."""

import asyncio
import re
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tests.contract.backends import Backend
from tests.support.fakes import FakeClock, FakeConfig, FakeIds, InlinePool, MemoryCounters, MemoryLog, MemoryState
from whimbrel.backends.net.driver import Connection
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.address import Address, Domain
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.directory import Account, LocalDomain, Rights, Target
from whimbrel.core.mailbox import AccountId
from whimbrel.core.network import Network
from whimbrel.core.settings import Section
from whimbrel.core.values import Secret
from whimbrel.protocols.imap.engine import Event, Reply
from whimbrel.services.imapd.server import ImapServer
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.folders import Furnisher
from whimbrel.services.session.passwords import hash_password
from whimbrel.services.session.settings import SecuritySettings

ALICE = AccountId("alice@example.test")
_VERIFIER = hash_password(Secret("secret"))


def account(id: str = ALICE, **changes: Any) -> Account:
    values: dict[str, Any] = {
        "id": AccountId(id), "address": Address.parse(id), "full_name": "", "enabled": True, "password": _VERIFIER,
        "rights": Rights.NONE, "quota_bytes": 0, "quota_messages": 0, "max_message_size": 0, "forward_to": (),
        "keep_copy": False,
    }  # fmt: skip
    return Account(**(values | changes))


class People:
    """A directory of the accounts given."""

    def __init__(self, *accounts: Account) -> None:
        self._accounts = {one.id: one for one in accounts}
        self._domain = LocalDomain(Domain("example.test"), primary=True)

    async def domain(self, name: str) -> LocalDomain | None:
        return self._domain if name == self._domain.name else None

    async def primary(self) -> LocalDomain:
        return self._domain

    async def resolve(self, address: Address) -> Target | None:
        raise AssertionError("IMAP routes nothing")

    async def account(self, account: AccountId) -> Account | None:
        return self._accounts.get(account)

    async def sign_in(self, name: str) -> Account | None:
        return self._accounts.get(AccountId(name if "@" in name else f"{name}@example.test"))

    async def administrators(self) -> tuple[Account, ...]:
        return ()

    async def domains(self) -> tuple[LocalDomain, ...]:
        return (self._domain,)


class Wire(asyncio.Transport):
    """A transport whose other end is the test."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 40000), "sockname": ("127.0.0.1", 143)})
        self.sent = bytearray()
        self.closed = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        self.closed = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Client:
    """One connection to the service."""

    def __init__(self, house: "House", peer: str = "127.0.0.1") -> None:
        self._house = house
        self.wire = Wire(peer)
        self.task: asyncio.Task[None] | None = None
        self.connection: Connection[Event, Reply] = Connection(house.server.engine(), self._start)
        self.connection.connection_made(self.wire)

    def _start(self, connection: Connection[Event, Reply]) -> None:
        self.task = asyncio.get_running_loop().create_task(self._house.server.session(connection, "imap"))

    async def read(self) -> bytes:
        """What the server has said since last asked, once it has nothing more to do."""
        quiet = 0
        while quiet < 20:
            before = len(self.wire.sent)
            await asyncio.sleep(0)
            quiet = 0 if len(self.wire.sent) != before else quiet + 1
        said = bytes(self.wire.sent)
        self.wire.sent.clear()
        return said

    async def say(self, *lines: bytes) -> bytes:
        """Sends lines (CRLF is added) and returns the answer."""
        self.connection.data_received(b"".join(line + b"\r\n" for line in lines))
        return await self.read()

    async def ask(self, command: bytes) -> bytes:
        """The answer to `command`, which must be OK; without its tagged line."""
        answer = await self.say(b"t " + command)
        untagged, tag, rest = answer.rpartition(b"t OK")
        assert tag and rest.endswith(b"\r\n"), answer
        return untagged

    async def hang_up(self) -> None:
        self.connection.eof_received()
        self.connection.connection_lost(None)
        assert self.task is not None
        await asyncio.wait([self.task])
        if not self.task.cancelled():  # By the test.
            self.task.result()


_ENDS = re.compile(rb"^[tx] (?:OK|NO|BAD) [^\r]*\r\n\Z|\A\* OK [^\r]*ready\r\n\Z", re.M)


class Patient(Client):
    """Waits for the end of each answer, to a command with the tag t or x: a store with threads takes its time."""

    async def read(self) -> bytes:
        async with asyncio.timeout(30):
            while not _ENDS.search(self.wire.sent):
                await asyncio.sleep(0)
        said = bytes(self.wire.sent)
        self.wire.sent.clear()
        return said


class House:
    """Use as `async with House() as house`."""

    def __init__(
        self,
        *sections: Section,
        accounts: tuple[Account, ...] = (account(),),
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self._tls = tls
        self.clock, self.log = FakeClock(), MemoryLog()
        self.config = FakeConfig(SecuritySettings(plaintext_from=(Network("127.0.0.0/8"),)), *sections)
        self.store, self.spool = MemoryStore(self.clock), MemorySpool()
        self.clients: list[Client] = []
        self.people = People(*accounts)

    async def __aenter__(self) -> "House":
        async def no_pause(_seconds: float) -> None:
            return

        pool = InlinePool()
        self.sign_in = sign_in = Authenticator.of_users_file(
            directory=self.people, config=self.config, counters=MemoryCounters(), pool=pool, log=self.log,
            clock=self.clock, pause=no_pause,
            furnisher=Furnisher(self.store, MemoryState(), self.config, self.clock),
        )  # fmt: skip
        self.server = ImapServer(
            folders=self.store, messages=self.store, changes=self.store, spool=self.spool, commit=self.store, pool=pool,
            config=self.config, sign_in=sign_in, log=self.log, clock=self.clock, ids=FakeIds(), tls=self._tls,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self.clients:
            await client.hang_up()
        if kind is None:
            assert not self.log.named("session.crashed"), self.log.named("session.crashed")

    def use(self, backend: Backend) -> None:
        """Serves another store from now on."""
        ports = self.server._ports
        self.server = ImapServer(
            folders=backend.folders, messages=backend.messages, changes=backend.changes, spool=backend.spool,
            commit=backend.commit, pool=ports.pool, config=ports.config, sign_in=ports.sign_in, log=self.log,
            clock=self.clock, ids=self.server._ids, tls=self._tls,
        )  # fmt: skip

    def connect(self, peer: str = "127.0.0.1", kind: type[Client] = Client) -> Client:
        client = kind(self, peer)
        self.clients.append(client)
        return client

    async def signed_in(self, *commands: bytes, kind: type[Client] = Client) -> Client:
        """A client after sign-in and `commands`."""
        client = self.connect(kind=kind)
        await client.read()
        await client.ask(b"LOGIN alice secret")
        for command in commands:
            await client.ask(command)
        return client

    async def deliver(self, content: bytes, folder: str = "INBOX", *, flags: int = 0, date: int = 1_000_000_000) -> int:
        """A message that came without IMAP; its UID."""
        found = await self.store.find(ALICE, folder)
        assert found is not None
        work = Append(found.ref, Rendition(b"", self.spool.hold(content)), flags, internal_date=date)
        (answer,) = await self.store.commit([work])
        assert isinstance(answer, Appended)
        return answer.uid
