"""The process dies at any step of removing, bringing back or renaming a user: the next start finishes it or undoes it.

Each system call by which something gets or loses a name, or becomes durable, is a step. A child process is ended before
its nth one, for every n until the change ends by itself.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.fakes import FakeClock, MemoryLog
from tests.unit.services.admin.office import CALLS, fast_password
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.intents import IntentFiles
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk import mailboxes as disk_mailboxes
from whimbrel.backends.store.disk.mailboxes import DiskMailboxes
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.address import Address
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.departure import Departure
from whimbrel.core.directory import Account
from whimbrel.core.mailbox import AccountId
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.invoke import invoke
from whimbrel.services.admin.people.lifecycle import recover
from whimbrel.services.admin.people.records import RECORDS

USERS = """<users version="1.0">
  <domain name="a.test">
    <primary>yes</primary>
    <user name="ann"><password>$argon2id$ann</password><alias>boss</alias><quota>5G</quota></user>
    <user name="bob"><forward-to>ann</forward-to></user>
    <group name="staff"><member>ann</member><member>bob</member></group>
  </domain>
  <domain name="b.test"/>
</users>
"""
ANN, EVE = AccountId("ann@a.test"), AccountId("eve@b.test")
DIED = 9
STEPS = ("rename", "replace", "unlink", "symlink", "fsync", "rmdir", "mkdir")


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[AdminContext, DiskStore, DiskMailboxes]]:
    log, pool = MemoryLog(), ThreadPool(2)
    config = FileConfig(folder / "mailserver.cfg", MailServer)
    config.load()
    directory = IndexDirectory(folder / "users.idx")
    editor = DirectoryFile(folder / "users.cfg", folder / "users.idx", records=RECORDS, changed=directory.refresh)
    editor.open()
    barrier = Barrier(folder / "store")
    committer = Committer(barrier, log)
    store = DiskStore(folder / "store", committer=committer, pool=pool, notices=LocalNotices(), log=log, generation=1)
    mailboxes = DiskMailboxes(store, pool)
    ctx = AdminContext(
        config=config, editor=editor, directory=directory, clock=FakeClock(), log=log, make_password=fast_password,
        folders=store, messages=store, mailboxes=mailboxes,
        intents=IntentFiles(folder / "unfinished", folder / "users.cfg", pool, log),
    )  # fmt: skip
    try:
        yield ctx, store, mailboxes
    finally:
        editor.close()
        directory.close()
        committer.close()
        store.close()
        pool.close()
        barrier.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ann with three messages; in `removed` she is a removed user."""
    folder = tmp_path_factory.mktemp("base")

    async def work() -> None:
        (folder / "store").mkdir()
        (folder / "users.cfg").write_text(USERS)
        async with opened(folder) as (_, store, _):
            inbox = await store.find(ANN, "INBOX")
            assert inbox is not None
            spool = DiskSpool(store.spool, ThreadPool(1))
            await store.commit([Append(inbox.ref, Rendition(b"", spool.hold(b"%d\r\n" % n))) for n in range(3)])

    asyncio.run(work())
    return folder


def cut_off(folder: Path, at: int, call: str, arguments: dict[str, object]) -> bool:
    """A process that makes the call and dies before its step number `at`; False if it came to its end."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _child(folder, at, call, arguments)
            os._exit(0)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, DIED), status
    return status == DIED


def _child(folder: Path, at: int, call: str, arguments: dict[str, object]) -> None:
    count = 0

    def step(work: Callable[..., object]) -> Callable[..., object]:
        def made(*args: object, **more: object) -> object:
            nonlocal count
            count += 1
            if count > at:
                os._exit(DIED)
            return work(*args, **more)

        return made

    async def work() -> None:
        async with opened(folder) as (ctx, _, _):
            for name in STEPS:
                setattr(os, name, step(getattr(os, name)))
            disk_mailboxes.exchange = step(disk_mailboxes.exchange)  # type: ignore[assignment]
            await invoke(CALLS[call], ctx, arguments)
            os._exit(0)

    asyncio.run(work())


async def state(folder: Path) -> tuple[Account | None, Account | None, int, int, list[int], bool, set[str]]:
    """After the next start: ann, eve, what their mailboxes hold, what is put aside, whether anything is unfinished,
    and the group's members."""
    async with opened(folder) as (ctx, store, mailboxes):
        await recover(ctx)
        accounts = [await ctx.directory.account(each) for each in (ANN, EVE)]
        held = [
            (await store.usage(each)).messages if account is not None else 0
            for each, account in zip((ANN, EVE), accounts, strict=True)
        ]
        removed = [each.messages for each in await mailboxes.removed()]
        assert ctx.intents is not None
        pending = bool(await ctx.intents.pending())
        group = await ctx.directory.resolve(Address("staff", "a.test"))
        members = {str(each) for each in group.members} if group is not None else set()
        return accounts[0], accounts[1], held[0], held[1], removed, pending, members


