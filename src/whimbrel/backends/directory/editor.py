"""Changing `users.cfg`: one record is replaced in the text, the index follows in one transaction.

Only `control`, or an offline command that holds DIR/lock, has one of these. Changes that come while a write is under
way share the next write. Order: index (uncommitted), file, index committed: after a crash in between, the file counts
and the index is built anew.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import apsw

from whimbrel.backends.config.files import ConfigFile, Former, Identity
from whimbrel.backends.directory import build, index, listing
from whimbrel.backends.directory.changes import Changer
from whimbrel.backends.directory.scan import MAX_BYTES
from whimbrel.backends.directory.splices import moved, pieces, plan
from whimbrel.core.config import ConfigConflict, ConfigError, Fault
from whimbrel.core.directory import DirectoryChange, DirectoryEditor, Entry, Kind
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool

T = TypeVar("T")

EMPTY = b'<?xml version="1.0" encoding="UTF-8"?>\n<users version="1.0">\n</users>\n'
_TOLD: Final = 100
"""A change of more records than this, such as an import, is one line in the log."""
Request = tuple[tuple[DirectoryChange, ...], "asyncio.Future[None]"]


class DirectoryFile:
    """`open` first. `changed` is called after each change that is in force: the place to tell the workers."""

    def __init__(
        self,
        path: Path,
        index_path: Path,
        *,
        pool: Pool | None = None,
        log: Log | None = None,
        history: Path | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._file = ConfigFile(path, history=history)
        self._index_path = index_path
        self._pool, self._log, self._changed = pool, log, changed
        self._db: apsw.Connection | None = None
        self._lister: listing.Listing | None = None
        self._waiting: list[Request] = []
        self._writer: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self.warnings: list[Fault] = []

    # The index and the file

    def open(self) -> bool:
        """Makes the index that of the file; True if it had to be built. ConfigError tells what is wrong in the file."""
        db = self._open()
        if self._current(db):
            return False
        self._rebuild(db)
        return True

    def close(self) -> None:
        for connection in (self._db, self._lister):
            if connection:
                connection.close()
        self._db = self._lister = None

    def _open(self) -> apsw.Connection:
        if self._db is None or Identity.of(self._index_path) is None:
            self.close()
            self._db = index.create(self._index_path)
        return self._db

    def _listing(self) -> listing.Listing:
        if self._lister is None:
            self._open()
            self._lister = listing.Listing(self._index_path)
        return self._lister

    def _current(self, db: apsw.Connection) -> bool:
        """The index is that of the file as it is now."""
        identity = self._file.identity()
        known = index.meta(db, "identity")
        if not known or str(identity) == known:
            return bool(known)
        content, identity = self._read()
        if identity is None or _digest(content) != index.meta(db, "digest"):
            return False
        # Touched, copied or restored, not edited.
        index.set_meta(db, "identity", str(identity))
        return True

    def _rebuild(self, db: apsw.Connection) -> None:
        content, identity = self._read()
        with db:
            self.warnings = build.rebuild(db, content, self._file.name)
            self._mark(db, content, identity)
        # So much was written at once that the log should not keep its size.
        with contextlib.suppress(apsw.BusyError):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @staticmethod
    def _mark(db: apsw.Connection, content: bytes, identity: Identity | None) -> None:
        index.set_meta(db, "identity", str(identity))
        index.set_meta(db, "digest", _digest(content))

    def _read(self) -> tuple[bytes, Identity | None]:
        """The file as it is now. Not mapped: truncated by an editor meanwhile, a mapped file would kill the process."""
        content, identity = self._file.read(MAX_BYTES)
        return (EMPTY if not content or content.isspace() else content), identity

    async def reload(self) -> bool:
        async with self._lock:
            built = await self._run(self.open)
        if built and self._changed:
            self._changed()
        return built

    def difference(self) -> str:
        lister = self._listing()
        content, identity = self._read()
        if str(identity) == index.meta(lister.db, "identity") or _digest(content) == index.meta(lister.db, "digest"):
            return ""
        return listing.difference(lister.db, content, self._file.name)

    async def keep(self) -> None:
        """Written from the index: the records as they are in use. The edited file is among the former versions."""

        def write() -> None:
            db = self._open()
            self._file.replace(listing.whole(db))
            self._rebuild(db)

        async with self._lock:
            await self._run(write)

    # Former versions

    def former(self) -> list[Former]:
        """The latest first."""
        return self._file.former()

    def difference_to(self, number: int) -> str:
        """From the directory in use to a former version, as a unified diff. LookupError."""
        content = self._file.version(number, MAX_BYTES)
        return listing.difference(self._listing().db, content, self._file.name, f"version {number}")

    async def restore(self, number: int) -> None:
        """Puts a former version back as a new change. LookupError, ConfigError, ConfigConflict."""

        def write() -> None:
            db = self._open()
            if not self._current(db):
                raise ConfigConflict(self._file.name, listing.difference(db, self._read()[0], self._file.name))
            content = self._file.version(number, MAX_BYTES)
            with db:
                warnings = build.rebuild(db, content, self._file.name)
                self._mark(db, content, self._file.replace([content]))
            self.warnings = warnings

        async with self._lock:
            await self._run(write)
        if self._changed:
            self._changed()

    def verify(self) -> None:
        """Reads the file on disk as a start would. ConfigError tells every fault."""
        # A database of its own, which SQLite keeps in a temporary file.
        db = apsw.Connection("")
        try:
            db.execute(index.SCHEMA)
            with db:
                build.rebuild(db, self._read()[0], self._file.name)
        finally:
            db.close()

    # Changing

    async def check(self, changes: Sequence[DirectoryChange]) -> None:
        async with self._lock:
            results = await self._run(self._write, [tuple(changes)], False)
        if results[0]:
            raise results[0]

    async def change(self, changes: Sequence[DirectoryChange]) -> None:
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(_heard)
        self._waiting.append((tuple(changes), done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        # The write goes on if the one who asked is gone: it may be half done.
        await asyncio.shield(done)

    def edit(self, changes: Sequence[DirectoryChange]) -> None:
        """`change` without a loop, for the command line."""
        for error in self._write([tuple(changes)]):
            if error:
                raise error

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                async with self._lock:
                    results: list[Exception | None] = await self._run(self._write, [asked for asked, _ in batch])
            except Exception as error:  # noqa: BLE001  # Each who waits must hear of it.
                results = [error] * len(batch)
            for (_, done), result in zip(batch, results, strict=True):
                if done.cancelled():
                    continue
                if result is None:
                    done.set_result(None)
                else:
                    done.set_exception(result)
            if self._changed and None in results:
                self._changed()

    def _write(self, requests: Sequence[tuple[DirectoryChange, ...]], for_good: bool = True) -> list[Exception | None]:
        """One write for all; what became of each. Not `for_good`: nothing is written."""
        db = self._open()
        if not self._current(db):
            raise ConfigConflict(self._file.name, listing.difference(db, self._read()[0], self._file.name))
        results: list[Exception | None] = []
        db.execute("BEGIN IMMEDIATE")
        try:
            content, identity = self._read()
            if str(identity) != index.meta(db, "identity"):
                raise ConfigConflict(self._file.name, listing.difference(db, content, self._file.name))
            changer = Changer(db, content)
            for changes in requests:
                results.append(_tried(changer, changes))
            splices = [] if not for_good else plan(db, content, changer.edits)
            if splices:
                digest = hashlib.sha256()
                identity = self._file.replace(_hashed(pieces(content, splices), digest))
                moved(db, splices, [edit.node for edit in changer.edits if edit.text is None])
                index.set_meta(db, "identity", str(identity))
                index.set_meta(db, "digest", digest.hexdigest())
            db.execute("COMMIT" if for_good else "ROLLBACK")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if self._log and for_good:
            for changes, result in zip(requests, results, strict=True):
                self._tell(self._log, changes, result)
        return results

    @staticmethod
    def _tell(log: Log, changes: Sequence[DirectoryChange], result: Exception | None) -> None:
        if result is None:
            if len(changes) > _TOLD:
                log.info("config.directory", action="import", kind="records", changes=len(changes))
                return
            for change in changes:
                what = f"{change.name}@{change.domain}" if change.name else change.domain
                log.info("config.directory", action=change.op.value, kind=change.kind.value, name=what,
                         paths=" ".join(sorted(change.values)))  # fmt: skip

    # Reading

    async def entry(self, kind: Kind, domain: str, name: str = "") -> Entry | None:
        return self._listing().entry(kind, domain, name)

    async def entries(
        self, kind: Kind, *, domain: str = "", search: str = "", after: str = "", limit: int = 100
    ) -> list[Entry]:
        return self._listing().entries(kind, domain, search, after, limit)

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await self._pool.run(work, *args) if self._pool else work(*args)


def _tried(changer: Changer, changes: Sequence[DirectoryChange]) -> Exception | None:
    changer.begin()
    try:
        changer.apply(changes)
    except ConfigError as error:
        changer.undo()
        return error
    except BaseException:
        changer.undo()
        raise
    changer.done()
    return None


def _heard(done: "asyncio.Future[None]") -> None:
    """If the one who asked is gone, nobody else looks at the result."""
    if not done.cancelled():
        done.exception()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hashed(parts: Iterator[bytes | memoryview], digest: "hashlib._Hash") -> Iterator[bytes | memoryview]:
    for part in parts:
        digest.update(part)
        yield part


_port: type[DirectoryEditor] = DirectoryFile
