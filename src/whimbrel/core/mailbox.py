"""The mail store as the rest of the house sees it: folders, messages, deliveries, change notices.

No path, inode, SQLite type or lock of a process appears here: a second backend keeps the same in a database and an
object store. Every call is async and may raise MailboxError; ids are opaque. Content is read by range.

Standards: RFC 9051 2.3 (message attributes), RFC 7162 (modseq), RFC 8474 (object ids), RFC 6154 (special use).
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final, NewType, Protocol

from whimbrel.core.rows import CellRow, FlagRow, Holding, MetaRow, PartsRow, SearchRow, SortRow
from whimbrel.core.uids import UidSet

if TYPE_CHECKING:
    from whimbrel.core.errors import MailboxError

AccountId = NewType("AccountId", str)
"""Names the account whose folders are meant: the lower-case address `user@domain` of its directory entry."""

MailboxId = NewType("MailboxId", str)
"""RFC 8474 MAILBOXID: stays through RENAME, never given twice."""

SEEN: Final = 1
ANSWERED: Final = 2
FLAGGED: Final = 4
DELETED: Final = 8
DRAFT: Final = 16
SYSTEM_FLAGS: Final = 31
SIGN: Final = 64
"""What `Messages.signs` adds to flags, so that each is a letter."""

INBOX: Final = "INBOX"
DELIMITER: Final = "/"
MAX_KEYWORDS: Final = 256
"""Different keywords in one folder; more are refused with LIMIT."""
MAX_ANNOTATION: Final = 64 * 1024
"""Octets of one annotation's value; a longer one is refused with OVERQUOTA (RFC 5464 4.3 MAXSIZE)."""
MAX_ANNOTATIONS: Final = 100
"""Of one folder, or of an account itself; more are refused with LIMIT (RFC 5464 4.3 TOOMANY)."""


class SpecialUse(StrEnum):
    """RFC 6154 2. The value is the attribute's name without its backslash."""

    ARCHIVE = "Archive"
    DRAFTS = "Drafts"
    JUNK = "Junk"
    SENT = "Sent"
    TRASH = "Trash"


@dataclass(frozen=True, slots=True)
class FolderRef:
    """One folder of one account."""

    account: AccountId
    mailbox: MailboxId


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as LIST shows it. `name` is Unicode with `/` between levels; INBOX is spelled so."""

    ref: FolderRef
    name: str
    special_use: SpecialUse | None = None
    subscribed: bool = False
    selectable: bool = True
    """False for a level that only has folders below it. RFC 9051 7.3.1 \\Noselect"""


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """What STATUS and SELECT give. `first_recent` is the first UID that no session was shown as \\Recent (RFC 3501)."""

    uid_validity: int
    uid_next: int
    highest_modseq: int
    messages: int
    unseen: int
    deleted: int
    size: int
    """Bytes of all messages together, as they are stored."""
    first_recent: int
    resync_floor: int
    """Modseqs below it cannot be trusted to tell all changes: answer such a request in full."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder at one moment: what a session starts from."""

    status: FolderStatus
    uids: "array[int]"
    """Ascending; the n-th has sequence number n (RFC 9051 2.3.1.2)."""
    keywords: tuple[str, ...]
    """In use in this folder."""
    first_unseen: int
    """UID, or 0."""


@dataclass(frozen=True, slots=True)
class ExpungedMessage:
    """A message that is no longer in its folder, as it was, for sessions that still show it. RFC 2180 4.1.1"""

    row: MetaRow
    """Its modseq is that of the expunge."""
    parts: bytes | None
    """Part offsets; None: its file is gone, and its row has no structure."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in a folder after a modseq. New messages are among `rows`."""

    highest_modseq: int
    rows: list[FlagRow]
    expunged: UidSet
    complete: bool
    """False: the modseq lies below `resync_floor`; `rows` has every message, `expunged` is not to be trusted."""


class FlagOp(Enum):
    ADD = "+"
    REMOVE = "-"
    REPLACE = "="


