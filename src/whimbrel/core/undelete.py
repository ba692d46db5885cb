"""Bringing back what was deleted: expunged messages and deleted folders stay for a while, out of every client's sight.

They count in no quota. Whoever administers the account lists, restores and purges them; after `store/keep-deleted`
they go by themselves.

Standards: RFC 9051 2.3.1.1 (a message that comes back gets a new UID)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from whimbrel.core.mailbox import AccountId

MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which deleted messages are meant; what is left out does not matter."""

    ids: tuple[str, ...] = ()
    """Of `DeletedMessage.id`."""
    folder: str = ""
    """Full name of the folder they were in."""
    since: int | None = None
    """Deleted at or after this moment (s)."""
    until: int | None = None
    """Deleted before this moment (s)."""
    text: str = ""
    """Part of the sender or the subject, in any case."""


@dataclass(frozen=True, slots=True)
class DeletedMessage:
    id: str
    """Names it in `Chosen.ids`; opaque."""
    folder: str
    deleted: int
    """When (s)."""
    internal_date: int
    size: int
    flags: int
    keywords: str
    email_id: str
    sender: str
    subject: str


@dataclass(frozen=True, slots=True)
class DeletedFolder:
    id: str
    name: str
    """Its full name when it was deleted."""
    deleted: int
    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """Deleted messages, those deleted last first. `next` asks for the page after it; empty: there is none."""

    messages: tuple[DeletedMessage, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was restored, purged, or would be."""

    messages: int
    bytes: int


class Undelete(Protocol):
    """MailboxError NONEXISTENT for an account that never had mail."""

    async def messages(
        self, account: AccountId, chosen: Chosen = Chosen(), *, after: str = "", limit: int = 100
    ) -> Page: ...

    async def count(self, account: AccountId, chosen: Chosen) -> Tally:
        """What `restore` or `purge` would take."""
        ...

    async def restore(self, account: AccountId, chosen: Chosen, target: str = "") -> Tally:
        """Puts messages back into the folder they were in, or into `target`, which is made if it does not exist.

        With new UIDs, with their flags but \\Deleted, and their dates. Never lost, at worst twice after a crash.
        """
        ...

    async def purge(self, account: AccountId, chosen: Chosen) -> Tally:
        """Removes messages for good."""
        ...

    async def folders(self, account: AccountId) -> Sequence[DeletedFolder]:
        """Those deleted last first."""
        ...

    async def restore_folder(self, account: AccountId, id: str, name: str = "") -> Sequence[str]:
        """Brings back a folder and all that were below it, under its old name or another; the names they have now.

        MailboxError NONEXISTENT (no such id), ALREADYEXISTS (a folder of that name is in use).
        """
        ...

    async def purge_folder(self, account: AccountId, id: str) -> Tally:
        """Removes a deleted folder with all in it for good. MailboxError NONEXISTENT."""
        ...
