"""Users come, go, come back and get other names, on the whole server by its command line."""

import contextlib
import imaplib
import json
import smtplib
from collections.abc import Callable

import pytest

from tests.support.console import ConsoleClient
from tests.support.mail import eventually, letter, send, subjects
from tests.support.server import PASSWORD, Running, command

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ONE, TWO = "user1@example.test", "anna@example.test"


def test_a_removed_user_comes_back_with_the_mail_and_a_new_one_sees_nothing_of_it(own_server: Maker) -> None:
    with own_server(users=2) as server:
        send(server, ONE, letter("kept"))
        assert subjects(server, ONE) == ["kept"]
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as session:
            session.login(ONE, PASSWORD)
            command(server.directory, "user", "remove", ONE, "--yes")
            with pytest.raises((imaplib.IMAP4.error, OSError)):
                for _ in eventually(20):
                    status, _ = session.select("INBOX")
                    assert status == "OK"
        (removed,) = json.loads(command(server.directory, "user", "removed-list", "--json"))["items"]
        assert (removed["address"], removed["messages"]) == (ONE, 1)
        assert "(removed user)" in command(server.directory, "store", "size", "--all")
        password = server.directory / "password"
        password.write_text(PASSWORD)
        command(server.directory, "user", "add", ONE, "--password-file", str(password))
        assert subjects(server, ONE) == []
        command(server.directory, "user", "removed-restore", ONE, "--to", TWO, "--yes")
        assert subjects(server, TWO) == ["kept"]
        assert subjects(server, ONE) == []


def test_a_renamed_user_has_the_mail_and_the_former_address(own_server: Maker) -> None:
    with own_server(users=2) as server:
        send(server, ONE, letter("before"))
        assert subjects(server, ONE) == ["before"]
        command(server.directory, "user", "rename", ONE, "anna", "--keep-alias", "--yes")
        send(server, ONE, letter("after"))
        assert sorted(subjects(server, TWO)) == ["after", "before"]
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as session, pytest.raises(imaplib.IMAP4.error):
            session.login(ONE, PASSWORD)
    # And without a server.
    with own_server() as server:
        assert sorted(subjects(server, TWO)) == ["after", "before"]
    command(server.directory, "user", "rename", TWO, "user1", "--yes")
    command(server.directory, "alias", "check", "postmaster@example.test")
    with own_server() as server:
        assert sorted(subjects(server, ONE)) == ["after", "before"]
        assert "postmaster, an address that nobody has" in command(
            server.directory, "alias", "check", "postmaster@example.test"
        )


def test_who_leaves_is_out_at_once_and_one_undo_brings_all_of_it_back(own_server: Maker) -> None:
    with own_server(users=2) as server:
        other = "user2@example.test"
        send(server, ONE, letter("before"))
        assert subjects(server, ONE) == ["before"]
        command(server.directory, "group", "add", "staff@example.test", "--member", ONE)
        users = (server.directory / "users.cfg").read_text()
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as session:
            session.login(ONE, PASSWORD)
            command(
                server.directory, "user", "leave", ONE, "--forward-to", other, "--give-to", other, "--instead", other,
                "--delete-on", "2099-01-31", "--yes",
            )  # fmt: skip
            with pytest.raises((imaplib.IMAP4.error, OSError)):
                for _ in eventually(20):
                    status, _ = session.select("INBOX")
                    assert status == "OK"
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as session, pytest.raises(imaplib.IMAP4.error):
            session.login(ONE, PASSWORD)
        send(server, ONE, letter("after"))
        assert subjects(server, other) == ["after"]
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as session:
            session.login(other, PASSWORD)
            assert session.select(f'"{ONE}/INBOX"')[1] == [b"1"]
        change = json.loads(command(server.directory, "change", "list", "--json"))["items"][0]["id"]
        command(server.directory, "change", "undo", change, "--yes")
        assert (server.directory / "users.cfg").read_text() == users
        assert subjects(server, ONE) == ["before"]


def test_mail_to_who_left_is_refused_with_the_text(own_server: Maker) -> None:
    with own_server(users=2) as server:
        text = "Anna has left, please write to bob@example.org"
        command(server.directory, "user", "leave", ONE, "--refuse", text, "--yes")
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            client.ehlo("client.test")
            client.mail("someone@remote.test")
            assert client.rcpt(ONE) == (550, f"5.1.6 {text}".encode())
        command(server.directory, "user", "enable", ONE)
        send(server, ONE, letter("again"))
        assert subjects(server, ONE) == ["again"]


def test_a_template_is_copied_to_new_users_by_command_table_and_api(own_server: Maker) -> None:
    with own_server(users=2) as server:
        path = server.directory / "users.cfg"
        command(server.directory, "group", "add", "staff@example.test", "--member", ONE)
        command(server.directory, "template", "add", "clerk", "--quota", "2G", "--group", "staff")
        # By hand: a remark inside, which survives what the server writes.
        path.write_text(path.read_text().replace("<quota>2G</quota>", "<quota>2G</quota> <!-- by contract -->"))
        command(server.directory, "config", "reload")
        said = command(server.directory, "user", "add", TWO, "--template", "clerk")
        assert "from the template clerk@example.test" in said
        table = server.directory / "users.csv"
        table.write_text("address,template\nuwe@example.test,clerk\n")
        command(server.directory, "user", "import", str(table))
        console = ConsoleClient(server.directory)
        assert console.sign_in("admin@example.test", PASSWORD) == 200
        status, lines = console.ask("POST", "/api/admin/user/add", {"name": "ute@example.test", "template": "clerk"})
        assert status == 200, lines
        for user in (TWO, "uwe@example.test", "ute@example.test"):
            assert json.loads(command(server.directory, "user", "show", user, "--json"))["quota"] == 2 << 30
        group = json.loads(command(server.directory, "group", "show", "staff", "--json"))
        assert group["members"] == [ONE, TWO, "uwe@example.test", "ute@example.test"]
        command(server.directory, "template", "set", "clerk", "--quota", "3G")
        assert "<quota>3G</quota> <!-- by contract -->" in path.read_text()
        assert json.loads(command(server.directory, "user", "show", TWO, "--json"))["quota"] == 2 << 30
        change = json.loads(command(server.directory, "change", "list", "--json"))["items"][0]["id"]
        command(server.directory, "change", "undo", change, "--yes")
        assert "<quota>2G</quota> <!-- by contract -->" in path.read_text()
