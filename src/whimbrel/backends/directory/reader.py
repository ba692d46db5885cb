"""The port Directory on `users.idx`: what every worker asks for every recipient and every sign-in.

Answers are kept in memory, boundedly, and forgotten when the index changed; that is looked at at most every 50 ms,
so a change is in force everywhere within that time. The database is opened at the first question: after a fork.

An index that is missing, empty, damaged or not its writer's never says that somebody is unknown. Who has the whole
former one open goes on with that until the new one is whole; everybody else hears that the directory is not available
now, and what was read while the file changed is read again.
"""

import os
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import apsw

from whimbrel.backends.directory import index
from whimbrel.backends.directory.index import ALIAS, DOMAIN, GROUP, USER
from whimbrel.backends.directory.people import listed_people
from whimbrel.backends.directory.wildcard import matches
from whimbrel.backends.directory.words import asked
from whimbrel.core.address import Address, Domain
from whimbrel.core.cleanout import DomainRetention, UserCleanOut, in_force
from whimbrel.core.directory import (
    Account,
    Directory,
    Listed,
    LocalDomain,
    People,
    PeopleSource,
    Replicated,
    Target,
    TargetKind,
)
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.people import (
    Access,
    AliasTargets,
    CatchAll,
    DomainNames,
    Forwarding,
    Membership,
    Person,
    full_address,
)
from whimbrel.core.quota import DomainLimits, DomainMessageSize, MailboxQuota, UserMessageSize
from whimbrel.core.record import Record
from whimbrel.core.rights import NOTHING, Grants
from whimbrel.core.values import Duration

T = TypeVar("T")

Stamp = tuple[int, int, int, int]
"""Device, inode, size and time of change."""

_CHECK_EVERY: Final = 0.05
_TRIES: Final = 3
_KEPT: Final = 4096
_KINDS: Final = {USER: TargetKind.ACCOUNT, ALIAS: TargetKind.ALIAS, GROUP: TargetKind.GROUP}
_MAX_NAME: Final = 320
_MAX_PEOPLE: Final = 100


