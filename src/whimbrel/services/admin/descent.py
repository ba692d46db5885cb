"""Which processes come from this server's first one, as /proc tells it: none has business at the admin socket.

What this does and does not protect against: decision 0019.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GENERATIONS: Final = 64
"""Parents that are looked at."""


def of_this_server(process: int) -> bool:
    """True if `process` comes from the supervisor that this process (control) comes from, and for one that has gone
    since: nobody knows whose it was."""
    first = _first()
    line = list(lineage(process))
    return not line or first in line


def _first() -> int:
    """The supervisor, who is the parent of our zygote; the zygote where /proc does not tell, or in a container whose
    first process the supervisor is: orphans of everybody become its children."""
    zygote = os.getppid()
    supervisor = _parent(zygote)
    return supervisor if supervisor > 1 else zygote


def lineage(process: int) -> Iterator[int]:
    """The process, its parent, and so on; nothing for a process that is not there."""
    for _ in range(_GENERATIONS):
        parent = _parent(process)
        if parent < 0:
            return
        yield process
        if parent in (0, process):
            return
        process = parent


def _parent(process: int) -> int:
    """-1: it is not there, or /proc does not tell."""
    try:
        # Its name stands in brackets, and may hold brackets and spaces itself. proc_pid_stat(5)
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return -1
