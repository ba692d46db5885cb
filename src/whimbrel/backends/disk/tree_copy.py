"""Copies a store to another directory in passes, while it is in use, so that the last pass has little left to do.

A file gets its name in the copy only when its content is durable, so what has a name there is whole. What was copied
before is trusted in a later pass if nothing can have changed it: its directory is the same one (inode), and its ctime,
which nobody can set, is older than the look at the directory in which it was copied. These looks stand in a journal in
the copy; whatever the journal does not vouch for is copied anew. Hard links stay hard links, across folders too.

The source is only read, and by descriptors of the process that copies: that must not be one that has databases of the
store open (POSIX locks go with the first descriptor that is closed).
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from whimbrel.backends.disk.barrier import Barrier, BarrierError, Touched

MARK: Final = "store.moving"
"""In a copy that is not finished."""
JOURNAL: Final = "store.moving.log"
STAGED: Final = "store.moving.new"
"""Directory of files whose content is not durable yet."""
OWN: Final = frozenset({MARK, JOURNAL, STAGED})
LEFT: Final = frozenset({*OWN, "store.id", "store.lock", "store.moved", "lost+found", "generation.new"})
"""Names at the top that belong to the place, not to the store."""
SLACK: Final = 2_000_000_000
"""Nanoseconds that the clock of a file system may be coarse."""
BATCH_FILES: Final = 512
BATCH_OCTETS: Final = 64 << 20
BATCH_DIRECTORIES: Final = 2000
PIECE: Final = 1 << 20


class CopyFailed(Exception):
    """The copy cannot be made; the text is a sentence. The source is as it was."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How far a pass has come."""

    files: int
    octets: int
    fresh: int
    """Octets that had to be written; the rest was there already."""


