"""Creates the default folders of a mailbox at its user's first sign-in to IMAP, and later to webmail.

Only once, so that a user can delete or rename them. State records it; if State is lost, an account with any folder
besides INBOX and Junk counts as done. Junk may exist already: the first message for it creates it (`flow/placement`).

Standards: RFC 6154 2 (special use)
"""

from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import INBOX, AccountId, Folders, SpecialUse
from whimbrel.core.state import State
from whimbrel.flow.placement.special_folders import FolderSettings

FURNISHED: Final = "furnished"
MAX_KNOWN: Final = 50_000


class Furnisher:
    """Creates default folders. One per process."""

    def __init__(self, folders: Folders, state: State, config: ConfigStore, clock: Clock) -> None:
        self._folders, self._state, self._config, self._clock = folders, state, config, clock
        self._known: set[AccountId] = set()

    def users_changed(self, _key: str) -> None:
        """A notice: somebody may have got a name that another user had."""
        self._known.clear()

    async def furnish(self, account: AccountId) -> None:
        """Creates and subscribes the default folders, unless that was done before. MailError"""
        if account in self._known:
            return
        settings = self._config.section(FolderSettings)
        if not settings.make:
            return
        if await self._state.get(FURNISHED, account) is None:
            await self._make(account, settings)
            await self._state.set(FURNISHED, account, f"{self._clock.now():.0f}")
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known.add(account)

    async def _make(self, account: AccountId, settings: FolderSettings) -> None:
        present = await self._folders.list(account)
        if any(folder.name != INBOX and folder.special_use is not SpecialUse.JUNK for folder in present):
            return
        uses = {folder.special_use for folder in present}
        for use, name in settings.names().items():
            if use in uses:
                continue
            try:
                await self._folders.create(account, name, use)
            except MailboxError as error:
                if error.condition is not Condition.ALREADYEXISTS:
                    raise
                continue  # Another session of the same user was faster.
            await self._folders.subscribe(account, name, subscribed=True)
        for folder in present:
            await self._folders.subscribe(account, folder.name, subscribed=True)
