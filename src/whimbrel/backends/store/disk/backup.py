"""What message files cannot tell, beside the index and used if that is gone: `flags.bak`, and `flags.log` of what
changed since.

`flags.bak`: a line `WFLAGS 1 uidvalidity uidnext modseq`, then `uid flags internal-date keywords...` for each message.
`flags.log`: batches, each a line `WFLOG 1 uidvalidity uidnext since modseq count`, so many lines as above, and a line
`. modseq`. A batch that was cut short ends the log. Losing the newest batch is no harm, so nothing here is synced.
"""

import errno
import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from whimbrel.backends.disk.irregular import not_a_file
from whimbrel.backends.store.disk.database import Row, passing, reading, rows
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.uidcache import changed_rows

NAME: Final = "flags.bak"
LOG: Final = "flags.log"
_COLUMNS: Final = "uid, flags, internal_date, keywords"
_LEAST_LOG: Final = 64 * 1024
"""Octets that flags.log may have however small flags.bak is; beyond, and beyond its size, flags.bak is written anew."""


@dataclass(slots=True)
class Backup:
    """What both files tell; `modseq` 0: there are none."""

    uid_validity: int = 0
    uid_next: int = 1
    modseq: int = 0
    messages: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    """uid -> flags, internal date, keywords."""


def write_backup(index: FolderIndex) -> None:
    """`flags.bak` anew, whole; the log begins again. Atomic. Raises OSError, apsw.Error."""
    with _Log(index.folder) as log:
        _write_base(index, log)


def refresh_backup(index: FolderIndex) -> None:
    """Brings the backup up to date, by the changed rows alone where that is less. Raises OSError, apsw.Error."""
    for name in (NAME, LOG):
        if kind := not_a_file(index.folder / name):
            raise OSError(errno.ENOTSUP, kind, str(index.folder / name))  # A pipe would be waited for.
    with _Log(index.folder) as log, index.lock:
        with reading(index.connection):
            status = index.status()
            base = _base_header(index.folder)
            size = os.fstat(log.descriptor).st_size
            since, known_next, whole = _tail(log.descriptor, size) if size else (base.modseq, base.uid_next, True)
            if base.modseq > since:
                since, known_next = base.modseq, base.uid_next
            if since == status.highest_modseq and whole:
                return
            usable = whole and base.uid_validity == status.uid_validity and status.resync_floor <= since
            if usable and 0 < since < status.highest_modseq and size <= max(_LEAST_LOG, base.size):
                changed = changed_rows(index.connection, _COLUMNS, since)
                # A message that came in unmarked is known by its file.
                written = [row for row in changed if row[1] or row[3] or row[0] < known_next]
                head = (status.uid_validity, status.uid_next, since, status.highest_modseq, len(written))
                lines = [f"WFLOG 1 {' '.join(map(str, head))}", *map(_line, written), f". {status.highest_modseq}"]
                os.write(log.descriptor, ("\n".join(lines) + "\n").encode())
                return
        _write_base(index, log)


def backup_modseq(folder: Path) -> tuple[int, int]:
    """UIDVALIDITY and modseq of the backup, from its first line and its last; zeros if there is none."""
    base = _base_header(folder)
    try:
        with (folder / LOG).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - 64))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
            since = int(last[2:]) if last.startswith(b". ") else 0
    except (OSError, ValueError):
        since = 0
    return base.uid_validity, max(base.modseq, since) if base.modseq else 0


def read_backup(folder: Path) -> Backup:
    """Both files of `folder`. Raises OSError only where the machine lacks something at this moment."""
    backup = _read_base(folder / NAME)
    try:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        if passing(error, folder / LOG):
            raise
        return backup
    at = 0
    while at < len(lines):
        try:
            magic, version, *numbers = lines[at].split(" ")
            validity, uid_next, _, modseq, count = map(int, numbers)
            if (magic, version) != ("WFLOG", "1") or lines[at + 1 + count] != f". {modseq}":
                break
            batch = dict(map(_parsed, lines[at + 1 : at + 1 + count]))
        except (ValueError, IndexError):
            break
        if validity != backup.uid_validity:
            break
        if modseq > backup.modseq:  # Else from before flags.bak, whose writer had no time to empty the log.
            backup.messages |= batch
            backup.uid_next, backup.modseq = max(backup.uid_next, uid_next), modseq
        at += count + 2
    return backup


# Inside


class _Log:
    """`flags.log`, held against other writers of both files."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG
        self.descriptor = -1

    def __enter__(self) -> "_Log":
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(self.descriptor)
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class _Base:
    uid_validity: int = 0
    uid_next: int = 1
    modseq: int = 0
    size: int = 0


def _base_header(folder: Path) -> _Base:
    try:
        with (folder / NAME).open("rb") as file:
            magic, version, validity, uid_next, modseq = file.readline(256).split(b" ")
            if (magic, version) != (b"WFLAGS", b"1"):
                return _Base()
            return _Base(int(validity), int(uid_next), int(modseq), os.fstat(file.fileno()).st_size)
    except (OSError, ValueError):
        return _Base()


def _tail(descriptor: int, size: int) -> tuple[int, int, bool]:
    """The log's last modseq and its uidnext, and whether its last batch is whole."""
    # The head of the last batch is needed for uidnext; batches are small, and the log is bounded.
    text = os.pread(descriptor, size, 0)
    start = text.rfind(b"WFLOG 1 ")
    lines = text[start:].split(b"\n") if start >= 0 else []
    try:
        _, uid_next, _, modseq, count = map(int, lines[0].split(b" ")[2:])
        whole = len(lines) == count + 3 and lines[count + 1] == b". %d" % modseq and lines[-1] == b""
    except (ValueError, IndexError):
        return 0, 1, False
    return modseq, uid_next, whole


def _write_base(index: FolderIndex, log: _Log) -> None:
    with index.lock, reading(index.connection):
        status = index.status()
        messages = rows(index.connection, f"SELECT {_COLUMNS} FROM msg ORDER BY uid")
    lines = [f"WFLAGS 1 {status.uid_validity} {status.uid_next} {status.highest_modseq}", *map(_line, messages)]
    temporary = index.folder / f"{NAME}.new"
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.chmod(temporary, 0o600)
    os.replace(temporary, index.folder / NAME)
    os.ftruncate(log.descriptor, 0)


def _line(row: Row) -> str:
    uid, flags, date, words = row
    return f"{uid} {flags} {date} {words}".rstrip()


def _parsed(line: str) -> tuple[int, tuple[int, int, str]]:
    uid, flags, date, *words = line.split(" ", 3)
    return int(uid), (int(flags), int(date), words[0] if words else "")


def _read_base(path: Path) -> Backup:
    try:
        lines: Sequence[str] = path.read_text(encoding="utf-8", errors="replace").splitlines()
        magic, version, validity, uid_next, modseq = lines[0].split(" ")
        if (magic, version) == ("WFLAGS", "1"):
            return Backup(int(validity), int(uid_next), int(modseq), dict(map(_parsed, lines[1:])))
    except OSError as error:
        if passing(error, path):
            raise
    except (ValueError, IndexError):
        pass
    return Backup()
