"""Files are replaced as a whole; former versions stay; one holds the lock."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whimbrel.backends.config import files
from whimbrel.backends.config.files import ConfigFile, Former, History, Identity, InUse, Retention, locked


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


def test_quick_changes_never_push_out_the_version_that_was_in_force_before_them(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    file.replace([b"good"])
    for number in range(40):
        file.replace([str(number).encode()])
    kept = [former.path.read_bytes() for former in file.former()]
    assert kept[:10] == [str(n).encode() for n in range(38, 28, -1)]
    assert kept[-1] == b"good" and len(kept) <= 10 + 2  # An hour may have begun meanwhile.
    assert file.version(file.former()[0].number, 100) == b"38"
    with pytest.raises(LookupError):
        file.version(file.former()[0].number + 1, 100)


def test_history_thins_out_with_age_and_is_bounded() -> None:
    now, hour, day = 1_790_000_000.0, 3600.0, 86_400.0
    ages = [minute * 60.0 for minute in range(0, 200 * 24 * 60, 17)]
    former = [Former(len(ages) - at, Path(), now - age, 0) for at, age in enumerate(ages)]
    retention = Retention(versions=10, days=30)
    gone = {version.number for version in retention.doomed(former, now)}
    kept = [now - version.replaced for version in former if version.number not in gone]
    assert kept[:10] == ages[:10]
    assert max(kept) <= 31 * day and len(kept) <= 10 + 25 + 31
    for at in range(1, 23):  # One of each hour of the last day, the one that it began with.
        assert int(now // hour) - at in {int((now - age) // hour) for age in kept}
    assert retention.doomed(former[:5], now) == []


def test_a_version_that_was_in_force_for_long_outlives_a_burst_of_changes() -> None:
    now = 1_790_000_000.0 + 1800
    # A change, ten minutes and more of peace, and then one change each second.
    burst = [now - number for number in range(300)]
    good, before = now - 300, now - 1300
    former = [Former(1000 - at, Path(str(age)), age, 0) for at, age in enumerate([*burst, good, before, before - 5])]
    gone = {version.replaced for version in Retention().doomed(former, now)}
    assert good not in gone and len(former) - len(gone) <= 10 + 1 + 1 + 3
    lasting = [Former(10 - at, Path(), now - 1000.0 * at * at, 0) for at in range(9)]
    kept = {version.number for version in lasting} - {v.number for v in Retention(2, 90).doomed(lasting, now)}
    assert 3 in kept  # The longest of all.


def test_what_somebody_wrote_over_is_kept_once(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "f.cfg")
    file.replace([b"theirs"])
    for _ in range(3):
        file.keep_content([b"ours"])
    file.keep_content([])
    assert [each.path.read_bytes() for each in file.former()] == [b"ours"]
    assert file.former()[0].path.stat().st_mode & 0o777 == 0o600


def test_how_much_history_is_kept_is_asked_at_each_write(tmp_path: Path) -> None:
    kept = Retention(versions=2, days=0)
    file = ConfigFile(tmp_path / "f.cfg", history=History(tmp_path / "history", lambda: kept))
    for number in range(9):
        file.replace([str(number).encode()])
        os.utime(tmp_path / "f.cfg")
    assert len(file.former()) <= 2 + 2
    kept = Retention(versions=50, days=0)
    for number in range(9):
        file.replace([str(number).encode()])
    assert len(file.former()) >= 11


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
