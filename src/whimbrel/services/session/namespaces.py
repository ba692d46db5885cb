"""The mailboxes that a user sees: by name and identity, in namespaces, with what he may do in each.

A protocol knows no account but the signed-in one, and asks here for everything by name. A namespace is a provider of
mailboxes whose names begin with its prefix: the user's own, later `#archive` and what others share. To add one is a
line in NAMESPACES and a provider. What is allowed is decided in one place: `Mailbox.demand`.

Standards: RFC 2342 (NAMESPACE), RFC 4314 2.1 (rights), 4 (which command needs which)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Final, Protocol

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    DELETED,
    DELIMITER,
    SEEN,
    AccountId,
    Changes,
    Folder,
    FolderRef,
    Folders,
    FolderStatus,
    MailboxId,
    SpecialUse,
)


class Right(Flag):
    """RFC 4314 2.1, by its letters."""

    LOOKUP = auto()
    """l: sees it in LIST, may subscribe."""
    READ = auto()
    """r: SELECT, FETCH, SEARCH, STATUS, COPY from it."""
    SEEN = auto()
    r"""s: \Seen is kept."""
    WRITE = auto()
    r"""w: flags and keywords but \Seen and \Deleted; annotations."""
    INSERT = auto()
    """i: APPEND, COPY into it."""
    CREATE = auto()
    """k: mailboxes below it."""
    DELETE = auto()
    """x: DELETE and RENAME it."""
    MARK = auto()
    r"""t: \Deleted."""
    EXPUNGE = auto()
    """e"""
    ADMINISTER = auto()
    """a"""


ALL_RIGHTS: Final = ~Right(0)
CHANGING: Final = Right.SEEN | Right.WRITE | Right.MARK | Right.EXPUNGE
"""Without any of these SELECT opens read-only. RFC 4314 5.2"""


class Kind(Enum):
    """RFC 2342 5, in the order in which NAMESPACE names them."""

    PERSONAL = 1
    OTHER_USERS = 2
    SHARED = 3


def demand(needed: Right, granted: Right) -> None:
    """MailboxError NOPERM if something needed is not granted; NONEXISTENT if the mailbox may not even be seen (RFC 4314
    6). Nowhere else is a right refused."""
    if needed not in granted:
        if Right.LOOKUP not in granted:
            raise MailboxError(Condition.NONEXISTENT, "No such mailbox")
        raise MailboxError(Condition.NOPERM, "You do not have the right to do this here")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A folder as one user sees it. `name` with the prefix of its namespace."""

    name: str
    folder: Folder
    rights: Right = ALL_RIGHTS
    kind: Kind = Kind.PERSONAL

    @property
    def ref(self) -> FolderRef:
        return self.folder.ref

    @property
    def special_use(self) -> SpecialUse | None:
        return self.folder.special_use

    @property
    def subscribed(self) -> bool:
        return self.folder.subscribed

    @property
    def selectable(self) -> bool:
        return self.folder.selectable and Right.READ in self.rights

    def demand(self, rights: Right) -> "Mailbox":
        """Itself. MailboxError as `demand`."""
        demand(rights, self.rights)
        return self


class Namespace(Protocol):
    """Names are without the prefix. Methods raise MailboxError."""

    @property
    def kind(self) -> Kind: ...

    @property
    def prefix(self) -> str:
        """Of all its names: empty, or ending in the delimiter."""
        ...

    async def list(self) -> Sequence[tuple[Folder, Right]]:
        """Those that may be seen. Names of folders are those in this namespace."""
        ...

    async def find(self, name: str) -> tuple[Folder, Right] | None: ...

    async def create(self, name: str, special_use: SpecialUse | None) -> Folder: ...

    async def delete(self, name: str) -> None: ...

    async def rename(self, old: str, new: str) -> None: ...

    async def subscribe(self, name: str, *, subscribed: bool) -> None: ...

    async def subscriptions(self) -> Sequence[str]: ...

    async def statuses(self) -> Mapping[MailboxId, FolderStatus]: ...

    @property
    def accounts(self) -> Sequence[AccountId]:
        """Whose changes concern it."""
        ...


class Personal:
    """The user's own folders, all rights included."""

    kind, prefix = Kind.PERSONAL, ""

    def __init__(self, folders: Folders, account: AccountId) -> None:
        self._folders, self._account = folders, account

    async def list(self) -> Sequence[tuple[Folder, Right]]:
        return [(folder, ALL_RIGHTS) for folder in await self._folders.list(self._account)]

    async def find(self, name: str) -> tuple[Folder, Right] | None:
        folder = await self._folders.find(self._account, name)
        return None if folder is None else (folder, ALL_RIGHTS)

    async def create(self, name: str, special_use: SpecialUse | None) -> Folder:
        return await self._folders.create(self._account, name, special_use)

    async def delete(self, name: str) -> None:
        await self._folders.delete(self._account, name)

    async def rename(self, old: str, new: str) -> None:
        await self._folders.rename(self._account, old, new)

    async def subscribe(self, name: str, *, subscribed: bool) -> None:
        await self._folders.subscribe(self._account, name, subscribed=subscribed)

    async def subscriptions(self) -> Sequence[str]:
        return await self._folders.subscriptions(self._account)

    async def statuses(self) -> Mapping[MailboxId, FolderStatus]:
        return await self._folders.statuses(self._account)

    @property
    def accounts(self) -> Sequence[AccountId]:
        return (self._account,)


