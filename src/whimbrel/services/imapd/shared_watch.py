"""The sessions of one process that have the same mailbox selected: what changed is asked once for all that wait.

An idling session gets its responses from here, without waking its task: the query, the way to the thread and back, and
the switches between tasks are shared. Whoever is busy is only hinted, and asks with its next command. Whoever cannot be
served so (it does not read, watches by NOTIFY, is to get the \\Recent ones) is woken and asks for itself.

Standards: RFC 2177 3, RFC 3501 5.2, 2.3.2 (recent in one session alone)
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId, Changes, Delta, FolderRef, MailboxId, Messages

BETWEEN_TURNS = 50
"""Sessions that are served before others have their turn."""
MAX_ACCOUNTS = 1_000
"""Accounts that are kept to be shared."""
MAX_QUERIES = 4
"""Different starting points that are asked for; whoever starts elsewhere asks for itself."""


class Listener(Protocol):
    """A session that waits."""

    @property
    def modseq(self) -> int:
        """Up to which the client was notified of everything."""
        ...

    @property
    def claiming(self) -> bool:
        r"""The session wants the new messages as its \Recent ones, unless another was first."""
        ...

    def push(self, delta: Delta, *, claimed: bool) -> bool:
        r"""Pushes what `delta` has, all changes after its modseq, to the client. False: nothing was pushed, wake it.
        `claimed`: a session of this process was woken to claim what is \Recent."""
        ...


class Hints:
    """Hears that the mailbox may have changed; made before the snapshot, so that nothing falls between."""

    __slots__ = ("_watch", "listener", "stale", "wake")

    def __init__(self, watch: "SharedWatch | None" = None) -> None:
        self._watch = watch
        self.stale = False
        self.wake: Callable[[], None] | None = None
        """Called at each hint, unless the listener is served."""
        self.listener: Listener | None = None
        """While the session idles and its task does nothing else."""

    def hint(self) -> None:
        self.stale = True
        if self.wake is not None:
            self.wake()

    def end(self) -> None:
        """Hears nothing more."""
        self.listener = self.wake = None
        if self._watch is not None:
            self._watch.leave(self)
            self._watch = None


class SharedWatch:
    """Of one mailbox; lives while somebody is in it."""

    __slots__ = ("_due", "_end", "_gone", "_members", "_messages", "_serial", "_serving", "ref")

    def __init__(self, ref: FolderRef, messages: Messages, changes: Changes, gone: Callable[[FolderRef], None]) -> None:
        self.ref, self._messages, self._gone = ref, messages, gone
        self._members: dict[Hints, None] = {}
        self._due: dict[Hints, None] = {}
        self._serial = 0
        self._serving: asyncio.Task[None] | None = None
        self._end = changes.watch(ref.account, self._heard)

    def join(self) -> Hints:
        hints = Hints(self)
        self._members[hints] = None
        return hints

    def leave(self, hints: Hints) -> None:
        self._members.pop(hints, None)
        self._due.pop(hints, None)
        if not self._members:
            self._end()
            self._gone(self.ref)

    # Inside

    def _heard(self, mailbox: MailboxId | None) -> None:
        if mailbox is not None and mailbox != self.ref.mailbox:
            return
        self._serial += 1
        for hints in tuple(self._members):
            if hints.listener is None:
                hints.hint()
            else:
                hints.stale = True
                self._due[hints] = None
        if self._due and self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        complete = False
        try:
            while self._due:
                due, self._due = self._due, {}
                starts: dict[int, list[Hints]] = {}
                for hints in due:
                    if hints.listener is not None:  # Else it asks when it is done with what it is at.
                        starts.setdefault(hints.listener.modseq, []).append(hints)
                for number, (since, waiting) in enumerate(sorted(starts.items(), key=_largest_first)):
                    if number < MAX_QUERIES:
                        await self._serve_all(since, waiting)
                    else:
                        for hints in waiting:
                            hints.hint()
            complete = True
        finally:
            self._serving = None
            if not complete:  # A bug, or the end of the server: nobody is forgotten.
                self._due = {}
                for hints in tuple(self._members):
                    if hints.stale and hints.listener is not None:
                        hints.hint()

    async def _serve_all(self, since: int, waiting: list[Hints]) -> None:
        serial = self._serial
        try:
            delta = await self._messages.changes(self.ref, since)
        except MailError:
            for hints in waiting:
                hints.hint()  # Each finds out for itself, and says so.
            return
        claimed = False
        for number, hints in enumerate(waiting, 1):
            listener = hints.listener
            if listener is None:
                continue  # Busy meanwhile, and stale still.
            if listener.modseq != since:
                if hints.stale:
                    self._due[hints] = None
                continue
            if listener.push(delta, claimed=claimed):
                # A hint that came during the query counts for the next one.
                hints.stale = serial != self._serial
            else:
                claimed = claimed or listener.claiming
                hints.hint()
            if number % BETWEEN_TURNS == 0:
                await asyncio.sleep(0)


def _largest_first(start: tuple[int, list[Hints]]) -> int:
    return -len(start[1])


class SharedWatches:
    """Those of a process."""

    __slots__ = ("_accounts", "_changes", "_messages", "_of")

    def __init__(self, messages: Messages, changes: Changes) -> None:
        self._messages, self._changes = messages, changes
        self._of: dict[FolderRef, SharedWatch] = {}
        self._accounts: dict[AccountId, Account] = {}

    def account(self, account: Account) -> Account:
        """The same object for all sessions of one account, which is a kilobyte less for each but the first."""
        known = self._accounts.get(account.id)
        if known == account:
            return known
        if len(self._accounts) >= MAX_ACCOUNTS:
            self._accounts.clear()
        self._accounts[account.id] = account
        return account

    def join(self, ref: FolderRef) -> Hints:
        """Until `Hints.end`."""
        watch = self._of.get(ref)
        if watch is None:
            watch = self._of[ref] = SharedWatch(ref, self._messages, self._changes, self._gone)
        return watch.join()

    def _gone(self, ref: FolderRef) -> None:
        self._of.pop(ref, None)

    def __len__(self) -> int:
        return len(self._of)
