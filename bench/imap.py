"""IMAP: Whimbrel against Debian's Dovecot, the same commands over the same messages, alternating.

Both sides are filled with the same messages of 1 to 10 KiB, a third of them multipart. Dovecot keeps them in a maildir,
as here a plain file for each message that other programs may read; `WHIMBREL_BENCH_DOVECOT=sdbox` compares with its own
format, which does not write flags into the mail store at all until something forces it. Cold is after a restart:
Dovecot's index caches are removed, ours has none; the page cache stays. Warm lines are the median of three, after one
that is not counted. `WHIMBREL_BENCH_MESSAGES` changes the size of the mailbox (20,000); its tenth and its tenfold
give the growth exponents (`WHIMBREL_BENCH_GROWTH=0` leaves them out).
"""

import base64
import math
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from typing import Self

from bench import idle_clients
from bench.imap_client import Client
from bench.report import Line, ratio, spread
from bench.roots import fresh
from tests.support.dovecot import PASSWORD as PEER_PASSWORD
from tests.support.dovecot import Dovecot
from tests.support.server import PASSWORD, free_ports, serving, set_up

MESSAGES = int(os.environ.get("WHIMBREL_BENCH_MESSAGES", "20000"))
GROWTH = os.environ.get("WHIMBREL_BENCH_GROWTH", "1") != "0"
AT_ONCE = 50
SIGN_INS = 500
STORAGE = os.environ.get("WHIMBREL_BENCH_DOVECOT", "maildir")
IDLE = int(os.environ.get("WHIMBREL_BENCH_IDLE", "5000"))
PUSHED = min(1000, IDLE)
FEW = min(1000, MESSAGES // 2)


class Side:
    """One of the two servers, running. Use as a context manager."""

    name: str
    port: int
    tls_port: int
    pid: int
    password: str

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._start(self._stack)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def restart(self) -> None:
        """Stops it, makes it forget what it has worked out in advance, starts it. The page cache stays."""
        self._stack.close()
        self._forget()
        self._stack = ExitStack()
        self._start(self._stack)

    def client(self, number: int = 1) -> Client:
        return Client(self.port).login(self.user(number), self.password)

    def user(self, number: int) -> str:
        raise NotImplementedError

    def _start(self, stack: ExitStack) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        """Nothing, unless there is something that only speeds up the second time."""


class Whimbrel(Side):
    name, password = "Whimbrel", PASSWORD

    def __init__(self) -> None:
        self._directory = fresh() / "whimbrel"
        set_up(self._directory, 20, free_ports(["imap", "imaps"]), idle_clients.SETTINGS)

    def user(self, number: int) -> str:
        return f"user{number}@example.test"

    def _start(self, stack: ExitStack) -> None:
        server = stack.enter_context(serving(self._directory))
        self.port, self.tls_port, self.pid = server.ports["imap"], server.ports["imaps"], server.pid


class DovecotSide(Side):
    name, password, tls_port = "Dovecot", PEER_PASSWORD, 0

    def __init__(self) -> None:
        self._peer = Dovecot(storage=STORAGE, parent=str(fresh()))

    def user(self, number: int) -> str:
        return f"user{number}"

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._peer.remove()

    def _start(self, stack: ExitStack) -> None:
        self._peer.start()
        stack.callback(self._peer.stop)
        self.port, self.pid = self._peer.imap, self._peer.pid

    def _forget(self) -> None:
        for cache in self._peer.folder.rglob("dovecot.index.cache"):
            cache.unlink()


_WORDS = (
    "the of and to in is that for it as was with be by on not this are from at or which but have an they you were "
    "all meeting report invoice project deadline customer server attached please regards budget tomorrow"
)


def message(number: int) -> bytes:
    """As mail is: from 1 to 10 KiB, plain (two thirds), with HTML beside it, or with an attachment."""
    chance = random.Random(number)
    words = _WORDS.split()
    lines = [" ".join(chance.choices(words, k=11)) for _ in range(chance.randrange(8, 70))]
    text = "\r\n".join([f"Message {number}, as mail has them.", *lines, ""])
    kind, mark = chance.choices(("plain", "alternative", "mixed"), (4, 1, 1))[0], f"=_{number:08x}_of_it"
    if kind == "plain":
        fields, body = "Content-Type: text/plain; charset=utf-8\r\n", text
    else:
        fields = f'Content-Type: multipart/{kind}; boundary="{mark}"\r\n'
        if kind == "alternative":
            second = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            second += "".join(f"<p class=3D'x'>{line}</p>=\r\n\r\n" for line in lines[:30])
        else:
            second = (
                'Content-Type: application/pdf; name="report.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
                'Content-Disposition: attachment; filename="report.pdf"\r\n\r\n'
            )
            data = base64.encodebytes(chance.randbytes(chance.randrange(500, 4000))).decode()
            second += data.replace("\n", "\r\n")
        first = "Content-Type: text/plain; charset=utf-8\r\n\r\n" + text
        body = f"--{mark}\r\n{first}\r\n--{mark}\r\n{second}\r\n--{mark}--\r\n"
    head = (
        f"Received: from mx{number % 7}.else.test (mx{number % 7}.else.test [192.0.2.{number % 250}])\r\n"
        f"\tby mail.example.test with ESMTPS id {number:012x}; Tue, 24 Nov 2026 10:{number % 60:02d}:01 +0000\r\n"
        f"From: Sender {number % 97} <sender{number % 97}@else.test>\r\nTo: User <user@example.test>\r\n"
        f"Subject: Report {number} of the day\r\nDate: Tue, 24 Nov 2026 10:{number % 60:02d}:00 +0000\r\n"
        f"Message-ID: <{number}@else.test>\r\nMIME-Version: 1.0\r\n{fields}\r\n"
    )
    return (head + body).encode()


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


REPEATED = {
    "FETCH 1:* (FLAGS)": b"FETCH 1:* (FLAGS)",
    "ENVELOPE and BODYSTRUCTURE, warm": b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
    "bodies of 1,000": b"FETCH 1:%d (BODY.PEEK[])",
    "SEARCH FROM": b"SEARCH FROM sender13",
    "SEARCH SUBJECT": b'SEARCH SUBJECT "Report 77"',
    "SEARCH TEXT": b'SEARCH TEXT "not to be found"',
}


def commands(client: Client, count: int) -> dict[str, float]:
    """Milliseconds of each. The mailbox has `count` messages and is selected, by a server that has just started."""
    few = min(FEW, count // 2)
    figures: dict[str, float] = {}

    def once(name: str, words: bytes) -> None:
        figures[name] = _timed(lambda: client.command(words))

    once("ENVELOPE and BODYSTRUCTURE, cold", b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
    for name, form in REPEATED.items():
        words = form % few if b"%d" in form else form
        client.command(words)
        figures[name] = median(_timed(lambda words=words: client.command(words)) for _ in range(3))  # type: ignore[misc]
    once("STORE 1:* +FLAGS", b"STORE 1:* +FLAGS (\\Flagged)")
    once("COPY of 1,000", b"COPY 1:%d Copies" % few)
    client.command(b"STORE 1:%d +FLAGS.SILENT (\\Deleted)" % few)
    once("EXPUNGE of 1,000", b"EXPUNGE")
    messages = [message(number) for number in range(few)]
    figures["APPEND of 1,000"] = _timed(lambda: client.append(messages, b"Copies"))
    return figures


def run(side: Side, count: int, user: int = 1) -> dict[str, float]:
    client = side.client(user)
    client.fill(message(number) for number in range(count))
    client.command(b"CREATE Copies")
    client.close()
    side.restart()
    client = side.client(user)
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
    client.fill(message(number) for number in range(count))
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
    costs = idle_clients.measure(
        side.tls_port if tls else side.port, side.pid, side.user, side.password,
        clients=IDLE, pushed=PUSHED, accounts=13, tls=tls, plain_port=side.port,
    )  # fmt: skip
    return costs.idling, costs.push_p99


def growth(counts: tuple[int, ...]) -> list[Line]:
    """Exponents over a hundredfold of messages: 1 is linear."""
    with Whimbrel() as side:
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
        for place, server in ((ours, Whimbrel), (peer, DovecotSide)):
            with server() as side:
                figures = run(side, MESSAGES)
                figures["sign-ins"] = sign_ins(side)
                place.append(figures)
        print(f"  pair {number + 1} done", flush=True)
    lines = [_compared("sign-in, SELECT, LOGOUT", "sign-ins", "/s", 5.0, ours, peer, rate=True)]
    lines += [_compared(name, name, " ms", target, ours, peer) for name, target in TARGETS.items()]
    with Whimbrel() as side:
        each, push = idle(side, tls=False)
        lines.append(Line(f"idle connection, plain, of {IDLE:,}", f"{each:.1f}", "", each, 10, False, " KB"))
        lines.append(Line(f"push to {PUSHED:,}, p99", f"{push:.0f}", "", push, 50, False, " ms"))
    with Whimbrel() as side:
        each, _ = idle(side, tls=True)
        lines.append(Line(f"idle connection, TLS, of {IDLE:,}", f"{each:.1f}", "", each, 30, False, " KB"))
    with Whimbrel() as side:
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
