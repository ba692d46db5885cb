"""`users.cfg`, `users.idx` and `users.cfg.changes` as one thing. Calls block; they come from any thread.

A small file is written anew for each change. Order: index (uncommitted), file, index committed: after a crash in
between, the file counts and the index is built anew. A large file is written by `fold`, a moment later, and until then
the journal has what it lacks. Order: index (uncommitted), journal, index committed, acknowledged; then new file, its
name, journal cleared. After a crash the index is built anew from the file and the journal (decision 0006).

Two locks: who puts a new file in place holds `_folding` and then `_guard`; who only appends to the journal holds
`_guard`, and so does not wait while 15 MB are written.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import apsw

from whimbrel.backends.config.files import ConfigFile, History, Identity
from whimbrel.backends.directory import aside, build, forgetting, index, listing, reread
from whimbrel.backends.directory.changes import Changer
from whimbrel.backends.directory.journal import Changes, Journal, Journaled, as_text, summary
from whimbrel.backends.directory.opened import OpenedIndex
from whimbrel.backends.directory.pending import Pending
from whimbrel.backends.directory.records import Schema
from whimbrel.backends.directory.scan import MAX_BYTES
from whimbrel.backends.directory.sources import hashed, opened
from whimbrel.backends.directory.splices import Splice, moved, pieces, plan
from whimbrel.core.config import ConfigConflict, ConfigError, Fault, Unconfirmed
from whimbrel.core.directory import Reread
from whimbrel.core.log import Log

EMPTY = b'<?xml version="1.0" encoding="UTF-8"?>\n<users version="1.0">\n</users>\n'
JOURNAL_FROM: Final = 1 << 20
"""A file below this size is written in a few milliseconds, which needs no journal."""
_AT_ONCE: Final = 1000
"""A change of more records, such as an import, goes to the file: it takes longer than writing that."""
_MAX_JOURNAL: Final = 4 << 20
"""A journal that never ran empty is emptied then: the next change waits for the file."""
_SHOWN: Final = 20


class Ledger:
    """`open` first. `file` is the one that people edit."""

    def __init__(
        self,
        path: Path,
        index_path: Path,
        schema: Schema,
        *,
        history: Path | History | None,
        log: Log | None,
        journal_from: int = JOURNAL_FROM,
    ) -> None:
        self.schema = schema
        self.file = ConfigFile(path, history=history)
        self.warnings: list[Fault] = []
        self._index, self._log, self._journal_from = OpenedIndex(index_path), log, journal_from
        self._journal = Journal(path.with_name(f"{path.name}.changes"), self.file.path)
        self._pending = Pending()
        self._recovered = False
        self._known = forgetting.Headcount()  # For when the index is lost.
        self._reread = Reread()
        self._round = 0  # Grows when all is read anew, which makes a write that is under way worthless.
        self._written = ""  # SHA-256 of the last file that we put in place, or were about to.
        self._folding, self._guard = threading.RLock(), threading.RLock()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._folding, self._guarded():
            yield

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._guard:
            try:
                yield
            finally:
                self._index.remember()

    @property
    def unwritten(self) -> bool:
        """There are changes in force that the file lacks."""
        return bool(self._pending)

    # The index is that of the file and the journal

    def open(self, confirmed: str = "") -> bool:
        """True if the index had to be built. ConfigError tells what is wrong in the file. Unconfirmed: it would make
        the server forget everybody; at the first call that is not raised, but the index withheld."""
        with self._alone():
            before = self._round
            db = self.connect(confirmed)
            built = self._round != before
            journaled = None
            if not self._recovered:
                self.file.sweep()
                journaled = self._journal.read()
            current = self.current(db)
            if current and journaled and not journaled.damaged and journaled.left(index.meta(db, "digest")) == ():
                self._journal.clear()  # All of it had reached the file.
            elif journaled or not current:
                built = self._taken(db, confirmed)
            self._recovered, self._known = True, forgetting.counted(db)
            if self._pending:
                self.log_unwritten(self.fold_if_possible())
            return built

    def _taken(self, db: apsw.Connection, confirmed: str) -> bool:
        """The file is in use now. Unconfirmed."""
        try:
            self._recover(db, confirmed)
        except Unconfirmed as error:
            if self._log:
                self._log.error("config.users-withheld", path=str(self.file.path), reason=str(error))
            if self._recovered:
                raise
            forgetting.withhold(db)
            return False
        return True

    def close(self) -> None:
        """Writes what the file lacks. If that fails, it stays in the journal for the next `open`."""
        with self._alone():
            self.log_unwritten(self.fold_if_possible())
            self._journal.close()
            self._index.close()
            self._pending.clear()
            self._recovered = False

    def fold_if_possible(self) -> str:
        """Why the file could not be written; what it lacks stays in the journal then."""
        try:
            self.fold()
        except (OSError, ConfigConflict, ConfigError, apsw.Error) as error:
            return str(error) or type(error).__name__
        return ""

    def intact(self) -> bool:
        """The index on disk is the one that was left there: neither deleted nor emptied nor replaced. Never waits."""
        return self._index.intact()

    def heal(self) -> bool:
        """Makes an index anew that was lost while it was in use; whether it was. ConfigError, OSError."""
        with self._guard:
            lost = self._index.is_open and not self._index.intact()
            try:
                if lost:
                    self.connect()
            except apsw.Error as error:
                raise OSError(f"{self._index.path}: {error}") from error
            return lost

    def connect(self, confirmed: str = "") -> apsw.Connection:
        """The index, made anew from the file and the journal if it was lost. ConfigError, OSError."""
        with self._guard:
            if not self._index.is_open or self._index.intact():
                return self._index.connection()
            db = self._index.make_anew()
            try:
                self._recover(db, confirmed)
            except BaseException:
                self._index.lose()
                raise
            if self._log:
                self._log.warning("config.index-made-anew", file=str(self._index.path))
            return db

    def current(self, db: apsw.Connection) -> bool:
        """The index is that of the file as it is now, but for what is pending."""
        current = self._is_current(db)
        if current:
            forgetting.release(db)
        return current

    def _is_current(self, db: apsw.Connection) -> bool:
        identity = self.file.identity()
        known = index.meta(db, "identity")
        if not known or str(identity) == known:
            return bool(known)
        content, identity = self.read()
        digest = digest_of(content)
        if identity is None:
            return False
        if digest == index.meta(db, "digest"):
            # Touched, copied or restored, not edited.
            index.set_meta(db, "identity", str(identity))
            self._index.remember()
            return True
        if digest == self._written:
            # We put it in place, and then the index could not be brought up to it.
            self._recover(db)
            return True
        return False

    def read(self) -> tuple[bytes, Identity | None]:
        """The file as it is now. Not mapped: truncated by an editor meanwhile, a mapped file would kill the process."""
        content, identity = self.file.read(MAX_BYTES)
        return (EMPTY if not content or content.isspace() else content), identity

    def _recover(self, db: apsw.Connection, confirmed: str = "") -> None:
        """The index anew from the file, and on it the changes of the journal that were made for this file. ConfigError;
        Unconfirmed: the file is not ours, and would make the server forget everybody."""
        content, identity = self.read()
        digest, known = digest_of(content), index.meta(db, "digest")
        journaled = self._journal.read() or Journaled(digest, ())
        left = journaled.left(digest)
        ours = digest == self._written or digest in dict(journaled.written)
        before = forgetting.counted(db) if known else self._known
        pending = Pending()
        refused: list[Changes] = []
        if known and not ours:  # What was in force before somebody edited it: `config undo` brings it back.
            self.file.keep_content(listing.whole(db, self.schema))
        with db:  # One transaction: no reader sees the file without the changes.
            reread.remember(db)
            warnings = build.rebuild(db, content, self.file.name, self.schema)
            if not ours:
                forgetting.demand(before, forgetting.counted(db), self.file.name, confirmed)
            different = reread.differences(db, self.schema) if known else Reread()
            _mark(db, digest, identity)
            if left:
                changer = Changer(db, lambda start, length: content[start : start + length], pending, self.schema)
                refused = [changes for changes in left if changer.tried(changes)]
        # So much was written at once that the log should not keep its size.
        with contextlib.suppress(apsw.BusyError):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._index.remember()
        self._pending, self.warnings, self._known = pending, warnings, forgetting.counted(db)
        self._reread = self._reread if ours else different
        self._round += 1
        if left is None:
            since = journaled.left(known)
            refused = list(journaled.calls if since is None else since)
        if refused or journaled.damaged:
            self._set_aside(refused, journaled.damaged)
        if not pending:
            self._journal.clear()

    def _set_aside(self, calls: Sequence[Changes], damaged: bool) -> None:
        """Changes that were acknowledged and cannot be applied to this file: kept where a person finds them."""
        data = self._journal.path.read_bytes() if damaged else as_text(calls)
        path = aside.put_aside(self.file.history, self._journal.path.name, data, self.file.path)
        changes = [change for part in calls for change in part]
        what = "; ".join(map(summary, changes[:_SHOWN])) + ("; and more" if len(changes) > _SHOWN else "")
        why = "the journal is damaged" if damaged else "the file was changed outside before they were written to it"
        sentence = (
            f"{len(changes)} changes are not in force, because {why}: {what or 'see the copy'}. They stand in {path}; "
            "make those again that are still wanted"
        )
        self.warnings.append(Fault(self.file.name, 0, "", sentence))
        if self._log:
            self._log.error("config.changes-aside", count=len(changes), path=str(path), names=what, reason=why)

    # Changing

    def write(self, requests: Sequence[Changes], for_good: bool = True) -> list[Exception | None]:
        """One write for all; what became of each. Not `for_good`: nothing is written. ConfigConflict."""
        if not self._recovered:
            self.open()
        identity = self.file.identity()
        at_once = for_good and (
            identity is None
            or identity.size < self._journal_from
            or sum(map(len, requests)) > _AT_ONCE
            or self._journal.position.size > _MAX_JOURNAL
        )
        with self._alone() if at_once else self._guarded():
            db = self.connect()
            if not self.current(db):
                raise self.conflict(db)
            return self._write_file(db, requests) if at_once else self._write_journal(db, requests, for_good)

    def _write_journal(
        self, db: apsw.Connection, requests: Sequence[Changes], for_good: bool
    ) -> list[Exception | None]:
        before, end = self._pending.copy(), self._journal.position
        with opened(self.file.path) as (source, identity):
            db.execute("BEGIN IMMEDIATE")
            try:
                if str(identity) != index.meta(db, "identity"):
                    raise self.conflict(db)
                changer = Changer(db, source, self._pending, self.schema)
                results = [changer.tried(changes) for changes in requests]
                made = [changes for changes, error in zip(requests, results, strict=True) if error is None]
                if not for_good:
                    self._pending.restore(before)
                elif made and self._pending.copy() != before:
                    self._journal.append(index.meta(db, "digest"), made)
                db.execute("COMMIT" if for_good else "ROLLBACK")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                self._pending.restore(before)
                self._journal.cut(end)  # It was not acknowledged.
                raise
        return results

    def _write_file(self, db: apsw.Connection, requests: Sequence[Changes]) -> list[Exception | None]:
        """What is pending goes with it. The caller is alone."""
        before = self._pending.copy()
        db.execute("BEGIN IMMEDIATE")
        try:
            content, identity = self.read()
            if str(identity) != index.meta(db, "identity"):
                raise self.conflict(db)
            changer = Changer(db, lambda start, length: content[start : start + length], self._pending, self.schema)
            results = [changer.tried(changes) for changes in requests]
            edits = self._pending.edits
            splices = plan(db, content, edits, self.schema.added)
            if splices:
                prepared = self._prepare(pieces(content, splices))
                moved(db, splices, [edit.node for edit in edits if edit.text is None])
                self._put(db, prepared, self._journal.position.calls)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._pending.restore(before)
            raise
        self._pending.clear()
        self._journal.clear()
        return results

    def fold(self) -> None:
        """Writes the file with all that is pending. ConfigConflict, OSError: it stays pending."""
        with self._folding:
            if not self._pending:
                return
            content, identity = self.read()
            with self._guarded():
                db = self.connect()
                if not self.current(db) or str(identity) != index.meta(db, "identity"):
                    raise self.conflict(db)
                covers, now = self._journal.position.calls, self._round
                # Planned before anyone else can change what the index says of places.
                splices = plan(db, content, self._pending.edits, self.schema.added)
                gone = [edit.node for edit in self._pending.freeze() if edit.text is None]
            try:
                prepared = self._prepare(pieces(content, splices)) if splices else None
                del content
                with self._guarded():
                    if self._round != now:  # All was read anew meanwhile, from file and journal.
                        if prepared:
                            self.file.discard(prepared)
                        return
                    if prepared:
                        self._take_name(prepared, covers, splices, gone)
                    self._pending.written()
                    if not self._pending:
                        self._journal.clear()
            except BaseException:
                with self._guard:
                    if self._round == now:
                        self._pending.thaw()
                raise

    def _take_name(self, prepared: Path, covers: int, splices: Sequence[Splice], gone: Sequence[int]) -> None:
        """The file that was written takes its name, and the index has the places of that."""
        now, db = self._round, self.connect()
        if self._round != now:  # The index was lost meanwhile, and is made anew.
            self.file.discard(prepared)
            return
        if not self.current(db):
            self.file.discard(prepared)
            raise self.conflict(db)
        if self._round != now:  # Read anew just now, for a file that is there already.
            self.file.discard(prepared)
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            moved(db, splices, gone)
            for mark in (mark for splice in splices for mark in splice.marks):
                # Gone with its domain while the file was written: the domain's own place covers it.
                edit = self._pending.fresh(mark.node)
                domain = self._pending.fresh(edit.domain) if edit and edit.text is None else None
                if domain and domain.text is None:
                    db.execute("DELETE FROM place WHERE id = ?", (mark.node,))
            self._put(db, prepared, covers)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self.file.discard(prepared)
            raise

    def _prepare(self, parts: Iterator[bytes | memoryview]) -> Path:
        digest = hashlib.sha256()
        prepared = self.file.prepare(hashed(parts, digest))
        self._written = digest.hexdigest()
        return prepared

    def _put(self, db: apsw.Connection, prepared: Path, covers: int) -> None:
        """Inside a transaction: from here on the file has the first `covers` calls of the journal."""
        _mark(db, self._written, self._named(db, prepared, covers))

    def _named(self, db: apsw.Connection, prepared: Path, covers: int) -> Identity:
        try:
            if not forgetting.counted(db).users:  # After a crash it must not be taken for an edit made outside.
                self._journal.begin(index.meta(db, "digest"))
            self._journal.about_to_write(self._written, covers)
        except BaseException:
            self.file.discard(prepared)
            raise
        return self.file.put(prepared)

    def keep(self) -> None:
        """The records as they are in use over an edit made outside, which is then among the former versions."""
        with self._alone():
            db = self.connect()
            if not self._recovered and (journaled := self._journal.read()):
                left = journaled.left(index.meta(db, "digest"))
                self._set_aside(journaled.calls if left is None else left, journaled.damaged)
            prepared = self._prepare(listing.whole(db, self.schema))
            self._named(db, prepared, self._journal.position.calls)
            self._recover(db)
            self._recovered = True

    def restore(self, number: int, confirmed: str = "") -> None:
        """A former version as a new change. LookupError, ConfigError, Unconfirmed, ConfigConflict."""
        with self._alone():
            db = self.connect()
            if not self.current(db):
                raise self.conflict(db)
            content = self.file.version(number, MAX_BYTES)
            self.fold()
            before = forgetting.counted(db)
            with db:
                reread.remember(db)
                warnings = build.rebuild(db, content, self.file.name, self.schema)
                forgetting.demand(before, forgetting.counted(db), f"That version of {self.file.name}", confirmed)
                different = reread.differences(db, self.schema)
                prepared = self._prepare(iter([content]))
                self._put(db, prepared, self._journal.position.calls)
            self._journal.clear()
            self.warnings, self._reread = warnings, different

    def taken(self) -> Reread:
        """Which records differ since the file was last read anew; nothing if that was asked before."""
        different, self._reread = self._reread, Reread()
        return different

    def demand(self, confirmed: str) -> None:
        """As `open` would: ConfigError, Unconfirmed. Nothing is changed."""
        if text := self.forgets() if confirmed != forgetting.WORDS else "":
            raise Unconfirmed(forgetting.WORDS, Fault("", 0, "", text))
        self.verify()

    def forgets(self) -> str:
        """Why the file on disk is not taken into use by itself; empty if it would be, or cannot be read. ConfigError:
        the index is lost."""
        with self._guard:
            db = self.connect()
            if self.current(db):
                return ""
            try:
                text = forgetting.forgets(forgetting.counted(db), self.verify(), self.file.name)
            except ConfigError:
                return ""
            if text and forgetting.withheld(db):
                text += "; until then all mail is put off (451) and nobody can sign in"
            return text

    def verify(self, content: bytes | None = None) -> forgetting.Headcount:
        """Reads the file on disk, or `content`, as a start would; who is in it. ConfigError tells every fault."""
        # A database of its own, which SQLite keeps in a temporary file.
        db = apsw.Connection("")
        try:
            db.execute(index.SCHEMA)
            with db:
                text = self.read()[0] if content is None else content
                build.rebuild(db, text, self.file.name, self.schema)
            return forgetting.counted(db)
        finally:
            db.close()

    def aside(self) -> str:
        return aside.shown(self.file.history, self._journal.path.name, self.schema)

    def conflict(self, db: apsw.Connection) -> ConfigConflict:
        return ConfigConflict(self.file.name, listing.difference(db, self.read()[0], self.file.name, self.schema))

    def log_unwritten(self, reason: str) -> None:
        if self._log and reason:
            self._log.error("config.not-written", path=str(self.file.path), error=reason)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _mark(db: apsw.Connection, digest: str, identity: Identity | None) -> None:
    index.set_meta(db, "identity", str(identity))
    index.set_meta(db, "digest", digest)
    forgetting.release(db)
