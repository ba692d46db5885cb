"""Files of expunged messages: from `#msgs` to `#deleted`, at once or, where they are many, behind the client's back.

Moving a file costs twice what all else of an expunge does, and nobody waits for it: the rows are gone, and the folder's
list `#expunged` tells, as durably as they do, which files are no messages any more should the index be lost. Then the
files go in small steps, and the list with the last of them (decision 0007). A UID never comes back, so a file that is
named there only ever moves one way, and both ends of that way are looked at, `#msgs` first.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from whimbrel.backends.disk.barrier import Touched, sync_directory
from whimbrel.backends.store.disk.database import rows
from whimbrel.backends.store.disk.directory import DESCRIPTORS, Directory, move
from whimbrel.backends.store.disk.index import FolderIndex, where
from whimbrel.core.uids import MAX_UID, UidSet

AT_ONCE = 16
"""So few are moved with the expunge itself: that is less work than to write down that it is to be done."""
STEP = 100
"""Files moved in one go."""
PLACES = ("#msgs", "#deleted")
"""Where the file of an expunged message can be, in the order in which to look."""
_LIST = "#expunged"
_END = b"."


def move_expunged(folder: Path, uids: Iterable[int]) -> None:
    """Moves them now; those that are not there (any more) are passed over."""
    with contextlib.suppress(FileNotFoundError), _both(folder) as (source, target):
        for uid in uids:
            _move(source, target, uid)


def move_or_list(folder: Path, uids: Sequence[int], touched: Touched) -> bool:
    """After the rows are gone, under the account's lock. True if it is only written down: `ExpungedMove` does it then.

    Where neither can be done, as on a full disk, the next comparison of files and rows will do it."""
    if len(uids) > AT_ONCE and DESCRIPTORS:
        with contextlib.suppress(OSError):
            (folder / "#deleted").mkdir(mode=0o700, exist_ok=True)  # It says that something is kept here.
            touched.files.add(_note(folder, uids))
            touched.directories.add(str(folder))
            return True
    with contextlib.suppress(OSError):
        move_expunged(folder, uids)
        touched.directories.update((f"{folder}/#msgs/", f"{folder}/#deleted"))
    return False


def listed(folder: Path) -> UidSet:
    """What is in the list. A line that a crash cut short was never acknowledged and does not count."""
    try:
        lines = (folder / _LIST).read_bytes().split(b"\n")
    except OSError:
        return UidSet()
    return UidSet(pair for line in lines if line.endswith(_END) for pair in _ranges(line[: -len(_END)]))


def still_listed(index: FolderIndex) -> UidSet:
    """Those in the list that the index knows as expunged: of a crash the list may have survived alone."""
    query = "SELECT uid FROM expunged WHERE "
    with index.lock:
        return UidSet.of(
            uid
            for clause, values in where("uid", listed(index.folder))
            for (uid,) in rows(index.connection, f"{query}{clause} ORDER BY uid", values)
        )


def drop_list(folder: Path) -> None:
    """All that it names has gone to #deleted. Under the account's lock."""
    path = folder / _LIST
    if path.exists():
        # It is what tells of them: it goes when their places are durable.
        for name in PLACES:
            sync_directory(f"{folder}/{name}")
        path.unlink()


class ExpungedMove:
    """Moves what a folder's list names, in steps, without the account's lock: by the descriptors of the directories,
    so that it goes right whatever is renamed or deleted meanwhile. Made under the lock, closed by whoever made it."""

    def __init__(self, index: FolderIndex) -> None:
        """FileNotFoundError: there is no list, or nothing to move from."""
        self._using, self._closed = threading.Lock(), False
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(Directory(f"{index.folder}/"))
            self._known = self._stamp()
            self._source, self._target = stack.enter_context(_both(index.folder))
            self._left = list(still_listed(index))
            self._stack = stack.pop_all()

    def step(self) -> bool:
        """Moves some; True while there are more. After the last one all of it is durable."""
        with self._using:
            if self._closed:
                return False
            some, self._left = self._left[:STEP], self._left[STEP:]
            for uid in some:
                _move(self._source, self._target, uid)
            if not self._left:
                for directory in (self._source, self._target):
                    if directory.descriptor is not None:
                        os.fsync(directory.descriptor)
            return bool(self._left)

    def end(self) -> bool:
        """Under the account's lock: the list goes. False if more was written to it meanwhile."""
        with self._using, contextlib.suppress(FileNotFoundError):
            if self._closed or self._left or self._stamp() != self._known:
                return False
            os.unlink(self._folder.name(_LIST), dir_fd=self._folder.descriptor)
        return True

    def close(self) -> None:
        # A thread may be at a step that nobody waits for any more: its descriptors must not become something else.
        with self._using:
            self._closed = True
            self._stack.close()

    def _stamp(self) -> tuple[int, int, int]:
        """Of the list: another one may have taken its place meanwhile."""
        status = os.stat(self._folder.name(_LIST), dir_fd=self._folder.descriptor)
        return status.st_ino, status.st_size, status.st_mtime_ns


def _note(folder: Path, uids: Sequence[int]) -> str:
    path = str(folder / _LIST)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # On a line of its own, whatever a crash left before it.
        line = b"\n%b%b\n" % (str(UidSet.of(uids)).encode(), _END)
        if os.write(descriptor, line) != len(line):
            raise OSError("cut short")
    finally:
        os.close(descriptor)
    return path


def _ranges(line: bytes) -> list[tuple[int, int]]:
    ranges = []
    for part in line.split(b","):
        first, colon, last = part.partition(b":")
        if not (first.isdigit() and (last.isdigit() or not colon)):
            return []
        pair = int(first), int(last or first)
        if not 0 < pair[0] <= pair[1] < MAX_UID:
            return []
        ranges.append(pair)
    return ranges


@contextlib.contextmanager
def _both(folder: Path) -> Iterator[tuple[Directory, Directory]]:
    (folder / "#deleted").mkdir(mode=0o700, exist_ok=True)
    with Directory(f"{folder}/#msgs/") as source, Directory(f"{folder}/#deleted/") as target:
        yield source, target


def _move(source: Directory, target: Directory, uid: int) -> None:
    # The file's time stays: other folders may hold links to it. `expunged.at` says since when it is kept.
    name = f"{uid:08x}.eml"
    with contextlib.suppress(FileNotFoundError):
        move(source, name, target, name)
