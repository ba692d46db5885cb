"""Too few descriptors, or a full disk, for a moment: nothing that is whole is taken for damaged and made anew."""

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk.database import passing
from whimbrel.backends.store.disk.folder_xml import account_annotations, read_folder_xml
from whimbrel.core.errors import MailboxError, MailError
from whimbrel.core.mailbox import FLAGGED, FlagChange, FlagOp, SpecialUse
from whimbrel.core.uids import ALL

MARK = FlagChange(FlagOp.ADD, FLAGGED, frozenset({"imp"}))


@contextlib.contextmanager
def descriptors(left: int) -> Iterator[None]:
    """Only so many can be opened meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    try:
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 40, hard))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(left):
            os.close(held.pop())
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors by /proc")
@pytest.mark.parametrize("broken", [False, True])
def test_flags_outlive_a_lack_of_descriptors(tmp_path: Path, broken: bool) -> None:
    async def test(store: Store) -> None:
        work = await store.folder("Work")
        await store.fill(work, 5)
        await store.ports.set_flags(work, ALL, MARK)
        shard = store.ports.shard(ANN)
        refused = 0
        for left in range(12):
            shard.forget(work.mailbox)
            if broken:  # A person's way to order a rebuild, at a bad moment.
                with contextlib.suppress(FileNotFoundError):
                    os.rename(store.account / "Work" / "index.fld", store.account / "Work" / "index.bad")
            with descriptors(left):
                try:
                    await store.ports.flags(work, ALL)
                except MailboxError:
                    refused += 1
        assert 0 < refused < 12
        shard.forget(work.mailbox)
        assert [row[1:3] for row in await store.ports.flags(work, ALL)] == [(FLAGGED, "imp")] * 5
        assert broken or not (store.account / "Work" / "index.bad").exists()
        assert not store.log.named("store.unreadable")

    run(tmp_path, test)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors by /proc")
def test_what_a_folder_is_called_and_for_outlives_a_lack_of_descriptors(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        made = await store.ports.create(ANN, "Post", SpecialUse.SENT)
        await store.ports.annotate(ANN, None, {"/private/comment": b"mine"})
        await store.ports.annotate(ANN, made.ref.mailbox, {"/private/color": b"red"})
        for left in range(8):
            for suffix in ("", "-wal", "-shm"):
                (store.account / f"account.fld{suffix}").unlink(missing_ok=True)
            with descriptors(left), contextlib.suppress(MailError, OSError, apsw.Error):
                await store.ports.list(ANN)
        found = await store.ports.find(ANN, "Post")
        assert found is not None and found.ref == made.ref and found.special_use is SpecialUse.SENT
        assert await store.ports.annotations(ANN, None) == {"/private/comment": b"mine"}
        assert await store.ports.annotations(ANN, made.ref.mailbox) == {"/private/color": b"red"}
        with descriptors(0):
            with pytest.raises(OSError):
                read_folder_xml(store.account / "Post")
            with pytest.raises(OSError):
                account_annotations(store.account)

    run(tmp_path, test)


def test_what_is_said_of_the_moment_and_what_of_the_file(tmp_path: Path) -> None:
    whole, empty = tmp_path / "whole", tmp_path / "empty"
    whole.write_bytes(b"x")
    empty.touch()
    assert passing(apsw.CantOpenError(), whole)
    for path in (empty, tmp_path, tmp_path / "none"):
        assert not passing(apsw.CantOpenError(), path)
    few: list[Exception] = [OSError(errno.ENOSPC, ""), OSError(errno.EMFILE, "")]
    for error in (apsw.FullError(), apsw.BusyError(), apsw.NoMemError(), *few):
        assert passing(error, whole)
    for other in (apsw.CorruptError(), apsw.NotADBError(), OSError(errno.EIO, ""), FileNotFoundError(errno.ENOENT, "")):
        assert not passing(other, whole)
    short = apsw.IOError()
    short.extendedresult = apsw.SQLITE_IOERR_SHORT_READ
    full = apsw.IOError()
    full.extendedresult = apsw.SQLITE_IOERR_SHMSIZE
    assert passing(full, whole) and not passing(short, whole)
