"""What jobs need beyond the ports of the core; `app` gives them what the backends offer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from whimbrel.core.mailbox import AccountId


class Room(Protocol):
    """Free space on disk as it was last looked at."""

    @property
    def short(self) -> bool:
        """Below the soft limit, or the hard one."""
        ...

    @property
    def free(self) -> int:
        """Octets."""
        ...

    @property
    def word(self) -> str:
        """enough, low, full or read-only."""
        ...


class Certificates(Protocol):
    """What this server shows to its clients."""

    def ensure_certificate(self) -> bool:
        """Makes the self-signed certificate where it is needed. True: it was made. OSError."""
        ...


class Maintenance(Protocol):
    """Looks after every folder of the store, and heals."""

    async def accounts(self) -> Sequence[AccountId]:
        """All that have folders."""
        ...

    async def maintain(self, pause: float) -> int:
        """`pause`: seconds between two folders. How many folders."""
        ...


class Purged(Protocol):
    @property
    def messages(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class Purging(Protocol):
    """Deletes for good what was deleted before."""

    async def round(self, accounts: Sequence[AccountId]) -> Purged:
        """What was kept for long enough."""
        ...

    async def relieve(self, accounts: Sequence[AccountId], short: Callable[[], Awaitable[bool]]) -> Purged:
        """While room is `short`, what was kept longest."""
        ...

    async def short(self) -> bool:
        """Is the disk that holds the mail below the soft limit now?"""
        ...


class Departures(Protocol):
    """Users who have left with a day on which they are removed."""

    async def remove_due(self) -> Sequence[str]:
        """Removes those whose day has come; their addresses."""
        ...

    async def purge_due(self) -> Sequence[str]:
        """Deletes the mail of those who were removed a day ago or more; whose it was."""
        ...


class LogRotation(Protocol):
    def rotate(self) -> None:
        """Puts files aside that are due."""
        ...

    def index(self) -> bool:
        """Indexes a little. True: there is more to do."""
        ...

    def pause(self) -> float:
        """Seconds until the next look."""
        ...


class EditedFiles(Protocol):
    """The two configuration files as somebody else may have edited them."""

    def edited(self) -> str:
        """Which state of the files on disk it is that is not the one in use; empty if they are the same. Cheap: one
        `stat` each."""
        ...

    async def differ(self) -> Sequence[str]:
        """The files whose content is not the one in use."""
        ...
