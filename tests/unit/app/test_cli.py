"""The program `whimbrel`: commands from declarations, exit statuses, what it asks and what it prints."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whimbrel.app.cli import main
from whimbrel.app.cli.entry import program
from whimbrel.app.setup.writing import read_answers, set_up
from whimbrel.services.admin.table import all_calls

ANSWERS = """hostname = "mail.example.org"
domain = "example.org"
[administrator]
name = "admin"
password = "eine gute geheime"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "server"
    set_up(directory, read_answers(ANSWERS, "answers"))
    return directory


class Shell:
    """Runs commands on one installation."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory, self._capsys = directory, capsys
        self.error = ""

    def run(self, *words: str, status: int = 0) -> str:
        assert main(["--dir", str(self.directory), *words]) == status
        captured = self._capsys.readouterr()
        self.error = captured.err
        return captured.out

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    directory = tmp_path / "server"
    set_up(directory, read_answers(ANSWERS, "answers"))
    return Shell(directory, capsys)


def test_without_a_server_the_same_calls_work_on_the_files(shell: Shell) -> None:
    shell.run("domain", "add", "other.test", "--description", "Second", "--alias", "a.test", "--alias", "b.test")
    (_, other) = shell.json("domain", "list")["items"]
    assert (other["name"], other["description"], other["aliases"]) == ("other.test", "Second", ["a.test", "b.test"])
    assert "Second" in shell.run("domain", "list")
    shell.run("user", "add", "bob@other.test", "--quota", "2G", "--no-keep-copy", "--rights", "domain")
    bob = shell.json("user", "show", "bob@a.test")
    assert (bob["quota"], bob["keep_copy"], bob["rights"]) == (2 << 30, False, "domain")
    shell.run("config", "set", "smtp/max-message-size", "80M")
    assert shell.run("config", "get", "smtp/max-message-size") == "80M\n"
    assert shell.run("config", "get", "services/imap/listen") == "*:143\n"
    assert "config set" in shell.run("log", "tail", "config", "--grep", "smtp/max-message-size")
    assert shell.json("queue", "list")["items"] == []
    assert (shell.directory / "lock").stat().st_mode & 0o777 == 0o600


def test_a_domain_is_renamed_with_its_mail_and_its_old_addresses(shell: Shell) -> None:
    shell.run("domain", "add", "old.test")
    shell.run("user", "add", "bob@old.test")
    mail = shell.directory / "store" / "mail"
    (mail / "old.test" / "bob").mkdir(parents=True)
    shell.run("domain", "rename", "old.test", "new.test", "--yes")
    assert [user["address"] for user in shell.json("user", "list")["items"]] == ["admin@example.org", "bob@new.test"]
    assert shell.json("alias", "check", "bob@old.test")["mailboxes"] == ["bob@new.test"]
    assert (mail / "new.test" / "bob").is_dir()
    assert not (mail / "old.test").exists()


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["user", "show", "admni"], 3, "There is no user 'admni@example.org'; did you mean 'admin@example.org'?"),
        (["user", "shwo", "admin"], 2, "did you mean 'show'?"),
        (["usr", "list"], 2, "did you mean 'user'?"),
        (["user", "list", "--serach", "x"], 2, "--search"),
        (["user", "show"], 2, "NAME"),
        (["user", "add", "x@example.org", "--quota", "much"], 2, "not a size: a whole number such as 50M"),
        (["user", "add", "admin"], 1, "exists already"),
        (["status"], 4, "No server runs in"),
        (["config", "get", "smtp/hostnam"], 3, "did you mean 'smtp/hostname'?"),
        (["config", "set", "smtp/max-recipients", "0"], 1, "smtp/max-recipients: 0 is below the minimum of 100"),
        (["queue", "show", "x"], 3, "There is no message in the queue"),
        (["queue", "delete", "--yes"], 2, "say which messages"),
        (["user", "import", "/no/such/file"], 2, "No such file"),
        (["user", "remove", "admin"], 2, "--yes"),
        (["store", "check", "admin"], 3, "no mail store yet"),
        (["log", "tail", "mial"], 2, "mail"),
    ],
)
def test_each_refusal_has_its_exit_status_and_says_what_to_do(
    made: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, error: str
) -> None:
    shell = Shell(made, capsys)
    assert shell.run(*words, status=status) == ""
    assert error in shell.error
    assert "Traceback" not in shell.error


def test_an_installation_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(tmp_path / "none", capsys)
    shell.run("user", "list", status=4)
    assert "mailserver.cfg is not there" in shell.error
    assert not shell.directory.exists()


def test_a_check_that_finds_problems_ends_with_6(shell: Shell) -> None:
    shell.run("alias", "add", "info@example.org", "admin")
    assert "admin@example.org" in shell.run("alias", "check", "info")
    assert "does not exist" in shell.run("alias", "check", "nobody", status=6)
    cfg = shell.directory / "mailserver.cfg"
    cfg.write_text(cfg.read_text().replace("hostname", "hostnam"))
    found = shell.run("config", "check", status=6)
    assert "mailserver.cfg" in found
    assert "did you mean 'hostname'?" in found
    shell.run("domain", "list", status=1)
    assert "whimbrel config undo" in shell.error


def test_undo_works_while_the_file_cannot_be_read(shell: Shell) -> None:
    for size in ("70M", "80M"):
        shell.run("config", "set", "smtp/max-message-size", size)
    cfg = shell.directory / "mailserver.cfg"
    cfg.write_text("<mailserver><broken")
    shell.run("config", "undo")
    assert shell.run("config", "get", "smtp/max-message-size") == "70M\n"


def test_dry_run_quiet_and_json(shell: Shell) -> None:
    assert "Checked only" in shell.run("domain", "add", "new.test", "--dry-run")
    assert shell.run("domain", "add", "new.test", "--quiet") == ""
    assert shell.json("domain", "set", "new.test", "--description", "x") == {"text": "Domain new.test was changed"}


def test_every_command_has_help_and_takes_the_four_options(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(made, capsys)
    for call in all_calls():
        text = shell.run(*call.name.split(), "--help")
        assert "--json" in text, call.name
        assert "--quiet" in text, call.name
        for parameter in call.parameters:
            if not parameter.positional:
                assert f"--{parameter.option}" in text, (call.name, parameter.name)
    shell.run("user", "list", "--yes", "--dry-run", "--quiet")


def test_a_password_comes_from_a_file_and_never_from_the_command_line(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2 hunter2\n")
    shell.run("user", "add", "bob@example.org", "--password-file", str(secret))
    before = (shell.directory / "users.cfg").read_text()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"another good one\r\n")))
    shell.run("user", "password", "bob", "--password-file", "-")
    assert (shell.directory / "users.cfg").read_text() != before
    shell.run("user", "password", "bob", "other", status=2)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    shell.run("user", "password", "bob", status=2)
    assert "--password-file" in shell.error


def test_users_come_from_a_csv(shell: Shell, tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text(
        "address,password,name,rights,quota\nbob@example.org,four words that fit,Bob,none,1G\ncarol@exmple.org,,,,\n"
    )
    shell.run("user", "import", str(table), status=1)
    assert "line 3: There is no domain 'exmple.org'; did you mean 'example.org'?" in shell.error
    table.write_text(table.read_text().replace("exmple", "example"))
    assert shell.run("user", "import", str(table)) == "2 users were added, 0 were changed\n"
    assert shell.run("user", "export").splitlines()[2] == "bob@example.org,,Bob,none,1G"


def test_while_another_holds_the_lock_nothing_is_touched(shell: Shell) -> None:
    import fcntl

    with (shell.directory / "lock").open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        shell.run("domain", "add", "x.test", status=4)
    assert "is at work; try again" in shell.error


def test_completion_and_version(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(made, capsys)
    for name in ("bash", "zsh", "fish"):
        assert "_WHIMBREL_COMPLETE" in shell.run("completion", name)
    assert shell.run("version").startswith("whimbrel ")
    assert set(shell.json("version")) == {"version", "python"}
    assert program.name == "program"


def start(words: Sequence[str], directory: Path, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), *words],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "src"}, check=False, **more,
    )  # fmt: skip


def test_the_client_of_a_running_server_loads_none_of_its_machinery() -> None:
    code = (
        "import sys; from whimbrel.app.cli.entry import main; import whimbrel.app.cli.commands, "
        "whimbrel.app.cli.client, whimbrel.app.cli.reach; main(['user', 'list', '--help']); "
        "print([m for m in sys.modules if m in ('lxml', 'apsw', 'starlette', 'hypercorn', 'argon2', 'asyncio', "
        "'pydantic.main', 'cryptography', 'rich.table')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "src"}, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def _elsewhere(directory: Path, output: int, *words: str) -> tuple[int, str]:
    """Runs a command as a program that writes to a descriptor; its exit status and what it says of errors."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), *words],
        env=env, stdout=output, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [("log", "tail"), ("log", "search", "--json"), ("config", "list")])
def test_a_reader_that_has_enough_is_no_failure(made: Path, words: tuple[str, ...]) -> None:
    logs = made / "store" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "mail.log").write_text("[24/Nov/2026 17:57:14] Recv: Size: 1\n" * 3)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert _elsewhere(made, writing, *words) == (0, "")
    finally:
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [("domain", "list"), ("domain", "list", "--json")])
def test_output_that_cannot_be_written_is_told_in_a_sentence(made: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        status, said = _elsewhere(made, full.fileno(), *words)
    assert (status, said) == (1, "whimbrel: writing the output: No space left on device\n")


def test_what_is_followed_ends_quietly_by_an_interrupt(made: Path) -> None:
    logs = made / "store" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "mail.log").write_text("[24/Nov/2026 17:57:14] Recv: Size: 1\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(made), "log", "tail", "--follow"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Where the tests run in the background, a shell has made their programs deaf to it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().endswith("Recv: Size: 1\n")  # It is at work.
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")


def test_an_argument_that_may_be_left_out_stands_in_brackets(shell: Shell) -> None:
    assert "trace [OPTIONS] [ID]\n" in shell.run("trace", "--help")
    assert "show [OPTIONS] ID\n" in shell.run("queue", "show", "--help")
