"""A small file of JSON rows beside the configuration, written whole for each change and durable before anybody is told:
API tokens, links to set passwords."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from whimbrel.backends.config.files import own_like, sync, sync_folder
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.pool import Pool

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)
else:
    R = TypeVar("R")

_VERSION: Final = "1.0"
_MAX_BYTES: Final = 16 << 20
_Mark = tuple[int, int, int] | None
"""Which file it is: inode, time of its last change, size; None: there is none."""


class KeptRows(Generic[R]):
    """For control, or for a command that holds DIR/lock. Rows have a key each."""

    ROWS: ClassVar[str]
    """The member of the file that has them."""

    def __init__(self, path: Path, owner: Path, pool: Pool) -> None:
        """The file belongs to whom `owner` belongs: written by root, it is read by the server."""
        self._path, self._owner, self._pool = path, owner, pool
        self._lock = asyncio.Lock()
        self._seen: _Mark | str = "never"
        self._rows: dict[str, R] = {}

    def _row(self, values: Any) -> R:
        """Of what the file says of one. KeyError, ValueError, TypeError."""
        raise NotImplementedError

    def _unreadable(self, error: Exception) -> str:
        """What a person is told of a file that cannot be read, and what to do with it."""
        raise NotImplementedError

    def _key(self, row: R) -> str:
        raise NotImplementedError

    async def _all(self) -> list[R]:
        """By key. ConfigError."""
        async with self._lock:
            if self._seen != self._mark():
                await self._pool.run(self._read)
            return [row for _, row in sorted(self._rows.items())]

    async def _changed(self, change: Callable[[Mapping[str, R]], dict[str, R]]) -> None:
        """`change` makes the new rows of those that there are. ConfigError."""

        def work() -> None:
            self._read()
            rows = change(self._rows)
            if rows != self._rows:
                self._write(rows)
                self._rows, self._seen = rows, self._mark()

        async with self._lock:
            await self._pool.run(work)

    def _mark(self) -> _Mark:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> None:
        """ConfigError."""
        mark = self._mark()
        try:
            with open(self._path, "rb") as file:
                content = json.loads(file.read(_MAX_BYTES))
            if str(content["version"]).partition(".")[0] != "1":
                raise ValueError(f"it was written by a newer release (format {content['version']})")
            rows = [self._row(values) for values in content[self.ROWS]]
        except FileNotFoundError:
            rows = []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(Fault(str(self._path), 0, "", self._unreadable(error))) from None
        self._rows, self._seen = {self._key(row): row for row in rows}, mark

    def _write(self, rows: Mapping[str, R]) -> None:
        content = {"version": _VERSION, self.ROWS: [asdict(row) for row in rows.values()]}
        temporary = self._path.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            own_like(file.fileno(), self._owner)
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())
            file.flush()
            sync(file.fileno())
        os.replace(temporary, self._path)
        sync_folder(self._path.parent)
