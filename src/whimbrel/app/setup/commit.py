"""Everything of a new installation appears at once, or nothing does, whenever the process or the power goes.

What is to appear is made in DIR/.setup-<pid>; renaming that to DIR/.setup-whole decides. Its files are then moved to
their places, mailserver.cfg last, whose presence means that a server is set up. `recover`, before anything else looks,
finishes a set-up that was decided, and takes away what is left of one that was not: DIR/.setup-<pid>/undo names what it
made elsewhere.

Standard library only: the supervisor calls it too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

TYPE_CHECKING = False  # As `typing` has it, whose half megabyte the supervisor does without.
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WHOLE = ".setup-whole"
_UNDO = "undo"
_FILES = ("users.cfg", "mailserver.cfg")
"""In the order in which they appear."""


class Busy(Exception):
    """Another set-up is writing at this moment; the text says so."""


class Staging:
    """One set-up at a time; a context manager, which undoes what was not committed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / f".setup-{os.getpid()}"
        self._created: list[Path] = []
        self._lock = -1
        self._committed = False

    def __enter__(self) -> Staging:
        """Busy, OSError."""
        missing = [self.directory, *self.directory.parents]
        self._created = [each for each in missing if not each.exists()]
        make_parents(self.directory)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self._lock = _locked(self.directory)
        if self._created or not set(os.listdir(self.directory)) - {"run"}:
            self.directory.chmod(0o700)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        return self

    def undo(self, path: Path) -> None:
        """`path` is about to be made outside of the staging folder: it goes if this is not committed."""
        with open(self.folder / _UNDO, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{path}\0")
            file.flush()
            os.fsync(file.fileno())

    def write(self, path: Path, content: bytes) -> None:
        """A new file, for its owner alone. OSError."""
        self.undo(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)

    def make_folder(self, folder: Path) -> None:
        """With those above it. OSError."""
        if folder.exists():
            return
        make_parents(folder, inside=self.directory, undo=self.undo)
        self.undo(folder)
        folder.mkdir(mode=0o700)

    def commit(self, names: Sequence[str]) -> None:
        """From here on the installation is there, also after a crash. OSError: it is not."""
        for name in names:
            os.chmod(self.folder / name, 0o600)
            _sync(self.folder / name)
        _sync(self.folder)
        os.rename(self.folder, self.directory / WHOLE)
        self._committed = True
        _sync(self.directory)
        _finish(self.directory)

    def __exit__(self, *_: object) -> None:
        try:
            if not self._committed:
                _take_back(self.folder)
                for folder in self._created:
                    with contextlib.suppress(OSError):
                        folder.rmdir()
        finally:
            os.close(self._lock)


def make_parents(folder: Path, *, inside: Path | None = None, undo: Callable[[Path], None] = lambda path: None) -> None:
    """The directories above `folder` that are not there. The server passes through them as another user, so they are
    open (0755) whatever the umask; but for those `inside`, which are given to that user. OSError."""
    for each in reversed([each for each in folder.parents if not each.exists()]):
        undo(each)
        each.mkdir(mode=0o700)
        if inside is None or not each.is_relative_to(inside):
            each.chmod(0o755)


def recover(directory: Path) -> None:
    """Finishes or takes back what a set-up left that did not come to its end. OSError."""
    try:
        names = [name for name in os.listdir(directory) if name.startswith(".setup-")]
    except FileNotFoundError:
        return
    if not names:
        return
    try:
        lock = _locked(directory)
    except Busy:
        return  # It is being written.
    try:
        if (directory / WHOLE).is_dir():
            _finish(directory)
        for name in names:
            if name != WHOLE:
                _take_back(directory / name)
    finally:
        os.close(lock)


def _finish(directory: Path) -> None:
    whole = directory / WHOLE
    for name in _FILES:
        with contextlib.suppress(FileNotFoundError):
            os.rename(whole / name, directory / name)
            _sync(directory)
    shutil.rmtree(whole, ignore_errors=True)


def _take_back(folder: Path) -> None:
    with contextlib.suppress(OSError):
        made = (folder / _UNDO).read_text("utf-8", "surrogateescape").split("\0")[:-1]
        for path in reversed(made):
            with contextlib.suppress(OSError):
                if os.path.isdir(path) and not os.path.islink(path):
                    os.rmdir(path)
                else:
                    os.unlink(path)
    shutil.rmtree(folder, ignore_errors=True)


def _locked(directory: Path) -> int:
    """A lock of the folder itself, which leaves no file behind. Busy."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Busy(f"Another set-up is at work in {directory}") from None
    return descriptor


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
