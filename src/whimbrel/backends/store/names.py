"""Names of folders, and their annotations, as every backend knows them.

Standards: RFC 9051 5.1 (mailbox naming), 6.3.4 (a trailing delimiter), RFC 5198 (NFC), RFC 5464 4.3 (bounds)
"""

import unicodedata
from collections.abc import Mapping

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, INBOX, MAX_ANNOTATION, MAX_ANNOTATIONS

MAX_DEPTH = 32
MAX_SUBSCRIPTIONS = 10_000
MAX_ANNOTATED = 512 * 1024
"""Octets in all annotations of one folder: no quota counts them, and each change writes all of them."""
MAX_NAME = 255
"""Characters in one level of an IMAP name."""
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})


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
        if not all(map(_allowed, level)):
            raise MailboxError(Condition.CANNOT, "Control characters are not allowed in a folder name")
        if "%" in level or "*" in level:
            raise MailboxError(Condition.CANNOT, "The wildcards % and * are not allowed in a folder name")
    return DELIMITER.join(levels)


def _allowed(char: str) -> bool:
    # U+FFFE and U+FFFF are no characters, and XML, which keeps the names on disk, has none of them.
    return unicodedata.category(char) not in _CONTROLS and char not in "\ufffe\uffff"


def by_hand(level: str) -> str:
    """The folder name for a directory that somebody made: whatever it is called, it is one level that clients see."""
    level = unicodedata.normalize("NFC", level)
    return "".join(char if _allowed(char) and char not in "/%*" else "\ufffd" for char in level)[:MAX_NAME]


def parent(name: str) -> str:
    """The level above, or ""."""
    return name.rpartition(DELIMITER)[0]


def leaf(name: str) -> str:
    return name.rpartition(DELIMITER)[2]


def check_annotations(held: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """What `held` becomes. MailboxError LIMIT (too many), OVERQUOTA (a value is too long), CANNOT (a bad name)."""
    annotations = dict(held)
    for name, value in changes.items():
        if not name or len(name) > MAX_NAME or not all(char.isprintable() for char in name):
            raise MailboxError(Condition.CANNOT, f"An annotation's name has 1 to {MAX_NAME} printable characters")
        if value is None:
            annotations.pop(name, None)
        elif len(value) > MAX_ANNOTATION:
            raise MailboxError(Condition.OVERQUOTA, f"An annotation has {MAX_ANNOTATION} octets at most")
        else:
            annotations[name] = value
    if sum(map(len, annotations.values())) > MAX_ANNOTATED and any(changes.values()):
        raise MailboxError(Condition.LIMIT, f"All annotations together have {MAX_ANNOTATED} octets at most")
    if len(annotations) > MAX_ANNOTATIONS:
        raise MailboxError(Condition.LIMIT, f"There are {MAX_ANNOTATIONS} annotations at most")
    return annotations
