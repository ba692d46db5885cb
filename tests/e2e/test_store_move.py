"""The store moves to another directory while mail comes in: every message that was acknowledged is in the new one,
once, with its UID and its flags; whatever goes wrong, the old one goes on."""

import contextlib
import json
import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.mail import eventually, imap, letter, send, subjects
from tests.support.server import ENV, Running, command, free_ports, serving, set_up

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ANN, BOB = "user1@example.test", "user2@example.test"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """On another file system than the installation."""
    base = Path("/dev/shm")
    if not base.is_dir() or base.stat().st_dev == tmp_path.stat().st_dev or not os.access(base, os.W_OK):
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir=base) as folder:
        yield Path(folder) / "store"


def place(directory: Path) -> dict[str, object]:
    known: dict[str, object] = json.loads(command(directory, "store", "place", "--json"))
    return known


def moved(server: Running, state: str = "done", seconds: float = 60) -> dict[str, object]:
    """How the move ended, once the server is back."""
    for _ in eventually(seconds):
        time.sleep(0.1)
        with contextlib.suppress(RuntimeError, ValueError):
            known = place(server.directory)
            if known["state"] == state:
                return known
    pytest.fail(f"the move did not end: {place(server.directory)}")


class Load:
    """Mail to two recipients, again and again; what was acknowledged is remembered."""

    def __init__(self, server: Running) -> None:
        self._server, self._stop = server, threading.Event()
        self.acknowledged: list[str] = []
        self.refusals: list[int] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            name = f"load-{number}"
            try:
                send(self._server, [ANN, BOB], letter(name, to=ANN))
                self.acknowledged.append(name)
            except smtplib.SMTPResponseException as error:
                self.refusals.append(error.smtp_code)
            except (smtplib.SMTPException, OSError):
                self.refusals.append(0)
                time.sleep(0.05)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def rows(server: Running, user: str, folder: str = "INBOX") -> dict[int, tuple[str, bool]]:
    """UID -> subject, and whether it is flagged."""
    with imap(server, user, folder) as client:
        _, data = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    known = {}
    for part in data:
        if isinstance(part, tuple):
            words = part[0].decode()
            uid = int(words.partition("UID ")[2].split()[0].rstrip(")"))
            known[uid] = part[1].decode().partition(":")[2].strip(), "\\Flagged" in words
    return known


def test_all_that_was_acknowledged_is_on_the_new_disk_exactly_once(own_server: Maker, elsewhere: Path) -> None:
    with own_server() as server:
        old = server.directory / "store"
        for number in range(5):
            send(server, [ANN, BOB], letter(f"before-{number}", to=ANN))
        with imap(server, ANN) as client:
            client.uid("STORE", "2", "+FLAGS", "(\\Flagged)")
            client.create("Kept")
            client.uid("COPY", "3", "Kept")
        before = rows(server, ANN)
        with Load(server) as load:
            for _ in eventually():
                if len(load.acknowledged) > 5:
                    break
                time.sleep(0.05)
            command(server.directory, "store", "move", str(elsewhere), "--yes")
            known = moved(server)
            there = len(load.acknowledged)
            for _ in eventually():
                if len(load.acknowledged) > there + 5:
                    break
                time.sleep(0.05)
        assert not set(load.refusals) - {0, 421, 450, 451, 452}, load.refusals
        assert known["folder"] == str(elsewhere) and known["left"] == [
            {"path": str(old), "kind": "store", "since": known["left"][0]["since"]}  # type: ignore[index]
        ]
        for user in (ANN, BOB):
            after = rows(server, user)
            counts = Counter(subject for subject, _ in after.values())
            assert all(counts[name] == 1 for name in load.acknowledged), counts
            assert max(counts.values()) == 1
            if user == ANN:
                assert {uid: after[uid] for uid in before} == before
                assert [subject for subject, _ in rows(server, user, "Kept").values()] == ["before-2"]
        assert not (old / "store.id").exists() and (old / "store.moved").exists()
        assert not any(each.startswith("store.moving") for each in os.listdir(elsewhere))
        name = load.acknowledged[0]
        head = f"Subject: {name}\r".encode()
        files = [each for each in (elsewhere / "mail").rglob("*.eml") if head in each.read_bytes()]
        assert len(files) == 2 and files[0].stat().st_ino == files[1].stat().st_ino, "one file of two names"
        assert "Store moved" in (elsewhere / "logs" / "operations.log").read_text()
        assert "Traceback" not in "".join(each.read_text() for each in (elsewhere / "logs").glob("error.log"))
        # Nobody takes the old one by accident.
        with pytest.raises(RuntimeError, match="moved to"):
            command(server.directory, "config", "set", "store/directory", str(old))
        with pytest.raises(RuntimeError, match="No move has left"):
            command(server.directory, "store", "old-delete", str(elsewhere), "--yes")
        command(server.directory, "store", "old-delete", str(old), "--yes")
        assert not old.exists() and place(server.directory)["left"] == []
        assert len(subjects(server, BOB)) == len(after)