class Lru(Generic[T]):
    """The last so many answers; None is an answer too."""

    __slots__ = ("_limit", "_values")

    def __init__(self, limit: int) -> None:
        self._limit, self._values = limit, dict[str, T]()

    def get(self, key: str, default: T) -> T:
        """Does not renew: entries leave in the order they came, which costs nothing on a hit."""
        return self._values.get(key, default)

    def put(self, key: str, value: T) -> None:
        if len(self._values) >= self._limit:
            for old in list(self._values)[: self._limit // 8 or 1]:
                del self._values[old]
        self._values[key] = value

    def clear(self) -> None:
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class _Domain:
    id: int
    local: LocalDomain
    catch_all: str
    patterns: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Unasked:
    """Told apart from None, which is an answer."""


_UNASKED: Final = _Unasked()


class IndexDirectory:
    """Read-only; one for each process. Of users.cfg, and of the directory services whose people are replicated: what
    users.cfg says of a person lies over what the service says."""

    def __init__(
        self,
        path: Path,
        *,
        sources: Sequence[PeopleSource] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sources` in the order in which they are asked; who is in none of them but in the file is of the file."""
        self._path, self._sources, self._monotonic = path, tuple(sources), monotonic
        self._versions: tuple[object, ...] = ()
        self._db: apsw.Connection | None = None
        self._inode = self._version = self._changes = self._reads = 0
        self._seen: Stamp = (0, 0, 0, 0)  # The file as it was when last looked at.
        self._checked = float("-inf")
        self._targets: Lru[Target | _Unasked | None] = Lru(_KEPT)
        self._domains: Lru[_Domain | _Unasked | None] = Lru(_KEPT // 4)
        self._accounts: Lru[Account | _Unasked | None] = Lru(_KEPT)

    def refresh(self) -> None:
        """Looks at once whether the index changed: for a notice that it did."""
        self._checked = float("-inf")

    def version(self) -> int:
        """Another number whenever the directory may have changed. MailError"""
        return self._ask(lambda: self._changes)

    def close(self) -> None:
        self.refresh()
        if self._db:
            self._db.close()
            self._db = None

    async def domain(self, name: str) -> LocalDomain | None:
        domain = self._domains.get(name, _UNASKED) if self._current else _UNASKED
        if isinstance(domain, _Unasked):
            domain = self._ask(lambda: self._domain(name))
        return domain.local if domain else None

    async def primary(self) -> LocalDomain:
        return self._ask(self._primary).local

    async def domains(self) -> tuple[LocalDomain, ...]:
        def read() -> tuple[LocalDomain, ...]:
            rows = self._rows("SELECT fold FROM node WHERE kind = ? ORDER BY fold", DOMAIN)
            return tuple(domain.local for (name,) in rows if (domain := self._domain(str(name))))

        return self._ask(read)

    async def resolve(self, address: Address) -> Target | None:
        target = self._targets.get(address.key, _UNASKED) if self._current else _UNASKED
        return self._ask(lambda: self._resolve(address)) if isinstance(target, _Unasked) else target

    async def account(self, account: AccountId) -> Account | None:
        local, _, domain = account.rpartition("@")
        return self._ask(lambda: self._account(domain, local))

    async def sign_in(self, name: str) -> Account | None:
        """A further name of a user is no login name: who signs in is found by one name only."""
        if len(name) > _MAX_NAME:
            return None
        local, at, domain = name.rpartition("@")
        if not at:
            return self._ask(lambda: self._account(self._primary().local.name, name))
        return self._ask(lambda: self._account(domain, local))

    async def administrators(self) -> tuple[Account, ...]:
        def read() -> tuple[Account, ...]:
            rows = self._rows(
                "SELECT n.name, d.name, n.data FROM node n JOIN node d ON d.id = n.domain "
                "WHERE n.admin = 1 ORDER BY n.id"
            )
            return tuple(
                account for name, domain, _ in rows if (account := self._account(str(domain), str(name))) is not None
            )

        return self._ask(read)

    # The index

    @property
    def _current(self) -> bool:
        """The index was looked at a moment ago: what is known of it counts. Each mail needs several answers."""
        return self._monotonic() - self._checked < _CHECK_EVERY

    def _ask(self, read: Callable[[], T]) -> T:
        """One answer. What was read of an index that was replaced or overwritten meanwhile is read anew."""
        problem: object = "it changes all the time"
        for _ in range(_TRIES):
            try:
                self._fresh()
                before = self._reads
                answer = read()
                if self._reads == before or self._look() == self._seen:
                    return answer
                self._forget()
            except apsw.Error as error:
                problem = error
                self.close()
        raise _unavailable(repr(problem))

    def _look(self) -> Stamp:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return 0, 0, 0, 0
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def _fresh(self) -> None:
        now = self._monotonic()
        if self._db is not None and now - self._checked < _CHECK_EVERY:
            return
        looked = self._look()
        if self._db is None or looked != self._seen:
            self._open(looked)
        assert self._db is not None
        version = self._db.execute("PRAGMA data_version").get
        versions = tuple(source.version for source in self._sources)
        if version != self._version or versions != self._versions:
            self._version, self._versions = int(str(version)), versions
            self._changes += 1
            self._forget()
        self._checked = now

    def _open(self, looked: Stamp) -> None:
        """The index that is there, if it is whole. MailError 451: it is not, and no former one is open."""
        db, inode = None, looked[1]
        try:
            if looked[2]:
                db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
                db.set_busy_timeout(5000)
                db.execute("PRAGMA cache_size = -2000")
            problem = "" if db is not None and index.whole(db, self._path, inode) else "it is missing, or not whole"
        except apsw.Error as error:
            problem = repr(error)
        if not problem:
            self.close()
            self._db, self._inode, self._seen, self._version = db, inode, looked, -1
            return
        if db is not None:
            db.close()
        if self._db is None or inode == self._inode or not index.whole(self._db, self._path, self._inode):
            self.close()
            raise _unavailable(problem)
        self._seen = looked

    def _forget(self) -> None:
        self.refresh()
        for cache in (self._targets, self._domains, self._accounts):
            cache.clear()

    def _rows(self, sql: str, *values: str | int) -> list[tuple[object, ...]]:
        assert self._db is not None
        self._reads += 1
        return list(self._db.execute(sql, values))

    def _domain(self, name: str) -> _Domain | None:
        known = self._domains.get(name, _UNASKED)
        if not isinstance(known, _Unasked):
            return known
        try:
            host = Domain(name)
        except ValueError:
            return None
        rows = self._rows(
            "SELECT d.id, d.name, d.data FROM host h JOIN node d ON d.id = h.domain WHERE h.name = ?", host
        )
        known_domain = self._made(int(str(rows[0][0])), str(rows[0][1]), str(rows[0][2])) if rows else None
        self._domains.put(name, known_domain)
        return known_domain

    def _made(self, domain: int, name: str, data: str) -> _Domain:
        record = Record(index.unpack(data))
        patterns = self._rows("SELECT pattern, id FROM wildcard WHERE domain = ? ORDER BY id", domain)
        names, limits, retention = record.part(DomainNames), record.part(DomainLimits), record.part(DomainRetention)
        local = LocalDomain(
            Domain(name),
            names.primary,
            names.domain_aliases,
            int(record.part(DomainMessageSize).max_message_size),
            int(limits.quota),
            limits.quota_messages,
            int(limits.default_quota),
            float(Duration(retention.keep_deleted)) if retention.keep_deleted else None,
            retention.clean_out,
            record,
        )
        catch_all = record.part(CatchAll).catch_all
        return _Domain(domain, local, catch_all, tuple((str(text), int(str(node))) for text, node in patterns))

    def _primary(self) -> _Domain:
        self._reads += 1
        name = index.meta(self._db, "primary") if self._db else ""
        domain = self._domain(name) if name else None
        if domain is None:
            raise MailError(451, "4.3.5", "The server is not set up yet", detail="there is no primary domain")
        return domain

    def _resolve(self, address: Address) -> Target | None:
        known = self._targets.get(address.key, _UNASKED)
        if not isinstance(known, _Unasked):
            return known
        domain = self._domain(address.domain)
        target = self._target(domain, _fold(address.local)) if domain else None
        self._targets.put(address.key, target)
        return target

    def _target(self, domain: _Domain, name: str) -> Target | None:
        where = f"{name}@{domain.local.name}"
        rows = self._rows(
            "SELECT n.kind, n.name, n.data FROM local l JOIN node n ON n.id = l.id WHERE l.domain = ? AND l.name = ?",
            domain.id,
            name,
        )
        replicated = self._replicated(domain.local.name, name) if not rows or rows[0][0] == USER else None
        if replicated is not None and not rows:
            account = _account(replicated[1].name, domain.local, {}, replicated)
            return Target(TargetKind.ACCOUNT, where, account=account)
        if not rows:
            node = next((node for pattern, node in domain.patterns if matches(pattern, name)), 0)
            rows = self._rows("SELECT kind, name, data FROM node WHERE id = ?", node) if node else []
        if rows:
            kind, entry, data = int(str(rows[0][0])), str(rows[0][1]), str(rows[0][2])
            if kind == USER:
                values = index.unpack(data)
                return Target(TargetKind.ACCOUNT, where, account=_account(entry, domain.local, values, replicated))
            record = Record(index.unpack(data))
            names = record.part(Membership).members if kind == GROUP else record.part(AliasTargets).to
            members = tuple(full_address(text, domain.local.name) for text in names)
            return Target(_KINDS[kind], f"{entry}@{domain.local.name}", members=members)
        if domain.catch_all:
            members = (full_address(domain.catch_all, domain.local.name),)
            return Target(TargetKind.CATCH_ALL, f"*@{domain.local.name}", members=members)
        return None

    def _account(self, host: str, name: str) -> Account | None:
        key = f"{name}@{host}"
        known = self._accounts.get(key, _UNASKED)
        if not isinstance(known, _Unasked):
            return known
        domain = self._domain(host)
        rows = domain and self._rows(
            "SELECT name, data FROM node WHERE kind = ? AND domain = ? AND fold = ?", USER, domain.id, _fold(name)
        )
        account = self._made_account(domain.local, _fold(name), rows or []) if domain else None
        self._accounts.put(key, account)
        return account

    def _made_account(self, local: LocalDomain, name: str, rows: list[tuple[object, ...]]) -> Account | None:
        """Of the file's record, of a directory service's person, or of both."""
        replicated = self._replicated(local.name, name)
        if replicated is not None and replicated[1].name.casefold() != name:
            replicated = None  # Called by a further name.
        if rows:
            return _account(str(rows[0][0]), local, index.unpack(str(rows[0][1])), replicated)
        return _account(replicated[1].name, local, {}, replicated) if replicated is not None else None

    def _replicated(self, domain: str, name: str) -> tuple[str, Replicated] | None:
        """The source and the person. MailError 451: a source knows nobody yet."""
        for source in self._sources:
            person = source.find(domain, name)
            if person is not None:
                return source.name, person
        return None

    # People

    async def people(self, prefix: str, *, domains: frozenset[str] | None = None, limit: int = 20) -> Sequence[Listed]:
        words, most = asked(prefix), max(0, min(limit, _MAX_PEOPLE))
        if not words or not most or (domains is not None and not domains):
            return ()
        return self._ask(lambda: self._people(words, domains, most))

    def _people(self, words: tuple[str, ...], domains: frozenset[str] | None, limit: int) -> tuple[Listed, ...]:
        return listed_people(self._rows, self._sources, words, domains, limit)


def _unavailable(detail: str) -> MailError:
    return MailError(451, "4.3.0", "The directory is not available now", detail=detail)


def _fold(name: str) -> str:
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).casefold()


def _account(name: str, local: LocalDomain, values: index.Values, replicated: tuple[str, Replicated] | None) -> Account:
    """What the file says lies over what the service says, value by value."""
    texts = {**replicated[1].texts, **values} if replicated is not None else values
    record = Record(texts)
    address = Address(name, local.name)
    access, quota, forwarding = record.part(Access), record.part(MailboxQuota), record.part(Forwarding)
    return Account(
        id=AccountId(address.key),
        address=address,
        full_name=record.part(Person).full_name,
        enabled=access.enabled,
        password=access.password,
        rights=access.rights,
        quota_bytes=int(quota.quota),
        quota_messages=quota.quota_messages,
        max_message_size=int(record.part(UserMessageSize).max_message_size),
        forward_to=tuple(full_address(text, local.name) for text in forwarding.forward_to),
        keep_copy=forwarding.keep_copy,
        clean_out=in_force(record.part(UserCleanOut).clean_out, local.clean_out),
        password_keys=access.password_keys,
        grants=_grants(access, local.name),
        record=record,
        domain_record=local.record,
        source=replicated[0] if replicated is not None and not access.password else "",
    )


def _grants(access: Access, domain: Domain) -> Grants:
    rights = access.rights.value
    return NOTHING if rights == "none" and not access.grants else Grants.of(rights, access.grants, domain)


_port: type[Directory] = IndexDirectory
_people: type[People] = IndexDirectory
