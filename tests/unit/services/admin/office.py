"""An administration to test calls in: both files real in a temporary folder, everything else in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.fakes import FakeClock, InlinePool, MemoryIntents, MemoryLog, MemoryState
from whimbrel.app.config_files import FormerVersions
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.dkim_keys import DkimKeyFiles
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.store.memory.mailboxes import MemoryMailboxes
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.address import Address
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.log import LogLine, LogPage, LogQuery
from whimbrel.core.mailbox import AccountId, Usage
from whimbrel.core.queue import LaneCounts, QueueCounts, QueueFilter, QueueItem, QueuePage, QueueRecipient
from whimbrel.core.values import Secret
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.invoke import invoke, stream
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.admin.ports import Checked, FolderSize, Listening, Process, Running
from whimbrel.services.admin.table import all_calls
from whimbrel.services.admin.web import application

CALLS = {call.name: call for call in all_calls()}


class MemoryQueue:
    """Entries in a list."""

    def __init__(self, *items: QueueItem) -> None:
        self.items = list(items)
        self.tried: list[str] = []
        self.returned: list[tuple[str, str]] = []
        self.contents: dict[str, bytes] = {}

    def _chosen(self, which: QueueFilter) -> list[QueueItem]:
        return [
            item
            for item in self.items
            if (not which.ids or item.id in which.ids)
            and which.sender in str(item.sender)
            and (not which.recipient or any(which.recipient in str(r.recipient.address) for r in item.recipients))
            and which.status in " ".join(r.status for r in item.recipients)
            and (which.older_than is None or item.created < which.older_than)
            and (which.held is None or item.held == which.held)
            and (which.size_over is None or item.size > which.size_over)
            and which.text
            in f"{item.id} {item.sender} {[str(r.recipient.address) + r.status for r in item.recipients]}"
        ]

    async def lease(self, now: float, limit: int, seconds: float) -> Sequence[QueueItem]:
        return []

    async def update(self, item: QueueItem) -> None: ...

    async def next_due(self) -> float | None:
        return None

    async def get(self, queue_id: str) -> QueueItem | None:
        return next((item for item in self.items if item.id == queue_id), None)

    async def select(self, which: QueueFilter, limit: int = 1000, offset: int = 0) -> Sequence[QueueItem]:
        return self._chosen(which)[offset : offset + limit]

    async def page(
        self, which: QueueFilter, limit: int, order: str = "created", after: str = "", skip: int = 0
    ) -> QueuePage:
        chosen = self._chosen(which)
        if order != "created":
            chosen.sort(key=lambda item: (getattr(item, order.removeprefix("-")), item.id))
        rest = (chosen[::-1] if order.startswith("-") else chosen)[int(after or 0) + skip :]
        return QueuePage(tuple(rest[:limit]), len(chosen), str(int(after or 0) + limit) if rest[limit:] else "")

    async def counts(self, now: float) -> QueueCounts:
        held = sum(item.held for item in self.items)
        return QueueCounts(len(self.items) - held, held, 0, sum(item.size for item in self.items))

    async def content(self, queue_id: str, start: int = 0, length: int | None = None) -> bytes | None:
        content = self.contents.get(queue_id)
        return None if content is None else content[start:][:length]

    async def hold(self, which: QueueFilter, *, held: bool) -> int:
        chosen = self._chosen(which)
        self.items = [replace(item, held=held) if item in chosen else item for item in self.items]
        return len(chosen)

    async def try_now(self, which: QueueFilter, now: float) -> int:
        self.tried += [item.id for item in self._chosen(which)]
        return len(self._chosen(which))

    async def delete(self, which: QueueFilter) -> int:
        chosen = self._chosen(which)
        self.items = [item for item in self.items if item not in chosen]
        return len(chosen)

    async def wait(self, seconds: float) -> None: ...

    async def count(self, which: QueueFilter) -> int:
        return len(self._chosen(which))

    async def give_up(self, which: QueueFilter, status: str, now: float) -> int:
        self.returned += [(item.id, status) for item in self._chosen(which)]
        return len(self._chosen(which))

    async def lanes(self, limit: int) -> Sequence[LaneCounts]:
        rows: dict[str, list[QueueItem]] = {}
        for item in self.items:
            rows.setdefault(item.lane, []).append(item)
        return [
            LaneCounts(
                lane, sum(not one.held for one in some), sum(one.held for one in some), sum(one.size for one in some),
                min(one.created for one in some), min(one.next_attempt for one in some), some[0].recipients[0].status,
            )
            for lane, some in rows.items()
        ][:limit]  # fmt: skip


class MemoryKeeper:
    """Folders with what is wrong in them."""

    def __init__(self) -> None:
        self.folders = {"alice@example.org": {"INBOX": ("2 messages without a complete file",), "Sent": ()}}
        self.reindexed: list[str] = []

    async def accounts(self) -> Sequence[AccountId]:
        return [AccountId(name) for name in self.folders]

    async def check(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        for name, problems in self._chosen(account, folder).items():
            yield Checked(account, name, 3, problems)

    async def reindex(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        for name in self._chosen(account, folder):
            self.reindexed.append(name)
            yield Checked(account, name, 3, (), ("1 message was not in the index",))

    async def repair(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        for name, problems in self._chosen(account, folder).items():
            yield Checked(account, name, 3, (), problems)

    async def sizes(self, account: AccountId) -> AsyncIterator[FolderSize]:
        for name in self._chosen(account, ""):
            yield FolderSize(account, name, 3, 3000, 1, 1000)

    async def usage(self, account: AccountId) -> Usage:
        folders = self._chosen(account, "")
        return Usage(3000 * len(folders), 3 * len(folders))

    def _chosen(self, account: AccountId, folder: str) -> dict[str, tuple[str, ...]]:
        found = {name: p for name, p in self.folders.get(account, {}).items() if folder in ("", name)}
        if not found:
            raise MailboxError(Condition.NONEXISTENT, f"{account} has no folder {folder}")
        return found


class MemoryLogs:
    texts = ("one", "two Alice", "three")

    def __init__(self) -> None:
        self.rotated: list[str] = []

    async def search(self, query: LogQuery, limit: int, cursor: str = "") -> LogPage:
        lines = [LogLine(query.logs[0], 0.0, line) for line in self.texts if query.text.lower() in line.lower()]
        return LogPage(tuple(lines[::-1] if query.newest_first else lines)[:limit])

    async def lines(self, log: str, file: int, first: int, count: int) -> Sequence[LogLine]:
        if file:
            raise ValueError("mail.log.1 is not there")
        return [LogLine(log, 0.0, text) for text in self.texts][first - 1 : first - 1 + count]

    async def rotate(self, logs: Sequence[str]) -> Sequence[str]:
        self.rotated += logs
        return list(logs)

    async def follow(self, logs: Sequence[str]) -> AsyncIterator[LogLine]:
        for number in range(3):
            yield LogLine(logs[0], 0.0, f"new {number}")


class StandingServer:
    async def running(self) -> Running:
        return Running(
            "1.0", 42, 1_790_000_000.0, (Process("mail/1", 43, 1 << 20),),
            (Listening("imap", ("127.0.0.1:143",)), Listening("smtp", (), ("*:25: the port is held by exim",))),
        )  # fmt: skip


def item(number: int, recipient: str = "bob@remote.test", **more: Any) -> QueueItem:
    waiting = QueueRecipient(Recipient(Address.parse(recipient)), status="4.4.1 Cannot connect")
    values: dict[str, Any] = {"created": 1_789_990_000.0, "next_attempt": 1_790_000_100.0, "size": 4096}
    return QueueItem(f"q{number}", Address.parse("alice@example.org"), (waiting,), **values | more)


async def fast_password(password: Secret) -> StoredPassword:
    return StoredPassword(Secret(f"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ${'x' * 43}"), "", {"S": Secret("S$keys")})


@dataclass
class Office:
    """Two domains (example.org is primary), alice with a password, bob."""

    folder: Path
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    keeper: MemoryKeeper = field(default_factory=MemoryKeeper)
    log: MemoryLog = field(default_factory=MemoryLog)
    clock: FakeClock = field(default_factory=FakeClock)
    state: MemoryState = field(default_factory=MemoryState)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(FakeClock()))
    intents: MemoryIntents = field(default_factory=MemoryIntents)
    warnings: list[str] = field(default_factory=list)
    """Of the last call."""

    def __post_init__(self) -> None:
        self.mailboxes = MemoryMailboxes(self.store)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.do("domain add", name="example.org")
        self.do("domain add", name="other.test", alias=["alias.test"])
        self.do("user add", name="alice@example.org", password="eine gute geheime", full_name="Alice Adams")
        self.do("user add", name="bob@other.test")

    def context(self, **more: Any) -> AdminContext:
        if "config" in more:  # The files may be broken by now; those in use are given.
            return AdminContext(**self._rest() | more)
        config = FileConfig(self.folder / "mailserver.cfg", MailServer)
        config.load()
        directory = IndexDirectory(self.folder / "users.idx")
        editor = DirectoryFile(
            self.folder / "users.cfg", self.folder / "users.idx", records=RECORDS, changed=directory.refresh
        )
        editor.open()
        own = {
            "config": config,
            "editor": editor,
            "directory": directory,
            "files": FormerVersions(config, editor),
        }
        return AdminContext(**self._rest() | own | more)

    def _rest(self) -> dict[str, Any]:
        return {
            "clock": self.clock,
            "log": self.log,
            "make_password": fast_password,
            "queue": self.queue,
            "store": self.keeper,
            "logs": MemoryLogs(),
            "status": StandingServer(),
            "state": self.state,
            "mailboxes": self.mailboxes,
            "intents": self.intents,
            "keys": DkimKeyFiles(self.folder / "keys" / "dkim", self.folder, InlinePool(), self.clock),
            "live": True,
        }

    def do(self, call: str, context: dict[str, Any] | None = None, /, **arguments: Any) -> Any:
        """One call with arguments as JSON has them."""

        async def work() -> Any:
            ctx = self.context(**(context or {}))
            self.warnings = ctx.warnings
            return await invoke(CALLS[call], ctx, arguments)

        return asyncio.run(work())

    def mail(self, account: str, count: int = 1) -> None:
        """So many messages into INBOX."""

        async def work() -> None:
            inbox = await self.store.find(AccountId(account), "INBOX")
            assert inbox is not None
            spool = MemorySpool()
            await self.store.commit(
                [
                    Append(inbox.ref, Rendition(b"", spool.hold(b"Subject: %d\r\n\r\n" % number)))
                    for number in range(count)
                ]
            )

        asyncio.run(work())

    def held(self, account: str) -> int:
        """Messages in a mailbox."""
        return asyncio.run(self.store.usage(AccountId(account))).messages

    def stream(self, call: str, /, **arguments: Any) -> list[Any]:
        async def work() -> list[Any]:
            return [found async for found in stream(CALLS[call], self.context(), arguments)]

        return asyncio.run(work())

    @property
    def users(self) -> str:
        return (self.folder / "users.cfg").read_text()

    @property
    def settings(self) -> str:
        path = self.folder / "mailserver.cfg"
        return path.read_text() if path.exists() else ""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


def ask(
    context: Callable[[], AdminContext],
    path: str,
    body: bytes | dict[str, Any] = b"",
    *,
    method: str = "POST",
    kind: str = "application/json",
    pieces: int = 1,
    match: str = "",
    headers: Mapping[str, str] | None = None,
    after: Callable[[], Awaitable[None]] | None = None,
) -> Answer:
    """One HTTP request, straight into the application. `after`: what is done in the same loop when it is answered."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    size = max(1, -(-len(content) // pieces))
    chunks = [content[start : start + size] for start in range(0, len(content), size)] or [b""]
    target, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "headers": [
            (b"content-type", kind.encode()),
            *([(b"if-match", match.encode())] if match else []),
            *((name.lower().encode(), value.encode()) for name, value in (headers or {}).items()),
        ],
        "scheme": "http",
        "root_path": "",
        "client": None,
        "server": None,
    }
    sent: list[dict[str, Any]] = []

    async def work() -> None:
        ctx = context()

        async def receive() -> dict[str, Any]:
            if chunks:
                chunk = chunks.pop(0)
                return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        await application(all_calls(), lambda request: ctx)(scope, receive, send)
        if after is not None:
            await after()

    asyncio.run(work())
    begun = next(m for m in sent if m["type"] == "http.response.start")
    content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return Answer(begun["status"], content, {name.decode(): value.decode() for name, value in begun["headers"]})
