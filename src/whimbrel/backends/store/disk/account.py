"""One account on disk as whoever uses it finds it: its folder tree, its counters and its open indexes.

What is replaced, missing, damaged or behind is put right before it is used: by readers, who come through `read` in pool
threads, and by the committer, which comes through `writable`. Healing happens under the account's lock.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import apsw

from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.store.disk.account_seq import AccountSeq
from whimbrel.backends.store.disk.backup import backup_modseq
from whimbrel.backends.store.disk.database import DAMAGE, Damaged, passing, unavailable
from whimbrel.backends.store.disk.identity import stamp
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.open_indexes import OpenIndexes
from whimbrel.backends.store.disk.places import FOLDER_XML, Displaced, clear_folder, is_folder
from whimbrel.backends.store.disk.rebuild import Progress, Rebuilt, drop_saved, rebuild
from whimbrel.backends.store.disk.reconcile import Difference, reconcile
from whimbrel.backends.store.disk.replaced import carry_over, other_file, save
from whimbrel.backends.store.disk.tree import Entry, Tree
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId, FolderStatus, MailboxId

T = TypeVar("T")
_ATTEMPTS = 4


class Account:
    """Of the mail alone: who may use it is the directory's to say."""

    def __init__(
        self,
        account: AccountId,
        root: Path,
        indexes: OpenIndexes,
        generation: Callable[[], int],
        log: Log,
        presence: Presence = ANY,
    ) -> None:
        """Touches no file: that is for the committer's thread, or the pool's."""
        self.account, self.root = account, root
        self._root, self._base = str(root), f"{root}/"
        self.seq = AccountSeq(root / "account.seq", presence)
        self.tree = Tree(root)
        self.log = log
        self.healed: Callable[[set[MailboxId], bool], None] = lambda changed, folders: None
        """Called with folders that were healed, and whether the tree was, when nobody waits for it."""
        self.changed: Callable[[set[MailboxId]], None] = lambda mailboxes: None
        """Called with folders whose backup of the flags may be behind. From any thread."""
        self.leaving: set[MailboxId] = set()
        """Folders where files of expunged messages are still to be moved."""
        self.checked: dict[MailboxId, float] = {}
        """When a folder's files were compared with its index the last time."""
        self._displaced: set[str] = set()
        """Directories that are none, of which the log has heard."""
        self._indexes, self._generation = indexes, generation
        self._ready = -1
        self._lock = threading.RLock()

    # Tree and counters

    @property
    def ready(self) -> bool:
        """It was opened: looking at tree and counters reads no file."""
        return self._ready >= 0

    @property
    def counting(self) -> bool:
        """The counters are still those of the account: nobody took their file away. One look at a directory."""
        return self.seq.current(stamp(self._root))

    def prepare(self) -> None:
        """For readers: the tree is loaded and the counters are of this generation."""
        seen = stamp(self._root)
        if (
            self._ready != self._generation()
            or not self.seq.current(seen)
            or not self.tree.load(self.seq.folders_version, seen)
        ):
            with self.seq.locked():
                self.prepare_locked()

    def prepare_locked(self) -> None:
        """The same, under the account's lock."""
        generation = self._generation()
        header = self.seq.own
        if not self.tree.load(header.folders, self.seq.seen):
            self._rescan()
        elif header.generation != generation and self.tree.strayed():
            self._rescan()  # The power went between a directory and its entry.
        self._report(self.seq.cleared)
        header = self.seq.own
        if self.seq.recreated or header.generation != generation or header.last != header.committed:
            # The last: whoever held the lock before us died between a folder's commit and the counters.
            self._recount(generation)
        self._ready = generation

    def renew(self) -> None:
        """Under the account's lock: tree and counters anew from the directories, which are the truth."""
        self._rescan()
        self._recount(self._generation())

    def _rescan(self) -> None:
        known = (self.root / "account.fld").exists() or any(self.root.glob("*/#msgs"))
        self.tree.rebuild()
        self.seq.folders_changed()
        self.tree.load(self.seq.folders_version)
        self._report(self.tree.cleared)
        for link in self.tree.links():
            self.log.error("store.displaced", path=link, kind="a symbolic link")
        if known:
            self.log.warning("store.tree-rebuilt", account=self.account, folders=len(self.tree.entries()))

    def _recount(self, generation: int) -> None:
        """After an unclean stop, or when account.seq was lost: from the folders themselves."""
        statuses: list[tuple[Entry, FolderStatus]] = []
        for entry in self.tree.entries():
            if entry.selectable and (self.root / entry.path).is_dir():
                with contextlib.suppress(Displaced), self.using(entry) as index:
                    statuses.append((entry, index.status()))
        last = max([0, *(status.highest_modseq for _, status in statuses)])
        self.seq.restart(generation, last)
        for entry, status in statuses:
            self.seq.store(entry.key, status)
        self.seq.recreated = False
        self.tree.load(self.seq.folders_version)

    def entry(self, mailbox: MailboxId) -> Entry:
        """MailboxError NONEXISTENT for a folder that is gone or has no messages of its own."""
        entry = self.tree.identified(mailbox)
        if entry is None or not entry.selectable:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        return entry

    def changed_since(self, modseq: int) -> list[MailboxId]:
        """Folders whose counters were raised above `modseq`; opens nothing."""
        return [
            entry.mailbox
            for entry in self.tree.entries()
            if (status := self.seq.status(entry.key)) is not None and status.highest_modseq > modseq
        ]

    def statuses(self) -> dict[MailboxId, FolderStatus]:
        """Of all selectable folders; opens those alone that were never opened."""
        statuses: dict[MailboxId, FolderStatus] = {}
        for entry in self.tree.entries():
            if entry.selectable:
                status = self.seq.status(entry.key)
                try:
                    statuses[entry.mailbox] = status or self.read(entry.mailbox, FolderIndex.status)
                except MailboxError as error:
                    # Deleted meanwhile, or it serves nobody now.
                    if error.condition is not Condition.NONEXISTENT and not isinstance(error, Displaced):
                        raise
        return statuses

    # Indexes

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
            index = self._usable(entry)
            if index is None:
                with self.seq.locked():
                    self.prepare_locked()
                    index = self._open(self.entry(mailbox))
                    self.seq.commit()
            try:
                with index.lock:
                    return work(index)
            except DAMAGE as error:
                trouble = error
                self.heal(mailbox)
            except apsw.ConnectionClosedError as error:
                trouble = error  # Closed meanwhile, as the least recently used.
        raise MailboxError(Condition.INUSE, "The folder is being rebuilt, try again", detail=repr(trouble))

    def hold(self, entry: Entry) -> FolderIndex:
        """Under the account's lock: an index that is healthy now and cannot be closed before its lock is let go, which
        is up to the caller. INUSE if it was closed again and again meanwhile."""
        for _ in range(_ATTEMPTS):
            # Another thread may close it until it is locked: as the least recently used, or since the mailbox moves.
            with contextlib.suppress(apsw.ConnectionClosedError):
                index = self._open(entry)
                index.lock.acquire()
                if not index.closed:
                    return index
                index.lock.release()
        raise MailboxError(Condition.INUSE, "The folder is in use, try again")

    @contextlib.contextmanager
    def using(self, entry: Entry) -> Iterator[FolderIndex]:
        """The same, for as long as the block runs."""
        index = self.hold(entry)
        try:
            yield index
        finally:
            index.lock.release()

    def forget(self, mailbox: MailboxId) -> None:
        """Closes the folder's index here: its files are about to move, or are not to be trusted."""
        self._indexes.drop(mailbox)

    def _open(self, entry: Entry) -> FolderIndex:
        """Under the account's lock: opened, replaced, rebuilt or reconciled as it needs."""
        index = self._usable(entry)
        return self._reopen(entry) if index is None else index

    def _usable(self, entry: Entry) -> FolderIndex | None:
        """The folder's open index, if nothing need be done before it is used."""
        index = self._indexes.get(entry.mailbox)
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
            index = self._indexes.get(entry.mailbox)
            replaced: FolderIndex | None = None
            if index is not None and index.folder != self.root / entry.path:
                self._indexes.drop(entry.mailbox)
                index = None
            elif index is not None and not index.current:
                self._indexes.take(entry.mailbox)
                index, replaced = None, index
            if index is None and not is_folder(self.root, entry.path):
                # Removed, moved or renamed by hand.
                self.renew()
                entry = self.entry(entry.mailbox)
                index = self._indexes.get(entry.mailbox)
            if index is None:
                index = self._load(entry, replaced)
            if index.checked_generation != self._generation():
                try:
                    self._catch_up(entry, index)
                except (Damaged, *DAMAGE) as error:
                    index = self._remade(entry, error)
            return index

    def _load(self, entry: Entry, replaced: FolderIndex | None) -> FolderIndex:
        """From its file, which is made anew where it is damaged. `replaced`: what was open before; it is closed."""
        try:
            if replaced is not None and not other_file(replaced):
                # There is no file, or the same one without its WAL. It must not be open twice: a second connection
                # would join the -shm of the first, which may have no name any more.
                self._save_and_close(replaced)
                replaced = None
            try:
                self.clear(entry)
                index = _loaded(self.root / entry.path)
            except (Damaged, *DAMAGE) as error:
                if replaced is not None:
                    self._save_and_close(replaced)
                    replaced = None
                return self._remade(entry, error)
            self._indexes.put(entry.mailbox, index)
            self.changed({entry.mailbox})  # By a process that was killed before it came to the backup.
            if replaced is not None:
                if carry_over(replaced, index, self.seq.allocate()):
                    self.seq.store(entry.key, index.status())
                elif replaced.status().highest_modseq > index.status().highest_modseq:
                    save(replaced)  # An older copy was put in its place: `_catch_up` will see it.
            return index
        finally:
            if replaced is not None:
                _close(replaced)

    @staticmethod
    def _save_and_close(index: FolderIndex) -> None:
        try:
            save(index)
        finally:
            _close(index)

    def _catch_up(self, entry: Entry, index: FolderIndex) -> None:
        """First use in this generation: what a crash left, or rows that a power cut took, are set right. Damaged if
        the index is of an earlier time than account.seq, or the backup of its flags, remembers, though nothing has
        crashed."""
        generation, slot = self._generation(), self.seq.status(entry.key)
        crashed, status = index.generation() != generation, index.status()
        validity, newest = backup_modseq(index.folder)
        if validity != status.uid_validity:
            newest = 0
        if slot is not None:
            newest = max(newest, slot.highest_modseq)
        if not crashed and status.highest_modseq < newest:
            raise Damaged("of an earlier time: an older copy, or without its WAL")
        given = slot.uid_next if slot is not None else 0
        if crashed or status.uid_next < given:
            modseq = self.seq.allocate()
            reconcile(index, generation, modseq, self.log, crashed=crashed, given=given)
            self.seq.store(entry.key, index.status())
        drop_saved(self.root / entry.path)
        index.checked_generation = generation

    # Healing

    def clear(self, entry: Entry) -> None:
        """Moves away what stands in the place of the folder's files. Displaced, if it is in that of a directory."""
        try:
            cleared = clear_folder(self.root / entry.path)
        except Displaced as error:
            if error.path not in self._displaced:
                self._displaced.add(error.path)
                self.log.error("store.displaced", path=error.path, kind=error.kind)
            raise
        self._displaced = {path for path in self._displaced if not path.startswith(f"{self._base}{entry.path}/#")}
        if self.root / entry.path / FOLDER_XML in cleared:
            self.tree.annotate(entry, {})
        self._report(cleared)

    def _report(self, cleared: list[Path]) -> None:
        while cleared:
            self.log.error("store.cleared", path=str(cleared.pop()))

    def heal(self, mailbox: MailboxId) -> None:
        """A query failed: the index is damaged, unless another process has put it right already."""
        with self.seq.locked():
            self.prepare_locked()
            entry = self.entry(mailbox)
            held = self._indexes.get(mailbox)
            if held is not None and held.current:  # Else what it holds is saved when it is opened anew.
                self._indexes.drop(mailbox)
            try:
                with self.using(entry) as index:
                    for (verdict,) in index.connection.execute("PRAGMA quick_check(1)"):
                        if verdict != "ok":
                            raise Damaged(str(verdict))
            except (Damaged, *DAMAGE) as error:
                self._remade(entry, error)
            self.seq.commit()
        self.healed({mailbox}, False)

    def translate(self, mailbox: MailboxId | None, error: Exception) -> MailError:
        """What the peer may hear; damage is healed at the next access."""
        if isinstance(error, MailError):
            return error
        if isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno == 28):
            return MailError(452, "4.3.1", "Insufficient system storage", detail=str(error))
        if mailbox is not None:
            self.forget(mailbox)
        self.log.exception("store.failed", error, account=self.account)
        return MailboxError(Condition.UNAVAILABLE, "Mailbox trouble, try again later", detail=repr(error))

    def take_in(self, entry: Entry) -> Difference:
        """Under the account's lock: files without a row become messages, rows without a file go."""
        with self.using(entry) as index:
            difference = reconcile(index, self._generation(), self.seq.allocate(), self.log, crashed=False)
            self.seq.store(entry.key, index.status())
        return difference

    def _remade(self, entry: Entry, error: Exception) -> FolderIndex:
        """In place of one that `error` says is damaged. UNAVAILABLE if it only says that something is scarce now."""
        if passing(error, self.root / entry.path / "index.fld"):
            raise unavailable(error) from None
        return self.rebuild(entry)[1]

    def rebuild(self, entry: Entry, progress: Progress = lambda done, total: None) -> tuple[Rebuilt, FolderIndex]:
        """Under the account's lock: the index anew from the files."""
        self._indexes.drop(entry.mailbox)
        self.clear(entry)
        folder = self.root / entry.path
        new = not (folder / "index.bad").exists() and not any((folder / "#msgs").glob("*.eml"))
        start = time.monotonic()
        modseq = self.seq.allocate()
        rebuilt = rebuild(
            folder,
            entry.mailbox,
            entry.uid_validity,
            self._generation(),
            modseq,
            self.log,
            progress,
            given=self.seq.status(entry.key),
        )
        if not new:
            self.log.warning(
                "store.rebuilt",
                account=self.account,
                folder=entry.name,
                messages=rebuilt.messages,
                added=rebuilt.added,
                missing=rebuilt.missing,
                seconds=round(time.monotonic() - start, 3),
            )
        index = FolderIndex(folder)
        index.checked_generation = self._generation()
        with index.lock:
            self.seq.store(entry.key, index.status())
        self._indexes.put(entry.mailbox, index)
        self.changed({entry.mailbox})
        return rebuilt, index

    def close(self) -> None:
        self.seq.close()


def _loaded(folder: Path) -> FolderIndex:
    """Damaged, or what SQLite says, if it cannot be used."""
    (folder / "#msgs").mkdir(mode=0o700, exist_ok=True)  # Taken away by hand, perhaps: then its messages are gone.
    index = FolderIndex(folder)
    try:
        if index.generation() < 0:
            raise Damaged("no folder row")
    except (Damaged, *DAMAGE):
        _close(index)
        raise
    return index


def _close(index: FolderIndex) -> None:
    with contextlib.suppress(apsw.Error):
        index.close()
