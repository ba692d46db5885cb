"""Rotation keeps N files; reading goes over them, and follows."""

import asyncio
import time
from pathlib import Path
from typing import Literal

import pytest

from tests.support.fakes import InlinePool
from whimbrel.backends.logs.files import aside, rotate
from whimbrel.backends.logs.settings import LogFileSettings, LogFilesSettings, LogSettings, Rules
from whimbrel.backends.logs.tail import Follower, LogReader
from whimbrel.core.log import LogQuery
from whimbrel.core.values import Size


def write(folder: Path, name: str, *lines: str) -> None:
    with (folder / name).open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_a_large_file_is_put_aside_and_a_small_one_is_not(tmp_path: Path) -> None:
    write(tmp_path, "mail.log", "x" * 70_000)
    write(tmp_path, "security.log", "x")
    assert rotate(tmp_path, LogSettings(max_size=Size("64K"))) == ["mail"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.log.1", "security.log"]
    assert rotate(tmp_path, LogSettings(), always=True) == ["security"]


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_at_most_n_files_are_kept_and_the_youngest_is_number_one(tmp_path: Path, keep: int) -> None:
    for number in range(6):
        write(tmp_path, "mail.log", f"{number}")
        rotate(tmp_path, LogSettings(keep=keep), always=True)
    assert [path.read_text().strip() for path in aside(tmp_path, "mail")] == ["5", "4", "3"][:keep]
    assert len(list(tmp_path.iterdir())) == keep


def test_foreign_files_beside_the_logs_are_left_alone(tmp_path: Path) -> None:
    for name in ("mail.log.gz", "mail.log.old", "mail.log.1.gz", "other.txt", "mail.log.99999"):
        write(tmp_path, name, "x")
    write(tmp_path, "mail.log", "x")
    rotate(tmp_path, LogSettings(keep=1), always=True)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_missing_folder_has_nothing_to_rotate(tmp_path: Path) -> None:
    assert rotate(tmp_path / "none", LogSettings(), always=True) == []


@pytest.mark.parametrize(
    ("period", "first", "now", "due"),
    [
        ("hour", "24/Nov/2026 17:57:14", "2026-11-24 17:59:59", False),
        ("hour", "24/Nov/2026 17:57:14", "2026-11-24 18:00:00", True),
        ("day", "24/Nov/2026 00:00:00", "2026-11-24 23:59:59", False),
        ("day", "24/Nov/2026 23:59:59", "2026-11-25 00:00:00", True),
        ("week", "23/Nov/2026 00:00:00", "2026-11-29 23:59:59", False),  # Monday to Sunday
        ("week", "29/Nov/2026 12:00:00", "2026-11-30 00:00:00", True),
        ("week", "31/Dec/2026 12:00:00", "2027-01-03 12:00:00", False),  # over the end of a year
        ("month", "01/Nov/2026 00:00:00", "2026-11-30 23:59:59", False),
        ("month", "30/Nov/2026 23:59:59", "2026-12-01 00:00:00", True),
        ("month", "24/Nov/2025 12:00:00", "2026-11-24 12:00:00", True),
        ("never", "24/Nov/2020 12:00:00", "2026-11-24 12:00:00", False),
        # The clock was set back: no file is begun for that, unless the file was begun in a future that is far.
        ("hour", "24/Nov/2026 17:57:14", "2026-11-24 15:00:00", False),
        ("day", "25/Nov/2026 17:57:14", "2026-11-24 15:00:00", False),
        ("month", "24/Nov/2036 17:57:14", "2026-11-24 15:00:00", True),
        ("never", "24/Nov/2036 17:57:14", "2026-11-24 15:00:00", False),
        # Central Europe goes back to winter time on 25 October 2026 at 03:00, forth on 29 March at 02:00.
        ("day", "25/Oct/2026 00:30:00", "2026-10-25 23:30:00", False),
        ("day", "29/Mar/2026 23:30:00", "2026-03-30 00:10:00", True),
    ],
)
def test_a_file_ends_with_its_hour_day_week_or_month_of_the_local_calendar(
    tmp_path: Path, vienna: None, period: Literal["hour", "day", "week", "month", "never"], first: str, now: str,
    due: bool,
) -> None:  # fmt: skip
    write(tmp_path, "mail.log", f"[{first}] Recv: Queue-ID: 1")
    at = time.mktime(time.strptime(now, "%Y-%m-%d %H:%M:%S"))
    assert rotate(tmp_path, LogSettings(rotate=period), now=at) == ["mail"] * due


def test_what_is_set_for_one_log_goes_before_what_is_set_for_all(tmp_path: Path) -> None:
    own = LogFilesSettings(
        spam=LogFileSettings(rotate="never", keep=1), mail=LogFileSettings(max_size=Size("1M"), facility="local3")
    )
    settings = LogSettings(rotate="day", keep=5, files=own)
    assert settings.of("spam") == Rules("never", 100 << 20, 1, "mail")
    assert settings.of("mail") == Rules("day", 1 << 20, 5, "local3")
    for name in ("spam.log", "mail.log"):
        write(tmp_path, name, "[24/Nov/2020 12:00:00] x")
        for number in range(1, 5):
            write(tmp_path, f"{name}.{number}", f"{number}")
    assert rotate(tmp_path, settings, now=time.time()) == ["mail"]
    # Fewer are to be kept than there are: that is done without waiting for a rotation.
    assert [path.name for path in aside(tmp_path, "spam")] == ["spam.log.1"]
    assert len(aside(tmp_path, "mail")) == 5


def test_what_is_no_file_is_not_put_aside(tmp_path: Path) -> None:
    (tmp_path / "mail.log").mkdir()
    write(tmp_path, "spam.log", "[24/Nov/2020 12:00:00] x")
    assert rotate(tmp_path, LogSettings(), always=True) == ["spam"]
    assert (tmp_path / "mail.log").is_dir()


def test_a_folder_in_the_place_of_a_log_stops_nobody_who_follows_it(tmp_path: Path) -> None:
    (tmp_path / "mail.log").mkdir()
    follower = Follower(tmp_path, "mail")
    assert follower.news() == []
    (tmp_path / "mail.log").rmdir()
    write(tmp_path, "mail.log", "one")
    assert [line for _ in range(3) for line in follower.news()] == ["one"]
    follower.close()


def test_an_index_goes_with_its_file(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path, "mail.log", f"{number}")
        write(tmp_path, "mail.log.idx", f"index {number}")
        rotate(tmp_path, LogSettings(keep=2), always=True)
    assert (tmp_path / "mail.log.1.idx").read_text() == "index 3\n"
    assert (tmp_path / "mail.log.2.idx").read_text() == "index 2\n"
    assert len(list(tmp_path.iterdir())) == 4
    write(tmp_path, "mail.log", "without index")
    rotate(tmp_path, LogSettings(keep=2), always=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.log.1", "mail.log.2", "mail.log.2.idx"]


def test_following_goes_on_over_rotation_and_never_shows_half_a_line(tmp_path: Path) -> None:
    write(tmp_path, "mail.log", "old")
    follower = Follower(tmp_path, "mail")
    assert follower.news() == []
    write(tmp_path, "mail.log", "one", "two")
    with (tmp_path / "mail.log").open("a") as file:
        file.write("thr")
    assert follower.news() == ["one", "two"]
    write(tmp_path, "mail.log", "ee")
    rotate(tmp_path, LogSettings(), always=True)
    write(tmp_path, "mail.log", "four")
    found = [line for _ in range(5) for line in follower.news()]
    assert found == ["three", "four"]
    (tmp_path / "mail.log").write_text("")
    assert [line for _ in range(3) for line in follower.news()] == []
    write(tmp_path, "mail.log", "5")
    assert [line for _ in range(3) for line in follower.news()] == ["5"]
    follower.close()


def test_a_log_that_is_not_there_yet_is_followed_from_its_beginning(tmp_path: Path) -> None:
    follower = Follower(tmp_path, "spam")
    assert follower.news() == []
    write(tmp_path, "spam.log", "first")
    assert follower.news() == ["first"]
    follower.close()


def test_the_reader_searches_and_follows_several_logs(tmp_path: Path) -> None:
    write(tmp_path, "mail.log", "[24/Nov/2026 17:57:14] a", "[24/Nov/2026 17:57:16] C")
    write(tmp_path, "spam.log", "[24/Nov/2026 17:57:15] b")

    async def main() -> list[str]:
        reader = LogReader(tmp_path, InlinePool(), poll=0.001)
        page = await reader.search(LogQuery(("mail", "spam"), newest_first=True), 2)
        found = [line.text[23:] for line in page.lines]
        news = reader.follow(["mail", "spam"])
        first = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0.005)
        write(tmp_path, "spam.log", "[24/Nov/2026 17:57:18] Spam: Score: 7")
        line = await asyncio.wait_for(first, 5)
        found += [line.log, line.title, *map(str, line.fields)]
        assert list(await reader.rotate(("mail",))) == ["mail"]
        await news.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(main()) == ["C", "b", "spam", "Spam", "('Score', '7')"]
