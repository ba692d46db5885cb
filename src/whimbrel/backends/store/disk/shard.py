"""An account as the committer locks and writes it: a batch of jobs applied under its lock, or, after a barrier that
failed, all that may have been written made anew."""

from collections.abc import Callable, Sequence
from pathlib import Path

from whimbrel.backends.disk.barrier import Touched
from whimbrel.backends.disk.committer import Job
from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.store.disk.account import Account
from whimbrel.backends.store.disk.batch import AccountJob, Batch
from whimbrel.backends.store.disk.open_indexes import OpenIndexes
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, MailboxId


class AccountShard(Account):
    """One for each account and process."""

    def __init__(
        self,
        account: AccountId,
        root: Path,
        indexes: OpenIndexes,
        generation: Callable[[], int],
        log: Log,
        presence: Presence = ANY,
    ) -> None:
        super().__init__(account, root, indexes, generation, log, presence)
        self.key = "mail/" + account
        self.published: Callable[[set[MailboxId], bool], None] = lambda changed, folders: None
        """What `apply` reports: whoever waits for the jobs passes it on."""

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        with self.seq.locked():
            self.prepare_locked()
            batch = Batch(self, touched)
            for job in jobs:
                assert isinstance(job, AccountJob)
                try:
                    batch.done(job, job.run(batch))
                except MailError as error:
                    job.result = error
                except Exception as error:  # noqa: BLE001 - the result of the jobs it befell.
                    batch.abandon(error)
                    job.result = self.translate(None, error)
            batch.commit()
            self.seq.commit()
            if batch.folders_changed:
                self.seq.folders_changed()
                touched.directories.add(str(self.root))
                touched.databases.add(str(self.root / "account.fld"))
            for path in self.tree.take_written():
                (touched.files if path.endswith(".xml") else touched.directories).add(path)
            touched.files.add(self.seq.path)
        changed = batch.changed | {mailbox for mailbox in batch.annotated if mailbox is not None}
        if changed:
            self.changed(changed)
        if changed or batch.folders_changed or batch.annotated:
            self.published(changed, batch.folders_changed or None in batch.annotated)

    def restore(self, refused: Sequence[Job]) -> None:
        """After a failed barrier: every index that may have been written is made anew from the files."""
        with self.seq.locked():
            self.prepare_locked()
            for entry in self.tree.entries():
                if (self.root / entry.path / "index.fld").exists():
                    self.rebuild(entry)
            self.seq.commit()
