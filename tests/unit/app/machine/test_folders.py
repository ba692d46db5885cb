"""A look at the files of the store: indexes that are not there, flags without a backup, a piece at a time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from whimbrel.app.machine.folders import GRACE, FolderLook
from whimbrel.services.health.check import StoreLook

OLD = time.time() - 2 * GRACE


def folder(mail: Path, name: str, *, bad: bool = False, backup: bool = True, age: float = OLD) -> None:
    path = mail / "example.org" / name
    (path / "#msgs").mkdir(parents=True)
    (path / "#msgs" / "00000001.eml").write_bytes(b"Subject: x\r\n\r\n")
    for file in ["index.bad" if bad else "index.fld", *(["flags.bak"] if backup else [])]:
        (path / file).write_bytes(b"x")
        os.utime(path / file, (age, age))


def later() -> float:
    return time.time() + 2 * GRACE  # A ctime cannot be set.


def test_folders_that_need_a_hand_are_named(tmp_path: Path) -> None:
    folder(tmp_path, "anna/INBOX")
    folder(tmp_path, "anna/INBOX/2026", bad=True)
    folder(tmp_path, "bob/Sent", backup=False)
    (tmp_path / "example.org" / "bob" / "#deleted" / "Old" / "#msgs").mkdir(parents=True)
    look = FolderLook(tmp_path, now=later).look()
    assert (look.folders, look.broken, look.unsaved, look.complete) == (
        3, ("anna@example.org/INBOX/2026",), ("bob@example.org/Sent",), True,
    )  # fmt: skip


def test_indexes_are_counted_with_the_backups_of_flags(tmp_path: Path) -> None:
    folder(tmp_path, "anna/INBOX")
    (tmp_path / "example.org" / "anna" / "INBOX" / "index.fld-wal").write_bytes(b"x" * 9)
    look = FolderLook(tmp_path)
    assert look.look().indexes == look.known.indexes == 11


def test_what_is_so_for_a_moment_only_is_not_named(tmp_path: Path) -> None:
    folder(tmp_path, "anna/INBOX", bad=True, age=time.time())
    folder(tmp_path, "bob/INBOX", backup=False, age=time.time())
    look = FolderLook(tmp_path).look()
    assert (look.folders, look.broken, look.unsaved) == (2, (), ())


def test_a_large_store_is_looked_at_a_piece_at_a_time(tmp_path: Path) -> None:
    for number in range(5):
        folder(tmp_path, f"user{number}/INBOX", backup=False)
    ticks = iter(range(1000))
    look = FolderLook(tmp_path, now=later, steady=lambda: float(next(ticks)))
    counts = [(seen.folders, seen.complete) for seen in (look.look() for _ in range(6))]
    assert counts == [(1, False), (2, False), (3, False), (4, False), (5, False), (5, True)]
    again = look.look()  # The whole round, not the new one's begin.
    assert (again.folders, again.complete, len(again.unsaved)) == (
        5,
        True,
        5,
    )


def test_a_store_that_is_not_there_has_no_folders(tmp_path: Path) -> None:
    assert FolderLook(tmp_path / "none").look().folders == 0


def test_checks_that_look_at_the_same_time_share_the_round(tmp_path: Path) -> None:
    for number in range(40):
        folder(tmp_path, f"user{number}/INBOX")
    looking = FolderLook(tmp_path, now=later)
    inner, busy = looking._look, []

    def slow() -> StoreLook:
        busy.append(1)
        assert len(busy) == 1
        time.sleep(0.01)
        made = inner()
        busy.pop()
        return made

    looking._look = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(4) as pool:
        looks = list(pool.map(lambda _: looking.look(), range(8)))
    assert [(look.folders, look.complete) for look in looks] == [(40, True)] * 8
