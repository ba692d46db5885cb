"""Jobs on a store and a directory file of their own, with everything else in memory."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.support.fakes import FakeClock, FakeConfig, FakeIds, InlinePool, MemoryLog, MemoryState
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.core.mailbox import INBOX, AccountId
from whimbrel.services.admin.records import RECORDS
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
        self.ctx = JobContext(
            accounts=self._accounts, folders=self.store, messages=self.store, directory=self.directory,
            editor=self.editor, state=self.state, intake=self.intake, spool=self.spool, config=self.config,
            clock=self.clock, ids=FakeIds(), log=self.log, pause=self._pause,
        )  # fmt: skip

    async def _accounts(self) -> list[AccountId]:
        return [ALICE, BOB, AccountId("gone@example.org")]

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
