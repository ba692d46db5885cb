"""What a folder and an account have on disk, looked at when they are opened: each name is a file, or a directory, or
free.

Files can be made anew from what is left, so whatever else has taken the place of one is moved to `#lost`. Not so the
directories: a link in the place of `#msgs` leads to the messages, and to begin an empty one would delete them for all
clients. Such a folder serves nobody until a person has put it right. Only the directory of an account may be a link: a
renamed mailbox leaves one (`mailboxes.py`).
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whimbrel.backends.disk.irregular import not_a_directory, not_a_file, set_aside
from whimbrel.core.errors import Condition, MailboxError

LOST: Final = "#lost"
FOLDER_XML: Final = "#folder.xml"
DIRECTORIES: Final = (LOST, "#msgs", "#deleted")
FILES: Final = (
    FOLDER_XML,
    "#expunged",
    "index.fld",
    "index.fld-wal",
    "index.fld-shm",
    "index.bad",
    "index.bad-wal",
    "index.save",
    "index.new",
    "flags.bak",
    "flags.bak.new",
    "flags.log",
    f"{FOLDER_XML}.new",
)


class Displaced(MailboxError):
    """Something else stands in the place of a directory of the store."""

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(Condition.UNAVAILABLE, "Mailbox trouble, try again later", detail=f"{path} is {kind}")
        self.path, self.kind = path, kind


def clear_folder(folder: Path) -> list[Path]:
    """Moves away what stands in the place of a file; where each was. Displaced; raises OSError."""
    for name in DIRECTORIES:
        if kind := not_a_directory(f"{folder}/{name}"):
            raise Displaced(f"{folder}/{name}", kind)
    return clear_files(folder, FILES)


def clear_files(directory: Path, names: tuple[str, ...]) -> list[Path]:
    """The same, of some files. Displaced; raises OSError."""
    cleared: list[Path] = []
    for name in names:
        if not_a_file(f"{directory}/{name}"):
            path = directory / name
            if kind := not_a_directory(path.with_name(LOST)):
                raise Displaced(str(path.with_name(LOST)), kind)
            if set_aside(path, path.with_name(LOST)) is not None:
                cleared.append(path)
    return cleared


def is_folder(root: Path, path: str) -> bool:
    """It is a directory, and so is each above it, up to the account's."""
    try:
        return all(stat.S_ISDIR(os.lstat(each).st_mode) for each in _levels(root, path))
    except FileNotFoundError:
        return False


def _levels(root: Path, path: str) -> Iterator[str]:
    level = str(root)
    for name in path.split("/"):
        level = f"{level}/{name}"
        yield level
