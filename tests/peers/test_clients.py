"""Programs that nobody here wrote send, fetch, push and synchronise mail."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.mail import imap, letter, send, subjects
from tests.support.server import PASSWORD, Running
from tests.support.servers import Users


def run(*command: str, given: str | None = None, cwd: Path | None = None) -> str:
    """The output of a program; its failure fails the test."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def swaks(server: Running, service: str, user: str, *more: str) -> str:
    command = ["swaks", "--server", f"127.0.0.1:{server.ports[service]}", "--to", user, "--from", "sender@else.test"]
    return run(*command, "--header", f"Subject: swaks-{service}", *more)


@pytest.mark.peer("swaks")
@pytest.mark.parametrize(
    ("service", "options"),
    [
        ("smtp", []),
        ("smtp", ["--tls"]),
        ("submission", ["--tls", "--auth", "PLAIN"]),
        ("submission", ["--tls", "--auth", "LOGIN"]),
        ("submissions", ["--tls-on-connect", "--auth", "PLAIN"]),
        ("lmtp", ["--protocol", "LMTP"]),
    ],
)
def test_swaks_sends(server: Running, users: Users, service: str, options: list[str]) -> None:
    user = users()
    sign_in = ["--auth-user", user, "--auth-password", PASSWORD] if "--auth" in options else []
    assert "250 2." in swaks(server, service, user, *options, *sign_in)
    assert subjects(server, user) == [f"swaks-{service}"]


@pytest.mark.peer("swaks")
def test_swaks_is_refused_where_it_must_be(server: Running) -> None:
    command = ["swaks", "--server", f"127.0.0.1:{server.ports['smtp']}", "--from", "a@else.test"]
    relayed = subprocess.run([*command, "--to", "x@elsewhere.test"], capture_output=True, text=True, check=False)
    assert relayed.returncode and "550 5.7.1" in relayed.stdout
    unknown = subprocess.run([*command, "--to", "nobody@example.test"], capture_output=True, text=True, check=False)
    assert unknown.returncode and "550 5.1.1" in unknown.stdout
    bad = [*command, "--to", "user1@example.test", "--tls", "--auth", "PLAIN", "--auth-user", "user1@example.test"]
    wrong = subprocess.run([*bad, "--auth-password", "wrong"], capture_output=True, text=True, check=False)
    assert wrong.returncode and "535 5.7.8" in wrong.stdout


@pytest.mark.peer("curl")
def test_curl_sends_and_reads(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    mail = tmp_path / "mail.eml"
    mail.write_bytes(letter("curl", sender=user, to=user, body="x" * 100_000))
    login = ["-k", "-s", "-S", "--user", f"{user}:{PASSWORD}"]
    upload = ["--mail-from", user, "--mail-rcpt", user, "--upload-file", str(mail)]
    run("curl", *login, "--ssl-reqd", *upload, f"smtp://127.0.0.1:{server.ports['submission']}")
    run("curl", *login, *upload, f"smtps://127.0.0.1:{server.ports['submissions']}")
    for scheme, service, more in (("imap", "imap", ["--ssl-reqd"]), ("imaps", "imaps", [])):
        text = run("curl", *login, *more, f"{scheme}://127.0.0.1:{server.ports[service]}/INBOX;UID=1")
        assert "Subject: curl" in text and "x" * 100_000 in text
    assert "* SEARCH 1 2" in run("curl", *login, f"imaps://127.0.0.1:{server.ports['imaps']}/INBOX?SUBJECT%20curl")
    for scheme, service, more in (("pop3", "pop3", ["--ssl-reqd"]), ("pop3s", "pop3s", [])):
        text = run("curl", *login, *more, f"{scheme}://127.0.0.1:{server.ports[service]}/1")
        assert "Subject: curl" in text
    run("curl", *login, "-T", str(mail), f"imaps://127.0.0.1:{server.ports['imaps']}/INBOX")
    assert subjects(server, user) == ["curl"] * 3


MBSYNC = """\
IMAPAccount whimbrel
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {certificate}

IMAPStore far
Account whimbrel

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
"""


@pytest.mark.peer("mbsync")
def test_mbsync_synchronises_both_ways(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    for number in range(20):
        send(server, user, letter(f"m{number}", to=user))
    # The certificate is for the server's name; mbsync is told to trust it as it is.
    certificate = server.directory / "tls" / "self-signed.pem"
    config = tmp_path / "mbsyncrc"
    folder = tmp_path / "near"
    folder.mkdir()
    config.write_text(
        MBSYNC.format(
            port=server.ports["imaps"], user=user, password=PASSWORD, certificate=certificate, folder=folder
        ).replace("Host 127.0.0.1", "Host localhost")
    )
    run("mbsync", "-c", str(config), "-a")
    near = sorted((folder / "INBOX" / "new").glob("*"))
    assert len(near) == 20
    # Here: one is read, one is deleted, one is new, in a folder that is new too.
    seen, gone = near[0], near[1]
    shutil.move(seen, folder / "INBOX" / "cur" / f"{seen.name.partition(':')[0]}:2,S")
    shutil.move(gone, folder / "INBOX" / "cur" / f"{gone.name.partition(':')[0]}:2,T")
    for name in ("cur", "new", "tmp"):
        (folder / "Notes" / name).mkdir(parents=True)
    (folder / "Notes" / "new" / "1.here").write_bytes(letter("note"))
    # There: one is flagged.
    with imap(server, user) as client:
        client.store("20", "+FLAGS", r"(\Flagged)")
    run("mbsync", "-c", str(config), "-a")
    assert len(subjects(server, user)) == 19 and subjects(server, user, "Notes") == ["note"]
    with imap(server, user) as client:
        _, found = client.search(None, "SEEN")
        assert len(found[0].split()) == 1
    assert any("F" in path.name.rpartition(",")[2] for path in (folder / "INBOX" / "cur").iterdir())
    run("mbsync", "-c", str(config), "-a")
    assert len(subjects(server, user)) == 19


@pytest.mark.peer("fetchmail")
def test_fetchmail_takes_mail_by_pop3_and_leaves_nothing(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    for number in range(3):
        send(server, user, letter(f"m{number}", to=user))
    taken = tmp_path / "taken"
    config = tmp_path / "fetchmailrc"
    config.write_text(
        f"poll 127.0.0.1 protocol POP3 port {server.ports['pop3s']}\n"
        f'  user "{user}" password "{PASSWORD}" ssl no sslcertck\n  mda "cat >> {taken}"\n'
    )
    config.chmod(0o600)
    run(
        "fetchmail",
        "-f",
        str(config),
        "--pidfile",
        str(tmp_path / "pid"),
        "--nosyslog",
        "--idfile",
        str(tmp_path / "ids"),
    )
    assert taken.read_text().count("Subject: m") == 3
    assert subjects(server, user) == []


@pytest.mark.peer("getmail")
def test_getmail_takes_mail_by_imap(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    send(server, user, letter("got", to=user))
    taken = tmp_path / "taken"
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = 127.0.0.1\nport = {server.ports['imaps']}\n"
        f"username = {user}\npassword = {PASSWORD}\n[destination]\ntype = MDA_external\npath = {shutil.which('tee')}\n"
        f'arguments = ("-a", "{taken}")\nallow_root_commands = true\n[options]\nread_all = true\ndelete = true\n'
    )
    run("getmail", "--getmaildir", str(tmp_path), "--rcfile", "getmailrc")
    assert taken.read_text().count("Subject: got") == 1
    assert subjects(server, user) == []
