"""One account on disk: its lock and counters, its folder tree, its open indexes, and the jobs that change them.

An `AccountShard` is what the committer locks and writes together. Readers come through `read` in pool threads; both
heal what they find replaced, missing or damaged.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from whimbrel.backends.disk.barrier import Touched, sync_directory
from whimbrel.backends.disk.committer import Job
from whimbrel.backends.store.disk.backup import backup_modseq, write_backup
from whimbrel.backends.store.disk.database import DAMAGE, Damaged, passing, unavailable
from whimbrel.backends.store.disk.index import FolderIndex, recount
from whimbrel.backends.store.disk.rebuild import (
    Difference,
    Progress,
    Rebuilt,
    compare,
    rebuild,
    reconcile,
)
from whimbrel.backends.store.disk.retire import Retiring
from whimbrel.backends.store.disk.sequence import Sequence as AccountSequence
from whimbrel.backends.store.disk.shelf import Shelf
from whimbrel.backends.store.disk.tree import Entry, Tree
from whimbrel.backends.store.disk.write import Change
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, FolderStatus, MailboxId

T = TypeVar("T")
_ATTEMPTS = 4
SELF_CHECK = 60.0
"""Seconds between two comparisons of a folder's files with its index at the earliest."""


class AccountJob(Job):
    """Work on one account. `run` returns the result; MailError befalls only this job and must leave nothing behind."""

    def run(self, batch: "Batch") -> object:
        raise NotImplementedError


class Batch:
    """The jobs of one account under one lock: neighbours on the same folder share one transaction."""

    def __init__(self, account: "AccountShard", touched: Touched) -> None:
        self.account, self.touched = account, touched
        self.changed: set[MailboxId] = set()
        self.folders_changed = False
        self.annotated: set[MailboxId | None] = set()
        """Folders, or the account, whose annotations are others now: who watches is told."""
        self._open: tuple[Entry, Change, list[tuple[Job, object]]] | None = None

    def modseq(self) -> int:
        return self.account.sequence.allocate()

    def change(self, mailbox: MailboxId) -> Change:
        """The transaction on a folder; stays open for the next job."""
        if self._open is not None and self._open[0].mailbox == mailbox:
            return self._open[1]
        self.settle()
        entry, index = self.account.writable(mailbox)
        change = Change(index, self.touched)
        change.__enter__()
        self._open = (entry, change, [])
        return change

    def done(self, job: Job, result: object) -> None:
        """`result` stands once the transaction that is open has committed."""
        if self._open is not None:
            self._open[2].append((job, result))
        else:
            job.result = result

    def settle(self) -> None:
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
        self.account.sequence.store(entry.key, change.status)
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
        told = self.account.translate(entry.mailbox, error)
        for job, _ in jobs:
            job.result = told


