"""The mark of a store: `store.id` in it, and beside mailserver.cfg the same id, by which it is known again.

A store whose file system is not mounted is an empty folder: it must never be taken for a new store, and one that was
put in its place by mistake never for ours. A store of a former release gets its mark at the first start.
"""

import contextlib
import json
import os
import pwd
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whimbrel.app import store_lock
from whimbrel.app.ownership import is_store
from whimbrel.app.store_move.plan import MOVED, moved_to
from whimbrel.backends.disk.presence import MARK, Presence, read_mark
from whimbrel.backends.store.settings import StoreSettings
from whimbrel.core.settings import Concern, Gravity, Whole

NAME: Final = MARK
_CONTENT: Final = ("mail", "queue", "state.db", "generation")
"""One of these is in every store."""


class StoreMissing(Exception):
    """The store cannot be used as it is; the text says why and what to do, in a sentence."""


def check(directory: Path, store: Path) -> None:
    """Proves that `store` is the store of the installation `directory`, or makes its first one. StoreMissing."""
    remembered = directory / NAME
    try:
        known, there = _read(remembered), _read(store / NAME)
        if gone := moved_to(store):
            raise StoreMissing(_moved(store, gone))
        if there and known and there != known:
            raise StoreMissing(
                f"The store {store} is not the one of this installation: mount or name the right one, or delete "
                f"{remembered} to use this one"
            )
        if there:
            if not known:
                _write(remembered, there)
            return
        if known and not any((store / name).exists() for name in _CONTENT):
            raise StoreMissing(
                f"The store {store} is {'empty' if store.is_dir() else 'not there'}, and was not before: is its file "
                f"system mounted? To begin with an empty one, delete {remembered}"
            )
        if not known and not_a_store(store):
            raise StoreMissing(
                f"{store} holds other files and no mail store: name an empty or a new directory by store/directory"
            )
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = known or secrets.token_hex(16)
        _write(store / NAME, mark)
        _write(remembered, mark)
    except OSError as error:
        raise StoreMissing(why(store, error)) from None


def presence(directory: Path, store: Path) -> Presence:
    """By which the processes of the installation know that `store` is still there. OSError"""
    return Presence(store, _read(directory / NAME))


def not_a_store(store: Path) -> bool:
    """It is a folder with files of others. OSError."""
    try:
        names = set(os.listdir(store))
    except FileNotFoundError:
        return False
    return not names & {*_CONTENT} and not is_store(names)


def concern(whole: Whole) -> Iterator[Concern]:
    """The setting names a directory that is not the store of this installation."""
    folder = Path(whole.folder)
    store = folder / whole.section(StoreSettings).directory
    try:
        known, there, gone = _read(folder / NAME), _read(store / NAME), moved_to(store)
    except OSError:
        return  # It is told when it is used.
    if gone:
        yield Concern("store/directory", _moved(store, gone), Gravity.WRONG)
    elif known and there != known:
        text = "has the mark of another store" if there else "is not the store of this installation (it has no mark)"
        yield Concern(
            "store/directory",
            f"{store} {text}: move the store there by `whimbrel store move {store}`; or, to use what is there instead, "
            f"delete {folder / NAME}",
            Gravity.WRONG,
        )


def claim(directory: Path, store: Path) -> str:
    """Why a new installation in `directory` may not have `store`, in a sentence; empty if it may."""
    try:
        names = set(os.listdir(store)) - {"lost+found"}
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{store}: {error.strerror}"
    if MOVED in names:
        return f"{store} is a store that was moved elsewhere: name a new or an empty directory"
    if NAME in names:
        user = store_lock.user(store)
        whose = f"of the installation {user}" if user else f"of another installation (it has the mark {NAME})"
        return (
            f"{store} is the store {whose}. A new installation needs a new or an empty directory; to take that store "
            "over, stop its server, set up with a new one, name it by `config set store/directory`, and delete "
            f"{directory / NAME}"
        )
    return f"{store} is not empty: name a new or an empty directory" if names else ""


def why(store: Path, error: OSError) -> str:
    """In a sentence, why a store cannot be used."""
    if isinstance(error, PermissionError) and (closed := _closed(store)) is not None:
        return (
            f"The store {store} cannot be reached: {closed} is closed to {_name(os.geteuid())}{_owner(closed)}: open "
            f"it (chmod a+x {closed}), or give it to the server's user"
        )
    if isinstance(error, PermissionError):
        return f"The store {store} is closed to {_name(os.geteuid())}{_owner(store)}: give it to the server's user"
    place = error.filename or store
    return f"The store {store} cannot be used: {place}: {error.strerror or error}"


def _closed(store: Path) -> Path | None:
    """The first directory above the store that this process cannot pass through."""
    above = (each for each in reversed(store.parents) if each.is_dir())
    return next((each for each in above if not os.access(each, os.X_OK, effective_ids=True)), None)


def _owner(store: Path) -> str:
    with contextlib.suppress(OSError):
        status = store.lstat()
        return f" (it belongs to {_name(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def owner_name(path: Path) -> str:
    """Of the user to whom it belongs. OSError"""
    return _name(path.stat().st_uid)


def _moved(store: Path, target: str) -> str:
    return (
        f"{store} is no store in force any more: it was moved to {target}. Name that one by store/directory; or, to go "
        f"back to what was here then, without the mail that came since, rename {store / MOVED} to {store / NAME}"
    )


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _read(path: Path) -> str:
    """The id; empty if there is none."""
    try:
        return read_mark(str(path))
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _write(path: Path, mark: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"version": "1.0", "id": mark}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
