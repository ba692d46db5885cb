"""What a process asks of its system: no core files, many open files, an event loop."""

import asyncio
import contextlib
import os
import sys
from typing import Final

_FILES: Final = 65536
_FILES_WINDOWS: Final = 8192


def prepare() -> None:
    """At the start of a worker."""
    if sys.platform != "win32":
        import resource

        # A core file would hold mail and secrets.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(ValueError, OSError):
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _FILES)), hard))


def server_run() -> str:
    """Names the run of the server that this worker belongs to: the first process, and when that began. For workers,
    whose parent's parent it is."""
    with contextlib.suppress(OSError, IndexError):
        supervisor = _stat(os.getppid())[1]
        return f"{supervisor}:{_stat(int(supervisor))[19]}"
    return str(os.getppid())


def _stat(pid: int) -> list[str]:
    """What /proc tells of a process, from its state on: its parent is 1, when it began 19. proc_pid_stat(5)"""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def open_files() -> int:
    """Files and sockets that this process may have open."""
    if sys.platform == "win32":
        return _FILES_WINDOWS
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """uvloop where there is one: it takes less memory for a TLS connection and accepts faster."""
    with contextlib.suppress(ImportError):
        import uvloop

        loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
        return loop
    return None