class AccountShard:
    """One for each account and process."""

    def __init__(self, account: AccountId, root: Path, shelf: Shelf, generation: Callable[[], int], log: Log) -> None:
        """Touches no file: that is for the committer's thread, or the pool's."""
        self.account, self.root = account, root
        self._base = f"{root}/"
        self.key = "mail/" + account
        self.sequence = AccountSequence(root / "account.seq")
        self.tree = Tree(root)
        self.log = log
        self.published: Callable[[set[MailboxId], bool], None] = lambda changed, folders: None
        """Told by `apply`: whoever waits for the jobs passes it on."""
        self.healed: Callable[[set[MailboxId], bool], None] = lambda changed, folders: None
        """Told when nobody waits for it."""
        self.leaving: set[MailboxId] = set()
        """Folders where files of expunged messages are still to be moved; who has the time makes a `retiring`."""
        self._shelf, self._generation = shelf, generation
        self._ready = -1
        self._lock = threading.RLock()
        self._checked: dict[MailboxId, float] = {}

    # The committer's side

    def apply(self, jobs: Sequence[Job], touched: Touched) -> None:
        with self.sequence.locked():
            self._prepare()
            batch = Batch(self, touched)
            for job in jobs:
                assert isinstance(job, AccountJob)
                try:
                    batch.done(job, job.run(batch))
                except MailError as error:
                    job.result = error
                except Exception as error:  # noqa: BLE001 - told to the jobs it befell.
                    batch.abandon(error)
                    job.result = self.translate(None, error)
            batch.settle()
            self.sequence.settle()
            if batch.folders_changed:
                self.sequence.folders_changed()
                touched.directories.add(str(self.root))
                touched.databases.add(str(self.root / "account.fld"))
            for path in self.tree.take_written():
                (touched.files if path.endswith(".xml") else touched.directories).add(path)
            touched.files.add(self.sequence.path)
        changed = batch.changed | {mailbox for mailbox in batch.annotated if mailbox is not None}
        if changed or batch.folders_changed or batch.annotated:
            self.published(changed, batch.folders_changed or None in batch.annotated)

    def restore(self) -> None:
        """After a failed barrier: every index that may have been written is made anew from the files."""
        with self.sequence.locked():
            self._prepare()
            for entry in self.tree.entries():
                if (self.root / entry.path / "index.fld").exists():
                    self._rebuild(entry)
            self.sequence.settle()

    def translate(self, mailbox: MailboxId | None, error: Exception) -> MailError:
        """What the peer may hear; damage is healed at the next access."""
        if isinstance(error, MailError):
            return error
        if isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno == 28):
            return MailError(452, "4.3.1", "Insufficient system storage", detail=str(error))
        if mailbox is not None:
            self._shelf.drop(mailbox)
        self.log.exception("store.failed", error, account=self.account)
        return MailboxError(Condition.UNAVAILABLE, "Mailbox trouble, try again later", detail=repr(error))

    # Getting hold of things

    @property
    def ready(self) -> bool:
        """It was opened: looking at tree and counters reads no file."""
        return self._ready >= 0

    def prepare(self) -> None:
        """For readers: the tree is loaded and the counters are of this generation."""
        if self._ready != self._generation() or not self.tree.load(self.sequence.folders_version):
            with self.sequence.locked():
                self._prepare()

    def _prepare(self) -> None:
        generation = self._generation()
        header = self.sequence.own
        if not self.tree.load(header.folders, self.sequence.seen):
            self._rescan()
        elif header.generation != generation and self.tree.strayed():
            self._rescan()  # The power went between a directory and its entry.
        header = self.sequence.own
        if self.sequence.recreated or header.generation != generation or header.last != header.committed:
            # The last: whoever held the lock before us died between a folder's commit and the counters.
            self._recount(generation)
        self._ready = generation

    def _rescan(self) -> None:
        """Makes the folder tree anew from the directories."""
        known = (self.root / "account.fld").exists() or any(self.root.glob("*/#msgs"))
        self.tree.rebuild()
        self.sequence.folders_changed()
        self.tree.load(self.sequence.folders_version)
        if known:
            self.log.warning("store.tree-rebuilt", account=self.account, folders=len(self.tree.entries()))

    def _recount(self, generation: int) -> None:
        """After an unclean stop, or when account.seq was lost: from the folders themselves."""
        found: list[tuple[Entry, FolderStatus]] = []
        for entry in self.tree.entries():
            if entry.selectable and (self.root / entry.path).is_dir():
                index = self._open(entry)
                with index.lock:
                    found.append((entry, index.status()))
        last = max([0, *(status.highest_modseq for _, status in found)])
        self.sequence.restart(generation, last)
        for entry, status in found:
            self.sequence.store(entry.key, status)
        self.sequence.recreated = False
        self.tree.load(self.sequence.folders_version)

    def forget(self, mailbox: MailboxId) -> None:
        """Closes the folder's index here: its files are about to move."""
        self._shelf.drop(mailbox)

    def entry(self, mailbox: MailboxId) -> Entry:
        """MailboxError NONEXISTENT for a folder that is gone or has no messages of its own."""
        found = self.tree.identified(mailbox)
        if found is None or not found.selectable:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        return found

    def writable(self, mailbox: MailboxId) -> tuple[Entry, FolderIndex]:
        """Under the account's lock: an index that is healthy now."""
        entry = self.entry(mailbox)
        return entry, self._open(entry)

    def _open(self, entry: Entry) -> FolderIndex:
        """Under the account's lock: opened, replaced, rebuilt or reconciled as it needs."""
        found = self._shelved(entry)
        return self._reopen(entry) if found is None else found

    def _shelved(self, entry: Entry) -> FolderIndex | None:
        """The folder's open index, if nothing need be done before it is used."""
        index = self._shelf.get(entry.mailbox)
        if (
            index is None
            or index.checked_generation != self._generation()
            or index.directory != self._base + entry.path
            or not index.current
        ):
            return None
        return index

    def _reopen(self, entry: Entry) -> FolderIndex:
        with self._lock:
            folder = self.root / entry.path
            index = self._shelf.get(entry.mailbox)
            if index is not None and (index.folder != folder or not index.current):
                self._shelf.drop(entry.mailbox)
                index = None
            generation = self._generation()
            if index is None and not folder.is_dir():
                # Removed, moved or renamed by hand: the directories are the truth.
                self._rescan()
                self._recount(generation)
                entry = self.entry(entry.mailbox)
                folder = self.root / entry.path
                index = self._shelf.get(entry.mailbox)
            if index is None:
                try:
                    index = FolderIndex(folder)
                    if index.generation() < 0:
                        raise Damaged("no folder row")
                except (Damaged, *DAMAGE) as error:
                    if index is not None:
                        with contextlib.suppress(apsw.Error):
                            index.close()
                    if passing(error, folder / "index.fld"):
                        raise unavailable(error) from None
                    self._rebuild(entry)
                    index = FolderIndex(folder)
                self._shelf.put(entry.mailbox, index)
            if index.checked_generation != generation:
                try:
                    slot, crashed = self.sequence.status(entry.key), index.generation() != generation
                    given = slot.uid_next if slot is not None else 0
                    if crashed or index.status().uid_next < given:
                        modseq = self.sequence.allocate()
                        reconcile(index, generation, modseq, self.log, crashed=crashed, given=given)
                        self.sequence.store(entry.key, index.status())
                except DAMAGE as error:
                    if passing(error, folder / "index.fld"):
                        raise unavailable(error) from None
                    self._rebuild(entry)
                    index = FolderIndex(folder)
                    self._shelf.put(entry.mailbox, index)
                index.checked_generation = generation
            return index

    def _rebuild(self, entry: Entry, progress: Progress = lambda done, total: None) -> Rebuilt:
        self._shelf.drop(entry.mailbox)
        folder = self.root / entry.path
        new = not (folder / "index.bad").exists() and not any((folder / "#msgs").glob("*.eml"))
        start = time.monotonic()
        modseq = self.sequence.allocate()
        found = rebuild(folder, entry.mailbox, entry.uid_validity, self._generation(), modseq, self.log, progress)
        if not new:
            self.log.warning(
                "store.rebuilt",
                account=self.account,
                folder=entry.name,
                messages=found.messages,
                added=found.added,
                missing=found.missing,
                seconds=round(time.monotonic() - start, 3),
            )
        index = FolderIndex(folder)
        index.checked_generation = self._generation()
        with index.lock:
            self.sequence.store(entry.key, index.status())
        self._shelf.put(entry.mailbox, index)
        return found

    # Readers

    def read(self, mailbox: MailboxId, work: Callable[[FolderIndex], T]) -> T:
        """`work` on a healthy index, under its lock. In a pool thread."""
        try:
            return self._read(mailbox, work)
        except (OSError, apsw.Error) as error:
            if passing(error, self.root):
                raise unavailable(error) from None
            raise

    def _read(self, mailbox: MailboxId, work: Callable[[FolderIndex], T]) -> T:
        trouble: Exception | None = None
        for _ in range(_ATTEMPTS):
            self.prepare()
            entry = self.entry(mailbox)
            index = self._shelved(entry)
            if index is None:
                with self.sequence.locked():
                    self._prepare()
                    index = self._open(self.entry(mailbox))
                    self.sequence.settle()
            try:
                with index.lock:
                    return work(index)
            except DAMAGE as error:
                trouble = error
                self.heal(mailbox)
            except apsw.ConnectionClosedError as error:
                trouble = error  # The shelf closed it meanwhile.
        raise MailboxError(Condition.INUSE, "The folder is being rebuilt, try again", detail=repr(trouble))

    def heal(self, mailbox: MailboxId) -> None:
        """A query failed: the index is damaged, unless another process has put it right already."""
        with self.sequence.locked():
            self._prepare()
            entry = self.entry(mailbox)
            self._shelf.drop(mailbox)
            try:
                index = self._open(entry)
                with index.lock:
                    for (verdict,) in index.connection.execute("PRAGMA quick_check(1)"):
                        if verdict != "ok":
                            raise Damaged(str(verdict))
            except (Damaged, *DAMAGE) as error:
                if passing(error, self.root / entry.path / "index.fld"):
                    raise unavailable(error) from None
                self._rebuild(entry)
            self.sequence.settle()
        self.healed({mailbox}, False)

    def self_check(self, mailbox: MailboxId, *, now: bool = False) -> Difference | None:
        """Compares files and index, and heals; at most once a minute unless `now`. In a pool thread."""
        at = time.monotonic()
        if not now and at - self._checked.get(mailbox, -SELF_CHECK) < SELF_CHECK:
            return None
        self._checked[mailbox] = at
        indication = self.read(mailbox, compare)
        if indication.leaving:
            self.leaving.add(mailbox)
        if not indication:
            return None
        with self.sequence.locked():
            self._prepare()
            found = self.take_in(self.entry(mailbox))
            self.sequence.settle()
        if found:
            self.healed({mailbox}, False)
        return found

    def take_in(self, entry: Entry) -> Difference:
        """Under the account's lock: files without a row become messages, rows without a file go."""
        index = self._open(entry)
        found = reconcile(index, self._generation(), self.sequence.allocate(), self.log, crashed=False)
        with index.lock:
            self.sequence.store(entry.key, index.status())
        return found

    def retiring(self, mailbox: MailboxId) -> Retiring | None:
        """For a folder of `leaving`, which it leaves; None if there is nothing to do any more. In a pool thread."""
        self.leaving.discard(mailbox)
        with self.sequence.locked():
            self._prepare()
            index = self._open(self.entry(mailbox))
            self.sequence.settle()
            with contextlib.suppress(FileNotFoundError):
                return Retiring(index)
        return None

    def look_after(self, mailbox: MailboxId) -> None:
        """The background's care for a folder: compares files, rows and counters, heals, refreshes flags.bak."""
        self.self_check(mailbox, now=True)

        def care(index: FolderIndex) -> bool:
            status = index.status()
            if backup_modseq(index.folder) != status.highest_modseq:
                write_backup(index)
            return recount(index.connection) == (status.messages, status.unseen, status.deleted, status.size)

        if not self.read(mailbox, care):
            self.log.warning("store.counters-wrong", account=self.account, folder=self.entry(mailbox).name)
            self.reindex(mailbox, lambda done, total: None)

    def check_tree(self) -> bool:
        """Folders that were put in or taken away by hand become known. True if there were any. In a pool thread."""
        if not self.tree.strayed():
            return False
        with self.sequence.locked():
            self._prepare()
            if not self.tree.strayed():
                return False  # Somebody was just making one.
            self._rescan()
            self._recount(self._generation())
        self.healed(set(), True)
        return True

    def changed_since(self, modseq: int) -> list[MailboxId]:
        """Folders whose counters were raised above `modseq`; opens nothing."""
        return [
            entry.mailbox
            for entry in self.tree.entries()
            if (status := self.sequence.status(entry.key)) is not None and status.highest_modseq > modseq
        ]

    def statuses(self) -> dict[MailboxId, FolderStatus]:
        """Of all selectable folders; opens those alone that were never opened."""
        found: dict[MailboxId, FolderStatus] = {}
        for entry in self.tree.entries():
            if entry.selectable:
                status = self.sequence.status(entry.key)
                try:
                    found[entry.mailbox] = status or self.read(entry.mailbox, FolderIndex.status)
                except MailboxError as error:
                    if error.condition is not Condition.NONEXISTENT:  # Deleted meanwhile.
                        raise
        return found

    def reindex(self, mailbox: MailboxId, progress: Progress) -> Rebuilt:
        """By order: makes the index anew."""
        with self.sequence.locked(60.0):
            self._prepare()
            found = self._rebuild(self.entry(mailbox), progress)
            self.sequence.settle()
        self.healed({mailbox}, False)
        return found

    def remove(self) -> None:
        """The account goes out of reach, durably. In a pool thread; nobody else uses this object any more."""
        grave = self.root.with_name(f"#removed-{time.time_ns():x}-{self.root.name}")
        with self.sequence.locked():
            for entry in self.tree.entries():
                self.forget(entry.mailbox)
            os.rename(self.root, grave)
            sync_directory(str(self.root.parent))
        self.close()

    def close(self) -> None:
        self.sequence.close()
