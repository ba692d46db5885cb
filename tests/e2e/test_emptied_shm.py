"""A -shm that is emptied under a running server ends the process that has it mapped (decision 0023): another one serves
within a moment, and nothing that was acknowledged is lost."""

import contextlib
import imaplib
import os
import time
from collections.abc import Callable

import pytest

from tests.support.mail import eventually, imap, letter, send, subjects
from tests.support.server import Running

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
ANN = "user1@example.test"


@pytest.mark.parametrize("name", ["mail/example.test/user1/INBOX/index.fld-shm", "queue/queue.db-shm", "state.db-shm"])
def test_what_was_acknowledged_is_there_when_the_next_process_serves(own_server: Maker, name: str) -> None:
    with own_server() as server:
        for number in range(5):
            send(server, ANN, letter(f"m{number}", to=ANN))
        with contextlib.suppress(OSError, imaplib.IMAP4.abort), imap(server, ANN) as client:
            assert client.store("1:3", "+FLAGS", "(kept)")[0] == "OK"
            os.truncate(server.directory / "store" / name, 0)
            client.store("5", "+FLAGS", "(other)")
        begun = time.monotonic()
        for _ in eventually(10):
            with contextlib.suppress(OSError, imaplib.IMAP4.error), imap(server, ANN) as client:
                if client.search(None, "KEYWORD", "kept") == ("OK", [b"1 2 3"]):
                    break
        else:
            pytest.fail("the flags did not come back")
        assert time.monotonic() - begun < 3  # Mostly below one; the machine may be busy.
        for _ in eventually(10):
            with contextlib.suppress(OSError):
                send(server, ANN, letter("after", to=ANN))
                break
        assert subjects(server, ANN) == [*(f"m{number}" for number in range(5)), "after"]
