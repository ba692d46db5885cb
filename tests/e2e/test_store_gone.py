"""The file system of the store goes from a running server and comes back: nothing is made in its place, nobody is shown
an empty mailbox, and everything goes on by itself."""

import contextlib
import imaplib
import os
import poplib
import smtplib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mail import eventually, letter, send, subjects
from tests.support.server import PASSWORD, Running, command

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ANN, BOB = "user1@example.test", "user2@example.test"


def imap(server: Running, user: str = ANN) -> imaplib.IMAP4:
    session = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
    session.login(user, PASSWORD)
    return session


def validity(session: imaplib.IMAP4) -> tuple[str, object]:
    word, _ = session.select("INBOX")
    return word, session.response("UIDVALIDITY")[1]


def answer_of_pop(server: Running) -> str:
    session = poplib.POP3("127.0.0.1", server.ports["pop3"])
    with contextlib.closing(session.sock):
        session.user(BOB)
        try:
            return session.pass_(PASSWORD).decode()
        except poplib.error_proto as error:
            return str(error)


def answer_of_smtp(server: Running, name: str) -> int:
    """The reply that refuses a message, or takes it."""
    try:
        send(server, name, letter("while it is gone", to=name))
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    return 250


def everything(folder: Path) -> list[str]:
    return [str(Path(at) / name) for at, folders, files in os.walk(folder) for name in (*folders, *files)]


@pytest.mark.parametrize("place", ["an empty directory", "nothing"])
def test_while_the_store_is_gone_nothing_is_made_and_then_all_is_as_before(own_server: Maker, place: str) -> None:
    with own_server() as server:
        send(server, ANN, letter("before", to=ANN))
        assert subjects(server, ANN) == ["before"]
        old = imap(server)
        before = validity(old)
        store, away = server.directory / "store", server.directory / "away"
        store.rename(away)
        if place == "an empty directory":
            store.mkdir(mode=0o700)
        for user in (ANN, BOB):  # One whose mailbox the workers have in hand, and one that they have not.
            for _ in range(2):
                fresh = imap(server, user)
                word, words = fresh.select("INBOX")
                assert (word, b"UNAVAILABLE" in words[0]) == ("NO", True), words
                word, words = fresh.list()
                assert (word, b"UNAVAILABLE" in words[0]) == ("NO", True), words
                word, words = fresh.status("INBOX", "(MESSAGES UIDVALIDITY)")
                assert (word, b"UNAVAILABLE" in words[0]) == ("NO", True), words
                word, words = fresh.append("INBOX", "", "", b"Subject: x\r\n\r\nx\r\n")
                assert (word, b"UNAVAILABLE" in words[0]) == ("NO", True), words
                fresh.shutdown()
            assert answer_of_smtp(server, user) in (450, 451, 452)
        assert "SYS/TEMP" in answer_of_pop(server)
        for _ in eventually(20):
            with contextlib.suppress(RuntimeError):
                command(server.directory, "doctor")
                continue
            break
        else:
            pytest.fail("doctor finds nothing wrong")
        status = command(server.directory, "status")
        assert "the queue cannot be read" in status and "is its file system mounted?" in status
        time.sleep(2.5)  # State is written, and boards are sampled.
        assert (everything(store) == []) if place == "an empty directory" else not store.exists()
        if place == "an empty directory":
            store.rmdir()
        away.rename(store)
        for _ in eventually(20):
            with contextlib.suppress(smtplib.SMTPException):
                send(server, ANN, letter("after", to=ANN))
                break
        assert validity(old) == before and validity(imap(server)) == before
        assert subjects(server, ANN) == ["before", "after"]
        errors = (store / "logs" / "error.log").read_text()
        assert "Store gone" in errors and "Traceback" not in errors, errors


def test_a_server_that_ends_while_its_store_is_gone_leaves_nothing_in_its_place(own_server: Maker) -> None:
    with own_server() as server:
        send(server, ANN, letter("before", to=ANN))
        store, away = server.directory / "store", server.directory / "away"
        store.rename(away)
        store.mkdir(mode=0o700)
    assert everything(store) == []
