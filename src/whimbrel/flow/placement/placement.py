"""Into which folder a message for an account of ours goes, and whether the account has room for it.

Standards: RFC 3463 3.3 (X.2.1), RFC 1870 6.1 (SIZE at MAIL)
"""

from dataclasses import dataclass
from typing import Final

from whimbrel.core.commit import Append
from whimbrel.core.directory import Account
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import INBOX, AccountId, FolderRef, Folders, SpecialUse
from whimbrel.core.quota import Quotas
from whimbrel.flow.judging.filter import Verdict
from whimbrel.flow.placement.size_limits import SizeLimits

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

    def __init__(self, folders: Folders, quotas: Quotas, sizes: SizeLimits) -> None:
        self._folders, self._quotas, self._sizes = folders, quotas, sizes
        self._inboxes: dict[AccountId, Place] = {}

    async def check(self, account: Account, size: int) -> None:
        """At RCPT with MAIL's SIZE (0: it said none), and after DATA with the true one. MailError if the account does
        not want or cannot take it."""
        await self._sizes.check(account, size)
        await self._quotas.check(account, size)

    async def place(self, account: AccountId, verdict: Verdict = Verdict.ACCEPT) -> Place:
        """MailError if the account's folders cannot be read now."""
        if verdict is Verdict.JUNK:
            for folder in await self._folders.list(account):
                if folder.special_use is SpecialUse.JUNK and folder.selectable:
                    return Place(folder.ref)
        found = self._inboxes.get(account)
        return found if found is not None else await self._inbox(account)

    def refusal(self, append: Append, error: MailError) -> MailError:
        """Why the store has not taken `append`: of a full mailbox in the words that RCPT has for it."""
        if append.limit is None or not isinstance(error, MailboxError) or error.condition is not Condition.OVERQUOTA:
            return error
        return self._quotas.refusal(append.limit, append.rendition.size, detail=f"{append.folder.account} is full")

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
