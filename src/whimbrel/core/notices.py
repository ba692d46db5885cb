"""Hints between the processes of one server: something changed, look again. The data itself is the truth."""

from collections.abc import Callable
from typing import Protocol

FOLDER = "folder"
"""key: account, tab, mailbox id (empty: the folder list)."""
QUEUE = "queue"
CONFIG = "config"
USERS = "users"
STOP = "stop"


class Notices(Protocol):
    """May lose a hint when a process dies, never adds delay: publishing does not block."""

    def publish(self, topic: str, key: str = "") -> None:
        """Tells this process at once and the others soon. From the loop's thread."""
        ...

    def subscribe(self, topic: str, heard: Callable[[str], None]) -> Callable[[], None]:
        """Calls `heard(key)` in the loop; "" may mean that hints were lost: look at everything. Returns its end."""
        ...
