"""The lock of a store: `store.lock` in it, held by the server that works there, or by a command on its files.

DIR/lock is one for an installation; two installations whose settings name the same store are kept apart by this one.
The supervisor takes it, so little is imported here.
"""

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from whimbrel.app.ownership import Refused, is_store

NAME = "store.lock"
_MOST = 4096
"""Octets of a path. PATH_MAX"""


class StoreInUse(Refused):
    """Another installation's server, or a command, works in the store."""


def lock(directory: Path, store: Path) -> int | None:
    """Locks `store` for the installation `directory`; the descriptor holds it. None: there is no store that a lock
    could be in (its opening tells why), or none yet. StoreInUse."""
    descriptor = -1
    try:
        names = set(os.listdir(store))
        if not names - {"lost+found"} or not is_store(names):
            return None  # Perhaps its file system is not mounted: nothing is left in its place.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(store / NAME, flags, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreInUse(
            f"The store {store} is in use by another server{_of(user(store))}: stop that one, or name another store "
            "by store/directory"
        ) from None
    except OSError:
        if descriptor >= 0:
            os.close(descriptor)
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # The folder may be another user's.
        with contextlib.suppress(OSError):  # Whose it is, is only told to people.
            if os.geteuid() == 0:
                there = os.stat(store)
                os.fchown(descriptor, there.st_uid, there.st_gid)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, os.fsencode(directory), 0)
    return descriptor


def user(store: Path) -> str:
    """The directory of the installation that used the store last; empty if that is not known."""
    try:
        with open(os.open(store / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            text = os.fsdecode(file.read(_MOST))
    except OSError:
        return ""
    return text if text.isprintable() else ""


def _of(directory: str) -> str:
    return f" (of {directory})" if directory else ""
