"""What a process has of queue.db: one connection to read and lease, one for the committer. Both are to the file that
has the name, or become so before anything is done."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import apsw

from whimbrel.backends.disk.presence import ANY, Presence, StoreGone
from whimbrel.backends.queue.database import failure, identity, immediate, open_database
from whimbrel.backends.queue.succession import Lineage, succeed
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log

T = TypeVar("T")
_ATTEMPTS: Final = 4


class _Replaced(Exception):
    """Seen when the transaction had the write lock: the name says another file. Nothing was done."""


class QueueDatabase:
    """One for each process; any thread may use it."""

    def __init__(self, path: Path, log: Log, presence: Presence = ANY) -> None:
        """Opens or makes it. RuntimeError if a newer release wrote it."""
        self.path, self._log, self._presence = path, log, presence
        self._reading = threading.RLock()
        """Guards the reader, which pool threads share. Taken before `_writing`."""
        self._writing = threading.Lock()
        """In this process those who write wait for each other here: SQLite would let them sleep."""
        self._failed = False
        self._open()

    def _open(self) -> None:
        """What was open before stays so if this fails."""
        with contextlib.ExitStack() as stack:
            writer, reader = (stack.enter_context(contextlib.closing(open_database(self.path))) for _ in range(2))
            self._lineage = Lineage.read(reader)
            self._identity = identity(self.path)
            self.writer, self.reader = writer, reader
            stack.pop_all()

    @property
    def current(self) -> bool:
        """What is open has the name still. Raises OSError."""
        return identity(self.path) == self._identity

    def close(self) -> None:
        for connection in (self.writer, self.reader):
            _close(connection, lost=not self.current)

    def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """In a pool thread. `work` begins anew if queue.db is found to be replaced meanwhile. MailError, apsw.Error"""
        with self._reading:
            for _ in range(_ATTEMPTS):
                self.renew()
                with contextlib.suppress(_Replaced):
                    return work(self.reader)
        raise self._not_current()

    def write(self, work: Callable[[apsw.Connection], None]) -> None:
        """`work` in a transaction, in the committer's thread. What it raises takes the transaction back."""
        for _ in range(_ATTEMPTS):
            self.renew()
            with contextlib.suppress(_Replaced), self._writing, self._transaction(self.writer) as connection:
                work(connection)
                return
        raise self._not_current()

    @contextlib.contextmanager
    def writing(self, connection: apsw.Connection) -> Iterator[None]:
        """A transaction that writes, on the connection that `read` gave."""
        with self._writing, self._transaction(connection):
            yield

    @contextlib.contextmanager
    def _transaction(self, connection: apsw.Connection) -> Iterator[apsw.Connection]:
        with immediate(connection):
            # Not before: whoever carries the entries over has the write lock too, so nothing comes after it.
            if not self.current:
                raise _Replaced
            yield connection

    def restore(self, work: Callable[[apsw.Connection], None]) -> None:
        """`work` with the writer alone, after a barrier that failed."""
        self.renew()
        with self._writing:
            work(self.writer)

    def renew(self) -> None:
        """Goes over to the file that has the name, if that is another than the one that is open, with all that it
        holds. MailError 451 or 452 if that cannot be now."""
        if self.current:
            return
        with self._reading, self._writing:
            if self.current:
                return
            try:
                self._presence.require()
                succession = succeed(self.path, self.writer, self.reader, self._lineage, self._identity)
                former = self.writer, self.reader
                self._open()
                for connection in former:
                    _close(connection, lost=True)
            except StoreGone as error:
                raise failure(error) from None  # Of the whole store, not of this file: it goes on when that is back.
            except (apsw.Error, OSError, RuntimeError) as error:
                if not self._failed:
                    self._failed = True
                    self._log.error("queue.database-missing", file=str(self.path), error=str(error))
                if isinstance(error, RuntimeError):
                    raise self._not_current() from None
                raise failure(error) from None
            self._failed = False
        if succession is not None:
            self._log.error("queue.database-lost", file=str(self.path), entries=succession.entries)
            if succession.damage:
                self._log.error("queue.rows-lost", file=str(self.path), error=succession.damage)

    def _not_current(self) -> MailError:
        return MailError(451, "4.3.0", "Queue failure, try again later", detail=f"{self.path} was taken away")


def _close(connection: apsw.Connection, *, lost: bool) -> None:
    with contextlib.suppress(apsw.Error):
        if lost:
            # What is left of the log belongs into a file that has gone.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close()
