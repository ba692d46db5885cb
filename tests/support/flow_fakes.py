"""Ports of the mail flow for unit tests: a directory from a table, a store that only remembers, names and servers that
the test scripts."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from whimbrel.core.address import Address, Domain
from whimbrel.core.commit import Appended, Commit, Enqueue, PassOn, Work
from whimbrel.core.directory import Account, Directory, LocalDomain, Rights, Target, TargetKind
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import INBOX, AccountId, Folder, FolderRef, FolderStatus, MailboxId, SpecialUse, Usage
from whimbrel.core.net import Connector, Link, Mx, NoSuchName, Resolver, TlsInfo, TlsMode, TlsPolicy
from whimbrel.core.queue import LOCAL as HERE
from whimbrel.core.queue import (
    MIXED,
    Deferral,
    LaneCounts,
    Queue,
    QueueCounts,
    QueueFilter,
    QueueItem,
    QueuePage,
    QueueRecipient,
    RecipientState,
)
from whimbrel.core.spool import Spool, Spooled, SpoolWriter
from whimbrel.core.values import Secret

LOCAL = "example.test"


def address(text: str) -> Address:
    return Address.parse(text)


def account(
    text: str,
    *,
    enabled: bool = True,
    forward_to: Iterable[str] = (),
    keep_copy: bool = False,
    quota_bytes: int = 0,
    max_message_size: int = 0,
    rights: Rights = Rights.NONE,
) -> Account:
    return Account(
        id=AccountId(text),
        address=address(text),
        full_name="",
        enabled=enabled,
        password=Secret(""),
        rights=rights,
        quota_bytes=quota_bytes,
        quota_messages=0,
        max_message_size=max_message_size,
        forward_to=tuple(address(to) for to in forward_to),
        keep_copy=keep_copy,
    )


class FakeDirectory:
    """Exact entries, then `*` in a local part, then the catch-all, as the port says."""

    def __init__(self, *, domains: Mapping[str, Sequence[str]] | None = None) -> None:
        """`domains`: names with their aliases; the first is the primary one."""
        names = domains if domains is not None else {LOCAL: ("alias.test",)}
        self._domains = tuple(
            LocalDomain(Domain(name), at == 0, tuple(Domain(alias) for alias in aliases))
            for at, (name, aliases) in enumerate(names.items())
        )
        self.accounts: dict[str, Account] = {}
        self.targets: dict[str, Target] = {}
        self.down = False

    def user(self, text: str, **values: object) -> Account:
        made = account(text, **values)  # type: ignore[arg-type]
        self.accounts[made.address.key] = made
        return made

    def alias(self, text: str, *members: str, kind: TargetKind = TargetKind.ALIAS) -> None:
        """`*-list@example.test` is a wildcard, `@example.test` the catch-all."""
        kind = TargetKind.CATCH_ALL if text.startswith("@") else kind
        self.targets[text] = Target(kind, text, members=tuple(address(member) for member in members))

    async def domain(self, name: str) -> LocalDomain | None:
        if self.down:
            raise MailError(451, "4.3.0", "The directory is not available now")
        return next((one for one in self._domains if name == one.name or name in one.aliases), None)

    async def primary(self) -> LocalDomain:
        return self._domains[0]

    async def resolve(self, address: Address) -> Target | None:
        domain = await self.domain(address.domain)
        if domain is None:
            return None
        local = address.local.casefold()
        key = f"{local}@{domain.name}"
        if key in self.accounts:
            return Target(TargetKind.ACCOUNT, key, self.accounts[key])
        if key in self.targets:
            return self.targets[key]
        for pattern, target in self.targets.items():
            start, star, end = pattern.partition("*")
            if star and key.startswith(start) and key.endswith(end):
                return target
        return self.targets.get(f"@{domain.name}")

    async def account(self, account: AccountId) -> Account | None:
        return self.accounts.get(account)

    async def sign_in(self, name: str) -> Account | None:
        return self.accounts.get(name)

    async def domains(self) -> tuple[LocalDomain, ...]:
        return self._domains

    async def administrators(self) -> tuple[Account, ...]:
        return tuple(one for one in self.accounts.values() if one.rights is Rights.SERVER_WRITE and one.enabled)


class HeldContent:
    """Content in memory that knows whether it was closed."""

    def __init__(self, content: bytes) -> None:
        self.content, self.closed = content, False

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def head(self) -> bytes:
        return self.content[: 64 * 1024]

    async def read(self, start: int = 0, length: int | None = None) -> bytes:
        assert not self.closed
        return self.content[start:] if length is None else self.content[start : start + length]

    def close(self) -> None:
        self.closed = True


class MemorySpoolWriter:
    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.blocks.append(data)

    async def finish(self, *, crlf: bool = False) -> HeldContent:
        return HeldContent(b"".join(self.blocks))

    def discard(self) -> None:
        self.blocks.clear()


class MemorySpool:
    def start(self) -> MemorySpoolWriter:
        return MemorySpoolWriter()

    def hold(self, content: bytes) -> HeldContent:
        return HeldContent(content)


@dataclass(frozen=True, slots=True)
class Stored:
    """A message in a folder."""

    account: str
    folder: str
    content: bytes
    queue_id: str
    recipient: str


class FakeStore:
    """Folders and Commit: remembers what was filed and queued, and fails where it is told to."""

    def __init__(self) -> None:
        self.filed: list[Stored] = []
        self.queued: list[tuple[QueueItem, bytes]] = []
        self.passed_on: list[PassOn] = []
        self.commits = 0
        self.failures: dict[str, list[Exception]] = {}
        """By account, or "" for the queue: what the next appends raise."""
        self.barrier: MailError | None = None
        self.usages: dict[str, Usage] = {}
        self.finds = 0
        self.generation: dict[str, int] = {}

    def content_of(self, account: str) -> list[bytes]:
        return [one.content for one in self.filed if one.account == account]

    async def commit(self, work: Sequence[Work]) -> Sequence[Appended | Exception | None]:
        self.commits += 1
        if self.barrier is not None:
            raise self.barrier
        return [await self._one(item) for item in work]

    async def _one(self, item: Work) -> Appended | Exception | None:
        if isinstance(item, PassOn):
            if failures := self.failures.get(""):
                return failures.pop(0)
            for each in item.entries:
                await self._one(each)
            self.passed_on.append(item)
            return None
        content = item.rendition.prefix + await item.rendition.content.read()
        if isinstance(item, Enqueue):
            if failures := self.failures.get(""):
                return failures.pop(0)
            self.queued.append((item.item, content))
            return None
        if failures := self.failures.get(item.folder.account):
            return failures.pop(0)
        key = (item.folder.account, item.queue_id, item.recipient)
        if item.queue_id and any((one.account, one.queue_id, one.recipient) == key for one in self.filed):
            return Appended(1, 0)
        held = self.usages.get(item.folder.account, Usage(0, 0))
        if item.limit is not None and item.limit.exceeded(held, len(content), 1):
            return MailboxError(Condition.OVERQUOTA, "Mailbox is full")
        name = item.folder.mailbox.partition(":")[0]
        self.filed.append(Stored(item.folder.account, name, content, item.queue_id, item.recipient))
        return Appended(1, len(self.filed))

    def _folder(self, account: AccountId, name: str, use: SpecialUse | None = None) -> Folder:
        return Folder(FolderRef(account, MailboxId(f"{name}:{self.generation.get(account, 0)}")), name, use)

    async def list(self, account: AccountId) -> Sequence[Folder]:
        return [self._folder(account, INBOX), self._folder(account, "Junk", SpecialUse.JUNK)]

    async def find(self, account: AccountId, name: str) -> Folder | None:
        self.finds += 1
        return self._folder(account, name) if name == INBOX else None

    async def create(self, account: AccountId, name: str, special_use: SpecialUse | None = None) -> Folder:
        return self._folder(account, name, special_use)

    async def delete(self, account: AccountId, name: str) -> None: ...

    async def rename(self, account: AccountId, old: str, new: str) -> None: ...

    async def subscribe(self, account: AccountId, name: str, *, subscribed: bool) -> None: ...

    async def subscriptions(self, account: AccountId) -> Sequence[str]:
        return []

    async def status(self, ref: FolderRef) -> FolderStatus:
        raise KeyError(ref)

    async def statuses(self, account: AccountId) -> Mapping[MailboxId, FolderStatus]:
        return {}

    async def usage(self, account: AccountId) -> Usage:
        return self.usages.get(account, Usage(0, 0))

    async def annotations(self, account: AccountId, mailbox: MailboxId | None) -> Mapping[str, bytes]:
        return {}

    async def annotate(
        self, account: AccountId, mailbox: MailboxId | None, changes: Mapping[str, bytes | None]
    ) -> None: ...


class MemoryQueue:
    """The port Queue, enough for the worker."""

    def __init__(self) -> None:
        self.items: dict[str, QueueItem] = {}
        self.contents: dict[str, bytes] = {}
        self.leases: dict[str, float] = {}
        self.updates: list[QueueItem] = []
        self.proven: dict[str, bool] = {}
        self.deferrals: list[Deferral] = []
        self.restrained: list[tuple[float, float]] = []
        self.records: list[tuple[str, dict[int, QueueRecipient]]] = []
        self._changed = asyncio.Event()

    def add(self, item: QueueItem, content: bytes) -> None:
        self.items[item.id], self.contents[item.id] = replace(item, size=len(content)), content
        self._changed.set()

    async def lease(
        self,
        now: float,
        limit: int,
        seconds: float,
        *,
        each: int | None = None,
        room: Mapping[str, int] | None = None,
        unverified: int | None = None,
    ) -> Sequence[QueueItem]:
        left, due, met = dict(room or {}), list[QueueItem](), set[str]()
        for item in self.items.values():
            if item.held or item.next_attempt > now or self.leases.get(item.id, 0) > now:
                continue
            lane = item.lane
            if unverified is not None and lane not in (HERE, MIXED) and not self.proven.get(lane):
                if lane in met or len(met) >= unverified or left.get(lane, 1) <= 0:
                    continue
                met.add(lane)
            elif len(due) - len(met) >= limit or left.setdefault(lane, limit if each is None else each) <= 0:
                continue
            else:
                left[lane] -= 1
            due.append(item)
        self.leases.update((item.id, now + seconds) for item in due)
        return due

    async def verify(self, names: Mapping[str, bool]) -> None:
        self.proven |= names

    async def defer(self, deferrals: Sequence[Deferral]) -> int:
        count = 0
        for one in deferrals:
            self.deferrals.append(one)
            for item in self.items.values():
                idle = item.next_attempt <= one.now and self.leases.get(item.id, 0) <= one.now and one.whole
                if item.lane == one.lane and (idle or item.id in one.leased) and not item.urgent:
                    self.items[item.id] = replace(item, next_attempt=one.until)
                    self.leases.pop(item.id, None)
                    count += 1
        return count

    async def restrain(self, now: float, longest: float) -> None:
        self.restrained.append((now, longest))

    async def back(self, ids: Sequence[str]) -> None:
        for name in ids:
            self.leases.pop(name, None)

    async def record(self, queue_id: str, recipients: Mapping[int, QueueRecipient]) -> None:
        self.records.append((queue_id, dict(recipients)))

    async def renew(self, ids: Sequence[str], until: float) -> None:
        self.leases.update((name, until) for name in ids)

    async def update(self, item: QueueItem) -> None:
        self.updates.append(item)
        self.leases.pop(item.id, None)
        if item.id in self.items:
            self.items[item.id] = item
            if not item.waiting:
                del self.items[item.id], self.contents[item.id]

    async def finish(self, ids: Sequence[str]) -> None:
        for name in ids:
            if (item := self.items.get(name)) is not None:
                sent = tuple(
                    replace(one, state=RecipientState.RELAYED) if one.state is RecipientState.WAITING else one
                    for one in item.recipients
                )
                await self.update(replace(item, recipients=sent))

    async def next_due(self) -> float | None:
        times = [max(i.next_attempt, self.leases.get(i.id, 0)) for i in self.items.values() if not i.held]
        return min(times, default=None)

    async def get(self, queue_id: str) -> QueueItem | None:
        return self.items.get(queue_id)

    async def select(self, which: QueueFilter, limit: int = 1000, offset: int = 0) -> Sequence[QueueItem]:
        return list(self.items.values())[offset : offset + limit]

    async def page(
        self, which: QueueFilter, limit: int, order: str = "created", after: str = "", skip: int = 0
    ) -> QueuePage:
        return QueuePage(tuple(self.items.values())[:limit], len(self.items), "")

    async def counts(self, now: float) -> QueueCounts:
        return QueueCounts(len(self.items), 0, 0, 0)

    async def content(self, queue_id: str, start: int = 0, length: int | None = None) -> bytes | None:
        found = self.contents.get(queue_id)
        return None if found is None else (found[start:] if length is None else found[start : start + length])

    async def hold(self, which: QueueFilter, *, held: bool) -> int:
        return 0

    async def try_now(self, which: QueueFilter, now: float) -> int:
        return 0

    async def delete(self, which: QueueFilter) -> int:
        return 0

    async def give_up(self, which: QueueFilter, status: str, now: float) -> int:
        return 0

    async def count(self, which: QueueFilter) -> int:
        return len(self.items)

    async def lanes(self, limit: int) -> Sequence[LaneCounts]:
        return []

    async def wait(self, seconds: float) -> None:
        await self._changed.wait()
        self._changed.clear()


class FakeResolver:
    """Zones from the test. A value that is an exception is raised."""

    def __init__(self) -> None:
        self.exchangers: dict[str, list[Mx] | Exception] = {}
        self.hosts: dict[str, list[str] | Exception] = {}
        self.texts: dict[str, list[str] | Exception] = {}
        self.pointers: dict[str, list[str] | Exception] = {}
        self.asked: list[str] = []
        """Names whose TXT was asked for."""

    async def mx(self, domain: str) -> list[Mx]:
        found = self.exchangers.get(domain)
        if isinstance(found, Exception):
            raise found
        if found is None and domain not in self.hosts:
            raise NoSuchName(domain)
        return found or []

    async def addresses(self, host: str) -> list[str]:
        found = self.hosts.get(host)
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise NoSuchName(host)
        return found

    async def family(self, host: str, version: int) -> list[str]:
        return [ip for ip in await self.addresses(host) if (":" in ip) is (version == 6)]

    async def txt(self, name: str) -> list[str]:
        self.asked.append(name)
        found = self.texts.get(name.lower())
        if isinstance(found, Exception):
            raise found
        if found is None:
            if name.lower() in self.hosts:
                return []
            raise NoSuchName(name)
        return found

    async def exists(self, name: str) -> bool:
        return name in self.hosts

    async def reverse(self, ip: str) -> list[str]:
        found = self.pointers.get(ip)
        if isinstance(found, Exception):
            raise found
        return found or []


Script = Callable[[str], str | None]
"""What a server answers to a line; None closes the connection. The content ends up in `ScriptedServer.messages`."""


@dataclass(slots=True)
class ScriptedServer:
    """A server as the tests want it: answers by command, RCPT by address."""

    name: str = "mx.remote.test"
    greeting: str = "220 {name} ESMTP"
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 10000000", "STARTTLS")
    answers: dict[str, str | None] = field(default_factory=dict)
    """`RCPT TO:<a@b>` or `MAIL` or `content` -> reply; None closes."""
    tls_fails: bool = False
    messages: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    connections: int = 0

    def answer(self, line: str, otherwise: str) -> str | None:
        verb = line.split(" ")[0].upper()
        for key in (line, verb):
            if key in self.answers:
                return self.answers[key]
        return otherwise


class FakeLink:
    """The wire to a ScriptedServer."""

    def __init__(self, server: ScriptedServer, policy: TlsPolicy, peer: str) -> None:
        self._server, self._policy, self._peer = server, policy, peer
        self._out = server.greeting.format(name=server.name).encode() + b"\r\n" if server.greeting else b""
        self._in = b""
        self._tls: TlsInfo | None = None
        self._content: bytes | None = None
        self._chunks = b""
        self._sender, self._recipients = "", list[str]()
        self.closed = False
        if policy.mode is TlsMode.IMPLICIT:
            self._tls = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, verified=True)

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def local(self) -> str:
        return "127.0.0.1:40000"

    @property
    def tls(self) -> TlsInfo | None:
        return self._tls

    async def read(self) -> bytes:
        out, self._out = self._out, b""
        return out

    async def write(self, data: bytes) -> None:
        if self.closed:
            raise ConnectionResetError("closed")
        self._in += data
        while True:
            if self._content is not None:
                end = self._in.find(b"\r\n.\r\n")
                if end < 0:
                    return
                content, self._in, self._content = self._in[: end + 2], self._in[end + 5 :], None
                self._server.messages.append((self._sender, self._recipients, content))
                self._recipients = []
                self._say(self._server.answer("content", "250 2.0.0 Taken"))
                continue
            line, end_of_line, rest = self._in.partition(b"\r\n")
            if not end_of_line:
                return
            if line.startswith(b"BDAT "):
                size = int(line.split()[1])
                if len(rest) < size:
                    return
                self._chunk(line.decode(), rest[:size])
                self._in = rest[size:]
                continue
            self._in = rest
            self._server.lines.append(line.decode())
            self._command(line.decode())

    def _chunk(self, line: str, octets: bytes) -> None:
        server = self._server
        server.lines.append(line)
        self._chunks += octets
        if not self._recipients:
            self._say("554 5.5.1 No recipients")
        elif not line.endswith(" LAST"):
            self._say(server.answer(line, "250 2.0.0 Go on"))
        else:
            server.messages.append((self._sender, self._recipients, self._chunks))
            self._recipients = []
            self._say(server.answer("content", "250 2.0.0 Taken"))
        if line.endswith(" LAST"):
            self._chunks = b""

    def _command(self, line: str) -> None:
        verb = line.split(" ")[0].upper()
        server = self._server
        if verb in ("EHLO", "LHLO"):
            words = [word for word in server.extensions if not (word == "STARTTLS" and self._tls)]
            lines = [server.name, *words]
            text = "\r\n".join(f"250{'-' if at < len(lines) - 1 else ' '}{word}" for at, word in enumerate(lines))
            self._say(server.answer(line, text))
        elif verb == "DATA":
            answer = server.answer(line, "354 Go on" if self._recipients else "554 5.5.1 No recipients")
            if answer and answer.startswith("354"):
                self._content = b""
            self._say(answer)
        else:
            answer = server.answer(line, "220 Go on" if verb == "STARTTLS" else "250 2.0.0 OK")
            if answer and answer.startswith("2"):
                if verb == "MAIL":
                    self._sender, self._recipients = line, []
                elif verb == "RCPT":
                    self._recipients.append(line)
            self._say(answer)

    def _say(self, answer: str | None) -> None:
        if answer is None:
            self.closed = True
        elif not self.closed:
            self._out += answer.encode() + b"\r\n"

    async def start_tls(self) -> None:
        if self._server.tls_fails:
            self.closed = True
            raise OSError("handshake failed")
        self._tls = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)

    async def close(self) -> None:
        self.closed = True


class FakeConnector:
    """Servers by `address:port`; all other addresses refuse."""

    def __init__(self) -> None:
        self.servers: dict[str, ScriptedServer] = {}
        self.opened: list[tuple[str, TlsMode]] = []

    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> FakeLink:
        self.opened.append((f"{host}:{port}", tls.mode))
        server = self.servers.get(f"{host}:{port}")
        if server is None:
            raise ConnectionRefusedError("Connection refused")
        server.connections += 1
        return FakeLink(server, tls, f"{host}:{port}")


def _ports() -> None:
    _1: Directory = FakeDirectory()
    _2: Spool = MemorySpool()
    _3: SpoolWriter = MemorySpoolWriter()
    _4: Spooled = HeldContent(b"")
    _5: Commit = FakeStore()
    _6: Queue = MemoryQueue()
    _7: Resolver = FakeResolver()
    _8: Connector = FakeConnector()
    _9: Link = FakeLink(ScriptedServer(), TlsPolicy(), "")
