"""IMAP: Whimbrel against Debian's Dovecot, the same commands over the same messages, alternating.

Both sides are filled by APPEND. `WHIMBREL_BENCH_MESSAGES` changes the size of the mailbox (20,000), its tenth and its
tenfold give the growth exponents (0 leaves them out).
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench.imap_client import Client
from bench.measure import pss_bytes
from bench.report import Line, ratio, spread
from bench.roots import fresh
from tests.support.dovecot import PASSWORD as PEER_PASSWORD
from tests.support.dovecot import Dovecot
from tests.support.server import PASSWORD, free_ports, serving, set_up

MESSAGES = int(os.environ.get("WHIMBREL_BENCH_MESSAGES", "20000"))
GROWTH = os.environ.get("WHIMBREL_BENCH_GROWTH", "1") != "0"
AT_ONCE = 50
SIGN_INS = 500
IDLE = int(os.environ.get("WHIMBREL_BENCH_IDLE", "5000"))
PUSHED = min(1000, IDLE)
FEW = min(1000, MESSAGES // 2)
SETTINGS = {
    f"services/{name}/{limit}": "20000"
    for name in ("imap", "imaps")
    for limit in ("max-connections", "max-connections-per-host")
}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers, running."""

    port: int
    tls_port: int
    pid: int
    password: str
    user: Callable[[int], str]

    def client(self, number: int = 1) -> Client:
        return Client(self.port).login(self.user(number), self.password)


@contextmanager
def whimbrel() -> Iterator[Side]:
    directory = fresh() / "whimbrel"
    set_up(directory, 20, free_ports(["imap", "imaps"]), SETTINGS)
    with serving(directory) as server:
        yield Side(server.ports["imap"], server.ports["imaps"], server.pid, PASSWORD, lambda n: f"user{n}@example.test")


@contextmanager
def dovecot() -> Iterator[Side]:
    with Dovecot(parent=str(fresh())) as server:
        yield Side(server.imap, 0, server.pid, PEER_PASSWORD, lambda n: f"user{n}")


def message(number: int) -> bytes:
    head = (
        f"From: Sender {number % 97} <sender{number % 97}@else.test>\r\nTo: user@example.test\r\n"
        f"Subject: Report {number} of the day\r\nDate: Tue, 24 Nov 2026 10:{number % 60:02d}:00 +0000\r\n"
        f"Message-ID: <{number}@else.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return head.encode() + b"".join(b"Line %d of message %d, as mail has them.\r\n" % (n, number) for n in range(40))


def _timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return (time.monotonic() - begun) * 1000


def sign_ins(side: Side) -> float:
    """LOGIN, SELECT, LOGOUT on a new connection each; per second."""

    def one(_: int) -> None:
        client = side.client()
        client.command(b"SELECT INBOX")
        client.socket.sendall(b"z LOGOUT\r\n")
        client.answer(b"z")
        client.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(AT_ONCE)))
        begun = time.monotonic()
        list(pool.map(one, range(SIGN_INS)))
    return SIGN_INS / (time.monotonic() - begun)


def commands(client: Client, count: int) -> dict[str, float]:
    """Milliseconds of each. The mailbox has `count` messages and is selected."""
    few = min(FEW, count // 2)
    steps: dict[str, bytes] = {
        "FETCH 1:* (FLAGS)": b"FETCH 1:* (FLAGS)",
        "ENVELOPE and BODYSTRUCTURE, cold": b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        "ENVELOPE and BODYSTRUCTURE, warm": b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        "bodies of 1,000": b"FETCH 1:%d (BODY.PEEK[])" % few,
        "SEARCH FROM": b"SEARCH FROM sender13",
        "SEARCH SUBJECT": b'SEARCH SUBJECT "Report 77"',
        "SEARCH TEXT": b'SEARCH TEXT "not to be found"',
        "STORE 1:* +FLAGS": b"STORE 1:* +FLAGS (\\Flagged)",
        "COPY of 1,000": b"COPY 1:%d Copies" % few,
        "EXPUNGE of 1,000": b"EXPUNGE",
    }
    figures: dict[str, float] = {}
    for name, words in steps.items():
        if words == b"EXPUNGE":
            client.command(b"STORE 1:%d +FLAGS.SILENT (\\Deleted)" % few)
        figures[name] = _timed(lambda words=words: client.command(words))  # type: ignore[misc]
    figures["APPEND of 1,000"] = _timed(lambda: client.append((message(n) for n in range(few)), b"Copies"))
    return figures


def run(side: Side, count: int, user: int = 1) -> dict[str, float]:
    client = side.client(user)
    client.append(message(number) for number in range(count))
    client.command(b"CREATE Copies")
    client.command(b"SELECT INBOX")
    figures = commands(client, count)
    client.close()
    return figures


TARGETS = {
    "FETCH 1:* (FLAGS)": 1.0,
    "ENVELOPE and BODYSTRUCTURE, warm": 3.0,
    "ENVELOPE and BODYSTRUCTURE, cold": 10.0,
    "bodies of 1,000": 1.0,
    "SEARCH FROM": 1.0,
    "SEARCH SUBJECT": 1.0,
    "SEARCH TEXT": 0.5,
    "STORE 1:* +FLAGS": 5.0,
    "COPY of 1,000": 2.0,
    "EXPUNGE of 1,000": 2.0,
    "APPEND of 1,000": 2.0,
}


def resync(side: Side, count: int) -> float:
    """Milliseconds for a client that comes back to `count` messages of which ten have changed."""
    client = side.client(2)
    client.append(message(number) for number in range(count))
    client.command(b"ENABLE QRESYNC")
    opened = client.command(b"SELECT INBOX")
    validity, modseq = (_number(opened, word) for word in (b"UIDVALIDITY", b"HIGHESTMODSEQ"))
    client.command(b"UID STORE 1:10 +FLAGS.SILENT (\\Seen)")
    client.command(b"UNSELECT")
    took = _timed(lambda: client.command(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, modseq)))
    client.close()
    return took


