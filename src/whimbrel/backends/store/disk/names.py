"""Names of folders and accounts on disk: safe on every file system, readable by people.

The name on disk is only a suggestion derived from the IMAP name; `account.fld` and `#folder.xml` keep the truth, so
the mapping is never inverted.
"""

import hashlib
import unicodedata
from pathlib import Path

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, INBOX, AccountId

MAX_DEPTH = 32
MAX_NAME = 255
"""Characters in one level of an IMAP name."""
_MAX_BYTES = 180
_RESERVED = set('<>:"/\\|?*%')
_OURS = {"index.fld", "index.bad", "search.fld", "account.fld", "account.seq", "flags.bak"}
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{name}{n}" for name in ("com", "lpt") for n in range(10)}


def on_disk(level: str) -> str:
    """The directory for one level of a folder's name (or for a user or domain)."""
    text = unicodedata.normalize("NFC", level)
    safe = "".join(_escape(char) if char in _RESERVED or not char.isprintable() else char for char in text)
    if safe.startswith(("#", ".", " ")):
        safe = _escape(safe[0]) + safe[1:]
    if safe.endswith((".", " ")):
        safe = safe[:-1] + _escape(safe[-1])
    folded = safe.casefold()
    if folded.split(".")[0] in _DEVICES or folded in _OURS or folded.endswith(("-wal", "-shm", ".bak", ".bad")):
        safe = _escape(safe[0]) + safe[1:]
    raw = safe.encode("utf-8", "surrogatepass")
    if len(raw) > _MAX_BYTES:
        digest = hashlib.blake2b(raw, digest_size=6).hexdigest()
        safe = raw[: _MAX_BYTES - 16].decode("utf-8", "ignore").rstrip(". %") + "%~" + digest
    return safe


def _escape(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def account_path(mail: Path, account: AccountId) -> Path:
    """`store/mail/<domain>/<user>`."""
    user, _, domain = account.rpartition("@")
    return mail / on_disk(domain) / on_disk(user)


def canonical(name: str) -> str:
    """The one form of a folder name. MailboxError CANNOT for a name that no folder can have."""
    if len(name) > MAX_NAME * MAX_DEPTH:
        raise MailboxError(Condition.CANNOT, "The folder name is too long")
    levels = unicodedata.normalize("NFC", name).split(DELIMITER)
    if levels[-1] == "" and len(levels) > 1:
        levels.pop()  # A trailing delimiter only says that more will come below. RFC 9051 6.3.4
    if levels[0].upper() == INBOX:
        levels[0] = INBOX
    if len(levels) > MAX_DEPTH:
        raise MailboxError(Condition.LIMIT, f"Folders go {MAX_DEPTH} levels deep at most")
    for level in levels:
        if not level or len(level) > MAX_NAME:
            raise MailboxError(Condition.CANNOT, f"Each level of a folder name has 1 to {MAX_NAME} characters")
        if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in level):
            raise MailboxError(Condition.CANNOT, "Control characters are not allowed in a folder name")
        if "%" in level or "*" in level:
            raise MailboxError(Condition.CANNOT, "The wildcards % and * are not allowed in a folder name")
    return DELIMITER.join(levels)


def parent(name: str) -> str:
    """The level above, or ""."""
    return name.rpartition(DELIMITER)[0]


def leaf(name: str) -> str:
    return name.rpartition(DELIMITER)[2]
