"""`whimbrel --server`: the command line over the console's port of a real server."""

import hashlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ENV, PASSWORD, Running, command, free_ports, serving, set_up
from whimbrel.app.cli.client import Answer, Options
from whimbrel.app.cli.known_servers import KnownServers, Untrusted
from whimbrel.app.cli.remote import RemoteClient, Server
from whimbrel.backends.tls import authority
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.table import all_calls

CALLS = {call.name: call for call in all_calls()}


class Elsewhere:
    """A server, and a person at another machine."""

    def __init__(self, running: Running, home: Path) -> None:
        self.running, self.home = running, home
        self.port = running.ports["console"]
        self.certificate = home / "localhost.pem"
        self.token = command(
            running.directory, "admin", "token-create", "remote", "--right", "server-write", "--grant", "mail-read"
        ).strip()
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text().partition("-----END PRIVATE KEY-----")[2].strip())
        self.fingerprint = f"sha256:{hashlib.sha256(der).hexdigest()}"

    def run(self, *words: str, config: Path, **more: str) -> subprocess.CompletedProcess[str]:
        env = ENV | {"XDG_CONFIG_HOME": str(config), "WHIMBREL_TOKEN": self.token, **more}
        program = [sys.executable, "-m", "whimbrel.app.cli", "--server", f"https://localhost:{self.port}", *words]
        return subprocess.run(program, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    def knowing(self, folder: Path, fingerprint: str = "") -> Path:
        """A folder of settings of somebody who has accepted the certificate."""
        KnownServers(folder / "whimbrel" / "known-servers").accept(
            f"localhost:{self.port}", fingerprint or self.fingerprint
        )
        return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("remote")
    pair = authority.self_signed(["localhost"])
    authority.write_file(folder / "localhost.pem", pair.key + pair.certificate, 0o600)
    settings = {"server/mail-workers": "1", "tls/certificate": str(folder / "localhost.pem")}
    set_up(folder / "server", 1, free_ports(["imap", "console"]), settings)
    with serving(folder / "server") as running:
        yield Elsewhere(running, folder)


def test_an_unknown_certificate_is_refused_with_its_fingerprint_before_the_token_is_sent(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    done = elsewhere.run("user", "list", config=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"localhost:{elsewhere.port} {elsewhere.fingerprint}" in done.stderr
    assert not list(tmp_path.rglob("*"))


def test_a_command_a_stream_and_a_question_work_as_on_the_machine(elsewhere: Elsewhere, tmp_path: Path) -> None:
    config = elsewhere.knowing(tmp_path)
    listed = elsewhere.run("user", "list", "--json", config=config)
    assert "user1@example.test" in {row["address"] for row in json.loads(listed.stdout)["items"]}
    added = elsewhere.run("user", "add", "new@example.test", "--full-name", "Nina", config=config)
    assert added.returncode == 0 and "Nina" in command(elsewhere.running.directory, "user", "show", "new@example.test")
    asked = elsewhere.run("user", "remove", "new@example.test", config=config)
    assert asked.returncode == 2 and "--yes" in asked.stderr
    assert elsewhere.run("user", "remove", "new@example.test", "--yes", config=config).returncode == 0
    assert elsewhere.run("store", "check", "--all", config=config).returncode == 0
    missing = elsewhere.run("user", "show", "usre1@example.test", config=config)
    assert missing.returncode == 3 and "did you mean" in missing.stderr


def test_an_authority_of_this_machine_is_enough(elsewhere: Elsewhere, tmp_path: Path) -> None:
    done = elsewhere.run("user", "list", config=tmp_path, SSL_CERT_FILE=str(elsewhere.certificate))
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*"))


def test_another_certificate_than_before_is_refused(elsewhere: Elsewhere, tmp_path: Path) -> None:
    config = elsewhere.knowing(tmp_path, "sha256:" + "ab" * 32)
    done = elsewhere.run("user", "list", config=config)
    assert done.returncode == 4 and "another certificate than before" in done.stderr and "known-servers" in done.stderr


def test_a_wrong_token_and_none_at_all_are_told(elsewhere: Elsewhere, tmp_path: Path) -> None:
    config = elsewhere.knowing(tmp_path)
    wrong = elsewhere.run("user", "list", config=config, WHIMBREL_TOKEN="wbt_nothing")
    assert wrong.returncode == 1 and "API token is not known" in wrong.stderr
    none = elsewhere.run("user", "list", config=config, WHIMBREL_TOKEN="")
    assert none.returncode == 1 and "--token-file" in none.stderr


def test_a_token_comes_from_a_file(elsewhere: Elsewhere, tmp_path: Path) -> None:
    config, file = elsewhere.knowing(tmp_path), tmp_path / "token"
    file.write_text(f"{elsewhere.token}\n")
    done = elsewhere.run("--token-file", str(file), "domain", "list", config=config, WHIMBREL_TOKEN="")
    assert done.returncode == 0 and "example.test" in done.stdout


def test_what_is_done_on_the_machine_itself_is_not_done_from_elsewhere(elsewhere: Elsewhere, tmp_path: Path) -> None:
    for words in (("serve",), ("setup",), ("--offline", "user", "list")):
        assert elsewhere.run(*words, config=tmp_path).returncode == 2


def test_a_person_sees_the_fingerprint_signs_in_by_password_and_leaves_no_session(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(what: str, hidden: bool) -> str:
        asked.append((what, hidden))
        return PASSWORD if hidden else "yes"

    known = KnownServers(tmp_path / "known")
    client = RemoteClient(Server(f"https://admin@localhost:{elsewhere.port}"), "", answer, known)
    result = client.call(CALLS["admin session-list"], {}, Options()).result
    assert [row["user"] for row in result["items"]] == ["admin@example.test"]
    items = list(client.stream(CALLS["store size"], {"all": True}, Options(), Answer()))
    assert isinstance(items, list)
    client.close()
    assert known.of(f"localhost:{elsewhere.port}") == elsewhere.fingerprint
    assert [hidden for _, hidden in asked] == [False, True]
    shown = elsewhere.fingerprint.removeprefix("sha256:").upper()
    assert ":".join(shown[at : at + 2] for at in range(0, 64, 2)) in asked[0][0]
    assert (
        "No sessions" in command(elsewhere.running.directory, "admin", "session-list")
        or not json.loads(command(elsewhere.running.directory, "admin", "session-list", "--json"))["items"]
    )


def test_who_does_not_say_yes_sends_nothing(elsewhere: Elsewhere, tmp_path: Path) -> None:
    known = KnownServers(tmp_path / "known")
    client = RemoteClient(Server(f"https://localhost:{elsewhere.port}"), "", lambda what, hidden: "y", known)
    with pytest.raises(Untrusted, match="nothing was sent"):
        client.call(CALLS["user list"], {}, Options())
    assert not (tmp_path / "known").exists()


def test_names_are_completed_for_who_needs_not_be_asked(elsewhere: Elsewhere, tmp_path: Path) -> None:
    config = elsewhere.knowing(tmp_path)
    words = f"whimbrel --server https://localhost:{elsewhere.port} user show us"
    env = {"_WHIMBREL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "5"}
    for token, expected in ((elsewhere.token, "plain,user1@example.test"), ("wbt_nothing", "")):
        done = subprocess.run(
            [sys.executable, "-c", "from whimbrel.app.cli.entry import program; program(prog_name='whimbrel')"],
            env=ENV | env | {"XDG_CONFIG_HOME": str(config), "WHIMBREL_TOKEN": token},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.stdout.strip(), done.stderr) == (expected, "")


@pytest.mark.parametrize(
    "url", ["http://host:44337", "https://", "https://host/path", "https://u:p@host", "https://host:x"]
)
def test_what_is_no_address_of_a_server_is_told(url: str) -> None:
    with pytest.raises(ValueError):
        Server(url)


def test_a_server_has_an_address_of_one_form() -> None:
    assert str(Server("mail.example.org")) == "mail.example.org:44337"
    assert Server("https://[2001:db8::1]:443").origin == "https://[2001:db8::1]"
    assert Server("https://admin%40example.org@host").name == "admin@example.org"


def test_a_refusal_to_sign_in_is_told_as_such(elsewhere: Elsewhere, tmp_path: Path) -> None:
    known = KnownServers(elsewhere.knowing(tmp_path) / "whimbrel" / "known-servers")
    client = RemoteClient(Server(f"https://admin@localhost:{elsewhere.port}"), "", lambda what, hidden: "wrong", known)
    with pytest.raises(CallError) as refused:
        client.call(CALLS["user list"], {}, Options())
    assert refused.value.kind is Failure.UNAUTHORIZED and os.environ.get("WHIMBREL_TOKEN") is None
