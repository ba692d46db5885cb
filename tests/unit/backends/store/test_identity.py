"""Files that were replaced are noticed, whether the directory's ctime is trusted already or not."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from whimbrel.backends.store.disk import identity as module
from whimbrel.backends.store.disk.identity import FileIdentity, stamp

NAMES = ("index.fld", "index.fld-wal")


def make(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(name)


def replace(folder: Path) -> None:
    (folder / "new").write_text("x")
    os.replace(folder / "new", folder / "index.fld-wal")


def swap(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    make(folder, *NAMES)


def move_the_parent(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("elsewhere"))
    make(folder, *NAMES)


@pytest.fixture(params=["at once", "later"])
def settled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    later: bool = request.param == "later"
    if later:
        monkeypatch.setattr(module, "_DISTINCT", -3_600_000_000_000)
    return later


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "index.fld").unlink(),
        lambda folder: (folder / "index.fld").rename(folder / "index.bad"),
        replace,
        swap,
        move_the_parent,
    ],
)
def test_a_file_that_is_another_now_is_noticed(tmp_path: Path, damage: Callable[[Path], None], settled: bool) -> None:
    folder = tmp_path / "account" / "folder"
    make(folder, *NAMES)
    files = FileIdentity(str(folder), NAMES)
    assert files.unchanged() and files.unchanged()
    assert (files._stamp is not None) == settled
    damage(folder)
    assert not files.unchanged() and not files.unchanged()


def test_one_that_was_missing_is_noticed_when_it_appears(tmp_path: Path, settled: bool) -> None:
    make(tmp_path / "folder", "index.fld")
    files = FileIdentity(str(tmp_path / "folder"), NAMES)
    assert files.unchanged()
    (tmp_path / "folder" / "index.fld-wal").touch()
    assert not files.unchanged()


def test_other_files_may_come_and_go(tmp_path: Path, settled: bool) -> None:
    make(tmp_path / "folder", *NAMES)
    files = FileIdentity(str(tmp_path / "folder"), NAMES)
    for _ in range(3):
        (tmp_path / "folder" / "flags.bak").touch()
        assert files.unchanged()
        (tmp_path / "folder" / "flags.bak").unlink()
        assert files.unchanged()


def test_a_ctime_of_just_now_is_not_trusted_where_the_clock_is_coarse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "folder", *NAMES)
    tick = time.time_ns()
    monkeypatch.setattr(module, "stamp", lambda directory: (tick, *stamp(directory)[1:]))
    files = FileIdentity(str(tmp_path / "folder"), NAMES)
    assert files.unchanged()
    replace(tmp_path / "folder")  # In the same tick: the directory looks as before.
    assert not files.unchanged()


def test_a_directory_that_rests_is_all_that_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "folder", *NAMES)
    files = FileIdentity(str(tmp_path / "folder"), NAMES)
    monkeypatch.setattr(module, "_DISTINCT", -3_600_000_000_000)
    looked: list[str] = []
    look = os.stat

    def counting(path: str) -> os.stat_result:
        looked.append(path)
        return look(path)

    monkeypatch.setattr(module.os, "stat", counting)
    assert files.unchanged()
    looked.clear()
    assert files.unchanged()
    assert looked == [str(tmp_path / "folder")]
    seen = stamp(str(tmp_path / "folder"))
    looked.clear()
    assert files.unchanged(seen)
    assert looked == []