def _number(said: bytes, word: bytes) -> int:
    return int(said.partition(b"[" + word + b" ")[2].partition(b"]")[0])


def idle(side: Side, *, tls: bool) -> tuple[float, float]:
    """KB for each idle connection (after IDLE), and the 99th percentile of a push in milliseconds."""
    writer = side.client(3)
    writer.append([message(1)])
    for user in range(3, 16):
        for _ in range(8):  # In every worker: a first sign-in runs argon2, a first SELECT opens the index.
            early = side.client(user)
            early.command(b"SELECT INBOX")
            early.close()
    clients: list[Client] = []
    warm, before = IDLE // 5, 0
    for number in range(IDLE):
        # The pushed ones watch one mailbox, the others one of their own each dozen.
        user = 3 if number < PUSHED else 4 + number % 12
        client = Client(side.tls_port if tls else side.port, tls=tls).login(side.user(user), side.password)
        client.command(b"SELECT INBOX")
        client.socket.sendall(b"i IDLE\r\n")
        client.line()
        clients.append(client)
        if len(clients) == warm:
            # What the first ones need is needed once: code, argon2, open indexes.
            time.sleep(1)
            before = pss_bytes([side.pid])
    time.sleep(2)
    each = (pss_bytes([side.pid]) - before) / (IDLE - warm) / 1000
    begun = time.monotonic()
    took: list[float] = []
    writer.append([message(2)])
    for client in clients[:PUSHED]:
        while b"EXISTS" not in client.line():
            pass
        took.append((time.monotonic() - begun) * 1000)
    for client in clients:
        client.close()
    writer.close()
    return each, sorted(took)[int(len(took) * 0.99) - 1]


def growth(counts: tuple[int, ...]) -> list[Line]:
    """Exponents over a hundredfold of messages: 1 is linear."""
    with whimbrel() as side:
        figures = [run(side, count, user) for user, count in enumerate(counts, 5)]
    lines = []
    for name in ("FETCH 1:* (FLAGS)", "ENVELOPE and BODYSTRUCTURE, warm", "STORE 1:* +FLAGS", "SEARCH FROM"):
        times = [max(one[name], 0.1) for one in figures]
        exponent = math.log(times[-1] / times[0]) / math.log(counts[-1] / counts[0])
        shown = " / ".join(f"{ms:.0f}" for ms in times) + " ms"
        lines.append(Line(f"{name}, growth", shown, "", exponent, 1.1, higher_is_better=False, unit=""))
    return lines


def measure(pairs: int) -> list[Line]:
    ours: list[dict[str, float]] = []
    peer: list[dict[str, float]] = []
    for number in range(pairs):
        for place, server in ((ours, whimbrel), (peer, dovecot)):
            with server() as side:
                figures = run(side, MESSAGES)
                figures["sign-ins"] = sign_ins(side)
                place.append(figures)
        print(f"  pair {number + 1} done", flush=True)
    lines = [_compared("sign-in, SELECT, LOGOUT", "sign-ins", "/s", 5.0, ours, peer, rate=True)]
    lines += [_compared(name, name, " ms", target, ours, peer) for name, target in TARGETS.items()]
    with whimbrel() as side:
        each, push = idle(side, tls=False)
        lines.append(Line(f"idle connection, plain, of {IDLE:,}", f"{each:.1f}", "", each, 10, False, " KB"))
        lines.append(Line(f"push to {PUSHED:,}, p99", f"{push:.0f}", "", push, 50, False, " ms"))
    with whimbrel() as side:
        each, _ = idle(side, tls=True)
        lines.append(Line(f"idle connection, TLS, of {IDLE:,}", f"{each:.1f}", "", each, 30, False, " KB"))
    with whimbrel() as side:
        took = resync(side, MESSAGES * 10)
        lines.append(
            Line(f"QRESYNC, {MESSAGES * 10:,} messages, 10 changes", f"{took:.1f}", "", took, 10, False, " ms")
        )
    return lines + (growth((MESSAGES // 10, MESSAGES, MESSAGES * 10)) if GROWTH else [])


def _compared(
    title: str,
    name: str,
    unit: str,
    target: float,
    ours: list[dict[str, float]],
    peer: list[dict[str, float]],
    *,
    rate: bool = False,
) -> Line:
    mine, theirs = [one[name] for one in ours], [one[name] for one in peer]
    figure = ratio(mine, theirs) if rate else ratio(theirs, mine)
    form = ".0f" if median(mine) >= 10 else ".1f"
    return Line(title, spread(mine, form) + unit, spread(theirs, form) + unit, figure, target)
