"""Files are replaced as a whole; former versions stay; one holds the lock."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whimbrel.backends.config import files
from whimbrel.backends.config.files import ConfigFile, Identity, InUse, locked


def test_a_write_replaces_the_whole_and_keeps_the_former_one(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    first = file.replace([b"on", memoryview(b"e")])
    assert (tmp_path / "f.cfg").read_bytes() == b"one"
    assert file.former() == []
    second = file.replace([b"two"])
    assert (tmp_path / "f.cfg").read_bytes() == b"two"
    assert [former.path.read_bytes() for former in file.former()] == [b"one"]
    assert first != second == file.identity()
    assert {path.name for path in tmp_path.iterdir()} == {"f.cfg", "history"}


def test_ten_former_versions_are_kept_the_latest_first(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    for number in range(14):
        file.replace([str(number).encode()])
    assert [former.path.read_bytes() for former in file.former()] == [str(n).encode() for n in range(12, 2, -1)]
    assert file.version(file.former()[0].number, 100) == b"12"
    with pytest.raises(LookupError):
        file.version(1, 100)


def test_former_versions_of_the_two_files_stay_apart(tmp_path: Path) -> None:
    one, two = ConfigFile(tmp_path / "a.cfg"), ConfigFile(tmp_path / "a.cfg.b")
    for file in (one, two, one, two):
        file.replace([file.name.encode()])
    assert [former.path.read_bytes() for former in one.former()] == [b"a.cfg"]
    assert [former.path.read_bytes() for former in two.former()] == [b"a.cfg.b"]


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    file.replace([b"1"])
    file.replace([b"2"])
    assert (tmp_path / "f.cfg").stat().st_mode & 0o777 == 0o600
    assert file.former()[0].path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o700


def test_a_failed_write_leaves_the_former_one(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    file.replace([b"good"])

    def broken() -> object:
        yield b"half"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        file.replace(broken())  # type: ignore[arg-type]
    assert (tmp_path / "f.cfg").read_bytes() == b"good"
    assert [path.name for path in tmp_path.iterdir()] == ["f.cfg"]


def test_the_content_is_synced_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real_sync, real_replace, real_folder = files.sync, os.replace, files.sync_folder
    monkeypatch.setattr(files, "sync", lambda fd: (order.append("sync"), real_sync(fd)))
    monkeypatch.setattr(files.os, "replace", lambda a, b: (order.append("rename"), real_replace(a, b)))
    monkeypatch.setattr(files, "sync_folder", lambda path: (order.append("folder"), real_folder(path)))
    ConfigFile(tmp_path / "f.cfg").replace([b"1"])
    assert order == ["sync", "rename", "folder"]


def test_an_edit_in_place_is_seen_even_if_size_and_time_are_the_same(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    before = file.replace([b"abc"])
    status = (tmp_path / "f.cfg").stat()
    with open(tmp_path / "f.cfg", "r+b") as handle:
        handle.write(b"xyz")
    os.utime(tmp_path / "f.cfg", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Identity.of(tmp_path / "f.cfg") != before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "f.cfg").write_bytes(b"1")
    (tmp_path / "f.cfg").symlink_to("real/f.cfg")
    ConfigFile(tmp_path / "f.cfg").replace([b"2"])
    assert (tmp_path / "f.cfg").is_symlink()
    assert (tmp_path / "real" / "f.cfg").read_bytes() == b"2"


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f.cfg").mkdir()
    with pytest.raises(OSError, match=r"."):
        ConfigFile(tmp_path / "f.cfg").read(10)


def test_the_lock_is_held_by_one_and_names_its_process(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(InUse) as caught, locked(tmp_path):
            pass
        assert caught.value.pid == os.getpid()
    with locked(tmp_path):
        pass


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from whimbrel.backends.config.files import locked\n"
        "with locked(Path(sys.argv[1])): os._exit(9)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[3])}
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False).returncode == 9
    with locked(tmp_path):
        pass
