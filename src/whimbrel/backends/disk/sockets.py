"""Names of Unix sockets in deep folders: what notices and tasks between the processes of a server both need."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for the socket `path` that the system takes (about 100 bytes): by way of its folder where it is longer."""
    name = os.fspath(path)
    if len(os.fsencode(name)) <= 100 or not os.path.isdir("/proc/self/fd"):
        yield name
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
