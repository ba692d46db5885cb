"""What stands in the place of a file or directory of the store and is none: a symbolic link, a directory where a file
belongs, a pipe.

A link is never followed: it may lead to another file system, which no barrier covers, or to files of somebody else.
What a person or a program has put there is kept: it is moved aside, and what belongs there is made anew. Looked at when
something is opened, not with each use: this is about slips of the hand, nobody else can write here.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISREG, "a file"),
)


def not_a_file(path: Path | str) -> str:
    """What stands there if it is no regular file; empty if it is one, or nothing is there. Raises OSError."""
    return _unlike(path, stat.S_ISREG)


def not_a_directory(path: Path | str) -> str:
    """What stands there if it is no directory; empty if it is one, or nothing is there. Raises OSError."""
    return _unlike(path, stat.S_ISDIR)


def set_aside(path: Path, lost: Path) -> Path | None:
    """Moves what stands in the place of a file into the directory `lost`; its path there. None if another process has
    put it right meanwhile. Raises OSError."""
    with directory_locked(path.parent):
        if not not_a_file(path):
            return None
        return move_to(path, lost)


def move_to(path: Path, lost: Path) -> Path:
    """Into the directory `lost`, under a name that nothing has there. Raises OSError."""
    lost.mkdir(mode=0o700, exist_ok=True)
    target = lost / f"{path.name}-{time.time_ns():x}"
    os.rename(path, target)
    return target


@contextlib.contextmanager
def directory_locked(directory: Path) -> Iterator[None]:
    """Of all processes that put something into its place there, one after the other. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unlike(path: Path | str, wanted: object) -> str:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return ""
    for matches, words in _KINDS:
        if matches(mode):
            return "" if matches is wanted else words
    return "a device, pipe or socket"
