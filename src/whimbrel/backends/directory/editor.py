"""The port DirectoryEditor: `users.cfg` is changed one record at a time, and the index that workers ask follows.

Only `control`, or an offline command that holds DIR/lock, has one of these. Changes that come while others are being
written share the next write. What a large file lacks is written into it within a second: see `Ledger`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from whimbrel.backends.config.files import Former, History
from whimbrel.backends.directory import index, listing
from whimbrel.backends.directory.ledger import JOURNAL_FROM, Ledger, digest_of
from whimbrel.backends.directory.pages import counts_of, page_of
from whimbrel.backends.directory.records import schema_of
from whimbrel.backends.directory.scan import MAX_BYTES
from whimbrel.core.config import Fault
from whimbrel.core.directory import DirectoryChange, DirectoryEditor, Entry, Kind, Naming, RecordPage, Reread
from whimbrel.core.listing import RecordQuery
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.record import RecordType

T = TypeVar("T")

WRITE_AFTER: Final = 0.5
"""Seconds from a change until a large file is written with it and what came meanwhile."""
_RETRY_AFTER: Final = 5.0
"""A change of more records than this, such as an import, is one line in the log."""
Request = tuple[tuple[DirectoryChange, ...], "asyncio.Future[None]"]


class DirectoryFile:
    """`open` first. `changed` is called after each change that is in force: the place to tell the workers."""

    def __init__(
        self,
        path: Path,
        index_path: Path,
        *,
        records: tuple[RecordType, ...],
        pool: Pool | None = None,
        log: Log | None = None,
        history: Path | History | None = None,
        changed: Callable[[], None] | None = None,
        journal_from: int = JOURNAL_FROM,
        write_after: float = WRITE_AFTER,
    ) -> None:
        """`records`: what can stand in the file. `journal_from`: a file of so many bytes is not written anew for each
        change."""
        self._schema = schema_of(records)
        self._ledger = Ledger(path, index_path, self._schema, history=history, log=log, journal_from=journal_from)
        self._index_path, self._write_after = index_path, write_after
        self._pool, self._log, self._changed = pool, log, changed
        self._lister: listing.Listing | None = None
        self._listed = 0  # The inode that the lister has open.
        self._waiting: list[Request] = []
        self._writer: asyncio.Task[None] | None = None
        self._later: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    @property
    def warnings(self) -> list[Fault]:
        """What a newer minor version brought; changes that could not be applied to a file that was edited."""
        return self._ledger.warnings

    # The index and the file

    def open(self) -> bool:
        """Makes the index that of the file; True if it had to be built. ConfigError tells what is wrong in the file.
        One that would make the server forget everybody is not taken: see `forgetting`."""
        return self._ledger.open()

    def close(self) -> None:
        """Writes what the file lacks, from any thread; the loop no longer uses this."""
        self._ledger.close()
        if self._lister:
            self._lister.close()
        self._lister = None

    def _listing(self) -> listing.Listing:
        if not self._ledger.intact():
            self._ledger.connect()
        inode = self._index_path.stat().st_ino
        if self._lister is None or inode != self._listed:
            if self._lister:
                self._lister.close()
            self._lister = listing.Listing(self._index_path, self._schema)
            self._listed = inode
        return self._lister

    @contextlib.contextmanager
    def _own(self) -> Iterator[listing.Listing]:
        """One of one's own, which stays as it is while the directory changes: for what threads look at."""
        if not self._ledger.intact():
            self._ledger.connect()
        lister = listing.Listing(self._index_path, self._schema)
        try:
            with lister.db:
                yield lister
        finally:
            lister.close()

    async def _whole_listing(self) -> listing.Listing:
        """An index that was lost is made anew off the loop."""
        if not self._ledger.intact():
            await self.heal()
        return self._listing()

    async def heal(self) -> bool:
        """Makes an index anew that was deleted, emptied or replaced while in use; whether it was. ConfigError tells
        what is wrong in the file; OSError."""
        if self._ledger.intact():
            return False
        async with self._lock:
            healed = await self._run(self._ledger.heal)
        if healed and self._changed:
            self._changed()
        return healed

    async def reload(self, *, confirmed: str = "", trial: bool = False) -> Reread | None:
        async with self._lock:
            if trial:
                await self._run(self._ledger.demand, confirmed)
                return None
            built = await self._run(self._ledger.open, confirmed)
            reread = self.taken()
        if built and self._changed:
            self._changed()
        return reread if built else None

    def taken(self) -> Reread:
        """Which records differ since the file was read anew, and nobody asked so far: of a start, what was edited while
        no server ran."""
        return self._ledger.taken()

    def edited(self) -> str:
        """Which state the file on disk is in, if it is not the one in use; else empty. One `stat`."""
        file = self._ledger.file
        identity = str(file.identity())
        with self._own() as lister:
            return "" if identity == index.meta(lister.db, "identity") else f"{file.name}={identity}"

    def forgets(self) -> str:
        return self._ledger.forgets()

    def difference(self) -> str:
        file = self._ledger.file
        with self._own() as lister:
            known = index.meta(lister.db, "identity")
            if str(file.identity()) == known:
                return ""
            content, identity = self._ledger.read()
            if str(identity) == known or digest_of(content) == index.meta(lister.db, "digest"):
                return ""
            return listing.difference(lister.db, content, file.name, self._schema)

    async def keep(self) -> None:
        """Written from the index: the records as they are in use. The edited file is among the former versions."""
        async with self._lock:
            await self._run(self._ledger.keep)

    async def write(self) -> None:
        """The file has all that is in force, if it can be written; if not, the log tells why."""
        self._ledger.log_unwritten(await self._run(self._ledger.fold_if_possible))

    async def _write_later(self) -> None:
        """Until all is in the file. A reason why it cannot be written is logged once."""
        logged, pause = "", self._write_after
        while True:
            await asyncio.sleep(pause)
            if not self._ledger.unwritten:  # Done, or closed, which writes it too.
                return
            reason = await self._run(self._ledger.fold_if_possible)
            pause = _RETRY_AFTER if reason else self._write_after
            if reason != logged:
                self._ledger.log_unwritten(reason)
            logged = reason

    # Former versions

    def former(self) -> list[Former]:
        """The latest first."""
        return self._ledger.file.former()

    def aside(self) -> str:
        """Changes that an edit made outside left without a place, for people; empty if there are none."""
        return self._ledger.aside()

    def difference_to(self, number: int) -> str:
        """From the directory in use to a former version, as a unified diff. LookupError."""
        file = self._ledger.file
        content = file.version(number, MAX_BYTES)
        with self._own() as lister:
            return listing.difference(lister.db, content, file.name, self._schema, f"version {number}")

    async def restore(self, number: int, *, confirmed: str = "") -> Reread:
        """Puts a former version back as a new change. LookupError, ConfigError, Unconfirmed, ConfigConflict."""
        async with self._lock:
            await self._run(self._ledger.restore, number, confirmed)
            reread = self.taken()
        if self._changed:
            self._changed()
        return reread

    def verify(self, content: bytes | None = None) -> None:
        """Reads the file on disk, or `content`, as a start would. ConfigError tells every fault."""
        self._ledger.verify(content)

    # Changing

    async def check(self, changes: Sequence[DirectoryChange]) -> None:
        async with self._lock:
            results = await self._run(self._write, [tuple(changes)], False)
        if results[0]:
            raise results[0]

    async def check_each(self, calls: Sequence[Sequence[DirectoryChange]]) -> Sequence[Exception | None]:
        async with self._lock:
            return await self._run(self._write, [tuple(changes) for changes in calls], False)

    async def change(self, changes: Sequence[DirectoryChange]) -> None:
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(_retrieve)
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
            if self._ledger.unwritten and (self._later is None or self._later.done()):
                self._later = asyncio.create_task(self._write_later())

    def _write(self, requests: Sequence[tuple[DirectoryChange, ...]], for_good: bool = True) -> list[Exception | None]:
        """One write for all; what became of each. Not `for_good`: nothing is written."""
        return self._ledger.write(requests, for_good)

    # Reading

    async def entry(self, kind: Kind, domain: str, name: str = "") -> Entry | None:
        return (await self._whole_listing()).entry(kind, domain, name)

    async def naming(self, addresses: Sequence[str]) -> Sequence[Naming]:
        return (await self._whole_listing()).naming(addresses)

    async def doubtful(self, limit: int) -> Sequence[Naming]:
        return (await self._whole_listing()).doubtful(limit)

    async def entries(
        self, kind: Kind, *, domain: str = "", search: str = "", after: str = "", limit: int = 100
    ) -> list[Entry]:
        return (await self._whole_listing()).entries(kind, domain, search, after, limit)

    async def page(self, query: RecordQuery) -> RecordPage:
        if not self._ledger.intact():
            await self.heal()
        return await self._run(page_of, self._index_path, self._schema, query)

    async def counts(self) -> Mapping[str, Mapping[Kind, int]]:
        if not self._ledger.intact():
            await self.heal()
        return await self._run(counts_of, self._index_path)

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await self._pool.run(work, *args) if self._pool else work(*args)


def _retrieve(done: "asyncio.Future[None]") -> None:
    """If the one who asked is gone, nobody else looks at the result."""
    if not done.cancelled():
        done.exception()


_port: type[DirectoryEditor] = DirectoryFile
