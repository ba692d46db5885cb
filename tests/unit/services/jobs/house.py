"""Jobs on a store and a directory file of their own, with everything else in memory."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.support.fakes import FakeClock, FakeConfig, FakeIds, InlinePool, MemoryLog, MemoryState
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.core.mailbox import INBOX, AccountId
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.health.board import Board
from whimbrel.services.jobs.job import JobContext

FILE = """<?xml version="1.0" encoding="UTF-8"?>
<users version="1.0">
  <domain name="example.org">
    <primary>yes</primary>{domain}
    <user name="alice"><full-name>Alice Adams</full-name>{alice}</user>
    <user name="bob"/>
  </domain>
</users>
"""
ALICE, BOB = AccountId("alice@example.org"), AccountId("bob@example.org")


@dataclass
class Intake:
    taken: list[tuple[list[str], bytes]] = field(default_factory=list)
    error: MailError | None = None

    async def submit(self, message: Internal) -> str:
        if self.error is not None:
            raise self.error
        assert message.envelope.sender is None
        to = [str(recipient.address) for recipient in message.envelope.recipients]
        self.taken.append((to, await message.content.read()))
        return "q1"


@dataclass
class Room:
    short: bool = False
    folder: str = "/srv/store"
    free: int = 900 << 20
    word: str = "enough"


@dataclass(frozen=True)
class Purged:
    messages: int
    bytes: int


@dataclass
class Keeping:
    """Store, log files, certificate and configuration files, as jobs look after them."""

    maintained: int = 0
    rotated: int = 0
    indexes: int = 0
    """Pieces that are left to be indexed."""
    due: int = 0
    shorts: list[bool] = field(default_factory=list)
    state: str = ""
    different: list[str] = field(default_factory=list)

    async def accounts(self) -> list[AccountId]:
        return [ALICE, BOB, AccountId("gone@example.org")]

    async def maintain(self, pause: float) -> int:
        self.maintained += 1
        return 7

    async def round(self, accounts: Sequence[AccountId]) -> Purged:
        return Purged(self.due, self.due * 100)

    async def short(self) -> bool:
        return bool(self.shorts) and self.shorts.pop(0)

    async def relieve(self, accounts: Sequence[AccountId], short: Callable[[], Awaitable[bool]]) -> Purged:
        return Purged(self.due, self.due * 100)

    async def remove_due(self) -> list[str]:
        return []

    async def purge_due(self) -> list[str]:
        return []

    def rotate(self) -> None:
        self.rotated += 1

    def index(self) -> bool:
        self.indexes = max(0, self.indexes - 1)
        return self.indexes > 0

    def pause(self) -> float:
        return 10.0

    def ensure_certificate(self) -> bool:
        return False

    def edited(self) -> str:
        return self.state

    async def differ(self) -> list[str]:
        return self.different


class House:
    def __init__(self, folder: Path, *, domain: str = "", alice: str = "") -> None:
        path, index = folder / "users.cfg", folder / "users.idx"
        path.write_text(FILE.format(domain=domain, alice=alice), encoding="utf-8")
        self.path = path
        self.editor = DirectoryFile(path, index, records=RECORDS, pool=InlinePool())
        self.editor.open()
        self.directory = IndexDirectory(index)
        self.clock, self.log, self.state = FakeClock(), MemoryLog(), MemoryState()
        self.store, self.spool, self.intake = MemoryStore(self.clock), MemorySpool(), Intake()
        self.config = FakeConfig()
        self.pauses: list[float] = []
        self.room = Room()
        self.keeping = Keeping()
        self.notices = LocalNotices()
        self.ctx = JobContext(
            maintenance=self.keeping, self_check=lambda: 21_600.0, purging=self.keeping,
             rotation=self.keeping, departures=self.keeping, certificates=self.keeping,
            room=lambda: self.room, edited=self.keeping,
            folders=self.store, messages=self.store, directory=self.directory,
            editor=self.editor, state=self.state, intake=self.intake, spool=self.spool, config=self.config,
            health=Board((), cast(Any, None), self.log), peers=cast(Any, None),
            notices=self.notices, pool=InlinePool(), clock=self.clock, ids=FakeIds(), log=self.log, pause=self._pause,
            keys=cast(Any, None), resolver=cast(Any, None),
        )  # fmt: skip

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.forward(seconds)

    async def put(self, account: AccountId, octets: int, count: int = 1) -> None:
        found = await self.store.find(account, INBOX) or (await self.store.list(account))[0]
        content = b"Subject: x\r\n\r\n".ljust(octets, b"x")
        await self.store.commit([Append(found.ref, Rendition(b"", self.spool.hold(content)))] * count)

    async def delete_all(self, account: AccountId) -> None:
        from whimbrel.core.uids import ALL

        found = await self.store.find(account, INBOX)
        assert found is not None
        await self.store.expunge(found.ref, ALL, marked=False)

    def close(self) -> None:
        self.editor.close()
        self.directory.close()