Provider = Callable[[Folders, AccountId], Namespace]
NAMESPACES: tuple[Provider, ...] = (Personal,)
"""Of every user. The first is his own, and its prefix is empty."""


class Mailboxes:
    """All that one user sees."""

    __slots__ = ("_folders", "account", "namespaces")

    def __init__(self, folders: Folders, account: AccountId, providers: Sequence[Provider] = ()) -> None:
        """`providers`: else NAMESPACES."""
        self._folders, self.account = folders, account
        self.namespaces = tuple(provider(folders, account) for provider in providers or NAMESPACES)

    def of(self, name: str) -> tuple[Namespace, str]:
        """The namespace of a name, and the name in it: the longest prefix counts."""
        space = max(
            (space for space in self.namespaces if name.startswith(space.prefix)), key=lambda space: len(space.prefix)
        )
        return space, name[len(space.prefix) :]

    async def list(self) -> Sequence[Mailbox]:
        """Those of the first namespace first, INBOX before all."""
        return [
            Mailbox(space.prefix + folder.name, folder, rights, space.kind)
            for space in self.namespaces
            for folder, rights in await space.list()
            if Right.LOOKUP in rights
        ]

    async def find(self, name: str) -> Mailbox | None:
        """None where there is none, or none that may be seen."""
        space, inside = self.of(name)
        seen = await space.find(inside)
        if seen is None or Right.LOOKUP not in seen[1]:
            return None
        return Mailbox(space.prefix + seen[0].name, *seen, space.kind)

    async def create(self, name: str, special_use: SpecialUse | None = None) -> Folder:
        """NOPERM below what grants no CREATE."""
        space, inside = self.of(name)
        await self._demand_above(space, inside)
        return await space.create(inside, special_use)

    async def delete(self, name: str) -> None:
        space, inside = self.of(name)
        await self._demand(space, inside, Right.DELETE)
        await space.delete(inside)

    async def rename(self, old: str, new: str) -> None:
        """CANNOT from one namespace to another."""
        space, inside = self.of(old)
        target, renamed = self.of(new)
        await self._demand(space, inside, Right.DELETE)
        if target is not space:
            raise MailboxError(Condition.CANNOT, "A mailbox stays in its namespace")
        await self._demand_above(space, renamed)
        await space.rename(inside, renamed)

    async def _demand(self, space: Namespace, inside: str, rights: Right) -> None:
        """Of what does not exist nothing is demanded: the namespace says so itself."""
        if (seen := await space.find(inside)) is not None:
            demand(rights, seen[1])

    async def _demand_above(self, space: Namespace, inside: str) -> None:
        """RFC 4314 4: CREATE, of the nearest mailbox above that exists."""
        while DELIMITER in inside:
            inside = inside.rpartition(DELIMITER)[0]
            if (seen := await space.find(inside)) is not None:
                demand(Right.CREATE, seen[1])
                return

    async def subscribe(self, name: str, *, subscribed: bool) -> None:
        space, inside = self.of(name)
        await space.subscribe(inside, subscribed=subscribed)

    async def subscriptions(self) -> Sequence[str]:
        return [space.prefix + name for space in self.namespaces for name in await space.subscriptions()]

    async def statuses(self) -> Mapping[MailboxId, FolderStatus]:
        statuses: dict[MailboxId, FolderStatus] = {}
        for space in self.namespaces:
            statuses |= await space.statuses()
        return statuses

    async def annotations(self, mailbox: Mailbox | None) -> Mapping[str, bytes]:
        """None: those of the account itself."""
        if mailbox is None:
            return await self._folders.annotations(self.account, None)
        return await self._folders.annotations(mailbox.ref.account, mailbox.demand(Right.READ).ref.mailbox)

    async def annotate(self, mailbox: Mailbox | None, changes: Mapping[str, bytes | None]) -> None:
        if mailbox is None:
            await self._folders.annotate(self.account, None, changes)
        else:
            await self._folders.annotate(mailbox.ref.account, mailbox.demand(Right.WRITE).ref.mailbox, changes)

    def watch(self, changes: Changes, wake: Callable[[MailboxId | None], None]) -> Callable[[], None]:
        """Of all accounts that some namespace shows. Returns its end."""
        accounts = dict.fromkeys(account for space in self.namespaces for account in space.accounts)
        ends = [changes.watch(account, wake) for account in accounts]

        def end() -> None:
            for each in ends:
                each()

        return end


def for_flags(flags: int, *, others: bool) -> Right:
    r"""What it takes to change these bits; `others`: keywords, or all flags at once. RFC 4314 4"""
    needed = Right(0)
    if flags & SEEN:
        needed |= Right.SEEN
    if flags & DELETED:
        needed |= Right.MARK
    if others or flags & ~(SEEN | DELETED):
        needed |= Right.WRITE
    return needed


def allowed_flags(flags: int, rights: Right) -> int:
    """Those of `flags` that may be set with `rights`."""
    others = ~0 if Right.WRITE in rights else SEEN | DELETED
    barred = (0 if Right.SEEN in rights else SEEN) | (0 if Right.MARK in rights else DELETED)
    return flags & others & ~barred
