"""Everything of an installation belongs to the user that the server runs as.

Root sets a server up, starts it and mends it; what it leaves behind must not lock the server out. The supervisor hands
over what belongs to root (or to a former `server/run-as`) at each start, setup at its end; a command on the files
becomes that user before it opens any.

Root works here in folders that another user may write to: names are followed through descriptors only, never through
symbolic links, and no file with a second name outside is given away.
"""

import contextlib
import os
import pwd
import stat
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from pathlib import Path

_STORE_PARTS = frozenset({"mail", "queue", "logs", "spool", "stats"})
_AT_A_START = 50_000
"""Files of the mail that each start looks at, in half a second or less; of a larger store the rest is looked at when
something else was another's."""
_STORE_FILES = (".", "state.db", "store.id", "store.lock", "generation")
"""How the names of files in a store begin."""
_MARKS = frozenset({"store.id", "generation"})
"""What tells a folder to be a store of ours."""


class Refused(Exception):
    """The server cannot start, or the command cannot be done; the text says why and what to do."""


class Basics:
    """What must be known of mailserver.cfg before anything else is; the codec validates the whole later."""

    def __init__(self, run_as: str, store: Path) -> None:  # No dataclass: it would cost the supervisor a megabyte.
        self.run_as, self.store = run_as, store


def basics(directory: Path) -> Basics:
    text = b""
    with contextlib.suppress(OSError):
        text = (directory / "mailserver.cfg").read_bytes()
    run_as, store = "", ""
    if b"<!DOCTYPE" not in text:  # No entities here; the codec refuses the file with its line.
        with contextlib.suppress(ElementTree.ParseError):
            root = ElementTree.fromstring(text)  # noqa: S314
            run_as, store = (root.findtext("server/run-as") or ""), (root.findtext("store/directory") or "")
    return Basics(run_as.strip(), directory / (store.strip() or "store"))


def owner(directory: Path) -> pwd.struct_passwd | None:
    """The user for all but the supervisor; None: whoever starts the server. Refused."""
    name = basics(directory).run_as
    if os.geteuid() != 0:
        return None
    if not name:
        raise Refused(
            "Started as root, and server/run-as names no user to run as. Set it with "
            f"`whimbrel --dir {directory} config set server/run-as USER` "
            "(a user of its own; `root` only for trials)"
        )
    if name == "root":
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise Refused(f"server/run-as: there is no user {name} on this system") from None


def hand_over(directory: Path, user: pwd.struct_passwd) -> int:
    """Gives what is root's, or a former owner's, to `user`. How many files and folders that were.

    Of the mail only so many files are looked at, unless some of the store had another owner: then all of it.
    """
    store = basics(directory).store
    giver = _Giver(user, _owners(directory, store))
    inside = store.parent == directory
    with _folder(str(directory)) as top:
        if top is None:
            return 0
        giver.give(top)
        giver.below(top, skip=frozenset({store.name}) if inside else frozenset())
    before = giver.count
    known = (directory / "store.id").exists()
    _store(giver, store, known=known, deep=False)
    if giver.count > before:
        _store(giver, store, known=known, deep=True)
    return giver.count


def is_store(names: set[str]) -> bool:
    """Are these the names in a store of ours, or in the empty folder of one to come?"""
    return bool(names & _MARKS) or names <= {*_STORE_PARTS, "store.lock", "lost+found"}


def readable(user: pwd.struct_passwd, paths: Iterable[str], mode: int = os.R_OK) -> list[bool]:
    """May `user` read each of these, or do what `mode` says (os.access)? For root."""
    before = os.getgroups(), os.getegid()
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    os.setgroups(groups)
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        return [os.access(path, mode, effective_ids=True) for path in paths]
    finally:
        os.seteuid(0)
        os.setegid(before[1])
        os.setgroups(before[0])


