"""The port Mailboxes on a disk. A removed mailbox is `#removed-<time>-<user>` beside its former place, with what the
user's record said in `#record.json`.

A renamed mailbox leaves a symbolic link under its former name: a delivery or a session that began before the rename
goes on in the right place. It goes with the first new user of that name, or a week later.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from whimbrel.backends.disk.barrier import sync_directory
from whimbrel.backends.disk.exchange import exchange
from whimbrel.backends.store.disk.account_seq import AccountSeq
from whimbrel.backends.store.disk.deleted_folders import content, remove_some
from whimbrel.backends.store.disk.names import account_name, account_path
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.mailboxes import Mailboxes, RemovedMailbox
from whimbrel.core.pool import Pool
from whimbrel.core.undelete import Tally

T = TypeVar("T")
LINK_KEPT: Final = 7 * 86_400.0
"""Seconds: longer than any session or attempt to deliver."""
_STEP: Final = 500
_RECORD: Final = "#record.json"
_MAX_RECORD: Final = 4 << 20
_REMOVED: Final = re.compile(r"#removed-([0-9a-f]{1,16})-(.+)\Z", re.DOTALL)


class DiskMailboxes:
    def __init__(self, store: DiskStore, pool: Pool) -> None:
        self._store, self._pool, self._mail = store, pool, store.mail

    async def put_aside(self, account: AccountId, id: str, record: str) -> None:
        await self._changed(account, lambda: self._put_aside(account, id, record))

    async def make_way(self, accounts: Sequence[AccountId], id: str) -> Sequence[AccountId]:
        self._store.presence.check()
        left = await self._pool.run(self._make_way, accounts, id)
        for account in left:
            self._store.forget(account)
        return left

    async def removed(self) -> Sequence[RemovedMailbox]:
        self._store.presence.check()  # Where it has gone there is none of them, which is not so.
        return await self._pool.run(self._removed)

    async def bring_back(self, id: str, account: AccountId) -> None:
        await self._changed(account, lambda: self._bring_back(id, account))

    async def undo_bring_back(self, id: str, account: AccountId, origin: AccountId) -> None:
        await self._changed(account, lambda: self._undo_bring_back(id, account, origin))

    async def drop_record(self, account: AccountId) -> None:
        await self._pool.run(self._drop_record, account)

    async def purge(self, id: str) -> Tally:
        removed = await self._pool.run(self._path, id)
        tally = await self._pool.run(_tally, removed)
        # Out of the list in one step; what a crash leaves of it then goes in the next round of the purger.
        gone = await self._pool.run(_renamed_to, removed, removed.with_name(f"#purged-{id}"))
        while await self._pool.run(remove_some, gone, _STEP) >= _STEP:
            pass
        return tally

    async def rename(self, old: AccountId, new: AccountId) -> None:
        await self._changed(old, lambda: self._rename(old, new))
        self._store.forget(new)

    async def undo_rename(self, old: AccountId, new: AccountId) -> None:
        await self._changed(old, lambda: self._undo_rename(old, new))
        self._store.forget(new)

    async def _changed(self, account: AccountId, work: Callable[[], T]) -> T:
        """The work in a pool thread; who has the mailbox open here looks anew."""
        self._store.presence.check()
        try:
            return await self._pool.run(work)
        finally:
            self._store.forget(account)

    # In a pool thread

    def _root(self, account: AccountId) -> Path:
        return account_path(self._mail, account)

    def _put_aside(self, account: AccountId, id: str, record: str) -> None:
        root = self._root(account)
        target = root.with_name(f"#removed-{id}-{root.name}")
        if target.exists():
            return
        if root.is_symlink():
            os.unlink(root)
        if root.is_dir():
            with _locked(root):
                _write_record(root, account, record)
                _renamed_to(root, target)
            return
        making = root.with_name(f"#making-{id}")
        making.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_record(making, account, record)
        _renamed_to(making, target)
        sync_directory(str(self._mail))

    def _make_way(self, accounts: Sequence[AccountId], id: str) -> list[AccountId]:
        left: list[AccountId] = []
        for account in accounts:
            root = self._root(account)
            if root.is_symlink():
                os.unlink(root)
                sync_directory(str(root.parent))
            elif root.is_dir():
                self._put_aside(account, f"{int(id, 16) + len(left):x}", "")
                left.append(account)
        return left

    def _removed(self) -> list[RemovedMailbox]:
        mailboxes = []
        for path, match in _each_removed(self._mail):
            account, record = _read_record(path)
            name = account or AccountId(f"{account_name(match[2])}@{account_name(path.parent.name)}")
            tally = _tally(path)
            mailboxes.append(
                RemovedMailbox(match[1], name, int(match[1], 16) / 1e9, tally.messages, tally.bytes, record)
            )
        return sorted(mailboxes, key=lambda each: (-each.removed, each.account))

    def _find(self, id: str) -> Path | None:
        return next((path for path, match in _each_removed(self._mail) if match[1] == id), None)

    def _path(self, id: str) -> Path:
        path = self._find(id)
        if path is None:
            raise MailboxError(Condition.NONEXISTENT, f"There is no removed mailbox {id}")
        return path

    def _bring_back(self, id: str, account: AccountId) -> None:
        root, source = self._root(account), self._path(id)
        if root.is_symlink():
            os.unlink(root)
        root.parent.mkdir(mode=0o700, exist_ok=True)
        if root.is_dir():
            with _locked(root) as sequence:
                if sequence.header().messages:
                    raise MailboxError(Condition.ALREADYEXISTS, f"{account} has a mailbox that holds messages")
                # Folders without a message, as a first sign-in makes them.
                gone = _renamed_to(root, root.with_name(f"#purged-{time.time_ns():x}"))
            while remove_some(gone, _STEP) >= _STEP:
                pass
        _renamed_to(source, root)
        sync_directory(str(self._mail))

    def _undo_bring_back(self, id: str, account: AccountId, origin: AccountId) -> None:
        root, former = self._root(account), self._root(origin)
        if self._find(id) is None and root.is_dir():
            with _locked(root):
                _renamed_to(root, former.with_name(f"#removed-{id}-{former.name}"))

    def _drop_record(self, account: AccountId) -> None:
        root = self._root(account)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(root / _RECORD)
            sync_directory(str(root))

    def _rename(self, old: AccountId, new: AccountId) -> None:
        source, target = self._root(old), self._root(new)
        if source.is_symlink() and target.is_dir() and not target.is_symlink():
            return  # Done before a crash.
        if target.is_symlink():
            os.unlink(target)  # The link that renaming it the other way has left.
        if target.exists():
            raise MailboxError(Condition.ALREADYEXISTS, f"{new} has a mailbox already")
        for folder in (source.parent, target.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not source.is_dir():
            source.mkdir(mode=0o700)  # No mail yet; but some may be on its way.
        # The link is made where the mailbox will be, and changes places with it: there is no moment without either.
        os.symlink(os.path.relpath(target, source.parent), target, target_is_directory=True)
        with _locked(source):
            exchange(source, target)
        for folder in {source.parent, target.parent, self._mail}:
            sync_directory(str(folder))

    def _undo_rename(self, old: AccountId, new: AccountId) -> None:
        source, target = self._root(old), self._root(new)
        if target.is_symlink() and not source.is_symlink():
            os.unlink(target)  # It had not changed places yet.
            sync_directory(str(target.parent))
        elif source.is_symlink() and target.is_dir():
            os.unlink(source)
            _renamed_to(target, source)


def sweep(mail: Path, now: float) -> None:
    """Takes away links that renames left a week ago, and what a purge that was cut short has not finished."""
    for domain in _directories(mail):
        for item in list(os.scandir(domain)):
            if item.is_symlink() and item.stat(follow_symlinks=False).st_mtime < now - LINK_KEPT:
                os.unlink(item.path)
            elif item.name.startswith("#purged-") and item.is_dir(follow_symlinks=False):
                while remove_some(Path(item.path), _STEP) >= _STEP:
                    pass


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[AccountSeq]:
    """Nobody delivers to the mailbox meanwhile. MailboxError INUSE."""
    sequence = AccountSeq(root / "account.seq")
    try:
        with sequence.locked():
            yield sequence
    finally:
        sequence.close()


def _renamed_to(source: Path, target: Path) -> Path:
    os.rename(source, target)
    for folder in {source.parent, target.parent}:
        sync_directory(str(folder))
    return target


def _each_removed(mail: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for domain in _directories(mail):
        for item in os.scandir(domain):
            match = _REMOVED.match(item.name)
            if match and item.is_dir(follow_symlinks=False):
                yield Path(item.path), match


def _directories(mail: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return [item.path for item in os.scandir(mail) if item.is_dir(follow_symlinks=False)]
    return []


def _tally(root: Path) -> Tally:
    """What it holds, counted from the files: its counters may be of a time before a crash."""
    messages = size = 0
    for folder, names, _ in os.walk(root):
        if "#msgs" in names:
            count, held = content(Path(folder))
            messages, size = messages + count, size + held
        names[:] = [name for name in names if not name.startswith("#")]
    return Tally(messages, size)


def _write_record(root: Path, account: AccountId, record: str) -> None:
    path = root / _RECORD
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(json.dumps({"version": "1.0", "account": account, "record": record}).encode())
        file.flush()
        os.fsync(file.fileno())
    sync_directory(str(root))


def _read_record(root: Path) -> tuple[AccountId | None, str]:
    try:
        with open(root / _RECORD, "rb") as file:
            record = json.loads(file.read(_MAX_RECORD))
        return AccountId(str(record["account"])), str(record["record"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, ""


_port: type[Mailboxes] = DiskMailboxes
