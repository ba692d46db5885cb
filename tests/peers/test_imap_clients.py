"""Clients that keep a copy of all mail: what is done on one side arrives at the other, and nothing twice."""

import email
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.test_clients import MBSYNC, run
from tests.support.mail import imap, letter, send, subjects
from tests.support.server import PASSWORD, Running
from tests.support.servers import Users


def maildir(folder: Path) -> dict[str, tuple[Path, str]]:
    """Message-ID -> file and its flags."""
    found = {}
    for part in ("new", "cur"):
        for path in (folder / part).glob("*"):
            message = email.message_from_bytes(path.read_bytes())
            found[str(message["Message-ID"])] = (path, path.name.rpartition(":2,")[2] if ":2," in path.name else "")
    return found


def there(server: Running, user: str, mailbox: str = "INBOX") -> dict[str, set[str]]:
    """Message-ID -> flags, as the server has them."""
    found = {}
    with imap(server, user) as client:
        client.select(mailbox, readonly=True)
        _, rows = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        for row in rows:
            if isinstance(row, tuple):
                message_id = str(email.message_from_bytes(row[1])["Message-ID"])
                flags = row[0].partition(b"FLAGS (")[2].partition(b")")[0].decode()
                found[message_id] = set(flags.split()) - {r"\Recent"}
    return found


def fill(server: Running, user: str, count: int, mailbox: str = "INBOX") -> None:
    with imap(server, user) as client:
        if mailbox != "INBOX":
            client.create(mailbox)
        for number in range(count):
            text = letter(f"number-{number}", to=user)
            client.append(mailbox, None, None, text)  # type: ignore[arg-type]


def set_flags(path: Path, flags: str) -> None:
    cur = path.parent.parent / "cur"
    path.rename(cur / f"{path.name.partition(':')[0]}:2,{flags}")


@pytest.mark.peer("mbsync")
def test_mbsync_keeps_500_messages_alike_on_both_sides(server: Running, users: Users, tmp_path: Path) -> None:
    user, near = users(), tmp_path / "near"
    fill(server, user, 500)
    near.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        MBSYNC.format(
            port=server.ports["imaps"],
            user=user,
            password=PASSWORD,
            certificate=server.directory / "tls" / "self-signed.pem",
            folder=near,
        ).replace("Host 127.0.0.1", "Host localhost")
    )
    run("mbsync", "-c", str(config), "-a")
    here = maildir(near / "INBOX")
    assert len(here) == 500
    ids = sorted(here)
    for message_id in ids[:100]:
        set_flags(here[message_id][0], "FS")
    for message_id in ids[100:150]:
        set_flags(here[message_id][0], "T")
    with imap(server, user) as client:
        client.select("INBOX")
        for message_id in ids[150:200]:
            _, found = client.search(None, "HEADER", "Message-ID", f'"{message_id}"')
            client.store(found[0].decode(), "+FLAGS", r"(\Deleted)")
        client.expunge()
        for message_id in ids[200:230]:
            _, found = client.search(None, "HEADER", "Message-ID", f'"{message_id}"')
            client.store(found[0].decode(), "+FLAGS", r"(\Answered)")
    run("mbsync", "-c", str(config), "-a")
    run("mbsync", "-c", str(config), "-a")
    here, far = maildir(near / "INBOX"), there(server, user)
    assert set(here) == set(far) and len(far) == 400
    for message_id, (_, flags) in here.items():
        names = {"F": r"\Flagged", "S": r"\Seen", "R": r"\Answered"}
        assert {names[flag] for flag in flags} == far[message_id]
    assert sum(r"\Flagged" in flags for flags in far.values()) == 100
    assert sum(r"\Answered" in flags for flags in far.values()) == 30


OFFLINEIMAP = """\
[general]
accounts = one
metadata = {folder}/meta
ui = basic
[Account one]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {folder}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {certificate}
"""


@pytest.mark.peer("offlineimap")
def test_offlineimap_synchronises_both_ways(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    fill(server, user, 40)
    fill(server, user, 5, "Projects/Gr&APYA3w-e")
    config = tmp_path / "offlineimaprc"
    config.write_text(
        OFFLINEIMAP.format(
            folder=tmp_path,
            port=server.ports["imaps"],
            user=user,
            password=PASSWORD,
            certificate=server.directory / "tls" / "self-signed.pem",
        )
    )
    command = ("offlineimap", "-c", str(config), "-o")
    run(*command)
    inbox = tmp_path / "mail" / "INBOX"
    here = maildir(inbox)
    assert len(here) == 40
    assert sum(len(maildir(folder)) for folder in (tmp_path / "mail").iterdir() if "Projects" in folder.name) == 5
    ids = sorted(here)
    for message_id in ids[:10]:
        set_flags(here[message_id][0], "S")
    for message_id in ids[10:15]:
        here[message_id][0].unlink()
    with imap(server, user) as client:
        client.select("INBOX")
        client.store("38:40", "+FLAGS", r"(\Flagged)")
    run(*command)
    run(*command)
    here, far = maildir(inbox), there(server, user)
    assert set(here) == set(far) and len(far) == 35
    assert sum(r"\Seen" in flags for flags in far.values()) == 10
    assert sum("F" in flags for _, flags in here.values()) == 3


@pytest.mark.peer("neomutt")
def test_neomutt_reads_flags_and_moves(server: Running, users: Users, tmp_path: Path) -> None:
    user = users()
    for number in range(3):
        send(server, user, letter(f"mutt {number}", to=user))
    with imap(server, user) as client:
        client.create("Kept")
    url = f"imaps://127.0.0.1:{server.ports['imaps']}/"
    config = tmp_path / "muttrc"
    config.write_text(
        f'set imap_user="{user}"\nset imap_pass="{PASSWORD}"\nset folder="{url}"\nset spoolfile="{url}INBOX"\n'
        "set ssl_verify_host=no\nset ssl_verify_dates=no\nset confirmappend=no\nset delete=yes\nset quit=yes\n"
        f"set certificate_file={server.directory / 'tls' / 'self-signed.pem'}\nset mark_old=no\nset sleep_time=0\n"
        "set header_cache=\nset use_ipv6=no\n"
        # The first is flagged, the second goes to another folder, then the mailbox is synchronised and left.
        "push '<first-entry><flag-message><next-entry><save-message>=Kept<enter><sync-mailbox><quit>'\n"
    )
    program = shutil.which("neomutt")
    assert program is not None
    command = ["script", "-qec", f"{program} -n -F {config}", "/dev/null"]
    done = subprocess.run(
        command, env={"TERM": "vt100", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert len(subjects(server, user)) == 2
    assert len(subjects(server, user, "Kept")) == 1
    with imap(server, user) as client:
        client.select("INBOX")
        _, found = client.search(None, "FLAGGED")
        assert len(found[0].split()) == 1
