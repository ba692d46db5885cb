"""Rotation keeps N files; reading goes over them, and follows."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import InlinePool
from whimbrel.backends.logs import tail
from whimbrel.backends.logs.files import aside, rotate
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.tail import Follower, LogReader, backwards, last
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


def test_the_last_lines_come_over_files_put_aside(tmp_path: Path) -> None:
    write(tmp_path, "mail.log.2", "a", "b")
    write(tmp_path, "mail.log.1", "c", "d")
    write(tmp_path, "mail.log", "e")
    assert last(tmp_path, "mail", 4) == ["b", "c", "d", "e"]
    assert last(tmp_path, "mail", 99) == ["a", "b", "c", "d", "e"]
    assert last(tmp_path, "mail", 0) == last(tmp_path, "spam", 5) == []
    assert last(tmp_path, "mail", 2, grep="A") == ["a"]
    with pytest.raises(ValueError):
        last(tmp_path, "../passwd", 1)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)), st.integers(1, 9))
def test_reading_backwards_is_reading_forwards_turned_round(lines: list[str], block: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mail.log")
        path.write_bytes("".join(f"{line}\n" for line in lines).encode() + b"half a li")
        before, tail._BLOCK = tail._BLOCK, block
        try:
            assert list(backwards(path)) == lines[::-1]
        finally:
            tail._BLOCK = before


def test_a_line_without_end_costs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(b"x" * 1_000_000 + b"\ny\n")
    lines = last(tmp_path, "mail", 5)
    assert [len(line) for line in lines] == [tail.MAX_LINE, 1]


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


def test_the_reader_tails_and_follows(tmp_path: Path) -> None:
    write(tmp_path, "mail.log", "a", "b", "C")

    async def main() -> list[str]:
        reader = LogReader(tmp_path, InlinePool(), poll=0.001)
        found = list(await reader.tail("mail", 9, "c"))
        news = reader.follow("mail", "x")
        first = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0.005)
        write(tmp_path, "mail.log", "no", "an X")
        found.append(await asyncio.wait_for(first, 5))
        await news.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(main()) == ["C", "an X"]