@dataclass(frozen=True, slots=True)
class FlagChange:
    op: FlagOp
    flags: int = 0
    keywords: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FlagsStored:
    """`rows`: messages as they are now, of all that were asked for and not refused; `changed`: those that differ
    from before; `modified`: refused because of `unchanged_since` (RFC 7162 3.1.3); `before`: the folder's highest
    modseq until then, so whoever knew all up to it knows all up to `highest_modseq` now."""

    rows: list[FlagRow]
    changed: UidSet
    modified: UidSet
    highest_modseq: int
    before: int


@dataclass(frozen=True, slots=True)
class Expunged:
    uids: UidSet
    highest_modseq: int


@dataclass(frozen=True, slots=True)
class Copied:
    """RFC 4315 COPYUID: `source[i]` became `target[i]`."""

    uid_validity: int
    source: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account holds, without opening a folder."""

    bytes: int
    messages: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What an account, or a domain, may hold; 0: no limit."""

    bytes: int
    messages: int

    def __bool__(self) -> bool:
        return bool(self.bytes or self.messages)

    def exceeded(self, usage: Usage, size: int, messages: int) -> bool:
        """So much more does not fit."""
        return bool(self.bytes and usage.bytes + size > self.bytes) or bool(
            self.messages and usage.messages + messages > self.messages
        )

    def percent(self, usage: Usage) -> int:
        """How full it is, by whichever of the two is fuller."""
        parts = [
            100 * used // most for used, most in ((usage.bytes, self.bytes), (usage.messages, self.messages)) if most
        ]
        return max(parts, default=0)


class Folders(Protocol):
    """The folder tree of each account. Names are Unicode; the backend refuses those it cannot keep (CANNOT)."""

    async def list(self, account: AccountId) -> Sequence[Folder]:
        """All folders, INBOX first, then by name. An account that never had any gets INBOX."""
        ...

    async def find(self, account: AccountId, name: str) -> Folder | None:
        """By name; INBOX in any case (RFC 9051 5.1)."""
        ...

    async def create(self, account: AccountId, name: str, special_use: SpecialUse | None = None) -> Folder:
        """Makes missing levels above it too. ALREADYEXISTS, CANNOT, LIMIT (depth 32, 10,000 folders)."""
        ...

    async def delete(self, account: AccountId, name: str) -> None:
        """Its messages go too. With folders below it, it becomes not selectable. NONEXISTENT, CANNOT (INBOX)."""
        ...

    async def rename(self, account: AccountId, old: str, new: str) -> None:
        """With all below it. INBOX: its messages move to the new folder (RFC 9051 6.3.6)."""
        ...

    async def subscribe(self, account: AccountId, name: str, *, subscribed: bool) -> None:
        """Subscribing keeps a name, whether the folder exists or not (RFC 9051 6.3.7)."""
        ...

    async def subscriptions(self, account: AccountId) -> Sequence[str]:
        """Subscribed names, those of folders that are gone included."""
        ...

    async def status(self, ref: FolderRef) -> FolderStatus:
        """Cheap: opens no folder where the account's counters are good."""
        ...

    async def statuses(self, account: AccountId) -> Mapping[MailboxId, FolderStatus]:
        """Of all selectable folders, as cheap as one (RFC 5819 LIST-STATUS)."""
        ...

    async def usage(self, account: AccountId) -> Usage: ...

    async def annotations(self, account: AccountId, mailbox: MailboxId | None) -> Mapping[str, bytes]:
        """RFC 5464: those of a folder, or with None of the account itself. Names are as `annotate` got them."""
        ...

    async def annotate(
        self, account: AccountId, mailbox: MailboxId | None, changes: Mapping[str, bytes | None]
    ) -> None:
        """Sets values; None removes one. All or none: LIMIT (too many), OVERQUOTA (a value is too long)."""
        ...


