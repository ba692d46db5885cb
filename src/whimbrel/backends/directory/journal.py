"""`users.cfg.changes`: changes that are acknowledged and in force, and that `users.cfg` does not hold yet.

To write 15 MB anew for one user takes a tenth of a second, to append a line and sync it a millisecond (decision 0006).
One record a line, each a CRC-32 in hex, a blank and JSON:

    {"format": 1, "base": "<SHA-256>"}           first: to which users.cfg the changes apply
    {"changes": [{"op": "set", ...}, ...]}       one call, all or none
    {"written": "<SHA-256>", "covers": 7}        a users.cfg with the first 7 calls in it is about to take its name

So whatever file is found after a crash, the journal tells which calls it lacks, or that it is none of ours. The file
holds verifiers of passwords and is 0600 as `users.cfg` is. Calls block; the caller is one thread at a time.
"""

import contextlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from whimbrel.backends.config.files import own_like, sync, sync_folder
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.values import Secret

MAX_BYTES: Final = 64 << 20
"""More is not read. What is written stays far below: see `Ledger`."""
_FORMAT: Final = 1

Changes = tuple[DirectoryChange, ...]


@dataclass(frozen=True, slots=True)
class Journaled:
    """What a journal holds. `damaged`: something that is not the end of an interrupted write cannot be read."""

    base: str
    calls: tuple[Changes, ...]
    written: tuple[tuple[str, int], ...] = ()
    damaged: bool = False

    def left(self, digest: str) -> tuple[Changes, ...] | None:
        """The calls that the file with this SHA-256 lacks. None: the file is none that these calls were made for."""
        # Where the content was the same twice, both answers lead to the same end; the later one is shorter.
        for digest_written, covers in reversed(self.written):
            if digest_written == digest:
                return self.calls[covers:]
        return self.calls if digest == self.base else None


@dataclass(frozen=True, slots=True)
class Position:
    """Where the journal ended at one moment."""

    size: int
    calls: int


class Journal:
    """Appends, and forgets all when the changes have reached the file."""

    def __init__(self, path: Path, owner: Path) -> None:
        """The file belongs to whom `owner` belongs: edited by root, it stays readable to the server's own user."""
        self.path, self._owner = path, owner
        self._descriptor = -1
        self._at = Position(0, 0)
        self._torn = False

    @property
    def position(self) -> Position:
        return self._at

    def read(self) -> Journaled | None:
        """What is in it, and from now on appends follow that. None: nothing."""
        try:
            with open(self.path, "rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        journaled, end = parse(content[:MAX_BYTES])
        self._torn = end < len(content)
        self._at = Position(end, len(journaled.calls) if journaled else 0)
        return journaled

    def append(self, base: str, calls: Sequence[Changes]) -> None:
        """Durable when it returns. On an error nothing was added."""
        lines = [] if self._at.size else [_line({"format": _FORMAT, "base": base})]
        lines += [_line({"changes": [_plain(change) for change in changes]}) for changes in calls]
        self._write(b"".join(lines), len(calls))

    def about_to_write(self, digest: str, covers: int) -> None:
        """Before the file with that SHA-256, which has the first `covers` calls in it, takes its name. An empty journal
        needs no such line, unless `begin` was called."""
        if self._at.size:
            self._write(_line({"written": digest, "covers": covers}), 0)

    def begin(self, base: str) -> None:
        """With no call yet, so that `about_to_write` leaves its line: who finds the file then knows it for ours."""
        if not self._at.size:
            self.append(base, ())

    def cut(self, position: Position) -> None:
        """Takes back what was appended since: it was not acknowledged."""
        if position != self._at:
            os.ftruncate(self._opened(), position.size)
            self._at = position
            sync(self._opened())

    def clear(self) -> None:
        """All is in the file now."""
        if self._at.size or self._torn:
            os.ftruncate(self._opened(), 0)
            self._at, self._torn = Position(0, 0), False
            sync(self._opened())

    def close(self) -> None:
        """Leaves no empty file behind."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_size == 0:
                os.unlink(self.path)

    def _opened(self) -> int:
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(self.path, flags, 0o600)
            own_like(self._descriptor, self._owner)
            # A torn record of a crash, or what a failed write left, must not stand before the next one.
            os.ftruncate(self._descriptor, self._at.size)
            sync_folder(self.path.parent)
        return self._descriptor

    def _write(self, data: bytes, calls: int) -> None:
        descriptor, before = self._opened(), self._at
        try:
            os.lseek(descriptor, before.size, os.SEEK_SET)
            view = memoryview(data)
            while len(view):
                view = view[os.write(descriptor, view) :]
            sync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, before.size)
            raise
        self._at = Position(before.size + len(data), before.calls + calls)


def parse(content: bytes) -> tuple[Journaled | None, int]:
    """The records up to the first that is not whole, and where that is. A torn last one was never acknowledged."""
    base, calls, written = "", list[Changes](), list[tuple[str, int]]()
    at, damaged = 0, False
    while at < len(content):
        end = content.find(b"\n", at) + 1
        record = _record(content[at:end]) if end else None
        if record is None:
            # Records are appended one after the other: whole ones behind a broken one mean a damaged disk.
            damaged = bool(end) and any(_record(line + b"\n") for line in content[end:].split(b"\n")[:-1])
            break
        try:
            if "base" in record and not at and record["format"] == _FORMAT:
                base = str(record["base"])
            elif "written" in record and at:
                written.append((str(record["written"]), int(record["covers"])))
            else:
                calls.append(tuple(_change(values) for values in record["changes"]))
                damaged |= not at
        except (KeyError, ValueError, TypeError, AttributeError):
            damaged = True  # Whole, but of a release that writes them otherwise.
            break
        at = end
    return (Journaled(base, tuple(calls), tuple(written), damaged), at) if at or damaged else (None, 0)


def as_text(calls: Sequence[Changes]) -> bytes:
    """For people: one change a line, in JSON."""
    return b"".join(
        json.dumps(_plain(change), ensure_ascii=False).encode() + b"\n" for part in calls for change in part
    )


def from_text(data: bytes) -> list[DirectoryChange]:
    """The inverse. ValueError, KeyError, TypeError, AttributeError: it is something else."""
    return [_change(json.loads(line)) for line in data.decode().split("\n") if line]


def summary(change: DirectoryChange) -> str:
    """`set user alice@example.org: quota`: without values, so it may be logged."""
    name = f"{change.name}@{change.domain}" if change.name else change.domain
    fields = f": {', '.join(sorted(change.values))}" if change.values else ""
    return f"{change.op.value} {change.kind.value} {name}{fields}"


def _line(record: Mapping[str, object]) -> bytes:
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _record(line: bytes) -> dict[str, Any] | None:
    """None: not whole, or none of ours."""
    if line[8:9] != b" " or not line.endswith(b"\n"):
        return None
    body = line[9:-1]
    if line[:8] != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = json.loads(body.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _plain(change: DirectoryChange) -> dict[str, object]:
    """`expect` was looked at when the change was made, and is no part of it."""
    return {
        "op": change.op.value,
        "kind": change.kind.value,
        "domain": change.domain,
        "name": change.name,
        "values": {name: _value(value) for name, value in change.values.items()},
    }


def _value(value: object) -> object:
    """As text that is understood alike when it is read again."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Enum):
        return _value(value.value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item) for item in value]
    return str(value)


def _change(values: Mapping[str, Any]) -> DirectoryChange:
    named = {str(name): tuple(value) if isinstance(value, list) else value for name, value in values["values"].items()}
    return DirectoryChange(Op(values["op"]), Kind(values["kind"]), str(values["domain"]), str(values["name"]), named)
