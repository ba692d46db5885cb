"""What changed in which folder: published once it is durable, and received from the other processes.

A notice is a hint that may be lost; the counters of watched accounts, looked at each second, show what no notice said.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import apsw

from whimbrel.backends.store.disk.account import Account
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, MailboxId
from whimbrel.core.notices import FOLDER, Notices
from whimbrel.core.pool import Pool

POLL = 1.0
"""Seconds between two looks at the counters of watched accounts; a hint is far faster, but may be lost."""
_HEALED = 0.05
"""Seconds after which healing is published: mostly several folders are healed at once."""
Wake = Callable[[MailboxId | None], None]
"""With the folder that changed; None: the folder list."""


class ChangeNotifier:
    """One for each store."""

    def __init__(self, account: Callable[[AccountId], Account], pool: Pool, notices: Notices, log: Log) -> None:
        """`account` is called in the loop."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """Set by whoever waits in one: what is healed without anybody waiting is published there."""
        self._account, self._pool, self._notices, self._log = account, pool, notices, log
        self._changed: list[tuple[AccountId, set[MailboxId], bool]] = []
        self._changed_lock = threading.Lock()
        self._watchers: dict[AccountId, set[Wake]] = {}
        self._unsubscribe = notices.subscribe(FOLDER, self._heard)
        self._seen: dict[AccountId, tuple[int, int] | None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._poll: asyncio.TimerHandle | None = None

    def close(self) -> None:
        self._unsubscribe()
        if self._poll is not None:
            self._poll.cancel()

    # Telling

    def collect(self, account: AccountId, changed: set[MailboxId], folders: bool) -> None:
        """From the committer's thread: `tell` follows once the barrier is through. No need to wake the loop before."""
        with self._changed_lock:
            self._changed.append((account, changed, folders))

    def healed(self, account: AccountId, changed: set[MailboxId], folders: bool) -> None:
        """From a pool thread."""
        self.collect(account, changed, folders)
        if self.loop is not None:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._tell_soon)

    def _tell_soon(self) -> None:
        if self.loop is not None:
            self.loop.call_later(_HEALED, self.tell)

    def tell(self) -> None:
        """What was collected, to all processes and this one."""
        with self._changed_lock:
            changed, self._changed = self._changed, []
        for account, mailboxes, folders in changed:
            for mailbox in mailboxes:
                self._notices.publish(FOLDER, f"{account}\t{mailbox}")
            if folders:
                self.tell_folders(account)

    def tell_folders(self, account: AccountId) -> None:
        """The account's folders are others now."""
        self._notices.publish(FOLDER, f"{account}\t")

    # Hearing

    def watch(self, account: AccountId, wake: Wake) -> Callable[[], None]:
        watchers = self._watchers.get(account)
        if watchers is None:
            watchers = self._watchers[account] = set()
            self._seen[account] = self._counters(account)
        watchers.add(wake)
        if self._poll is None:
            self._poll = asyncio.get_running_loop().call_later(POLL, self._look)

        def end() -> None:
            watchers.discard(wake)
            if not watchers and self._watchers.get(account) is watchers:
                del self._watchers[account]
                self._seen.pop(account, None)

        return end

    def _counters(self, account: AccountId) -> tuple[int, int] | None:
        """None while nobody has opened the account in this process, or its counters were taken away: it is opened for
        the next look."""
        opened = self._account(account)
        if not opened.ready or not opened.counting:
            task = asyncio.get_running_loop().create_task(self._open(opened))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            return None
        header = opened.seq.header()
        return header.committed, header.folders

    async def _open(self, account: Account) -> None:
        try:
            await self._pool.run(account.prepare)
        except (MailError, OSError, apsw.Error) as error:
            self._log.exception("store.failed", error, account=account.account)

    def _look(self) -> None:
        """A hint may be lost while a process starts anew: the accounts' counters show what no notice said."""
        self._poll = None
        for account, watchers in list(self._watchers.items()):
            now, before = self._counters(account), self._seen.get(account)
            if now is not None and now != before:
                self._seen[account] = now
                for mailbox in self._account(account).changed_since(before[0] if before else 0):
                    for wake in tuple(watchers):
                        wake(mailbox)
                if before is None or before[1] != now[1]:
                    for wake in tuple(watchers):
                        wake(None)
        if self._watchers:
            self._poll = asyncio.get_running_loop().call_later(POLL, self._look)

    def _heard(self, key: str) -> None:
        account, _, mailbox = key.partition("\t")
        for wake in tuple(self._watchers.get(AccountId(account), ())):
            wake(MailboxId(mailbox) if mailbox else None)