def closed_above(user: pwd.struct_passwd, directory: Path) -> str:
    """The first directory on the way to `directory` that `user` may not pass through; empty: none. For root."""
    way = [str(each) for each in reversed(Path(os.path.realpath(directory)).parents) if each.is_dir()]
    before = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        return next((each for each in way if not os.access(each, os.X_OK, effective_ids=True)), "")
    finally:
        os.seteuid(0)
        os.setegid(before[1])
        os.setgroups(before[0])


def closed(user: pwd.struct_passwd, directory: Path) -> str:
    """In a sentence, why `user` cannot run a server in `directory`; empty: nothing is in the way. For root."""
    if above := closed_above(user, directory):
        return (
            f"{user.pw_name} (server/run-as) may not pass through {above}, and {directory} lies below it: open it "
            f"(chmod a+x {above}), or put the installation elsewhere"
        )
    return ""


def _store(giver: "_Giver", store: Path, *, known: bool, deep: bool) -> None:
    with _folder(str(store)) as top:
        if top is None:
            return
        names = set(os.listdir(top)) - {"lost+found"}
        if not names and known:
            return  # Its file system is not mounted.
        if not is_store(names):
            return  # Not ours: a setting may name any folder.
        giver.give(top)
        for name in sorted(names):
            if name not in _STORE_PARTS and not name.startswith(_STORE_FILES):
                continue
            giver.give_named(top, name)
            if name in _STORE_PARTS:
                giver.budget = _AT_A_START if name == "mail" and not deep else None
                with _folder(name, top) as part:
                    if part is not None:
                        giver.below(part)
                giver.budget = None


def become(user: pwd.struct_passwd) -> bool:
    """This process becomes `user` for good, with files of its own (umask 077). False, and nothing is changed, where
    that user may not read the program."""
    if not all(readable(user, (os.__file__, __file__))):
        return False
    os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o077)
    return True


class _Giver:
    def __init__(self, user: pwd.struct_passwd, owners: frozenset[int]) -> None:
        self.count = 0
        self.budget: int | None = None
        """Files that are still looked at; None: all."""
        self._user, self._owners = user, owners - {user.pw_uid}
        # Without that protection of Linux, a user can give another's file a second name. proc_sys_fs(5)
        try:
            self._linked = Path("/proc/sys/fs/protected_hardlinks").read_text().strip() == "1"
        except OSError:
            self._linked = False

    def give(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_uid in self._owners:
            os.fchown(descriptor, self._user.pw_uid, self._user.pw_gid)
            self.count += 1

    def give_named(self, folder: int, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            self._give(folder, name, status)

    def _give(self, folder: int, name: str, status: os.stat_result) -> None:
        if status.st_uid not in self._owners:
            return
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and not self._linked:
            return
        os.chown(name, self._user.pw_uid, self._user.pw_gid, dir_fd=folder, follow_symlinks=False)
        self.count += 1

    def below(self, folder: int, *, depth: int = 100, skip: frozenset[str] = frozenset()) -> None:
        """All that is in the folder, and in its folders as deep as that."""
        folders = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in skip:
                    continue
                if self.budget is not None:
                    self.budget -= 1
                    if self.budget < 0:
                        return
                with contextlib.suppress(FileNotFoundError):
                    self._give(folder, entry.name, entry.stat(follow_symlinks=False))
                    if depth and entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
        for name in folders:
            with _folder(name, folder) as inner:
                if inner is not None:
                    self.below(inner, depth=depth - 1)


def _owners(directory: Path, store: Path) -> frozenset[int]:
    """Root, and whoever the server ran as before."""
    users = {0}
    parts = [store / name for name in _STORE_PARTS | _MARKS]
    for path in (directory / "users.cfg", store, *parts):
        with contextlib.suppress(OSError):
            users.add(path.lstat().st_uid)
    return frozenset(users)


@contextlib.contextmanager
def _folder(name: str, parent: int | None = None) -> Iterator[int | None]:
    """Its descriptor; None where it is no folder (any more)."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