def test_on_one_file_system_the_directory_gets_another_name(own_server: Maker, tmp_path: Path) -> None:
    target = tmp_path / "srv" / "mail"
    target.parent.mkdir()
    with own_server() as server:
        send(server, ANN, letter("before", to=ANN))
        before, old = rows(server, ANN), server.directory / "store"
        message = next((old / "mail").rglob("#msgs/*.eml"))
        name, inode = message.relative_to(old), message.stat().st_ino
        with Load(server) as load:
            said = command(server.directory, "store", "move", str(target), "--dry-run")
            assert "gets another name" in said and old.exists()
            command(server.directory, "store", "move", str(target), "--yes")
            known = moved(server)
            time.sleep(0.5)
        assert known["folder"] == str(target) and known["left"] == [] and not old.exists()
        assert (target / name).stat().st_ino == inode
        after = rows(server, ANN)
        assert {uid: after[uid] for uid in before} == before
        counts = Counter(name for name, _ in after.values())
        # What was not acknowledged, because the server ended in the middle of an answer, may be there all the same.
        assert all(counts[name] == 1 for name in ("before", *load.acknowledged)), counts
        assert max(counts.values()) == 1, counts
    with own_server() as server:  # And it starts there.
        assert len(rows(server, ANN)) == len(after)


def test_without_a_server_the_command_does_all_of_it(own_server: Maker, elsewhere: Path) -> None:
    with own_server() as server:
        send(server, ANN, letter("before", to=ANN))
        directory, before = server.directory, rows(server, ANN)
    said = command(directory, "store", "move", str(elsewhere), "--yes")
    assert f"The store is at {elsewhere} now" in said
    assert place(directory)["state"] == "done" and not (directory / "store" / "store.id").exists()
    with own_server() as server:
        assert rows(server, ANN) == before
        send(server, ANN, letter("after", to=ANN))
        assert len(rows(server, ANN)) == 2
        assert "Store moved" in (elsewhere / "logs" / "operations.log").read_text()
    command(directory, "store", "old-delete", str(directory / "store"), "--yes")
    assert not (directory / "store").exists()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("{directory}/store/inside", "lies inside the store"),
        ("{directory}/store", "is at .* already"),
        ("{directory}", "lies inside"),
        ("{directory}/run/x", "keeps other things"),
        ("{elsewhere}/not/there", "is not there"),
        ("relative", "no whole path"),
        ("{full}", "is not empty"),
        ("{link}", "is no directory of its own"),
        ("{other}", "is a store itself"),
        ("{file}", "is no directory of its own"),
    ],
)
def test_where_a_store_cannot_go_is_said_and_nothing_changes(
    standing: Running, tmp_path: Path, where: str, why: str
) -> None:
    full, other, link, file = (tmp_path / name for name in ("full", "other", "link", "file"))
    full.mkdir()
    (full / "letter.txt").write_text("of somebody")
    other.mkdir()
    (other / "store.id").write_text('{"version": "1.0", "id": "of another"}')
    link.symlink_to(full)
    file.write_text("")
    names = {"directory": standing.directory, "elsewhere": tmp_path / "elsewhere", "full": full, "other": other,
             "link": link, "file": file}  # fmt: skip
    before = sorted(str(each) for each in tmp_path.rglob("*"))
    with pytest.raises(RuntimeError, match=why):
        command(standing.directory, "store", "move", where.format(**names), "--yes")
    assert sorted(str(each) for each in tmp_path.rglob("*")) == before
    assert place(standing.directory)["state"] == ""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("moving") / "whimbrel"
    set_up(directory, 1, free_ports(("smtp", "imaps")))
    with serving(directory) as running:
        yield running


