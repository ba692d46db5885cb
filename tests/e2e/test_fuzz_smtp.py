"""The server under thousands of malformed SMTP, submission and LMTP sessions: it stays up, without a bug met, in the
memory it had, and serves whoever behaves."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support import fuzz
from tests.support.mail import letter, send, subjects
from tests.support.server import Running, command
from tests.support.sinks import SmtpSink
from whimbrel.backends.disk.spool import ROOM

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
SESSIONS = int(os.environ.get("WHIMBREL_FUZZ", "1500"))
"""10000 takes about a minute."""
SECONDS = 60.0
GROWTH = 2 * ROOM + (8 << 20)
"""Octets that a worker may grow by, once it has seen each kind of input: the content that it may hold at a time, once
in pieces and once joined, and some for what malloc keeps."""
BESIDE = "user3@example.test"


def workers(server: Running) -> dict[int, str]:
    (zygote,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    found = Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()
    return {int(pid): pid for pid in found}


def test_malformed_sessions_harm_nobody(own_server: Maker) -> None:
    with SmtpSink() as sink:
        settings = {
            "delivery/relay-host": "127.0.0.1", "delivery/relay-port": str(sink.port),  # Reports go nowhere else.
            "security/lock-out-after": "0", "security/lock-out-host-after": "0",
            "services/smtp/max-connections-per-host": "1000", "services/submission/max-connections-per-host": "1000",
            "services/lmtp/max-connections-per-host": "1000",
        }  # fmt: skip
        with own_server(settings) as server:
            ports = [server.ports[name] for name in ("smtp", "smtp", "submission", "lmtp")]
            inputs, first = fuzz.Inputs(4711), min(500, SESSIONS // 3)
            fuzz.pelt(ports, inputs, range(first), clients=8, seconds=SECONDS / 3)
            before, crew = fuzz.residents(workers(server)), workers(server)
            sent: list[str] = []
            over = threading.Event()

            def behave() -> None:
                while not over.wait(0.2):
                    subject = f"beside-{len(sent)}"
                    send(server, BESIDE, letter(subject))
                    sent.append(subject)

            beside = threading.Thread(target=behave)
            beside.start()
            played = fuzz.pelt(ports, inputs, range(first, SESSIONS), clients=32, seconds=SECONDS)
            over.set()
            beside.join()
            assert workers(server) == crew, "a worker ended"
            after = fuzz.residents(crew)
            assert all(after[name] - before[name] < GROWTH for name in before), (before, after)
            assert played and sent and subjects(server, BESIDE) == sent
            logged = command(server.directory, "log", "search", "crashed", "--log", "error")
            assert "crashed" not in logged, logged
