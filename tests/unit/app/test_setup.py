"""Setting up: good answers become an installation, bad ones a list of every fault and no file at all."""

import os
import socket
import stat
from pathlib import Path

import pytest

from whimbrel.app.cli import main
from whimbrel.app.installation import Installation
from whimbrel.app.setup.writing import read_answers, set_up
from whimbrel.backends.tls.authority import self_signed, write_file
from whimbrel.core.config import ConfigError
from whimbrel.core.values import Secret
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.session.passwords import verify_password
from whimbrel.services.session.services import ServicesSettings

GOOD = """
hostname = "mail.example.org"
domain = "example.org"
store = "mailstore"
users = "users.csv"

[administrator]
name = "admin"
password = "eine gute geheime"

[services.smtp]
listen = ["127.0.0.1:2525", "[::1]:2525"]

[services.lmtp]
enabled = true

[services.pop3]
enabled = false

[settings]
"smtp/max-message-size" = "80M"
"delivery/hold-remote" = true
"security/plaintext-from" = ["127.0.0.0/8"]
"""
USERS = "address,password,name,rights,quota\nbob@example.org,eine gute zweite,Bob,none,1G\ncarol@second.test,,Carol,,\n"


def faults(text: str, folder: Path | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        read_answers(text, "answers.toml", folder)
    return {fault.path: fault.text for fault in caught.value.faults}


def test_good_answers_become_an_installation(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text(USERS)
    directory = tmp_path / "deep" / "server"
    set_up(directory, read_answers(GOOD, "answers.toml", tmp_path))
    installation = Installation(directory)
    config = installation.load_config()
    services = config.section(ServicesSettings)
    assert [str(address) for address in services.named("smtp").listen] == ["127.0.0.1:2525", "[::1]:2525"]
    assert (services.named("lmtp").enabled, services.named("pop3").enabled) == (True, False)
    assert config.section(SmtpSettings).hostname == "mail.example.org"
    assert str(config.section(SmtpSettings).max_message_size) == "80M"
    assert installation.store == directory / "mailstore"
    users = installation.users_file.read_text()
    assert users.index("example.org") < users.index("second.test")
    assert users.count("<primary>yes</primary>") == 1
    assert "eine gute geheime" not in users


def test_files_and_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text(USERS)
    directory = tmp_path / "server"
    set_up(directory, read_answers(GOOD, "answers.toml", tmp_path))
    assert {path.name for path in directory.iterdir()} == {"mailserver.cfg", "users.cfg", "mailstore", "store.id"}
    for path in (directory, *directory.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_verifier_is_of_the_password_and_a_ready_one_is_taken(tmp_path: Path) -> None:
    ready = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$" + "x" * 43
    (tmp_path / "users.csv").write_text(f'bob@example.org,"{ready}",Bob,none,\n')
    set_up(tmp_path / "server", read_answers(GOOD, "answers.toml", tmp_path))
    users = (tmp_path / "server" / "users.cfg").read_text()
    assert ready in users
    verifier = users.partition("<password>")[2].partition("<")[0]
    assert verify_password(Secret(verifier), Secret("eine gute geheime"))


def test_an_installation_is_never_set_up_again(tmp_path: Path) -> None:
    answers = read_answers(GOOD.replace('users = "users.csv"', ""), "answers.toml")
    set_up(tmp_path, answers)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match="set up already"):
        set_up(tmp_path, answers)
    (tmp_path / "mailserver.cfg").unlink()
    with pytest.raises(ConfigError, match=r"users\.cfg exists"):
        set_up(tmp_path, answers)
    assert (tmp_path / "users.cfg").read_bytes() == before["users.cfg"]


def test_every_fault_of_the_answers_is_told_with_the_nearest_known_name(tmp_path: Path) -> None:
    found = faults(
        """
hostnam = "x"
domain = "not a domain"
store = ""
users = "none.csv"
[administrator]
name = "ad/min"
pasword = "x"
[services.smpt]
[services.ldap]
enabled = true
[services.imap]
listen = ["127.0.0.1", 5]
enable = true
[services.pop3]
listen = ["127.0.0.1"]
enabled = "yes"
[settings]
smtp = { hostname = "x" }
""",
        tmp_path,
    )
    assert found["hostnam"] == "unknown; did you mean 'hostname'?"
    assert found["hostname"] == "is missing"
    assert "is not a domain name" in found["domain"]
    assert found["store"] == "must not be empty"
    assert "No such file" in found["users"]
    assert "administrator.name" in found
    assert found["administrator.pasword"] == "unknown; did you mean 'password'?"
    assert found["administrator.password"] == "is missing"
    assert found["services.smpt"] == "there is no such service; did you mean 'smtp'?"
    assert "not have that service yet" in found["services.ldap"]
    assert found["services.imap.enable"] == "unknown; did you mean 'enabled'?"
    assert "a list is meant" in found["services.imap.listen"]
    assert "is not address:port" in found["services.pop3.listen"]
    assert found["services.pop3.enabled"] == "true or false is meant"
    assert "write the path in quotes" in found["settings.smtp"]


def test_what_only_the_whole_can_tell_is_told_by_the_names_of_the_answers(tmp_path: Path) -> None:
    text = GOOD.replace('users = "users.csv"', "").replace('"80M"', '"much"')
    text += '"smtp/hostnam" = "x"\n"smtp/max-recipients" = 1\n'
    with pytest.raises(ConfigError) as caught:
        set_up(tmp_path / "server", read_answers(text, "answers.toml"))
    found = {fault.path: fault.text for fault in caught.value.faults}
    assert set(found) == {
        'settings."smtp/max-message-size"', 'settings."smtp/hostnam"', 'settings."smtp/max-recipients"',
    }  # fmt: skip
    assert "did you mean 'smtp/hostname'?" in found['settings."smtp/hostnam"']
    assert not (tmp_path / "server").exists()


def test_faults_in_the_table_of_users_have_lines(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("bob@example.org,x,Bob,root,\ncarol@example.org,x,C,none,lots\n")
    with pytest.raises(ConfigError) as caught:
        read_answers(GOOD, "answers.toml", tmp_path)
    assert [(fault.path, fault.text.partition(":")[0]) for fault in caught.value.faults] == [
        ("users", "line 1"), ("users", "line 2"),
    ]  # fmt: skip


def test_users_who_stand_twice_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("bob@example.org,,,,\nBOB@example.org,,,,\n")
    with pytest.raises(ConfigError, match="stands at line 1 already"):
        set_up(tmp_path / "server", read_answers(GOOD, "answers.toml", tmp_path))
    assert not (tmp_path / "server").exists()


@pytest.mark.parametrize("text", ["", "x = ", "\x00", "hostname = 5\ndomain = []\nadministrator = 1\nservices = 2\n"])
def test_no_text_raises_anything_but_faults(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize("value", ["a\\nb", "a\\u0000b", "</x>\\u001b"])
def test_control_characters_in_answers_are_refused(value: str) -> None:
    assert "store" in faults(GOOD.replace('users = "users.csv"', "").replace('"mailstore"', f'"{value}"'))


def test_the_command_line_tells_faults_on_stderr_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_text('hostnam = "x"\n')
    assert main(["--dir", str(tmp_path / "server"), "setup", "--answers", str(answers)]) == 1
    assert "hostnam: unknown; did you mean 'hostname'?" in capsys.readouterr().err
    assert main(["--dir", str(tmp_path / "server"), "setup", "--answers", str(tmp_path / "none")]) == 2
    answers.write_text(GOOD.replace('users = "users.csv"', ""))
    assert main(["--dir", str(tmp_path / "server"), "setup", "--answers", str(answers)]) == 0
    assert "admin@example.org administers the server" in capsys.readouterr().out
    assert main(["--dir", str(tmp_path / "server"), "setup", "--answers", str(answers)]) == 1


def test_a_store_is_new_or_empty(tmp_path: Path) -> None:
    text = GOOD.replace('users = "users.csv"', "")
    set_up(tmp_path / "first", read_answers(text, "answers.toml"))
    theirs = tmp_path / "first" / "mailstore"
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("x")
    for store, words in ((theirs, "is the store of another installation"), (other, "is not empty")):
        before = sorted(path.name for path in store.iterdir()), store.stat()
        with pytest.raises(ConfigError, match=words):
            set_up(tmp_path / "second", read_answers(text.replace('"mailstore"', f'"{store}"'), "answers.toml"))
        assert (sorted(path.name for path in store.iterdir()), store.stat()) == before
        assert not (tmp_path / "second").exists()
    (other / "letter.txt").unlink()
    (other / "lost+found").mkdir()  # A new file system.
    set_up(tmp_path / "second", read_answers(text.replace('"mailstore"', f'"{other}"'), "answers.toml"))


def test_every_fault_is_told_in_one_round(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "letter.txt").write_text("x")
    text = """
hostname = "not a name"
domain = "example.org"
[administrator]
name = "admin"
[services.imap]
listen = ["no-such-host.invalid:2143"]
[settings]
"smtp/max-message-size" = "much"
"server/run-as" = "no-such-user"
"tls/certificate" = "/none/cert.pem"
"""
    with pytest.raises(ConfigError) as caught:
        read_answers(text, "answers.toml", tmp_path, directory=tmp_path)
    assert [(fault.path, fault.line) for fault in caught.value.faults] == [
        ("hostname", 2), ("administrator.password", 4), ("services.imap.listen", 7),
        ('settings."smtp/max-message-size"', 9),
        ('settings."server/run-as"', 10), ('settings."tls/certificate"', 11), ("store", 0),
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sets up for another user")
def test_a_certificate_that_is_closed_to_the_servers_user_is_told(tmp_path: Path) -> None:
    pair, file = self_signed(("a.test",)), tmp_path / "cert.pem"
    write_file(file, pair.key + pair.certificate, 0o600)
    text = GOOD.replace('users = "users.csv"', "") + f'"server/run-as" = "nobody"\n"tls/certificate" = "{file}"\n'
    with pytest.raises(ConfigError, match=r"nobody \(server/run-as\) may not read"):
        set_up(tmp_path / "server", read_answers(text, "answers.toml"))
    assert os.geteuid() == 0


def test_a_port_that_is_held_is_told_and_does_not_stop_the_setup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        held = f"127.0.0.1:{holder.getsockname()[1]}"
        answers = tmp_path / "answers.toml"
        answers.write_text(GOOD.replace('users = "users.csv"', "").replace("127.0.0.1:2525", held))
        assert main(["--dir", str(tmp_path / "server"), "setup", "--answers", str(answers)]) == 0
    assert f"smtp cannot listen at {held}" in capsys.readouterr().err
