"""The jobs of one account in one batch of the committer: neighbours on the same folder share one transaction, and each
gets its result, or the error, once that transaction has ended.

Used in the committer's thread, under the account's lock: nobody else can add anything to the account meanwhile.
"""

import contextlib

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.disk.committer import Job
from whimbrel.backends.store.disk.account import Account
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.backends.store.disk.write import Change
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import Limit, MailboxId, Usage


class AccountJob(Job):
    """Work on one account. `run` returns the result; MailError befalls only this job and must leave nothing behind."""

    def run(self, batch: "Batch") -> object:
        raise NotImplementedError


class Batch:
    """The jobs of one account under one lock: neighbours on the same folder share one transaction."""

    def __init__(self, account: Account, touched: Touched) -> None:
        self.account, self.touched = account, touched
        self.changed: set[MailboxId] = set()
        self.folders_changed = False
        self.annotated: set[MailboxId | None] = set()
        """Folders, or the account, whose annotations are others now: who watches is notified."""
        self._open: tuple[Entry, Change, list[tuple[Job, object]]] | None = None

    def modseq(self) -> int:
        return self.account.seq.allocate()

    def change(self, mailbox: MailboxId) -> Change:
        """The transaction on a folder; stays open for the next job."""
        if self._open is not None and self._open[0].mailbox == mailbox:
            return self._open[1]
        self.commit()
        entry = self.account.entry(mailbox)
        change = Change(self.account.hold(entry), self.touched)
        change.__enter__()
        self._open = (entry, change, [])
        return change

    def check_room(self, limit: Limit, size: int, messages: int = 1) -> None:
        """OVERQUOTA if so much more, in the folder whose transaction is open, does not fit into the account. What that
        transaction has added counts, though account.seq does not know of it yet."""
        assert self._open is not None
        entry, change, _ = self._open
        sequence = self.account.seq
        sums, known = sequence.own, sequence.status(entry.key)
        size_before, messages_before = (known.size, known.messages) if known is not None else (0, 0)
        size_now, messages_now = change.held
        usage = Usage(sums.bytes + size_now - size_before, sums.messages + messages_now - messages_before)
        if limit.exceeded(usage, size, messages):
            raise MailboxError(Condition.OVERQUOTA, "Mailbox is full")

    def done(self, job: Job, result: object) -> None:
        """`result` stands once the transaction that is open has committed."""
        if self._open is not None:
            self._open[2].append((job, result))
        else:
            job.result = result

    def commit(self) -> None:
        """Commits what is open; its jobs get their results, or the error."""
        if self._open is None:
            return
        entry, change, jobs = self._open
        self._open = None
        try:
            change.__exit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - each job of this transaction gets it.
            self._fail(entry, jobs, error)
            return
        for job, result in jobs:
            job.result = result
        self.account.seq.store(entry.key, change.status)
        self.changed.add(entry.mailbox)
        if change.leaving:
            self.account.leaving.add(entry.mailbox)
        if change.strays:
            self.account.take_in(entry)

    def abandon(self, error: Exception) -> None:
        """Rolls back what is open; all its jobs get `error`."""
        if self._open is None:
            return
        entry, change, jobs = self._open
        self._open = None
        with contextlib.suppress(Exception):
            change.__exit__(type(error), error, None)
        self._fail(entry, jobs, error)

    def _fail(self, entry: Entry, jobs: list[tuple[Job, object]], error: Exception) -> None:
        refusal = self.account.translate(entry.mailbox, error)
        for job, _ in jobs:
            job.result = refusal
