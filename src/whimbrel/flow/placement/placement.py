"""Into which folders a message for an account of ours goes, and whether the account has room for it.

`decide` is asked once for each mailbox, in the session or when a message that was accepted unjudged is judged; what it
answers goes with the message into the queue, if need be. `target` finds the folder of one place, whenever it is stored.

Standards: RFC 3463 3.3 (X.2.1), RFC 1870 6.1 (SIZE at MAIL), RFC 6154 2 (special use)
"""

from dataclasses import replace
from typing import Final

from whimbrel.core.commit import Append
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.disposition import IN_INBOX, QUARANTINE, Changes, Disposition, Parked, Place
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import INBOX, AccountId, Folder, Folders, SpecialUse
from whimbrel.core.quota import Quotas
from whimbrel.flow.assessment import Action
from whimbrel.flow.placement.size_limits import SizeLimits
from whimbrel.flow.placement.special_folders import FolderSettings

CACHED: Final = 20_000
"""Folders kept in memory; an account's INBOX needs about 300 bytes."""

IN_JUNK: Final = Disposition((Place(SpecialUse.JUNK, create=True),))
PARKED: Final = Disposition((Place(),), parked=Parked(QUARANTINE))


class Placement:
    """Knows the INBOX of each account that had mail."""

    def __init__(self, folders: Folders, quotas: Quotas, sizes: SizeLimits, config: ConfigStore) -> None:
        self._folders, self._quotas, self._sizes, self._config = folders, quotas, sizes, config
        self._inboxes: dict[AccountId, Folder] = {}

    async def check(self, account: Account, size: int, reserved: dict[AccountId, int]) -> None:
        """At RCPT with MAIL's SIZE (0: it said none), and after DATA with the true one. `reserved`: octets of this
        message that are counted already, by account; a message counts once. MailError if the account does not want or
        cannot take it."""
        await self._sizes.check(account, size)
        before = reserved.get(account.id)
        if before is None or size > before:
            await self._quotas.check(account, size, reserved=before)
            reserved[account.id] = size

    def release(self, reserved: dict[AccountId, int]) -> None:
        """The message is not stored after all."""
        for account, size in reserved.items():
            self._quotas.release(account, size)

    async def decide(
        self, account: Account, action: Action = Action.ACCEPT, rule: str = "", changes: Changes = ()
    ) -> Disposition:
        """What becomes of a message for which the filters want `action`, by `rule`, its copy changed so. What is
        released from quarantine goes to INBOX. MailError if that cannot be told now."""
        if action is Action.DISCARD:
            return Disposition(rule=rule)
        what = IN_JUNK if action is Action.JUNK else PARKED if action is Action.QUARANTINE else IN_INBOX
        if not changes:
            return what
        return replace(what, places=tuple(replace(place, changes=changes) for place in what.places))

    async def target(self, account: AccountId, place: Place) -> Folder:
        """The folder of a place, which is made if need be. MailError if the account's folders cannot be read now."""
        if place.folder == INBOX:
            folder = self._inboxes.get(account)
            return folder if folder is not None else await self._inbox(account)
        folder = await self._find(account, place.folder)
        if folder is None and place.create:
            folder = await self._create(account, place.folder)
        return folder if folder is not None else await self._inbox(account)

    def refusal(self, append: Append, error: MailError) -> MailError:
        """Why the store has not taken `append`: of a full mailbox in the words that RCPT has for it."""
        if append.limit is None or not isinstance(error, MailboxError) or error.condition is not Condition.OVERQUOTA:
            return error
        return self._quotas.refusal(append.limit, append.rendition.size, detail=f"{append.folder.account} is full")

    def forget(self, account: AccountId) -> None:
        """Its INBOX turned out not to be there any more."""
        self._inboxes.pop(account, None)

    async def _find(self, account: AccountId, folder: str | SpecialUse) -> Folder | None:
        if not isinstance(folder, SpecialUse):
            named = await self._folders.find(account, folder)
            return named if named is not None and named.selectable else None
        for each in await self._folders.list(account):
            if each.special_use is folder and each.selectable:
                return each
        return None

    async def _create(self, account: AccountId, folder: str | SpecialUse) -> Folder | None:
        """None: a folder of that name cannot be had."""
        use = folder if isinstance(folder, SpecialUse) else None
        name = self._config.section(FolderSettings).names()[use] if use is not None else str(folder)
        try:
            made = await self._folders.create(account, name, use)
        except MailboxError as error:
            if error.condition is Condition.ALREADYEXISTS:  # Of that name without the use; or made at this moment.
                return await self._find(account, folder) or await self._find(account, name)
            if error.temporary:
                raise
            return None
        await self._folders.subscribe(account, name, subscribed=True)
        return made

    async def _inbox(self, account: AccountId) -> Folder:
        folder = await self._folders.find(account, INBOX)
        if folder is None:
            # Listing gives an account that never had any its INBOX.
            folder = next((each for each in await self._folders.list(account) if each.name == INBOX), None)
        if folder is None:
            raise MailboxError(Condition.UNAVAILABLE, "Mailbox is not available now", detail=f"{account} has no INBOX")
        if len(self._inboxes) >= CACHED:
            self._inboxes.clear()
        self._inboxes[account] = folder
        return folder
