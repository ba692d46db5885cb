"""Who is here: domains, users, aliases, groups. Read-only for mail; `services/admin` changes it by DirectoryEditor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from whimbrel.core.address import Address, Domain
from whimbrel.core.departure import Departure
from whimbrel.core.mailbox import AccountId
from whimbrel.core.record import NO_RECORD, Part, Record, Texts
from whimbrel.core.record import Kind as Kind
from whimbrel.core.rights import NOTHING, Grants
from whimbrel.core.values import Secret

if TYPE_CHECKING:  # The command line's client reads this module, and shall not load what settings are made of.
    from whimbrel.core.cleanout import CleanOut
    from whimbrel.core.listing import RecordQuery

P = TypeVar("P", bound=Part)


NO_SECRET: Final = Secret("")


class Rights(Enum):
    """What a user may do in the console and on the command line (mission S12)."""

    NONE = "none"
    DOMAIN = "domain"
    SERVER_READ = "server-read"
    SERVER_WRITE = "server-write"


@dataclass(frozen=True, slots=True)
class Account:
    """A user as mail services see one."""

    id: AccountId
    address: Address
    full_name: str
    enabled: bool
    password: Secret
    """Verifier: see `core/credentials`."""
    rights: Rights
    quota_bytes: int
    """0: no limit."""
    quota_messages: int
    max_message_size: int
    """0: the server's."""
    forward_to: tuple[Address, ...]
    keep_copy: bool
    """With `forward_to`: also deliver here."""
    clean_out: "tuple[CleanOut, ...]" = ()
    """In force here: the user's rules, and those of the domain for other folders."""

    password_keys: Secret = NO_SECRET
    """What is stored beside the verifier: `core/credentials/stored.py` reads it."""
    grants: Grants = NOTHING
    """All that `rights` and further grants allow."""
    record: Record = NO_RECORD
    """All that the record says, for the rooms that declare parts of it."""
    domain_record: Record = NO_RECORD
    """That of the account's domain."""
    source: str = ""
    """The directory service that has the secrets of this account; empty: the record has them."""

    @property
    def shut_out(self) -> str:
        """Why nobody signs in as this user: `is disabled`, `has left`; empty: the user may."""
        if not self.enabled:
            return "is disabled"
        return "has left" if self.part(Departure).left else ""

    def part(self, kind: type[P]) -> P:
        """What the user's record says about one part; its defaults where nothing is said."""
        return self.record.part(kind)

    def domain_part(self, kind: type[P]) -> P:
        """What the record of the user's domain says about one part."""
        return self.domain_record.part(kind)


@dataclass(frozen=True, slots=True)
class LocalDomain:
    """A domain we are responsible for."""

    name: Domain
    primary: bool
    aliases: tuple[Domain, ...] = ()
    max_message_size: int = 0
    quota_bytes: int = 0
    """All mailboxes together; 0: no limit. See `core/quota.py`."""
    quota_messages: int = 0
    default_quota: int = 0
    """For users that are added without one."""
    keep_deleted: float | None = None
    """Seconds that deleted mail can be restored; None: as the server says."""
    clean_out: "tuple[CleanOut, ...]" = ()
    record: Record = NO_RECORD
    """All that the record says, for the rooms that declare parts of it."""

    def part(self, kind: type[P]) -> P:
        """What the domain's record says about one part; its defaults where nothing is said."""
        return self.record.part(kind)


class TargetKind(Enum):
    ACCOUNT = "account"
    ALIAS = "alias"
    GROUP = "group"
    CATCH_ALL = "catch-all"


@dataclass(frozen=True, slots=True)
class Target:
    """What an address of ours stands for. `account` for ACCOUNT, `members` for the others (addresses, perhaps remote).
    `name` is the entry that matched, for the trace."""

    kind: TargetKind
    name: str
    account: Account | None = None
    members: tuple[Address, ...] = ()


class Directory(Protocol):
    """A look-up is microseconds from the worker's memory, else about a tenth of a millisecond."""

    async def domain(self, name: str) -> LocalDomain | None:
        """The domain that `name` is, or is an alias of."""
        ...

    async def primary(self) -> LocalDomain:
        """Exactly one (S35)."""
        ...

    async def resolve(self, address: Address) -> Target | None:
        """Exact entries first (user, alias, group), then wildcard aliases, then the catch-all; None: unknown here.
        A domain's alias is followed. Only ever one step: the routing rules go on from there."""
        ...

    async def account(self, account: AccountId) -> Account | None: ...

    async def sign_in(self, name: str) -> Account | None:
        """By `name@domain`, or by bare name for the primary domain only (S36). Disabled accounts are returned too."""
        ...

    async def domains(self) -> tuple[LocalDomain, ...]: ...

    async def administrators(self) -> tuple[Account, ...]:
        """Enabled users with the right server-write: who gets mail for postmaster where nobody has that address."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody whom an address book shows: a user or a group."""

    kind: Kind
    name: str
    """The person's name; empty where nobody gave one."""
    address: Address


class People(Protocol):
    """Who is here, for those who look for somebody: address book, completion, contacts."""

    async def people(self, prefix: str, *, domains: frozenset[str] | None = None, limit: int = 20) -> Sequence[Listed]:
        """Those in whose name or address a word begins with each word of `prefix`, in the order of names; at most
        `limit`, and never more than 100. `domains`: those whose people the asker may see; None: all."""
        ...