class Messages(Protocol):
    """Reading and changing the messages of a folder. UIDs that do not exist are passed over in silence.

    A message is read as clients get it: each of its lines ends in CRLF, whatever the file has, and sizes and part
    offsets are those of that form.
    """

    async def snapshot(self, ref: FolderRef, *, take_recent: bool = False) -> Snapshot:
        """`take_recent`: messages so far are \\Recent for this session alone (SELECT, not EXAMINE). RFC 3501 2.3.2"""
        ...

    async def changes(self, ref: FolderRef, since: int) -> Delta:
        """Everything with a modseq above `since`."""
        ...

    async def flags(self, ref: FolderRef, uids: UidSet) -> list[FlagRow]: ...

    async def signs(self, ref: FolderRef, first: int, last: int) -> str | None:
        """The flags of the messages from UID `first` to `last` at their least cost: for each, in order, the character
        `chr(SIGN + flags)`. None if one of them has keywords."""
        ...

    async def meta(self, ref: FolderRef, uids: UidSet, *, structure: bool = True) -> list[MetaRow]:
        """Without `structure` ENVELOPE and BODYSTRUCTURE are empty, which costs less. Where they are large it stops
        before the end, after one at least: ask again for those behind the last."""
        ...

    async def cells(self, ref: FolderRef, uids: UidSet, names: Sequence[str]) -> list[CellRow]:
        """A part of `meta` (of `rows.CELLS`) at less cost; stops as it does."""
        ...

    async def search_rows(self, ref: FolderRef, uids: UidSet, holding: Sequence[Holding] = ()) -> list[SearchRow]:
        """Those alone that meet all of `holding`."""
        ...

    async def sort_rows(self, ref: FolderRef, uids: UidSet) -> list[SortRow]: ...

    async def parts(self, ref: FolderRef, uids: UidSet) -> list[PartsRow]: ...

    async def previews(self, ref: FolderRef, uids: UidSet) -> list[tuple[int, str]]:
        """uid, preview (RFC 8970)."""
        ...

    async def save_dates(self, ref: FolderRef, uids: UidSet) -> list[tuple[int, int]]:
        """uid, when it was saved in this folder (s; RFC 8514)."""
        ...

    async def octets(self, ref: FolderRef) -> list[tuple[int, int]]:
        """uid, size as POP3 counts it (RFC 1939 11: a last line without an end gets one) of all messages; reads none of
        them."""
        ...

    async def shown_size(self, ref: FolderRef, status: FolderStatus) -> int:
        """Octets of all messages together, no less than as clients get them: RFC 8438 3. `status`: of the folder, as
        the caller has it."""
        ...

    async def content(self, ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        """Bytes of the message from `start`; None if it is gone. An expunged one is still read for a while.
        UNAVAILABLE if it cannot be read."""
        ...

    async def contents(self, ref: FolderRef, uids: Sequence[int]) -> "list[bytes | MailboxError | None]":
        """Whole messages, one for each of `uids`, in one hop; the caller bounds their sizes. None: it is gone; an
        error: it cannot be read."""
        ...

    async def expunged(self, ref: FolderRef, uids: UidSet, *, structure: bool = True) -> list[ExpungedMessage]:
        """Those of `uids` that were expunged, as far as they are still known. Slow with `structure`: each is read."""
        ...

    async def set_flags(
        self, ref: FolderRef, uids: UidSet, change: FlagChange, unchanged_since: int | None = None
    ) -> FlagsStored: ...

    async def expunge(self, ref: FolderRef, uids: UidSet, *, marked: bool = True) -> Expunged:
        """Removes those of `uids` that carry \\Deleted; with `marked=False` all of them."""
        ...

    async def copy(self, source: FolderRef, uids: UidSet, target: FolderRef, limit: Limit | None = None) -> Copied:
        """All or none, with flags and internal date (RFC 9051 6.4.7). OVERQUOTA if the target's account would then hold
        more than `limit`: looked at where nobody else can add anything in between."""
        ...

    async def move(self, source: FolderRef, uids: UidSet, target: FolderRef) -> Copied:
        """Never lost, at worst twice after a crash (RFC 6851). An account that moves within itself holds no more than
        before, so no limit stands in the way of who empties a full mailbox."""
        ...


class Changes(Protocol):
    """Hints that something changed, from this process and all others; the index is the truth."""

    def watch(self, account: AccountId, wake: Callable[[MailboxId | None], None]) -> Callable[[], None]:
        """Calls `wake` in the loop for each folder that may have changed (None: the folder list). Returns its end."""
        ...