@dataclass(slots=True)
class _Batch:
    """Work whose content must be durable before it gets its names."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    """What (`move` or `link`), from where, to where."""
    octets: int = 0
    directories: int = 0


def measure(source: Path) -> tuple[int, int]:
    """Files in a store, and the octets that a copy takes; a file of several names counts once. OSError."""
    files = octets = 0
    several: set[int] = set()
    stack = [str(source)]
    while stack:
        above = stack.pop()
        try:
            with os.scandir(above) as entries:
                for entry in entries:
                    if above == str(source) and entry.name in LEFT:
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISDIR(status.st_mode):
                            stack.append(entry.path)
                            octets += 4096
                        elif stat.S_ISREG(status.st_mode):
                            files += 1
                            if status.st_nlink > 1:
                                if status.st_ino in several:
                                    continue
                                several.add(status.st_ino)
                            octets += max(4096, -(-status.st_size // 4096) * 4096)
        except FileNotFoundError:
            continue
    return files, octets


class TreeCopy:
    """The copy of `source` at `target`, which is a directory already. One for a process; `close` it."""

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        reserve: int = 0,
        rest: Callable[[float], None] = lambda worked: None,
    ) -> None:
        """`reserve`: octets that stay free where the copy is. `rest` is called after each batch with the seconds it
        took: who copies beside a running server sleeps there. CopyFailed"""
        self._source, self._target, self._reserve, self._rest = str(source), str(target), reserve, rest
        self._staged = f"{target}/{STAGED}"
        self._rows: dict[str, tuple[int, int]] = {}
        """Directory -> inode, and the time of the look since which a file must not have changed."""
        self._floor = 0
        """The same for a file of several names: the beginning of the last pass that came to its end."""
        self._links: dict[tuple[int, int], tuple[str, int]] = {}
        self._batch = _Batch()
        self._count, self._number = [0, 0, 0], 0
        self._looked: list[tuple[str, int, int]] = []
        self._named: list[tuple[str, int, int]] = []
        self._fresh: list[str] = []
        self._changed: set[str] = set()
        self._times: list[tuple[str, int]] = []
        with _saying(self._target):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._staged)
            os.mkdir(self._staged, 0o700)
            self._read_journal()
            self._journal = open(f"{target}/{JOURNAL}", "a", encoding="ascii")  # noqa: SIM115 - `close` closes it.
            self._barrier = Barrier(target)

    def close(self) -> None:
        self._journal.close()
        self._barrier.close()

    # A pass

    def run(self, *, last: bool) -> Iterator[Copied]:
        """One pass, batch by batch. In the `last` one nothing changes the source any more: what is not in the source
        goes from the copy, and logs of databases are copied too. CopyFailed."""
        began = time.time_ns() - SLACK
        self._count, self._links, self._fresh, self._times = [0, 0, 0], {}, [], []
        stack = [""]
        with _saying(self._source):
            while stack:
                stack += yield from self._directory(stack.pop(), last=last)
            yield self._flush()
            for path, modified in self._times:
                os.utime(path, ns=(modified, modified))
            yield self._flush()
            self._floor = began
            self._write_rows([], floor=began)
            os.fsync(self._journal.fileno())

    def _directory(self, relative: str, *, last: bool) -> Generator[Copied, None, list[str]]:
        """Its files; returns its directories."""
        source, target = _join(self._source, relative), _join(self._target, relative)
        looked = time.time_ns() - SLACK
        try:
            status = os.lstat(source)
            entries = list(os.scandir(source)) if stat.S_ISDIR(status.st_mode) else None
        except FileNotFoundError:
            entries = None
        if entries is None:
            return []  # It has gone meanwhile.
        since = self._begin(relative, target, status, looked)
        inner: list[str] = []
        kept: set[str] = set()
        for entry in entries:
            name = entry.name
            if (not relative and name in LEFT) or self._passes_over(relative, name, last=last):
                continue
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            path = f"{relative}/{name}" if relative else name
            if stat.S_ISDIR(state.st_mode):
                inner.append(path)
            elif stat.S_ISREG(state.st_mode):
                if not self._file(path, state, since, last=last):
                    continue
            elif stat.S_ISLNK(state.st_mode):
                self._symlink(path, state)
            else:
                continue  # A socket or a pipe: nothing of it lasts.
            kept.add(name)
            if len(self._batch.steps) >= BATCH_FILES or self._batch.octets >= BATCH_OCTETS:
                yield self._flush()
        if last:
            self._remove_others(target, kept, top=not relative)
            self._times.append((target, status.st_mtime_ns))
        self._looked.append((relative, status.st_ino, looked))
        self._batch.directories += 1
        if self._batch.directories >= BATCH_DIRECTORIES:
            yield self._flush()
        return inner

    @staticmethod
    def _passes_over(relative: str, name: str, *, last: bool) -> bool:
        if name.endswith("-shm"):
            return True  # SQLite makes it anew from the log.
        return not last and (name.endswith("-wal") or (not relative and name == "spool"))

    def _begin(self, relative: str, target: str, status: os.stat_result, looked: int) -> int:
        """The directory is there; since when a file must not have changed to be trusted, 0: none is."""
        row = self._rows.get(relative)
        there = _lstat(target)
        if there is not None and not stat.S_ISDIR(there.st_mode):
            os.unlink(target)
            there = None
        if there is None:
            os.mkdir(target, 0o700)
        elif row is None or row[0] != status.st_ino:
            # Of another directory that had this name, or nobody vouches for it.
            self._remove_others(target, set(), top=not relative)
            self._complete(Touched())
            row = None
        mode = stat.S_IMODE(status.st_mode) | 0o700
        if relative and (there is None or stat.S_IMODE(there.st_mode) != mode):
            os.chmod(target, mode)
            _own(target, status)
        self._changed.add(os.path.dirname(target) if relative else target)
        if row is None or there is None:
            self._write_rows([(relative, status.st_ino, looked)])
            return 0
        return row[1]

    def _file(self, path: str, status: os.stat_result, since: int, *, last: bool) -> bool:
        """False: it has gone meanwhile."""
        target = f"{self._target}/{path}"
        there = _lstat(target)
        several = status.st_nlink > 1
        trusted = min(since, self._floor) if several else since
        same = there is not None and _like(status, there) and status.st_ctime_ns < trusted
        if several:
            key = (status.st_dev, status.st_ino)
            known = self._links.get(key)
            if known is not None:
                first, left = known
                if (
                    there is None
                    or not same
                    or (other := _lstat(f"{self._target}/{first}")) is None
                    or (other.st_ino != there.st_ino)
                ):
                    self._batch.steps.append(("link", f"{self._target}/{first}", target))
                if left > 1:
                    self._links[key] = first, left - 1
                else:
                    del self._links[key]
                self._tally(0, 0)
                return True
            self._links[key] = path, status.st_nlink - 1
        if not same:
            staged = self._stage(f"{self._source}/{path}", last=last)
            if staged is None:
                self._links.pop((status.st_dev, status.st_ino), None)
                return False
            if there is not None and stat.S_ISDIR(there.st_mode):
                shutil.rmtree(target)
            self._batch.steps.append(("move", staged, target))
            self._batch.octets += status.st_size
            if last:
                self._fresh.append(path)
        self._tally(status.st_size, 0 if same else status.st_size)
        return True

    def _stage(self, source: str, *, last: bool) -> str | None:
        """A copy of it among the staged ones. None: it has gone."""
        self._number += 1
        staged = f"{self._staged}/{self._number:x}"
        try:
            reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(reading)
            if not stat.S_ISREG(status.st_mode):
                return None
            with _saying(self._target):
                writing = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    size = 0
                    while piece := os.read(reading, PIECE):
                        size += len(piece)
                        while piece:
                            piece = piece[os.write(writing, piece) :]
                    if last and size != status.st_size:
                        raise CopyFailed(f"{source} changes while it is copied: does another program write to it?")
                    os.fchmod(writing, stat.S_IMODE(status.st_mode))
                    _own(writing, status)
                    os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
                finally:
                    os.close(writing)
            if not last and hasattr(os, "posix_fadvise"):  # What the server reads stays in memory, not this.
                os.posix_fadvise(reading, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(reading)
        return staged

    def _symlink(self, path: str, status: os.stat_result) -> None:
        source, target = f"{self._source}/{path}", f"{self._target}/{path}"
        try:
            leads = os.readlink(source)
        except OSError:
            return
        there = _lstat(target)
        if there is not None and stat.S_ISLNK(there.st_mode) and os.readlink(target) == leads:
            return
        if there is not None and stat.S_ISDIR(there.st_mode):
            shutil.rmtree(target)
        self._number += 1
        staged = f"{self._staged}/{self._number:x}"
        os.symlink(leads, staged)
        os.utime(staged, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
        self._batch.steps.append(("move", staged, target))

    def _remove_others(self, target: str, kept: set[str], *, top: bool) -> None:
        with os.scandir(target) as entries:
            others = [each for each in entries if each.name not in kept and not (top and each.name in LEFT)]
        for each in others:
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each.path)
            else:
                os.unlink(each.path)
        if others:
            self._changed.add(target)

    def _tally(self, octets: int, fresh: int) -> None:
        self._count[0] += 1
        self._count[1] += octets
        self._count[2] += fresh

    # Making it durable

    def _flush(self) -> Copied:
        """The content of the batch is durable, and only then it has its names. CopyFailed."""
        started = time.monotonic()
        batch, self._batch = self._batch, _Batch()
        with _saying(self._target):
            touched = Touched()
            touched.files = {path for what, path, _ in batch.steps if what == "move"}
            touched.directories = {self._staged, *self._changed}
            self._changed = set()
            self._complete(touched)
            # What these looks saw has had its names since the last flush: now the names are durable as well.
            self._write_rows(self._named)
            self._named, self._looked = self._looked, []
            for what, path, target in batch.steps:
                if what == "move":
                    os.replace(path, target)
                else:
                    self._link(path, target)
                self._changed.add(os.path.dirname(target))
            state = os.statvfs(self._target)
            if state.f_bavail * state.f_frsize < self._reserve:
                raise CopyFailed(
                    f"{self._target}: only {state.f_bavail * state.f_frsize} octets are free there, below the hard "
                    "limit for free space"
                )
        self._rest(time.monotonic() - started)
        return Copied(*self._count)

    def _link(self, first: str, target: str) -> None:
        self._number += 1
        beside = f"{self._staged}/{self._number:x}"
        try:
            os.link(first, beside)
        except OSError as error:
            if error.errno not in (errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
                raise
            shutil.copy2(first, beside)  # The file system there has no more, or none.
            descriptor = os.open(beside, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        if (there := _lstat(target)) is not None and stat.S_ISDIR(there.st_mode):
            shutil.rmtree(target)
        os.replace(beside, target)
        with contextlib.suppress(FileNotFoundError):  # Two names of one file: rename(2) does nothing.
            os.unlink(beside)

    def _complete(self, touched: Touched) -> None:
        try:
            self._barrier.complete(touched)
        except BarrierError as error:
            raise CopyFailed(f"{self._target} cannot be written: {error}") from None

    # The journal

    def _read_journal(self) -> None:
        with contextlib.suppress(FileNotFoundError), open(f"{self._target}/{JOURNAL}", encoding="ascii") as lines:
            for line in lines:
                try:
                    relative, inode, looked = json.loads(line)
                    if relative is None:
                        self._floor = int(looked)
                    else:
                        self._rows[str(relative)] = int(inode), int(looked)
                except (ValueError, TypeError):
                    continue  # Cut off by the end of a process: it vouches for nothing.

    def _write_rows(self, rows: list[tuple[str, int, int]], floor: int = 0) -> None:
        for relative, inode, looked in rows:
            self._rows[relative] = inode, looked
            self._journal.write(json.dumps([relative, inode, looked]) + "\n")
        if floor:
            self._journal.write(json.dumps([None, 0, floor]) + "\n")
        self._journal.flush()

    # Proving it

    def verify(self) -> tuple[int, int]:
        """After the last pass: every entry of the source is in the copy, of the same kind, size and time, and nothing
        else is; what the last pass wrote is compared octet by octet. Files and octets. CopyFailed."""
        files = octets = 0
        stack = [""]
        while stack:
            relative = stack.pop()
            names: dict[str, list[os.stat_result | None]] = {}
            for at, root in enumerate((self._source, self._target)):
                with _saying(root), os.scandir(_join(root, relative)) as entries:
                    for entry in entries:
                        if (relative or entry.name not in LEFT) and not entry.name.endswith("-shm"):
                            state = entry.stat(follow_symlinks=False)
                            if stat.S_IFMT(state.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                                names.setdefault(entry.name, [None, None])[at] = state
            for name, (ours, theirs) in names.items():
                path = f"{relative}/{name}" if relative else name
                if ours is None or theirs is None:
                    raise CopyFailed(f"{path} is in only one of {self._source} and {self._target}")
                if stat.S_IFMT(ours.st_mode) != stat.S_IFMT(theirs.st_mode):
                    raise CopyFailed(f"{path} is of another kind in {self._target}")
                if stat.S_ISDIR(ours.st_mode):
                    stack.append(path)
                elif stat.S_ISREG(ours.st_mode):
                    if not _like(ours, theirs):
                        raise CopyFailed(f"{path} has another size or time in {self._target}")
                    files, octets = files + 1, octets + ours.st_size
        for path in self._fresh:
            with _saying(path):
                if _digest(f"{self._source}/{path}") != _digest(f"{self._target}/{path}", anew=True):
                    raise CopyFailed(f"{path} is not the same in {self._target}: is that disk sound?")
        return files, octets


def finish(target: Path) -> None:
    """Takes away what only an unfinished copy has. OSError"""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(target / STAGED)
    for name in (JOURNAL, MARK):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target / name)


def _digest(path: str, *, anew: bool = False) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if anew and hasattr(os, "posix_fadvise"):  # From the disk, not from memory.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        digest = hashlib.blake2b()
        while piece := os.read(descriptor, PIECE):
            digest.update(piece)
        return digest.digest()
    finally:
        os.close(descriptor)


def _own(place: str | int, status: os.stat_result) -> None:
    """The group, and for root the owner; others can give a group of their own only."""
    with contextlib.suppress(PermissionError):
        os.chown(place, status.st_uid if os.geteuid() == 0 else -1, status.st_gid)


def _like(made: os.stat_result, other: os.stat_result) -> bool:
    return stat.S_ISREG(other.st_mode) and (made.st_size, made.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _join(root: str, relative: str) -> str:
    return f"{root}/{relative}" if relative else root


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextlib.contextmanager
def _saying(place: str) -> Iterator[None]:
    """OSError as a sentence."""
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else place
        raise CopyFailed(f"{name}: {error.strerror or error}") from None
