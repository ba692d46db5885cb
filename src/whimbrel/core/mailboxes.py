"""Whole mailboxes: put aside when their user is removed, brought back, renamed, deleted for good.

What was put aside is out of every client's sight and counts in no quota; it stays until an administrator deletes it.
With it stays what the user's record said, so that the user can come back as he was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from whimbrel.core.mailbox import AccountId
from whimbrel.core.undelete import Tally


@dataclass(frozen=True, slots=True)
class RemovedMailbox:
    """A mailbox that was put aside."""

    id: str
    """Opaque; names it in the calls of Mailboxes."""
    account: AccountId
    removed: float
    """When, in seconds since 1970 UTC."""
    messages: int
    bytes: int
    record: str
    """What `put_aside` was given; empty for what a former release removed."""


class Mailboxes(Protocol):
    """Each call is durable when it returns, and can be made again after a crash in it."""

    async def put_aside(self, account: AccountId, id: str, record: str) -> None:
        """Under `id`, which the caller makes of the time (nanoseconds since 1970, in hex). A user without a mailbox
        gets an empty one there, which keeps the record. Nothing to do if `id` is there already."""
        ...

    async def make_way(self, accounts: Sequence[AccountId], id: str) -> Sequence[AccountId]:
        """Before new users get these names: what former ones of the names left is put aside, under `id` and what
        follows on it. Of whom there was something."""
        ...

    async def removed(self) -> Sequence[RemovedMailbox]:
        """The latest first."""
        ...

    async def bring_back(self, id: str, account: AccountId) -> None:
        """Makes it the mailbox of `account`. MailboxError NONEXISTENT (no such id), ALREADYEXISTS (the account holds
        messages)."""
        ...

    async def undo_bring_back(self, id: str, account: AccountId, origin: AccountId) -> None:
        """Takes back `bring_back`, however far it came; `origin` is whose mailbox it was."""
        ...

    async def drop_record(self, account: AccountId) -> None:
        """The user is there again: the record that was kept with the mailbox goes."""
        ...

    async def purge(self, id: str) -> Tally:
        """Deletes for good what was put aside. MailboxError NONEXISTENT."""
        ...

    async def rename(self, old: AccountId, new: AccountId) -> None:
        """The mailbox of `old` becomes that of `new`, also while mail arrives: whoever still delivers to `old` delivers
        there. MailboxError ALREADYEXISTS (`new` has a mailbox). Nothing to do if it was done."""
        ...

    async def undo_rename(self, old: AccountId, new: AccountId) -> None:
        """Takes back `rename`, however far it came."""
        ...
