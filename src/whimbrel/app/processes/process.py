"""What a kind of process is: one line of the table in `app/processes/__init__.py`."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from whimbrel.app.house import House
from whimbrel.app.server import ServerSettings

Part = Callable[[House], AbstractAsyncContextManager[None]]
"""What a process does beside serving its sockets, for as long as the block runs."""


def single(_settings: ServerSettings) -> int:
    """There is one of it."""
    return 1


def each_core(settings: ServerSettings) -> int:
    """One for each core, unless `server/mail-workers` says otherwise."""
    return settings.mail_workers or os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    name: str
    slots: range
    """Of its processes, in order: they tell the processes of a server apart in ids (0 to 255). Half of them are for
    those of the next zygote, unless it is `alone`."""
    topics: tuple[str, ...]
    """Notices that it wants to hear of from the others."""
    parts: tuple[Part, ...] = ()
    """Opened in this order before its services begin, closed after they ended."""
    after: tuple[str, ...] = ()
    """Forked when all processes of these kinds serve. The server counts as started when all serve that another waits
    for, or that are `needed`."""
    alone: bool = False
    """There is never more than one: a new zygote's begins when the former one's has ended."""
    needed: bool = True
    """Nobody calls the server started without it. A process that is not needed may fail while mail goes on."""
    count: Callable[[ServerSettings], int] = single

    def __post_init__(self) -> None:
        if not self.alone and len(self.slots) < 2:
            raise ValueError(f"{self.name} needs a slot for one of the next zygote, or is alone")
