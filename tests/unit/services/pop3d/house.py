"""The POP3 service over a store in memory, and connections to it without a port."""

import asyncio
import poplib
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from tests.support.fakes import FakeClock, FakeConfig, FakeIds, InlinePool, MemoryCounters, MemoryLog
from tests.support.smtp import PASSWORD, FakeDirectory
from whimbrel.backends.net.driver import Connection
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.mailbox import INBOX, AccountId, FolderRef
from whimbrel.core.network import Network
from whimbrel.core.settings import Section
from whimbrel.core.uids import ALL
from whimbrel.protocols.pop3.engine import Event, Reply
from whimbrel.services.pop3d.server import Pop3Server
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.settings import SecuritySettings

ALICE = AccountId("alice@example.test")
T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LocalConnection(Connection[Event, Reply]):
    """Over a socket pair, which has no addresses of its own."""

    @property
    def peer(self) -> tuple[str, int]:
        return "127.0.0.1", 4711


class House:
    """Use as `async with House() as house`. Passwords pass without TLS unless `plaintext` is False."""

    def __init__(self, *sections: Section, tls: ssl.SSLContext | None = None, plaintext: bool = True) -> None:
        networks = (Network("127.0.0.0/8"),) if plaintext else ()
        self.clock, self.log = FakeClock(), MemoryLog()
        self.config = FakeConfig(SecuritySettings(plaintext_from=networks), *sections)
        self.store, self.spool = MemoryStore(self.clock), MemorySpool()
        self.messages: Any = self.store
        self.counters = MemoryCounters()
        self.folders: Any = self.store
        self._tls = tls
        self.tasks: list[asyncio.Task[None]] = []
        self.sockets: list[socket.socket] = []

    async def __aenter__(self) -> "House":
        async def no_pause(_seconds: float) -> None:
            return

        self.directory = FakeDirectory()
        self.sign_in = sign_in = Authenticator.of_users_file(
            directory=self.directory, config=self.config, counters=MemoryCounters(), pool=InlinePool(), log=self.log,
            clock=self.clock, pause=no_pause,
        )  # fmt: skip
        self.server = Pop3Server(
            folders=self.folders, messages=self.messages, counters=self.counters, config=self.config,
            sign_in=sign_in, log=self.log, clock=self.clock, ids=FakeIds(), tls=lambda: self._tls,
            pause=lambda seconds: asyncio.sleep(seconds / 100),
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self.sockets:
            each.close()
        for task in self.tasks:
            await asyncio.wait_for(task, 10)
        if kind is None:
            assert not self.log.named("session.crashed"), self.log.named("session.crashed")

    async def socket(self, service: str = "pop3") -> socket.socket:
        """The client's end of a new connection."""
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()

        def ready(connection: Connection[Event, Reply]) -> None:
            self.tasks.append(loop.create_task(serve(connection)))

        async def serve(connection: Connection[Event, Reply]) -> None:
            if tls is not None:
                await connection.handshake()
            await self.server.session(connection, service)

        def connection() -> LocalConnection:
            made = LocalConnection(self.server.engine(), ready)
            if tls is not None:
                made.expect_tls(tls)
            return made

        tls = self._tls if service == "pop3s" else None
        self.sockets.append(theirs)
        await loop.connect_accepted_socket(connection, ours)
        return theirs

    async def dial(self, service: str = "pop3") -> Streams:
        reader, writer = await asyncio.open_connection(sock=await self.socket(service), limit=1 << 22)
        return reader, writer

    async def poplib(self, work: Callable[["Client"], T], *, tls: ssl.SSLContext | None = None) -> T:
        """What `work` gets done with Python's client, in a thread."""
        theirs = await self.socket("pop3s" if tls else "pop3")

        def run() -> T:
            theirs.settimeout(20)
            return work(Client(tls.wrap_socket(theirs, server_hostname="localhost") if tls else theirs))

        return await asyncio.to_thread(run)

    async def inbox(self) -> FolderRef:
        found = await self.store.find(ALICE, INBOX)
        assert found is not None
        return found.ref

    async def deliver(self, *contents: bytes) -> list[int]:
        """Messages into alice's INBOX; their UIDs."""
        ref = await self.inbox()
        done = await self.store.commit([Append(ref, Rendition(b"", self.spool.hold(each))) for each in contents])
        assert all(isinstance(one, Appended) for one in done)
        return [one.uid for one in done if isinstance(one, Appended)]

    async def left(self) -> dict[int, int]:
        """uid -> flags of what is in alice's INBOX."""
        return {row[0]: row[1] for row in await self.store.flags(await self.inbox(), ALL)}


class Client(poplib.POP3):
    """Python's client over a socket that is open already."""

    def __init__(self, sock: socket.socket) -> None:
        self._given = sock
        super().__init__("localhost")

    def _create_socket(self, timeout: float) -> socket.socket:
        return self._given

    def sign_in(self) -> "Client":
        self.user("alice")
        self.pass_(PASSWORD)
        return self
