"""Root sets up, starts and mends; whatever root does, every file stays the user's that the server runs as."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import other_user, server
from tests.support.mail import eventually, letter, send, subjects
from tests.support.server import SERVICES, command, free_ports, serving, set_up

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where another user may enter: pytest's own folder is root's."""
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        program = other_user.program(Path(name))
        if program is None:
            pytest.skip(f"no Python that {other_user.OTHER} may run")
        monkeypatch.setattr("sys.executable", program)
        yield Path(name)


def owners(*folders: Path) -> dict[str, int]:
    """What is not the other user's."""
    return {
        str(path): path.lstat().st_uid
        for folder in folders
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_uid != other_user.user().pw_uid
    }


@pytest.mark.parametrize("outside", [False, True])
def test_commands_of_root_on_the_files_leave_every_file_with_its_owner(folder: Path, outside: bool) -> None:
    directory, settings = folder / "server", {"server/run-as": other_user.OTHER}
    if outside:
        settings["store/directory"] = str(folder / "elsewhere")
    store = folder / "elsewhere" if outside else directory / "store"
    set_up(directory, 2, free_ports(SERVICES), settings)
    assert owners(directory, store) == {}
    assert store.stat().st_mode & 0o777 == 0o700
    with serving(directory) as running:
        send(running, "user1@example.test", letter("one"))
    (store / "mail" / "example.test" / "user1" / "INBOX" / "index.fld").unlink()
    for words in (
        ["store", "check", "--all"],
        ["store", "reindex", "--all"],
        ["log", "rotate"],
        ["config", "set", "smtp/max-message-size", "40M"],
        ["user", "add", "new@example.test", "--password-file", "/dev/null"],
        ["queue", "list"],
    ):
        subprocess.run(
            [server.sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), *words, "--quiet"],
            env=server.ENV, capture_output=True, check=False,
        )  # fmt: skip
        assert owners(directory, store) == {}, words
    with serving(directory) as running:
        send(running, "user1@example.test", letter("two"))
        assert subjects(running, "user1@example.test") == ["one", "two"]


def test_the_start_mends_what_root_did_with_other_programs_and_says_so(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = folder / "server"
    set_up(directory, 2, free_ports(SERVICES), {"server/run-as": other_user.OTHER})
    with serving(directory) as running:
        send(running, "user1@example.test", letter("one"))
    for path in (directory / "store", *(directory / "store").rglob("*")):
        os.chown(path, 0, 0)
    capfd.readouterr()
    with serving(directory) as running:
        assert subjects(running, "user1@example.test") == ["one"]
    told = [line for line in capfd.readouterr().err.splitlines() if "belong to" in line]
    assert len(told) == 1 and other_user.OTHER in told[0]
    assert "Ownership mended" in command(directory, "log", "tail", "warning")


def test_a_store_that_is_not_mounted_is_told_in_one_sentence_and_nothing_is_made(folder: Path) -> None:
    directory, store = folder / "server", folder / "elsewhere"
    set_up(directory, 1, free_ports(SERVICES), {"server/run-as": other_user.OTHER, "store/directory": str(store)})
    with serving(directory):
        pass
    store.rename(folder / "unmounted")
    store.mkdir()
    for words in (["serve"], ["queue", "list"], ["store", "check", "--all"]):
        done = subprocess.run(
            [server.sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), *words],
            env=server.ENV, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode != 0 and "mounted" in done.stderr and "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert list(store.iterdir()) == []


def test_a_store_that_the_user_may_not_enter_is_told_in_one_sentence(folder: Path) -> None:
    directory, closed = folder / "server", folder / "closed"
    set_up(directory, 1, free_ports(SERVICES), {"server/run-as": other_user.OTHER})
    closed.mkdir(mode=0o700)
    (directory / "store").rename(closed / "store")
    command(directory, "config", "set", "store/directory", str(closed / "store"), "--confirm", "another store")
    done = subprocess.run(
        [server.sys.executable, "-m", "whimbrel.app.supervisor", str(directory)],
        env=server.ENV, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 78 and len(done.stderr.strip().splitlines()) == 1
    assert f"closed to {other_user.OTHER}" in done.stderr


def test_a_read_only_store_is_told_in_one_sentence_at_the_start_and_by_the_status(folder: Path) -> None:
    directory = folder / "server"
    store = directory / "store"
    set_up(directory, 1, free_ports(SERVICES), {"server/run-as": other_user.OTHER})
    with serving(directory):
        pass
    with read_only(store):
        done = subprocess.run(
            [server.sys.executable, "-m", "whimbrel.app.supervisor", str(directory)],
            env=server.ENV, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 78 and len(done.stderr.strip().splitlines()) == 1
        assert "Read-only file system" in done.stderr and str(store) in done.stderr
    with serving(directory), read_only(store):
        for _ in eventually(30):
            if json.loads(command(directory, "status", "--json"))["space"] == "read-only":
                break


@contextlib.contextmanager
def read_only(store: Path) -> Iterator[None]:
    """As it becomes when its disk fails; who has a file open there already keeps it."""
    if subprocess.run(["mount", "--bind", str(store), str(store)], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(store)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(store)], check=True)
