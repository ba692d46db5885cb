"""Where the store of a new installation may be: what is typed may be any path, and whoever sets up is often root."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whimbrel.app import store_mark
from whimbrel.app.machine.mounts import file_system, nearest

_OURS: Final = frozenset(
    {"run", "tls", "history", "unfinished", "lock", "mailserver.cfg", "users.cfg", "users.cfg.changes", "users.idx",
     store_mark.NAME}
)  # fmt: skip
"""Names in an installation that are not its store."""
_LONGEST: Final = 255
_NO_DISKS: Final = frozenset(
    {"proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "mqueue", "pstore"}
)


def refusal(directory: Path, name: str) -> str:
    """Why a new installation in `directory` may not have its store at `name`, in a sentence; empty: it may."""
    try:
        return next(_refusals(directory, name), "")
    except OSError as error:
        return f"{name[:200]}: {error.strerror}"


def _refusals(directory: Path, name: str) -> Iterator[str]:
    """OSError: as for any name that is too long."""
    if name.startswith("~"):
        yield f"{name}: ~ means nothing here, as no shell reads it: write the whole path"
    if any(len(os.fsencode(part)) > _LONGEST for part in Path(name).parts):
        yield f"{name[:60]}...: File name too long: a name has at most {_LONGEST} octets"
    store = Path(os.path.normpath(directory / name))
    here = Path(os.path.abspath(directory))
    if store == here or here.is_relative_to(store):
        yield f"{store} holds the installation itself ({here}): name a directory of its own"
    if store.is_relative_to(here) and (first := store.relative_to(here).parts[0]) in _OURS:
        yield f"{here / first} is the installation's own: name another directory"
    if store.is_symlink():
        where = os.path.realpath(store)
        yield f"{store} is a symbolic link to {where}: name that directory itself, for it must not change unnoticed"
    if text := store_mark.claim(directory, store):
        yield text
    for above in store.parents:
        if above.is_file():
            yield f"{above} is a file, and no directory can be below it"
        if above != here and above.is_dir() and (whose := _owner(above)):
            yield f"{store} lies inside of {whose}: name a directory of its own"
    if (kind := file_system(store)) in _NO_DISKS:
        yield f"{store} is on {kind}, which the kernel makes up: name a directory on a disk"
    place = nearest(store)
    if place.is_dir() and not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        yield (
            f"{place} is on a read-only file system" if read_only else f"{place} is closed to who sets up: not writable"
        )


def _owner(folder: Path) -> str:
    """What is in `folder` that another directory must not be in."""
    if (folder / "mailserver.cfg").exists():
        return f"another installation ({folder})"
    return f"the store {folder}" if (folder / store_mark.NAME).exists() else ""
