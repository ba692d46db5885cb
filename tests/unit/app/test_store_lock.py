"""Two servers never work in one store, and a lock is left only in what is a store."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.app.test_setup import GOOD
from whimbrel.app import store_mark
from whimbrel.app.cli import main
from whimbrel.app.setup.writing import read_answers, set_up
from whimbrel.app.store_lock import NAME, StoreInUse, lock, user


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    store_mark.check(tmp_path / "one", tmp_path / "store")
    return tmp_path / "store"


def test_a_store_is_for_one_at_a_time_and_who_has_it_is_told(store: Path, tmp_path: Path) -> None:
    held = lock(tmp_path / "one", store)
    assert held is not None and user(store) == str(tmp_path / "one")
    with pytest.raises(StoreInUse, match=f"of {tmp_path / 'one'}"):
        lock(tmp_path / "other", store)
    os.close(held)
    again = lock(tmp_path / "other", store)
    assert again is not None and user(store) == str(tmp_path / "other")
    os.close(again)


@pytest.mark.parametrize("names", [None, [], ["lost+found"], ["letter.txt"]])
def test_no_lock_is_left_in_what_is_no_store(tmp_path: Path, names: list[str] | None) -> None:
    there = tmp_path / "there"
    if names is not None:
        there.mkdir()
        for name in names:
            (there / name).mkdir()
    assert lock(tmp_path, there) is None
    assert (sorted(os.listdir(there)) == names) if names is not None else not there.exists()


def test_no_other_file_is_written_by_a_link(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("x")
    (store / NAME).symlink_to(other)
    assert lock(tmp_path, store) is None and user(store) == ""
    (store / NAME).unlink()
    (store / NAME).hardlink_to(other)
    held = lock(tmp_path, store)
    assert held is not None and other.read_text() == "x"
    os.close(held)


def test_a_server_and_a_command_refuse_a_store_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "server"
    text = GOOD.replace('users = "users.csv"', "") + '"server/run-as" = "root"\n'
    set_up(directory, read_answers(text, "answers.toml"))
    store = directory / "mailstore"
    held = lock(tmp_path / "one", store)
    assert held is not None
    before = sorted(path.name for path in store.rglob("*"))
    serve = subprocess.run(
        [sys.executable, "-m", "whimbrel.app.supervisor", str(directory)], capture_output=True, timeout=60, check=False
    )
    assert (serve.returncode, serve.stdout) == (78, b"")
    assert serve.stderr.decode() == (
        f"whimbrel: The store {store} is in use by another server (of {tmp_path / 'one'}): stop that one, or name "
        "another store by store/directory\n"
    )
    assert sorted(path.name for path in store.rglob("*")) == before
    assert main(["--dir", str(directory), "--offline", "queue", "list"]) == 4
    assert "is in use by another server" in capsys.readouterr().err
    os.close(held)
    assert main(["--dir", str(directory), "--offline", "queue", "list"]) == 0


def test_the_setting_names_no_other_directory_than_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace('users = "users.csv"', "")
    for name in ("server", "other"):
        set_up(tmp_path / name, read_answers(text, "answers.toml"))
    directory, moved = tmp_path / "server", tmp_path / "moved"
    for place, words in ((moved, "has no mark"), (tmp_path / "other" / "mailstore", "the mark of another store")):
        assert main(["--dir", str(directory), "config", "set", "store/directory", str(place)]) == 1
        assert words in capsys.readouterr().err
    (directory / "mailstore").rename(moved)
    assert main(["--dir", str(directory), "config", "set", "store/directory", str(moved)]) == 1
    assert "--confirm 'another store'" in capsys.readouterr().err
    words = ["--confirm", "another store"]
    assert main(["--dir", str(directory), "config", "set", "store/directory", str(moved), *words]) == 0
    (directory / "store.id").write_text(json.dumps({"id": "x"}))
    assert main(["--dir", str(directory), "config", "set", "smtp/max-message-size", "80M"]) == 0  # It was so before.


def test_a_folder_of_others_never_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter.txt").write_text("x")
    with pytest.raises(store_mark.StoreMissing, match="no mail store"):
        store_mark.check(tmp_path / "server", tmp_path / "theirs")
    assert os.listdir(tmp_path / "theirs") == ["letter.txt"]
