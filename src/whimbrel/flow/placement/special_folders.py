"""How the folders with a special use are called that we make: at the first sign-in, and when a message needs one.

Standards: RFC 6154 2 (special use)
"""

from typing import Final, Literal

from whimbrel.core.mailbox import SpecialUse
from whimbrel.core.settings import Section, setting

Language = Literal["en", "de", "fr", "es"]
_NAME_LIKE: Final = "the name of a folder without control characters, /, * and %, or nothing"
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
    drafts: str = setting("", pattern=_NAME, like=_NAME_LIKE, help="Folder of drafts; empty: Drafts in that language.")
    sent: str = setting("", pattern=_NAME, like=_NAME_LIKE, help="Folder of sent mail; empty: Sent Items.")
    deleted: str = setting("", pattern=_NAME, like=_NAME_LIKE, help="Folder of deleted mail; empty: Deleted Items.")
    junk: str = setting("", pattern=_NAME, like=_NAME_LIKE, help="Folder of unwanted mail; empty: Junk E-mail.")
    archive: str = setting("", pattern=_NAME, like=_NAME_LIKE, help="Folder of archived mail; empty: Archive.")

    def names(self) -> dict[SpecialUse, str]:
        own = {
            SpecialUse.DRAFTS: self.drafts,
            SpecialUse.SENT: self.sent,
            SpecialUse.TRASH: self.deleted,
            SpecialUse.JUNK: self.junk,
            SpecialUse.ARCHIVE: self.archive,
        }
        return {use: own[use] or name for use, name in NAMES[self.language].items()}
