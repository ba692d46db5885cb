"""The folders that a mailbox begins with, made when its user signs in for the first time: IMAP, and webmail.

Only then: whoever deletes or renames one of them later has the last word. That it was done stands in State; should
State be lost, an account with any folder besides INBOX counts as furnished.

Standards: RFC 6154 2 (special use)
"""

from typing import Final, Literal

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId, Folders, SpecialUse
from whimbrel.core.settings import Section, setting
from whimbrel.core.state import State

Language = Literal["en", "de", "fr", "es"]
FURNISHED: Final = "furnished"
MAX_KNOWN: Final = 50_000
_NAME: Final = r"^$|^[^\x00-\x1f\x7f/*%]{1,100}$"

NAMES: Final[dict[str, dict[SpecialUse, str]]] = {
    "en": {
        SpecialUse.DRAFTS: "Drafts",
        SpecialUse.SENT: "Sent Items",
        SpecialUse.TRASH: "Deleted Items",
        SpecialUse.JUNK: "Junk E-mail",
        SpecialUse.ARCHIVE: "Archive",
    },
    "de": {
        SpecialUse.DRAFTS: "Entwürfe",
        SpecialUse.SENT: "Gesendete Elemente",
        SpecialUse.TRASH: "Gelöschte Elemente",
        SpecialUse.JUNK: "Junk-E-Mail",
        SpecialUse.ARCHIVE: "Archiv",
    },
    "fr": {
        SpecialUse.DRAFTS: "Brouillons",
        SpecialUse.SENT: "Éléments envoyés",
        SpecialUse.TRASH: "Éléments supprimés",
        SpecialUse.JUNK: "Courrier indésirable",
        SpecialUse.ARCHIVE: "Archives",
    },
    "es": {
        SpecialUse.DRAFTS: "Borradores",
        SpecialUse.SENT: "Elementos enviados",
        SpecialUse.TRASH: "Elementos eliminados",
        SpecialUse.JUNK: "Correo no deseado",
        SpecialUse.ARCHIVE: "Archivo",
    },
}


class FolderSettings(Section, tag="folders"):
    """The folders a new mailbox begins with."""

    make: bool = setting(True, help="Make the folders below when a user first signs in.")
    language: Language = setting("en", help="Language of the names that are not set here: en, de, fr or es.")
    drafts: str = setting("", pattern=_NAME, help="Folder of drafts; empty: Drafts, or its name in that language.")
    sent: str = setting("", pattern=_NAME, help="Folder of sent mail; empty: Sent Items.")
    deleted: str = setting("", pattern=_NAME, help="Folder of deleted mail; empty: Deleted Items.")
    junk: str = setting("", pattern=_NAME, help="Folder of unwanted mail; empty: Junk E-mail.")
    archive: str = setting("", pattern=_NAME, help="Folder of archived mail; empty: Archive.")

    def names(self) -> dict[SpecialUse, str]:
        own = {
            SpecialUse.DRAFTS: self.drafts,
            SpecialUse.SENT: self.sent,
            SpecialUse.TRASH: self.deleted,
            SpecialUse.JUNK: self.junk,
            SpecialUse.ARCHIVE: self.archive,
        }
        return {use: own[use] or name for use, name in NAMES[self.language].items()}


class Furnisher:
    """One in each process."""

    def __init__(self, folders: Folders, state: State, config: ConfigStore, clock: Clock) -> None:
        self._folders, self._state, self._config, self._clock = folders, state, config, clock
        self._known: set[AccountId] = set()

    async def furnish(self, account: AccountId) -> None:
        """Makes and subscribes them, if this is the first time. MailError."""
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
        if len(present) > 1:
            return
        for use, name in settings.names().items():
            try:
                await self._folders.create(account, name, use)
            except MailboxError as error:
                if error.condition is not Condition.ALREADYEXISTS:
                    raise
                continue  # Another session of the same user was faster.
            await self._folders.subscribe(account, name, subscribed=True)
        for folder in present:
            await self._folders.subscribe(account, folder.name, subscribed=True)