def moving(directory: Path, target: Path) -> "subprocess.Popen[bytes]":
    words = ["-m", "whimbrel.app.cli", "--dir", str(directory), "store", "move", str(target), "--yes"]
    return subprocess.Popen([sys.executable, *words], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_disk_without_room_is_refused_and_a_cancelled_copy_is_gone_on_from(
    own_server: Maker, elsewhere: Path
) -> None:
    with own_server() as server:
        directory = server.directory
        send(server, ANN, letter("before", to=ANN))
        (directory / "store" / "mail" / "large").write_bytes(os.urandom(200 << 20))
        command(directory, "config", "set", "space/soft-limit", "0")
        command(directory, "config", "set", "space/hard-limit", "99.9%", "--yes")
        with pytest.raises(RuntimeError, match="make room there, or name a larger disk"):
            command(directory, "store", "move", str(elsewhere), "--yes")
        command(directory, "config", "set", "space/hard-limit", "0")
        begun = moving(directory, elsewhere)
        for _ in eventually():
            if (elsewhere / "store.moving").exists():
                break
        operations = json.loads(command(directory, "operation", "list", "--json"))["items"]
        with contextlib.suppress(RuntimeError):  # It may be done already.
            command(directory, "operation", "cancel", operations[0]["id"])
        begun.wait(30)
        known = place(directory)
        if known["state"] == "failed":
            assert known["folder"] == "store" and "cancelled" in str(known["error"])
            assert [(each["path"], each["kind"]) for each in known["left"]] == [(str(elsewhere), "copy")]
            command(directory, "store", "move", str(elsewhere), "--yes")
        moved(server)
        assert subjects(server, ANN) == ["before"]


def end(server: Running) -> None:
    """As a power cut ends it: all processes at once."""
    zygote = json.loads((server.directory / "run" / "ready.json").read_text())["zygote"]
    os.kill(server.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(zygote, signal.SIGKILL)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.6, 2.4])
def test_killed_at_any_moment_nothing_acknowledged_is_missing_or_twice(
    own_server: Maker, elsewhere: Path, seconds: float
) -> None:
    with own_server() as server:
        directory = server.directory
        send(server, [ANN, BOB], letter("before", to=ANN))
        with Load(server) as load:
            for _ in eventually():
                if load.acknowledged:
                    break
            begun = moving(directory, elsewhere)
            for _ in eventually():
                if (elsewhere / "store.moving").exists() or begun.poll() is not None:
                    break
            time.sleep(seconds)
            with contextlib.suppress(OSError, ValueError):  # Between two zygotes there is none.
                end(server)
            os.kill(server.pid, signal.SIGKILL)
        begun.wait(30)
    time.sleep(0.5)
    with own_server() as server:
        known = place(directory)
        assert known["state"] in ("failed", "done"), known
        assert known["folder"] == (str(elsewhere) if known["state"] == "done" else "store")
        for user in (ANN, BOB):
            counts = Counter(subjects(server, user))
            # What was not acknowledged may be there all the same.
            assert all(counts[name] == 1 for name in ("before", *load.acknowledged)), counts
        if known["state"] == "failed":
            command(directory, "store", "move", str(elsewhere), "--yes")
            moved(server)
            assert all(name in subjects(server, ANN) for name in load.acknowledged)
