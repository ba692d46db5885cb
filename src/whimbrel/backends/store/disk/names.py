"""Names of folders and accounts on disk: safe on every file system, readable by people.

The name on disk is only a suggestion derived from the IMAP name; `account.fld` and `#folder.xml` keep the truth, so
the mapping is never inverted.
"""

import hashlib
import re
import unicodedata
from pathlib import Path

from whimbrel.core.mailbox import AccountId

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


_ESCAPED = re.compile(r"((?:%[0-9A-F]{2})+)")


def account_name(directory: str) -> str:
    """The user or domain for a directory that `on_disk` named; a name that was cut short stays so."""

    def plain(match: re.Match[str]) -> str:
        return bytes.fromhex(match[1].replace("%", "")).decode("utf-8", "replace")

    return _ESCAPED.sub(plain, directory)


def account_path(mail: Path, account: AccountId) -> Path:
    """`store/mail/<domain>/<user>`."""
    user, _, domain = account.rpartition("@")
    return mail / on_disk(domain) / on_disk(user)
