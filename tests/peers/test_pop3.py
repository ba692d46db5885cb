"""Programs that nobody here wrote fetch mail by POP3, leave it, and find it again."""

import shutil
from pathlib import Path

import pytest

from tests.peers.test_clients import run
from tests.support.mail import letter, pop3, send
from tests.support.server import PASSWORD, Running
from tests.support.servers import Users


def fill(server: Running, user: str, count: int) -> None:
    for number in range(count):
        send(server, user, letter(f"m{number}", to=user, body=".dot\r\n..\r\nlast"))


@pytest.mark.peer("curl")
def test_curl_asks_by_every_command(server: Running, users: Users) -> None:
    user = users()
    fill(server, user, 3)
    url = f"pop3://127.0.0.1:{server.ports['pop3']}/"
    login = ["-k", "-s", "-S", "--ssl-reqd", "--user", f"{user}:{PASSWORD}"]
    assert run("curl", *login, url).split()[::2] == ["1", "2", "3"]
    assert "Subject: m1" in run("curl", *login, f"{url}2")
    assert "\n.dot" in run("curl", *login, f"{url}2").replace("\r", "")
    assert len(run("curl", *login, "-X", "UIDL", url).split()) == 6
    for mechanism in ("PLAIN", "LOGIN"):
        assert "Subject: m0" in run("curl", *login, "--login-options", f"AUTH={mechanism}", f"{url}1")
    assert "Subject: m0" in run("curl", *login, "--sasl-ir", f"{url}1")
    run("curl", *login, "-X", "DELE", "-l", f"{url}1")
    assert len(run("curl", *login, url).split()) == 4


@pytest.mark.peer("fetchmail")
def test_fetchmail_keeps_mail_and_takes_only_what_is_new(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    taken, config = tmp_path / "taken", tmp_path / "fetchmailrc"
    config.write_text(
        f"poll 127.0.0.1 protocol POP3 port {server.ports['pop3']} uidl\n"
        f'  user "{user}" password "{PASSWORD}" no sslcertck sslproto "TLS1.2+" keep\n  mda "cat >> {taken}"\n'
    )
    config.chmod(0o600)
    command = ["fetchmail", "-f", str(config), "--pidfile", str(tmp_path / "pid"), "--nosyslog"]
    command += ["--idfile", str(tmp_path / "ids")]
    fill(server, user, 2)
    run(*command)
    send(server, user, letter("new", to=user))
    run(*command)
    text = taken.read_text()
    assert [text.count(f"Subject: {name}") for name in ("m0", "m1", "new")] == [1, 1, 1]
    with pop3(server, user) as client:
        assert client.stat()[0] == 3


@pytest.mark.peer("getmail")
def test_getmail_takes_and_deletes(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    fill(server, user, 2)
    taken = tmp_path / "taken"
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {server.ports['pop3s']}\n"
        f"username = {user}\npassword = {PASSWORD}\n[destination]\ntype = MDA_external\npath = {shutil.which('tee')}\n"
        f'arguments = ("-a", "{taken}")\nallow_root_commands = true\n[options]\nread_all = true\ndelete = true\n'
    )
    run("getmail", "--getmaildir", str(tmp_path), "--rcfile", "getmailrc")
    assert taken.read_text().count("Subject: m") == 2
    with pop3(server, user) as client:
        assert client.stat() == (0, 0)


def test_poplib_pipelines_top_and_uidl_over_two_sessions(server: Running, users: Users) -> None:
    user = users()
    fill(server, user, 3)
    with pop3(server, user) as client:
        first = client.uidl()[1]
        assert client.capa()["EXPIRE"] == ["NEVER"] and client.utf8 is not None
        assert client.top(2, 1)[1][-1] == b".dot"
        client.dele(1)
    with pop3(server, user) as client:
        assert [line.split()[1] for line in client.uidl()[1]] == [line.split()[1] for line in first[1:]]
