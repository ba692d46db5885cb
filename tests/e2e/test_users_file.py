"""A server with thousands of users: what `user set` acknowledged is in force, survives kill -9, and is in users.cfg."""

import contextlib
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from tests.e2e.test_survival import children, kill_tree
from tests.support.mail import eventually, letter, send, subjects
from tests.support.server import Running, command

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
USERS = 8000
"""So many that users.cfg is written behind its journal."""


def full_name(users: Path, name: str) -> str:
    root = etree.fromstring(users.read_bytes())
    (found,) = (user for user in root.iter("user") if user.get("name") == name)
    return str(found.findtext("full-name"))


def test_changes_of_a_large_file_survive_kill_9_and_reach_it(own_server: Maker) -> None:
    with own_server(users=USERS) as server:
        users = server.directory / "users.cfg"
        changes = server.directory / "users.cfg.changes"
        assert users.stat().st_size > 1 << 20
        command(server.directory, "user", "set", "user1@example.test", "--full-name", "Changed One")
        command(server.directory, "alias", "add", "late@example.test", "user1@example.test")
        send(server, "late@example.test", letter("by-alias"))
        assert subjects(server, "user1@example.test") == ["by-alias"]
        for _ in eventually(20):
            if changes.read_bytes() == b"":
                break
        else:
            pytest.fail("users.cfg was not written")
        assert full_name(users, "user1") == "Changed One"
        (zygote,) = children(server.pid)
        command(server.directory, "user", "set", "user2@example.test", "--full-name", "Changed Two")
        kill_tree(server.pid, zygote, *children(zygote))
    assert "Changed Two" in command(server.directory, "user", "show", "user2@example.test")
    assert full_name(users, "user2") == "Changed Two"
    assert not changes.exists()
    with own_server() as server:
        command(server.directory, "user", "set", "user3@example.test", "--full-name", "Changed Three")
    # Ended as it was told to: the file has all.
    assert full_name(users, "user3") == "Changed Three"
    assert not changes.exists()
    assert not list((server.directory / "history").glob("users.cfg.changes.*"))


def test_undo_takes_back_the_last_change_however_fresh(own_server: Maker) -> None:
    with own_server(users=USERS) as server:
        for name in ("One", "Two"):
            command(server.directory, "user", "set", "user1@example.test", "--full-name", name)
            command(server.directory, "config", "history")
        command(server.directory, "config", "undo", "--file", "users.cfg", "--yes")
        assert full_name(server.directory / "users.cfg", "user1") == "One"


def reply_to_rcpt(server: Running, name: str) -> int:
    """What a stranger's recipient is answered."""
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as smtp:
        smtp.ehlo("else.test")
        smtp.mail("sender@else.test")
        return smtp.rcpt(f"{name}@example.test")[0]


def test_an_emptied_file_makes_nobody_unknown_until_somebody_says_so(own_server: Maker) -> None:
    with own_server(users=2) as server:
        users = server.directory / "users.cfg"
        good = users.read_bytes()
        users.write_text('<users version="1.0">\n</users>\n')
        with pytest.raises(RuntimeError, match="forget all users"):
            command(server.directory, "config", "reload")
        assert reply_to_rcpt(server, "user1") == 250
        assert "no domain any more" in command(server.directory, "status")
        with pytest.raises(RuntimeError, match="no domain any more"):
            command(server.directory, "config", "check")
    with own_server() as server:
        assert reply_to_rcpt(server, "user1") == 451
        assert reply_to_rcpt(server, "nobody") == 451
        assert "nobody can sign in" in command(server.directory, "status")
        assert "users.cfg not taken into use" in command(server.directory, "log", "tail", "error")
        command(server.directory, "config", "keep")
        assert reply_to_rcpt(server, "user1") == 250
        assert etree.canonicalize(users.read_text()) == etree.canonicalize(good.decode())
        users.write_text('<users version="1.0">\n</users>\n')
        command(server.directory, "config", "reload", "--confirm", "forget all users")
        assert reply_to_rcpt(server, "user1") == 550
