"""The logs of a whole server: searched, traced, put aside while it writes; and a disk that fills up."""

import contextlib
import imaplib
import json
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.mail import eventually, letter, submit
from tests.support.server import PASSWORD, Running, command

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def test_a_message_is_traced_by_all_that_is_known_of_it(own_server: Maker) -> None:
    with own_server() as server:
        submit(server, "user1@example.test", ["user2@example.test"], letter("to be traced"))
        text = ""
        for _ in eventually(20):
            text = command(server.directory, "log", "search", "Sent", "--address", "user2@example.test")
            if "Result: delivered" in text:
                break
        queue_id = text.split("Queue-ID: ")[1][:17]
        for words in ([queue_id], ["--from", "user1@example.test"], ["--to", "user2@example.test", "--since", "1h"]):
            story = command(server.directory, "trace", *words)
            assert f"{queue_id}  Recv: Service: SUBMISSION, From: <user1@example.test>" in story
            assert f"{queue_id}  Sent: Recipient: <user2@example.test>, " in story
        steps = [json.loads(line) for line in command(server.directory, "trace", queue_id, "--json").splitlines()]
        assert [step["event"] for step in steps][:2] == ["Recv", "Sent"]
        with pytest.raises(RuntimeError, match="Nothing is known of a message '438dd9ea-0000ffff'"):
            command(server.directory, "trace", "438dd9ea-0000ffff")
        assert "Log mail was put aside" in command(server.directory, "log", "rotate", "mail")
        submit(server, "user1@example.test", ["user2@example.test"], letter("after rotation"))
        for _ in eventually(20):
            if command(server.directory, "log", "search", "Recv", "--id", queue_id).count("\n") == 1 and (
                command(server.directory, "log", "tail").count("Result: delivered") == 2
            ):
                break
        else:
            pytest.fail("a log that was put aside is not read, or a worker writes into it")
        assert (server.directory / "store" / "logs" / "mail.log.1").exists()
    # Without a server the same commands read the same files.
    assert queue_id in command(server.directory, "trace", queue_id)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.root
def test_no_mail_is_taken_in_while_the_disk_is_full_and_all_is_well_afterwards(
    own_server: Maker, small_disk: Path
) -> None:
    settings = {
        "store/directory": str(small_disk / "store"), "space/soft-limit": "40M", "space/hard-limit": "20M",
        "space/check-interval": "100ms",
    }  # fmt: skip
    with own_server(settings) as server:
        submit(server, "user1@example.test", ["user2@example.test"], letter("there is room"))
        filler = small_disk / "filler"
        free = int(subprocess.run(["df", "--output=avail", "-k", str(small_disk)], capture_output=True, text=True,
                                  check=True).stdout.split()[1])  # fmt: skip
        filler.write_bytes(bytes((free - 10 * 1024) * 1024))
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            client.ehlo()
            for _ in eventually(20):
                code, answer = client.mail("a@else.test")
                if code == 452:
                    break
                client.rset()
            assert (code, answer.partition(b" ")[0]) == (452, b"4.3.1")
            imap = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
            imap.login("user2@example.test", PASSWORD)
            kind, text = imap.append("INBOX", "", "", letter("appended"))  # type: ignore[arg-type]
            assert kind == "NO" and b"[UNAVAILABLE]" in text[0]
            imap.select("INBOX")
            assert imap.copy("1", "INBOX")[0] == "NO"
            assert imap.fetch("1", "(FLAGS)")[0] == "OK"  # Reading goes on.
            assert "full" in command(server.directory, "status")
            filler.unlink()
            for _ in eventually(20):
                if client.mail("a@else.test")[0] == 250:
                    break
            assert client.rcpt("user2@example.test")[0] == 250 and client.data(letter("again"))[0] == 250
            assert imap.append("INBOX", "", "", letter("appended"))[0] == "OK"  # type: ignore[arg-type]
            imap.logout()
        told = ""
        for _ in eventually(10):
            told = command(server.directory, "log", "tail", "error", "operations", "--lines", "100")
            if "Disk space enough" in told:
                break
        assert "error: " in told and "Disk full: Folder: " in told and "Disk space enough: " in told
