"""users.idx is deleted or emptied under a running server: no mail is bounced for it, nobody's password is wrong."""

import contextlib
import smtplib
from collections.abc import Callable

import pytest

from tests.support.mail import eventually, imap, letter, subjects
from tests.support.server import Running, command

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def answers(server: Running, to: str) -> tuple[int, bool]:
    """What RCPT is answered, and whether nobody who signs in is told that the password is wrong."""
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as smtp:
        smtp.ehlo()
        smtp.mail("sender@else.test")
        code = smtp.rcpt(to)[0]
        smtp.rset()
    try:
        with imap(server, "user1@example.test"):
            return code, True
    except Exception as error:  # imaplib has one exception for all.
        return code, "UNAVAILABLE" in str(error)


def test_a_lost_index_is_made_anew_and_nobody_is_unknown_meanwhile(own_server: Maker) -> None:
    with own_server(users=20) as server:
        index = server.directory / "users.idx"
        for number, way in enumerate(("emptied", "deleted", "garbage")):
            assert answers(server, "user1@example.test") == (250, True)
            if way == "deleted":
                index.unlink()
            else:
                index.write_bytes(b"" if way == "emptied" else b"garbage" * 5000)
            for _ in eventually(20):
                code, signed_in = answers(server, f"user{number + 2}@example.test")
                assert code in (250, 451) and signed_in
                if code == 250 and index.exists() and index.read_bytes().startswith(b"SQLite format 3"):
                    break
            else:
                pytest.fail("users.idx was not made anew")
            assert "user7@example.test" in command(server.directory, "user", "list")
            with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as smtp:
                smtp.sendmail("sender@else.test", ["user1@example.test"], letter(f"after-{way}"))
        assert subjects(server, "user1@example.test") == ["after-emptied", "after-deleted", "after-garbage"]
