"""Whether a store can go to a directory, and what that would take. Nothing is changed."""

import os
import stat
from pathlib import Path
from typing import Final

from whimbrel.app import store_lock, store_mark
from whimbrel.app.store_move import plan as plans
from whimbrel.backends.disk.space import SpaceSettings, octets
from whimbrel.backends.disk.tree_copy import MARK, OWN, measure
from whimbrel.core.store_move import MoveRefused, Prospect

SPEED: Final = 40 << 20
"""Octets a second that a copy beside a running server comes to, as an estimate."""
WALK: Final = 40_000
"""Files a second that the last part looks at, as an estimate: twice each, here and there."""
AROUND: Final = 5.0
"""Seconds that stopping and starting take."""
_NO_DATA: Final = frozenset({"run", "tls", "history", "unfinished"})


def look(directory: Path, source: Path, target: Path, limits: SpaceSettings) -> Prospect:
    """Takes as long as a walk over all files. MoveRefused"""
    try:
        return _look(directory, source, target, limits)
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else str(target)
        raise MoveRefused(f"{place}: {error.strerror or error}") from None


def _look(directory: Path, source: Path, target: Path, limits: SpaceSettings) -> Prospect:
    if not target.is_absolute():
        raise MoveRefused(f"{target} is no whole path: begin it with /")
    target = Path(os.path.normpath(target))
    if any(ord(letter) < 32 for letter in str(target)) or len(str(target)) > 1000:
        raise MoveRefused("The name of that directory cannot stand in mailserver.cfg")
    _apart(directory, source, target)
    there = target if target.exists() else target.parent
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise MoveRefused(f"{target} is no directory of its own but a link or a file: name the directory itself")
    if not there.is_dir():
        raise MoveRefused(f"{there} is not there: make it, or mount its disk, first")
    resumes = _empty_or_ours(directory, target)
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        raise MoveRefused(
            f"{there} cannot be written by the server's user: make {target} and give it to that user, for example "
            f"`install -d -m 700 -o {_user(source)} {target}`"
        )
    if target.exists() and (owner := target.stat().st_uid) != os.geteuid() and os.geteuid() != 0:
        raise MoveRefused(
            f"{target} belongs to another user (number {owner}): give it to {_user(source)}, for example "
            f"`chown {_user(source)} {target}`"
        )
    by_rename = not resumes and _renames(source, target, there)
    if by_rename:
        return Prospect(str(source), str(target), by_rename=True, resumes=False, stopped=AROUND)
    files, size = measure(source)
    state = os.statvfs(there)
    if state.f_flag & os.ST_RDONLY:
        raise MoveRefused(f"The file system of {there} is read-only")
    total, free = state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
    reserve = octets(limits.hard_limit, total)
    wanted = size - (_held(target) if resumes else 0)
    if free - reserve < wanted:
        raise MoveRefused(
            f"{there} has {free} octets free, and the store takes {size}"
            + (f" with {reserve} to stay free (space/hard-limit)" if reserve else "")
            + ": make room there, or name a larger disk"
        )
    if state.f_files and state.f_favail < files // (2 if resumes else 1):
        raise MoveRefused(f"{there} can take {state.f_favail} more files, and the store has {files}")
    return Prospect(
        str(source), str(target), False, resumes, files, size, free, reserve,
        copying=size / SPEED + files / WALK, stopped=AROUND + 2 * files / WALK,
    )  # fmt: skip


def _apart(directory: Path, source: Path, target: Path) -> None:
    """Neither lies in the other, nor in what the installation has besides."""
    real_source, real_target = (Path(os.path.realpath(each)) for each in (source, target))
    if real_source == real_target:
        raise MoveRefused(f"The store is at {target} already")
    if real_source in real_target.parents:
        raise MoveRefused(f"{target} lies inside the store {source}: name a directory outside of it")
    if real_target in real_source.parents:
        raise MoveRefused(f"The store {source} lies inside {target}: name a directory beside it")
    real = Path(os.path.realpath(directory))
    if real_target == real or (real in real_target.parents and real_target.relative_to(real).parts[0] in _NO_DATA):
        raise MoveRefused(f"{target} is where the server keeps other things: name a directory of its own")


def _empty_or_ours(directory: Path, target: Path) -> bool:
    """Is an unfinished copy of this very store there? MoveRefused: something else is."""
    try:
        names = set(os.listdir(target)) - {"lost+found"}
    except FileNotFoundError:
        return False
    if not names:
        return False
    if MARK in names:
        ours, mark = plans.marked(directory / store_mark.NAME).get("id"), plans.marked(target / MARK)
        if ours and mark.get("store") == ours and "store.moved" not in names:
            return True
        raise MoveRefused(f"{target} has the unfinished copy of another store: name another directory")
    if "store.moved" in names:
        raise MoveRefused(
            f"{target} is a store that was moved away from: delete it first (`whimbrel store old-delete {target}`), or "
            "name another directory"
        )
    if reason := store_mark.claim(directory, target):
        if store_mark.NAME in names:
            user = store_lock.user(target)
            raise MoveRefused(f"{target} is a store itself{f' (of {user})' if user else ''}: name an empty directory")
        raise MoveRefused(reason)
    return False


def _renames(source: Path, target: Path, there: Path) -> bool:
    """Can the directory just get another name? Not over file systems, nor with another one mounted in it."""
    if source.is_symlink() or os.path.ismount(source) or os.path.ismount(target):
        return False
    device = source.stat().st_dev
    if there.stat().st_dev != device or (target.exists() and os.listdir(target)):
        return False
    if not os.access(source.parent, os.W_OK | os.X_OK, effective_ids=True):
        return False
    if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=True):
        return False
    top = [source, *(each for each in source.iterdir() if stat.S_ISDIR(each.lstat().st_mode))]
    return not any(each.lstat().st_dev != device or os.path.ismount(each) for each in top)


def _held(target: Path) -> int:
    return measure(target)[1] if any(name not in OWN for name in os.listdir(target)) else 0


def _user(source: Path) -> str:
    return store_mark.owner_name(source)