def every_step(base: Path, folder: Path, call: str, arguments: dict[str, object]) -> list[object]:
    """The state after each way of dying, and at last after the change that was not cut off."""
    states: list[object] = []
    at = 0
    while True:
        work = folder / str(at)
        shutil.copytree(base, work, symlinks=True)
        died = cut_off(work, at, call, arguments)
        states.append(asyncio.run(state(work)))
        shutil.rmtree(work)
        if not died:
            return states
        at += 1
        assert at < 500


def test_a_rename_happened_or_not(base: Path, tmp_path: Path) -> None:
    states = every_step(base, tmp_path, "user rename", {"name": "ann", "new": "eve@b.test", "keep_alias": True})
    seen = set()
    for ann, eve, held, moved, removed, pending, members in states:  # type: ignore[misc]
        assert (ann is None) is not (eve is None)
        assert (held, moved) == ((3, 0) if eve is None else (0, 3))
        assert not removed and not pending
        assert members == {"bob@a.test", "ann@a.test" if eve is None else "eve@b.test"}
        account = ann or eve
        assert account.password.reveal() == "$argon2id$ann" and account.quota_bytes == 5 << 30
        seen.add(eve is None)
    assert seen == {True, False} and len(states) > 10


def test_a_removal_happened_or_not(base: Path, tmp_path: Path) -> None:
    states = every_step(base, tmp_path, "user remove", {"name": "ann"})
    seen = set()
    for ann, _, held, _, removed, pending, _ in states:  # type: ignore[misc]
        assert (held, removed) == ((0, [3]) if ann is None else (3, []))
        assert not pending
        seen.add(ann is None)
    assert seen == {True, False} and len(states) > 8


def test_a_return_happened_or_not(base: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    shutil.copytree(base, gone)
    assert not cut_off(gone, 10_000, "user remove", {"name": "ann", "everywhere": True})
    states = every_step(gone, tmp_path, "user removed-restore", {"removed": "ann@a.test", "to": "eve@b.test"})
    seen = set()
    for _, eve, _, held, removed, pending, members in states:  # type: ignore[misc]
        assert (held, removed) == ((0, [3]) if eve is None else (3, []))
        assert members == ({"bob@a.test"} if eve is None else {"bob@a.test", "eve@b.test"})
        assert not pending
        seen.add(eve is None)
    assert seen == {True, False} and len(states) > 8


def test_who_left_has_given_all_or_nothing(base: Path, tmp_path: Path) -> None:
    """After any death bob has a whole copy if ann has left, and nothing of it if not; hers is never touched."""
    arguments: dict[str, object] = {"name": "ann", "give_to": "bob", "forward_to": ["bob"], "instead": "bob"}
    seen = set()
    for at in range(500):
        work = tmp_path / str(at)
        shutil.copytree(base, work, symlinks=True)
        died = cut_off(work, at, "user leave", arguments)
        seen.add(asyncio.run(_given(work)))
        shutil.rmtree(work)
        if not died:
            break
    assert not died and at > 8
    assert seen == {(False, 3, 0, False), (True, 3, 3, False)}


async def _given(folder: Path) -> tuple[bool, int, int, bool]:
    """After the next start: whether ann has left, what she and bob hold, whether anything is unfinished."""
    async with opened(folder) as (ctx, store, _):
        await recover(ctx)
        ann = await ctx.directory.account(ANN)
        assert ann is not None and ctx.intents is not None
        left = ann.part(Departure).left
        assert bool(ann.forward_to) is left
        bob = AccountId("bob@a.test")
        names = [each.name for each in await store.list(bob)]
        assert ("ann@a.test/INBOX" in names) is left
        held = [(await store.usage(each)).messages for each in (ANN, bob)]
        return left, held[0], held[1], bool(await ctx.intents.pending())


def test_the_tests_find_a_build_without_intents(base: Path, tmp_path: Path) -> None:
    async def nothing(_self: object) -> tuple[()]:
        return ()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IntentFiles, "pending", nothing)
        with pytest.raises(AssertionError):
            test_a_removal_happened_or_not(base, tmp_path / "removal")
        with pytest.raises(AssertionError):
            test_who_left_has_given_all_or_nothing(base, tmp_path / "gift")
