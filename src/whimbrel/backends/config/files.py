"""The two configuration files on disk: replaced as a whole, former versions kept, edits from outside noticed.

A write goes to a new file beside the old one, is synced, and takes its name; the former version is then found in
DIR/history/ as `mailserver.cfg.00000042` (the highest number is the latest). Which are kept, `Retention` says: a good
version of last week is not pushed out by ten quick changes. Files are 0600.
"""

import contextlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

_HOUR: Final = 3600.0
_DAY: Final = 86_400.0
_NUMBER = re.compile(r"\.(\d{8,12})\Z")


@dataclass(frozen=True, slots=True)
class Identity:
    """Tells one state of a file from any other without reading it: the time of change cannot be set by hand."""

    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "Identity | None":
        """None: there is no such file."""
        try:
            return cls.from_stat(os.stat(path))
        except FileNotFoundError:
            return None

    @classmethod
    def from_stat(cls, status: os.stat_result) -> "Identity":
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def __str__(self) -> str:
        return f"{self.inode}:{self.size}:{self.modified}:{self.changed}"


@dataclass(frozen=True, slots=True)
class Former:
    """A former version. `replaced` is when the next one took its place, in seconds since 1970 UTC."""

    number: int
    path: Path
    replaced: float
    size: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Which former versions are kept: the latest `versions`; of older ones that which began each of the last 24 hours
    and each of the last `days` days; and those that were in force for long, however many quick changes came since: the
    last `lasting` that were for `lasts` seconds, and the one that was for longest."""

    versions: int = 10
    days: int = 90
    lasting: int = 3
    lasts: float = 600.0
    """Seconds after which a version counts as one that somebody was content with."""

    def doomed(self, former: "list[Former]", now: float) -> "list[Former]":
        """Those of `former` (the latest first) that are not kept."""
        gone, kept = [], set[tuple[str, int]]()
        lasting = self._lasting([version for version in former if now - version.replaced <= self.days * _DAY])
        for version in reversed(former[self.versions :]):
            age = now - version.replaced
            slots = {
                (name, int(version.replaced // size))
                for name, size, longest in (("hour", _HOUR, _DAY), ("day", _DAY, self.days * _DAY))
                if age <= longest
            }
            if slots <= kept and version.number not in lasting:
                gone.append(version)
            kept |= slots
        return gone

    def _lasting(self, former: "list[Former]") -> frozenset[int]:
        """Numbers of versions that were in force for long. Of the oldest nobody knows since when it was."""
        stood = [(version.replaced - older.replaced, version.number) for version, older in pairwise(former)]
        long = [number for seconds, number in stood if seconds >= self.lasts][: self.lasting]
        return frozenset([*long, *([max(stood)[1]] if stood else [])])


@dataclass(frozen=True, slots=True)
class History:
    """Where former versions are kept, and which."""

    folder: Path
    retention: Callable[[], Retention] = Retention


class ConfigFile:
    """One of the two files. Calls block; `control` makes them off its loop."""

    def __init__(self, path: Path, *, history: Path | History | None = None) -> None:
        """`path` may be a symbolic link: the file it names is replaced, not the link."""
        self.path = Path(os.path.realpath(path))
        history = history or self.path.parent / "history"
        kept = history if isinstance(history, History) else History(history)
        self.history, self.retention = kept.folder, kept.retention

    @property
    def name(self) -> str:
        return self.path.name

    def identity(self) -> Identity | None:
        return Identity.of(self.path)

    def read(self, limit: int) -> tuple[bytes, Identity | None]:
        """Its content, at most one byte more than `limit`, and which state of the file that is."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(f"{self.path} is not a regular file")
                return file.read(limit + 1), Identity.from_stat(status)
        except FileNotFoundError:
            return b"", None

    def replace(self, pieces: Iterable[bytes | memoryview], keep: bool = True) -> Identity:
        """Writes the whole file anew; durable when it returns. On an error the former one stands; it is kept as a
        former version if `keep`."""
        return self.put(self.prepare(pieces), keep)

    def prepare(self, pieces: Iterable[bytes | memoryview]) -> Path:
        """The new file beside the old one, durable, without its name: for `put`, or `discard`."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        self.discard(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                for piece in pieces:
                    view = memoryview(piece)
                    while len(view):
                        view = view[file.write(view) :]
                own_like(file.fileno(), self.path)
                sync(file.fileno())
        except BaseException:
            self.discard(temporary)
            raise
        return temporary

    def put(self, prepared: Path, keep: bool = True) -> Identity:
        """Gives the new file its name and keeps the former one. On an error the former one stands."""
        try:
            if keep:
                self._keep_former()
            os.replace(prepared, self.path)
        except BaseException:
            self.discard(prepared)
            raise
        sync_folder(self.path.parent)
        identity = self.identity()
        if identity is None:
            raise FileNotFoundError(self.path)
        return identity

    def discard(self, prepared: Path) -> None:
        with contextlib.suppress(OSError):
            prepared.unlink()

    def sweep(self) -> None:
        """Removes what writers that were killed left. For the only writer of the file, before it writes."""
        for left in self.path.parent.glob(f".{self.path.name}.*.new"):
            self.discard(left)

    def former(self) -> list[Former]:
        """Former versions, the latest first."""
        kept = []
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.history):
                match = _NUMBER.search(entry.name)
                if match and entry.name[: match.start()] == self.path.name and entry.is_file(follow_symlinks=False):
                    # The second name was given when it was replaced; nothing changes the inode after that.
                    status = entry.stat(follow_symlinks=False)
                    kept.append(Former(int(match[1]), Path(entry.path), status.st_ctime, status.st_size))
        return sorted(kept, key=lambda version: version.number, reverse=True)

    def version(self, number: int, limit: int) -> bytes:
        """The content of a former version. LookupError."""
        for version in self.former():
            if version.number == number:
                with open(version.path, "rb") as file:
                    return file.read(limit + 1)
        raise LookupError(f"{self.name} has no former version {number}")

    def keep_content(self, pieces: Iterable[bytes | memoryview]) -> None:
        """What was in force before somebody else wrote the file becomes a former version, unless the latest says the
        same. An OSError is no reason to refuse the edit."""
        content = b"".join(pieces)
        with contextlib.suppress(OSError):
            former = self.former()
            if not content or (former and former[0].path.read_bytes() == content):
                return
            target = self._next(former)
            target.touch(0o600, exist_ok=False)
            target.write_bytes(content)
            with open(target, "rb") as file:
                own_like(file.fileno(), self.path)
            self._drop(target, former)

    def in_force(self) -> bytes | None:
        """What was last taken into use; None: nobody wrote that down."""
        with contextlib.suppress(OSError):
            return self._copy.read_bytes()
        return None

    def put_in_force(self, content: bytes) -> None:
        """For the next start, which tells by it that the file was edited meanwhile. Best effort."""
        with contextlib.suppress(OSError):
            if self.in_force() == content:
                return
            self.history.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self._copy.with_name(f".{self._copy.name}.{os.getpid()}")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(content)
                own_like(descriptor, self.history)
            os.replace(beside, self._copy)

    @property
    def _copy(self) -> Path:
        return self.history / f"{self.path.name}.in-force"

    def _next(self, former: list[Former]) -> Path:
        self.history.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.history / f"{self.path.name}.{(former[0].number if former else 0) + 1:08d}"

    def _keep_former(self) -> None:
        if not self.path.exists():
            return
        former = self.former()
        target = self._next(former)
        try:
            # A second name costs nothing: what replaces the file is another inode.
            os.link(self.path, target)
        except OSError:
            target.write_bytes(self.path.read_bytes())
            target.chmod(0o600)
        self._drop(target, former)

    def _drop(self, target: Path, former: list[Former]) -> None:
        """What is no longer kept now that `target` is the latest."""
        now = time.time()
        for old in self.retention().doomed([Former(0, target, now, 0), *former], now):
            with contextlib.suppress(FileNotFoundError):
                old.path.unlink()


def own_like(descriptor: int, path: Path) -> None:
    """Edited by root, a file stays readable to the server's own user, to whom `path` or its folder belongs."""
    if sys.platform != "win32" and os.geteuid() == 0:
        try:
            owner = os.stat(path)
        except FileNotFoundError:
            owner = os.stat(path.parent)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync(descriptor: int) -> None:
    """To the platter, also on macOS, whose fsync stops at the drive's cache."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Makes a rename in it durable."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class InUse(Exception):
    """A server, or a command that edits, runs under this folder. `pid` is 0 where unknown."""

    def __init__(self, folder: Path, pid: int) -> None:
        super().__init__(f"{folder} is in use" + (f" by process {pid}" if pid else ""))
        self.pid = pid


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds DIR/lock: one server, or one offline edit, under a folder. InUse. It ends with the process in any case."""
    path = folder / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        try:
            _lock(descriptor)
        except OSError:
            held = os.pread(descriptor, 20, 0) if hasattr(os, "pread") else b""
            raise InUse(folder, int(held) if held.strip().isdigit() else 0) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        # Beyond the text, so that others can still read the number.
        os.lseek(descriptor, 1000, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
