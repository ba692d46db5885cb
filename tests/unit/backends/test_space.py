"""Free space: warned at the soft limit, no mail taken in below the hard one, and all is well again by itself."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool, MemoryLog
from whimbrel.backends.disk.space import DiskSpace, Level, SpaceSettings, octets
from whimbrel.core.values import Duration

MIB = 1 << 20


@dataclass
class Disk:
    """A file system of 100 GiB."""

    free: int
    f_frsize: int = 4096
    f_blocks: int = 100 * 1024 * 256
    f_files: int = 1_000_000
    f_favail: int = 900_000
    f_flag: int = 0

    @property
    def f_bavail(self) -> int:
        return self.free // 4096


def test_the_way_down_and_up_again_is_told_once_each(tmp_path: Path) -> None:
    disk, log = Disk(2048 * MIB), MemoryLog()
    space = DiskSpace([tmp_path], SpaceSettings, log, look_at=lambda path: disk)
    went = []
    for free in (2048, 1023, 1100, 900, 199, 240, 251, 1100, 1281, 500, 100, 2000):
        disk.free = free * MIB
        went.append((free, space.look().level.name, space.accepting()))
    assert went == [
        (2048, "ENOUGH", True), (1023, "LOW", True), (1100, "LOW", True), (900, "LOW", True), (199, "FULL", False),
        (240, "FULL", False), (251, "LOW", True), (1100, "LOW", True), (1281, "ENOUGH", True), (500, "LOW", True),
        (100, "FULL", False), (2000, "ENOUGH", True),
    ]  # fmt: skip
    assert [event for _, event, _ in log.records] == [
        "space.low", "space.full", "space.enough", "space.low", "space.enough", "space.low", "space.full",
        "space.enough",
    ]  # fmt: skip
    assert log.records[1][2] == {"folder": str(tmp_path), "free": 199 * MIB, "limit": 200 * MIB}


def test_a_read_only_file_system_takes_no_mail_however_much_is_free(tmp_path: Path) -> None:
    disk, log = Disk(9000 * MIB), MemoryLog()
    space = DiskSpace([tmp_path], SpaceSettings, log, look_at=lambda path: disk)
    states = []
    for flag, free in ((0, 9000), (os.ST_RDONLY, 9000), (os.ST_RDONLY, 100), (0, 100), (0, 9000)):
        disk.f_flag, disk.free = flag, free * MIB
        states.append((space.look().word, space.accepting()))
    assert states == [
        ("enough", True), ("read-only", False), ("read-only", False), ("full", False), ("enough", True),
    ]  # fmt: skip
    assert [event for _, event, _ in log.records] == ["store.read-only", "space.full", "space.enough"]


@pytest.mark.parametrize(("limit", "expected"), [("200M", 200 * MIB), ("5%", 5), ("0.5%", 0), ("0", 0), ("7", 7)])
def test_a_limit_is_a_size_or_a_part_of_the_disk(limit: str, expected: int) -> None:
    assert octets(limit, 100) == expected


@pytest.mark.parametrize("text", ["5", "1G", "12.5%", "0", "99%"])
def test_limits_as_people_write_them(text: str) -> None:
    assert SpaceSettings(soft_limit=text).soft_limit == text


@pytest.mark.parametrize("text", ["", "100%", "-1", "1X", "5 %", "1e9"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        SpaceSettings(hard_limit=text)


def test_without_limits_there_is_always_room(tmp_path: Path) -> None:
    none = SpaceSettings(soft_limit="0", hard_limit="0")
    space = DiskSpace([tmp_path], lambda: none, look_at=lambda path: Disk(0, f_favail=0))
    assert space.look().level is Level.ENOUGH and space.accepting()


def test_a_file_system_without_inodes_is_full(tmp_path: Path) -> None:
    disk = Disk(50 << 30, f_favail=999)
    space = DiskSpace([tmp_path], SpaceSettings, look_at=lambda path: disk)
    space.look()
    assert not space.accepting()
    disk.f_favail = 1300
    space.look()
    assert space.accepting()
    disk.f_files = disk.f_favail = 0  # btrfs makes them as it goes.
    assert space.look().level is Level.ENOUGH


def test_the_file_system_with_least_room_counts(tmp_path: Path) -> None:
    disks = {str(tmp_path): Disk(50 << 30), str(tmp_path / "mail"): Disk(10 * MIB)}
    (tmp_path / "mail").mkdir()
    space = DiskSpace([tmp_path, tmp_path / "mail", tmp_path / "queue" / "not yet"], SpaceSettings,
                      look_at=lambda path: disks[path])  # fmt: skip
    assert space.look().folder == str(tmp_path / "mail") and not space.accepting()


def test_a_disk_that_does_not_answer_changes_nothing(tmp_path: Path) -> None:
    def broken(path: str) -> Disk:
        raise OSError(5, "Input/output error")

    space = DiskSpace([tmp_path], SpaceSettings, look_at=broken)
    assert space.look().level is Level.ENOUGH and space.accepting()


def test_a_changed_limit_counts_at_the_next_look(tmp_path: Path) -> None:
    settings = [SpaceSettings(check_interval=Duration(0.1))]
    space = DiskSpace([tmp_path], lambda: settings[0], look_at=lambda path: Disk(300 * MIB))
    assert space.look().level is Level.LOW
    settings[0] = SpaceSettings(hard_limit="50%", check_interval=Duration(0.1))

    async def main() -> None:
        task = asyncio.create_task(space.watch(InlinePool()))
        while space.accepting():
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_real_file_system_is_asked(tmp_path: Path) -> None:
    found = DiskSpace([tmp_path], lambda: SpaceSettings(soft_limit="0", hard_limit="0")).look()
    assert found.free > 0 and found.folder == str(tmp_path)


def test_a_folder_that_cannot_be_asked_ends_no_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a server that was full would stay so for ever."""
    disk = Disk(2048 * MIB)
    space = DiskSpace([tmp_path], SpaceSettings, look_at=lambda path: disk)
    disk.free = 0
    assert space.look().level is Level.FULL
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", _broken)
        assert space.look().level is Level.FULL
    disk.free = 2048 * MIB
    assert space.look().level is Level.ENOUGH


def _broken(_path: Path) -> bool:
    raise OSError(5, "Input/output error")
