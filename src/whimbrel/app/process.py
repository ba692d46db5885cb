"""What a process asks of its system: no core files, many open files, an event loop."""

import asyncio
import contextlib
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
