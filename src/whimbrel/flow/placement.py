"""Into which folder a message for an account of ours goes, and whether the account has room for it.

Standards: RFC 3463 3.3 (X.2.1, X.2.2), RFC 1870 6.1 (SIZE at MAIL)
"""

from dataclasses import dataclass
from typing import Final

from whimbrel.core.directory import Account
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import INBOX, AccountId, FolderRef, Folders, SpecialUse
from whimbrel.flow.filters.base import Verdict

CACHED: Final = 20_000
"""Folder references kept in memory; an account needs about 300 bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one message goes."""

    folder: FolderRef
    flags: int = 0
    keywords: frozenset[str] = frozenset()


class Placement:
    """Knows the INBOX of each account it met."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._inboxes: dict[AccountId, Place] = {}

    async def check(self, account: Account, size: int) -> None:
        """At RCPT, with MAIL's SIZE (0: it said none). MailError if the account does not want or cannot take it.

        An account that has room at RCPT takes the message whatever its size turns out to be: one message of grace.
        """
        if account.max_message_size and size > account.max_message_size:
            raise MailError(552, "5.3.4", "Message is too large for this mailbox")
        if not account.quota_bytes and not account.quota_messages:
            return
        usage = await self._folders.usage(account.id)
        if account.quota_bytes and usage.bytes + max(size, 1) > account.quota_bytes:
            raise MailError(452, "4.2.2", "Mailbox is full", detail=f"{usage.bytes} of {account.quota_bytes} octets")
        if account.quota_messages and usage.messages >= account.quota_messages:
            raise MailError(452, "4.2.2", "Mailbox is full", detail=f"{usage.messages} messages")

    async def place(self, account: AccountId, verdict: Verdict = Verdict.ACCEPT) -> Place:
        """MailError if the account's folders cannot be read now."""
        if verdict is Verdict.JUNK:
            for folder in await self._folders.list(account):
                if folder.special_use is SpecialUse.JUNK and folder.selectable:
                    return Place(folder.ref)
        found = self._inboxes.get(account)
        return found if found is not None else await self._inbox(account)

    def forget(self, account: AccountId) -> None:
        """Its INBOX turned out not to be there any more."""
        self._inboxes.pop(account, None)

    async def _inbox(self, account: AccountId) -> Place:
        folder = await self._folders.find(account, INBOX)
        if folder is None:
            # Listing gives an account that never had any its INBOX.
            folder = next((one for one in await self._folders.list(account) if one.name == INBOX), None)
        if folder is None:
            raise MailboxError(Condition.UNAVAILABLE, "Mailbox is not available now", detail=f"{account} has no INBOX")
        if len(self._inboxes) >= CACHED:
            self._inboxes.clear()
        place = self._inboxes[account] = Place(folder.ref)
        return place