class PeopleSource(Protocol):
    """A directory service's people, replicated to this machine: a look-up never waits for the service.

    A record of the same name in users.cfg lies over what is replicated, value by value. Secrets are asked of the
    service itself, by the name of the source."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> object:
        """Another whenever anything changed. Cheap: it is compared every 50 ms."""
        ...

    def find(self, domain: str, local: str) -> "Replicated | None":
        """Whoever has this login name or further name, folded. MailError 451: nothing has been replicated yet, so
        that nobody can be said not to exist."""
        ...

    def search(self, words: Sequence[str], domains: frozenset[str] | None, limit: int) -> "Sequence[Replicated]": ...


@dataclass(frozen=True, slots=True)
class Replicated:
    """A person of a directory service. `texts` as in a user's record, without secrets."""

    uid: str
    """What the service calls the person for ever (objectGUID, entryUUID): a new name is no new person."""
    domain: str
    name: str
    texts: Texts


class Op(Enum):
    ADD = "add"
    SET = "set"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class DirectoryChange:
    """One step. `values` by the names of the file (`full-name`): text, a tuple of text for a list, None for the
    default. `name` is empty for a domain itself."""

    op: Op
    kind: Kind
    domain: str
    name: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    expect: Mapping[str, str] = field(default_factory=dict)
    """Values (of a user, alias or group that is SET) as they must stand until then; ConfigError if they do not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it stands in the file: all its values as people write them. A secret is shown as `********`."""

    kind: Kind
    domain: str
    name: str
    values: Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record that an edit of the file changed; None: it was, or is, not there."""

    before: Entry | None
    after: Entry | None
    secrets: tuple[str, ...] = ()
    """Fields that differ though they are shown alike."""

    @property
    def entry(self) -> Entry:
        """The record as it is, or as it was."""
        entry = self.after or self.before
        assert entry is not None
        return entry


@dataclass(frozen=True, slots=True)
class Reread:
    """What the file changed that was read anew."""

    records: tuple[RecordChange, ...] = ()
    more: int = 0
    """Records that differ as well and are not named."""

    @property
    def count(self) -> int:
        return len(self.records) + self.more


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page, which begins where its `after` says whatever was added or removed meanwhile."""

    entries: tuple[Entry, ...]
    total: int
    """All that fit, on whatever page."""
    more: str
    """Empty: this was the last."""


@dataclass(frozen=True, slots=True)
class Naming:
    """A record that names an address: `member` of the group `staff@example.org`, say."""

    kind: Kind
    domain: str
    name: str
    address: str
    """The address that is named, folded for look-ups."""


class DirectoryEditor(Protocol):
    """Writing, for `control` and for the command line with no server running."""

    async def change(self, changes: Sequence[DirectoryChange]) -> None:
        """All or none, in one write. ConfigError (UnknownName where nothing has the name), ConfigConflict."""
        ...

    async def check(self, changes: Sequence[DirectoryChange]) -> None:
        """As `change`, but nothing is changed."""
        ...

    async def check_each(self, calls: Sequence[Sequence[DirectoryChange]]) -> Sequence[Exception | None]:
        """As if all these were made one after the other: what each would be refused with. Nothing is changed."""
        ...

    async def entry(self, kind: Kind, domain: str, name: str = "") -> Entry | None: ...

    async def naming(self, addresses: Sequence[str]) -> Sequence[Naming]:
        """The records that name one of these addresses: as members, targets, forwarding, catch-all. `@example.org`
        stands for every address of that domain. Under all names of a domain of ours."""
        ...

    async def doubtful(self, limit: int) -> Sequence[Naming]:
        """Names of addresses here that may lead nowhere: no entry has exactly this name, or what has it sends on in
        turn. Only the routing rules know better."""
        ...

    async def entries(
        self, kind: Kind, *, domain: str = "", search: str = "", after: str = "", limit: int = 100
    ) -> list[Entry]:
        """In the order of domain, then name, beginning after the address (or domain) `after`; `search` is a part of
        name, full name or description."""
        ...

    async def page(self, query: "RecordQuery") -> RecordPage:
        """For lists that people look at: in any order, filtered, with how many there are in all. BadPlace."""
        ...

    async def counts(self) -> "Mapping[str, Mapping[Kind, int]]":
        """How many users, aliases and groups each domain holds that holds any, by the domain's name."""
        ...

    def difference(self) -> str:
        """What an edit made outside changes in domains, users, aliases and groups; empty if there was none."""
        ...

    def forgets(self) -> str:
        """Why an edit made outside is not taken into use by itself, and what to do: it has no domain or no user where
        there were some. Empty if that is not so. ConfigError"""
        ...

    async def reload(self, *, confirmed: str = "", trial: bool = False) -> Reread | None:
        """Takes the file on disk into use, if it was changed outside; None: it was not. A `trial` only raises what
        would be. ConfigError: the former state stays; Unconfirmed: so it does until somebody types the words."""
        ...

    def taken(self) -> Reread:
        """Which records differ since the file was read anew, as far as nobody asked so far: for a start, what was
        edited while no server ran."""
        ...

    async def heal(self) -> bool:
        """Makes the index that workers ask anew, if it was deleted, emptied or replaced while in use; whether it was.
        ConfigError, OSError: it cannot be made now, and workers say that they cannot tell."""
        ...

    async def keep(self) -> None:
        """Writes the directory in use over an edit made outside."""
        ...
