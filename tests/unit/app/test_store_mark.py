"""A store is known by its mark: none is made silently where one was, and no other is taken for it."""

from pathlib import Path

import pytest

from whimbrel.app.store_mark import NAME, StoreMissing, check


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "server").mkdir()
    return tmp_path / "server"


def test_the_first_store_is_made_and_remembered(directory: Path) -> None:
    store = directory / "store"
    check(directory, store)
    assert store.stat().st_mode & 0o777 == 0o700
    assert (store / NAME).read_bytes() == (directory / NAME).read_bytes()
    check(directory, store)


@pytest.mark.parametrize("there", [True, False])
def test_a_store_that_is_not_mounted_is_told_and_nothing_is_made(directory: Path, there: bool) -> None:
    store = directory / "store"
    check(directory, store)
    store.rename(directory / "elsewhere")
    if there:
        store.mkdir()
    with pytest.raises(StoreMissing, match="mounted"):
        check(directory, store)
    assert (list(store.iterdir()) == []) if there else not store.exists()
    (directory / NAME).unlink()  # What the sentence says.
    check(directory, store)


def test_a_store_of_a_former_release_gets_its_mark_and_a_moved_one_keeps_it(directory: Path) -> None:
    store = directory / "store"
    (store / "mail").mkdir(parents=True)
    check(directory, store)
    mark = (directory / NAME).read_bytes()
    store.rename(directory / "moved")
    check(directory, directory / "moved")
    (directory / "moved" / NAME).unlink()  # From a backup made before there were marks.
    check(directory, directory / "moved")
    assert (directory / "moved" / NAME).read_bytes() == mark


def test_a_crash_between_the_two_files_is_no_loss(directory: Path) -> None:
    store = directory / "store"
    check(directory, store)
    (directory / NAME).unlink()
    check(directory, store)
    assert (store / NAME).read_bytes() == (directory / NAME).read_bytes()


def test_another_store_is_refused(directory: Path, tmp_path: Path) -> None:
    check(directory, directory / "store")
    (tmp_path / "other").mkdir()
    check(tmp_path / "other", tmp_path / "other" / "store")
    with pytest.raises(StoreMissing, match="not the one of this installation"):
        check(directory, tmp_path / "other" / "store")


def test_a_damaged_mark_is_no_mark(directory: Path) -> None:
    store = directory / "store"
    check(directory, store)
    (store / "mail").mkdir()
    for damaged in ("", "[]", "{", '{"id": 5'):
        (store / NAME).write_text(damaged)
        check(directory, store)
        assert (store / NAME).read_bytes() == (directory / NAME).read_bytes()
