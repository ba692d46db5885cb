"""What was deleted as a whole: folders in their account's `#deleted`, accounts beside their former place.

`#deleted/<time>-<mailbox id>` holds all that was in a folder; `#removed-<time>-<user>` is a former account. Both keep
their own `#folder.xml` and indexes, so a folder comes back as it was.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whimbrel.backends.disk.irregular import not_a_directory
from whimbrel.backends.store.disk.expunged_files import listed
from whimbrel.backends.store.disk.folder_xml import read_folder_xml
from whimbrel.backends.store.disk.places import Displaced
from whimbrel.core.mailbox import MailboxId, SpecialUse

_NAME = re.compile(r"(\d{1,12})-(F[0-9a-f]{32})(?:-\d+)?\Z")


@dataclass(frozen=True, slots=True)
class DeletedDirectory:
    """The directory of a deleted folder, and what its #folder.xml says."""

    path: Path
    deleted: int
    mailbox: MailboxId
    name: str
    uid_validity: int
    special_use: SpecialUse | None


def move_to_deleted(root: Path, folder: Path, mailbox: MailboxId) -> None:
    """What the folder holds moves to the account's #deleted; the folders below it stay.

    In one step where nothing is below. Otherwise the power may go in between: #folder.xml is there first, so that what
    came over can be restored, and the messages go last, so that until then the folder is whole without its index.
    Displaced."""
    target = root / "#deleted" / f"{int(time.time())}-{mailbox}"
    count = 1
    while target.exists():
        count += 1
        target = target.with_name(f"{int(time.time())}-{mailbox}-{count}")
    if kind := not_a_directory(target.parent):
        raise Displaced(str(target.parent), kind)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    items = list(os.scandir(folder))
    if all(item.name.startswith("#") for item in items if item.is_dir(follow_symlinks=False)):
        os.rename(folder, target)
        return
    target.mkdir(mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(folder / "#folder.xml", target / "#folder.xml")
    own = [item.name for item in items if not item.is_dir(follow_symlinks=False) or item.name.startswith("#")]
    for name in sorted(own, key=lambda name: (name == "#folder.xml", name == "#msgs")):
        os.replace(folder / name, target / name)


def move_back(directory: Path, folder: Path) -> None:
    """All of it back into `folder`, which may have folders below it already. #folder.xml goes last: until then
    `directory` is a deleted folder, and what was begun can be begun again."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    items = sorted(os.listdir(directory), key=lambda name: name == "#folder.xml")
    for name in items:
        with contextlib.suppress(FileNotFoundError):  # Begun before, or purged at this moment.
            os.replace(directory / name, folder / name)
    os.rmdir(directory)


def deleted_directories(root: Path) -> list[DeletedDirectory]:
    """Deleted folders of an account, those deleted last first."""
    directories = []
    for path, deleted, mailbox in _directories(root):
        xml = read_folder_xml(path)
        if xml is not None and xml.name:
            directories.append(DeletedDirectory(path, deleted, mailbox, xml.name, xml.uid_validity, xml.special_use))
    return sorted(directories, key=lambda directory: (-directory.deleted, directory.name))


def deleted_before(root: Path, before: float) -> list[Path]:
    """Those of before a moment, whatever is in them."""
    return [path for path, deleted, _ in _directories(root) if deleted < before]


def _directories(root: Path) -> Iterator[tuple[Path, int, MailboxId]]:
    with contextlib.suppress(FileNotFoundError):
        for item in os.scandir(root / "#deleted"):
            match = _NAME.match(item.name)
            if match and item.is_dir(follow_symlinks=False):
                yield Path(item.path), int(match[1]), MailboxId(match[2])


def content(directory: Path) -> tuple[int, int]:
    """Messages and bytes."""
    count = size = 0
    expunged = {f"{uid:08x}.eml" for uid in listed(directory)}
    with contextlib.suppress(FileNotFoundError):
        for item in os.scandir(directory / "#msgs"):
            if item.name in expunged:
                continue
            with contextlib.suppress(FileNotFoundError):
                size += item.stat(follow_symlinks=False).st_size
                count += 1
    return count, size


def remove_some(folder: Path, limit: int) -> int:
    """Removes at most `limit` files of a tree, and the directories that are empty then; how many files. Less than
    `limit`: nothing is left of it."""
    done = 0
    stack: list[Path] = [folder]
    directories: list[Path] = []
    while stack and done < limit:
        directory = stack.pop()
        directories.append(directory)
        with contextlib.suppress(FileNotFoundError), os.scandir(directory) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    stack.append(Path(item.path))
                    continue
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(item.path)
                done += 1
                if done >= limit:
                    break
    for directory in reversed(directories):
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    return done
