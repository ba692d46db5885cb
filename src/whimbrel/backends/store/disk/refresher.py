"""Keeps the backup of the flags of all folders in use no more than a minute behind their indexes."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Final

import apsw

from whimbrel.backends.store.disk.account import Account
from whimbrel.backends.store.disk.backup import refresh_backup
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, MailboxId
from whimbrel.core.pool import Pool

DELAY: Final = 30.0
"""Seconds from a change to the backup of it; changes that come meanwhile are written together."""
PAUSE: Final = 0.005
"""Seconds between two folders."""


class Refresher:
    """One for each store. A folder costs two short reads and one write each `DELAY` seconds in which it changes."""

    def __init__(self, account: Callable[[AccountId], Account], pool: Pool) -> None:
        """`account` is called in the loop."""
        self._account, self._pool = account, pool
        self._lock = threading.Lock()
        self._changed: dict[AccountId, set[MailboxId]] = {}
        self._task: asyncio.Task[None] | None = None

    def changed(self, account: AccountId, mailboxes: Iterable[MailboxId]) -> None:
        """From any thread."""
        with self._lock:
            self._changed.setdefault(account, set()).update(mailboxes)

    def soon(self) -> None:
        """In the loop; cheap where there is nothing to do."""
        if self._changed and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None

    async def _run(self) -> None:
        while self._changed:
            await asyncio.sleep(DELAY)
            await self.refresh()

    async def refresh(self) -> None:
        """All that has changed until now."""
        with self._lock:
            changed, self._changed = self._changed, {}
        for account, mailboxes in changed.items():
            for mailbox in mailboxes:
                # Deleted meanwhile, busy, no room: the index is whole, and its next change tries again.
                with contextlib.suppress(MailError, apsw.Error):
                    try:
                        await self._pool.run(self._account(account).read, mailbox, refresh_backup)
                    except OSError:
                        # Perhaps what stands in the place of a file: that is looked at when the folder is opened.
                        self._account(account).forget(mailbox)
                await asyncio.sleep(PAUSE)
