"""Quota and POP3 over the whole server: several processes, one answer."""

import contextlib
import json
import poplib
import re
import smtplib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.mail import imap, letter, send, subjects
from tests.support.server import PASSWORD, Running, command

Server = Callable[..., contextlib.AbstractContextManager[Running]]
USER = "user1@example.test"


def dial(server: Running, user: str) -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=20)
    client.user(user)
    client.pass_(PASSWORD)
    return client


def mailbox(server: Running, user: str) -> bytes:
    """All that is in it."""
    client = dial(server, user)
    found = [b"\n".join(client.retr(number)[1]) for number in range(1, client.stat()[0] + 1)]
    client.quit()
    return b"\n".join(found)


def until(holds: Callable[[], bool]) -> None:
    """Waits for what happens in another process."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def refused(server: Running, user: str) -> bool:
    try:
        send(server, user, letter("more", to=user, body=("x" * 60 + "\r\n") * 10))
    except smtplib.SMTPRecipientsRefused as error:
        ((code, text),) = error.recipients.values()
        assert code == 452 and text.startswith(b"4.2.2")
        return True
    except smtplib.SMTPDataError as error:  # It would have fitted but for the fields that we put in front.
        assert error.smtp_code == 452 and error.smtp_error.startswith(b"4.2.2")
        return True
    return False


def test_a_user_is_warned_then_refused_and_has_room_again_after_deleting(own_server: Server) -> None:
    with own_server() as server:
        command(server.directory, "user", "set", USER, "--quota", "20K")
        until(lambda: refused(server, USER))
        until(lambda: b"Subject: Your mailbox is" in mailbox(server, USER))
        shown = json.loads(command(server.directory, "user", "quota", USER, "--json"))
        assert shown["quota"] == 20 << 10 and 80 <= shown["percent"] <= 110
        client = dial(server, USER)
        for number in range(1, client.stat()[0] + 1):
            client.dele(number)
        client.quit()
        assert not refused(server, USER)


def test_a_domains_quota_holds_for_all_its_users(own_server: Server) -> None:
    with own_server() as server:
        command(server.directory, "domain", "set", "example.test", "--quota", "30K")
        until(lambda: refused(server, USER))
        until(lambda: refused(server, "user2@example.test"))
        shown = json.loads(command(server.directory, "user", "quota", "user2@example.test", "--json"))
        assert shown["domain_counted"] and shown["domain_quota"] == 30 << 10


def fill(server: Running, number: int, taken: list[str], refusals: list[int]) -> None:
    """Sends until it is refused often enough; the subjects that were acknowledged."""
    for turn in range(25):
        subject = f"d{number}.{turn}"
        try:
            send(server, USER, letter(subject, to=USER, body=("x" * 60 + "\r\n") * (7 * turn % 40)))
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError):
            refusals.append(number)
        else:
            taken.append(subject)


def append_and_copy(server: Running, taken: list[str], copied: list[int], refusals: list[int]) -> None:
    with imap(server, USER) as client:
        for turn in range(25):
            subject = f"a.{turn}"
            answer, said = client.append("INBOX", "", "", letter(subject, to=USER, body=("x" * 60 + "\r\n") * 9))
            if answer == "OK":
                taken.append(subject)
            else:
                assert b"OVERQUOTA" in said[0]
                refusals.append(-1)
            client.noop()
            answer, said = client.copy("1:2", "Archive")
            if answer == "OK":
                copied.append(2)
            else:
                assert b"OVERQUOTA" in said[0]
                refusals.append(-2)


def test_eight_senders_an_append_and_a_copy_at_once_never_go_over_the_quota(own_server: Server) -> None:
    quota, taken, copied, refusals = 90_000, list[str](), list[int](), list[int]()
    with own_server({"server/mail-workers": "2"}) as server:
        for subject in ("first", "second"):
            send(server, USER, letter(subject, to=USER))
        with imap(server, USER) as client:  # The first sign-in makes the folder that is copied into.
            assert client.status("Archive", "(MESSAGES)")[0] == "OK"
        command(server.directory, "user", "set", USER, "--quota", str(quota))
        command(server.directory, "config", "set", "quota/warn-at", "0")
        with ThreadPoolExecutor(9) as threads:
            work = [threads.submit(fill, server, number, taken, refusals) for number in range(8)]
            work.append(threads.submit(append_and_copy, server, taken, copied, refusals))
            for one in work:
                one.result()
        with imap(server, USER) as client:
            sizes = [
                int(match[1])
                for folder in ("INBOX", "Archive")
                if client.select(folder)[0] == "OK"
                for line in client.uid("FETCH", "1:*", "(RFC822.SIZE)")[1]
                if isinstance(line, bytes) and (match := re.search(rb"RFC822.SIZE (\d+)", line))
            ]
        assert sum(sizes) <= quota and refusals
        assert sorted(subjects(server, USER)) == sorted([*taken, "first", "second"])
        assert len(subjects(server, USER, "Archive")) == sum(copied)


def test_a_maildrop_is_one_sessions_at_a_time_whatever_process_serves_it(own_server: Server) -> None:
    with own_server({"server/mail-workers": "2"}) as server:
        send(server, USER, letter("one", to=USER))

        first = dial(server, USER)
        assert first.stat()[0] == 1
        # With two workers, some of so many connections are the other's.
        for _ in range(4):
            with pytest.raises(poplib.error_proto, match="IN-USE"):
                dial(server, USER)
        first.quit()
        dial(server, USER).quit()


def test_the_last_sign_in_is_shown(own_server: Server) -> None:
    with own_server() as server:
        dial(server, USER).quit()

        def seen() -> bool:
            shown = json.loads(command(server.directory, "user", "show", USER, "--json"))
            return bool(shown["last_sign_in"]) and shown["last_service"] == "pop3"

        until(seen)
