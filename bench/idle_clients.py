"""What waiting IMAP clients cost: thousands of connections from one process, step by step, and news for all of them.

`python -m bench.idle_clients [--tls] [--clients 5000] [--pushed 1000] [--accounts 13]` prints KB for each connection
once it is open, signed in, has selected and idles; then how long an APPEND takes to reach every one that idles on
its mailbox, and how long one APPEND each takes to reach those who idle on a mailbox of their own.
"""

import argparse
import resource
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.imap_client import Client
from bench.measure import pss_bytes
from bench.roots import fresh
from tests.support.server import PASSWORD, free_ports, serving, set_up

SETTINGS = {
    f"services/{name}/{limit}": "20000"
    for name in ("imap", "imaps")
    for limit in ("max-connections", "max-connections-per-host")
} | {"imap/sign-in-time": "30m"}
WATCHED = 1
"""Number of the user whose mailbox the pushed clients share."""
OWN = 100
"""Accounts that get a message for those who idle on them alone."""
_MAIL = b"From: a@else.test\r\nSubject: ChangeNotifier\r\nMessage-ID: <%d@else.test>\r\n\r\nText.\r\n"


@dataclass(frozen=True, slots=True)
class Costs:
    """KB for each connection after each step; milliseconds from the writer's OK to the clients."""

    opened: float
    signed_in: float
    selected: float
    idling: float
    push: Sequence[float]
    own: Sequence[float]

    @property
    def push_p99(self) -> float:
        return p99(self.push)


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1] if values else 0.0


def measure(
    port: int, pid: int, user: Callable[[int], str], password: str, *, clients: int, pushed: int, accounts: int,
    tls: bool = False, plain_port: int = 0,
) -> Costs:  # fmt: skip
    """`pushed` of the clients watch one mailbox; the others are spread over the other accounts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, clients + 1000)), hard))
    writer = Client(plain_port or port).login(user(WATCHED), password)
    writer.append([_MAIL % 1])
    for number in range(1, accounts + 1):  # Once in every worker: argon2, an open index.
        early = [Client(port, tls=tls).login(user(number), password) for _ in range(8 if accounts < 50 else 2)]
        for client in early:
            client.command(b"SELECT INBOX")
            client.socket.sendall(b"i IDLE\r\n")
            client.line()
        for client in early:
            client.close()
    time.sleep(1)
    before = pss_bytes([pid])

    def grown() -> float:
        time.sleep(1.5)
        return (pss_bytes([pid]) - before) / clients / 1000

    def number_of(at: int) -> int:
        return WATCHED if at < pushed else 2 + at % (accounts - 1)

    opened = [Client(port, tls=tls) for _ in range(clients)]
    figures = [grown()]
    for at, client in enumerate(opened):
        client.login(user(number_of(at)), password)
    figures.append(grown())
    for client in opened:
        client.command(b"SELECT INBOX")
    figures.append(grown())
    for client in opened:
        client.socket.sendall(b"i IDLE\r\n")
        client.line()
    figures.append(grown())
    push = [took for number in range(2, 7) for took in _push(writer, opened[:pushed], number)] if pushed else []
    own: list[float] = []
    for at in range(pushed, min(clients, pushed + accounts - 1, pushed + OWN)):
        alone = Client(plain_port or port).login(user(number_of(at)), password)
        own += _push(alone, opened[at : at + 1], at)
        alone.close()
    for client in (*opened, writer):
        client.close()
    open_, signed_in, selected, idling = figures
    return Costs(open_, signed_in, selected, idling, push, own)


def _push(writer: Client, watching: Sequence[Client], number: int) -> list[float]:
    """Milliseconds from the writer's OK to each `EXISTS`; whoever is ready is read first."""
    took: list[float] = []
    with selectors.DefaultSelector() as ready:
        for one in watching:
            ready.register(one.socket, selectors.EVENT_READ, one)
        writer.append([_MAIL % number])
        begun = time.monotonic()
        waiting = len(watching)
        while waiting:
            for key, _ in ready.select(10):
                client: Client = key.data
                if b"EXISTS" in client.line():
                    took.append((time.monotonic() - begun) * 1000)
                    ready.unregister(client.socket)
                    waiting -= 1
    return took


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.idle_clients", description=__doc__)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--pushed", type=int, default=1000)
    parser.add_argument("--accounts", type=int, default=13)
    options = parser.parse_args()
    directory = fresh() / "whimbrel"
    set_up(directory, options.accounts, free_ports(["imap", "imaps"]), SETTINGS)
    with serving(directory) as server:
        costs = measure(
            server.ports["imaps" if options.tls else "imap"], server.pid, lambda n: f"user{n}@example.test", PASSWORD,
            clients=options.clients, pushed=options.pushed, accounts=options.accounts, tls=options.tls,
            plain_port=server.ports["imap"],
        )  # fmt: skip
    print(f"KB each: open {costs.opened:.1f}, signed in {costs.signed_in:.1f}, selected {costs.selected:.1f},", end=" ")
    print(f"idling {costs.idling:.1f}; push p99 {costs.push_p99:.0f} ms, own mailboxes {p99(costs.own):.0f} ms")


if __name__ == "__main__":
    main()
