"""Clients that hold connections and say next to nothing: some only connect, some send an octet now and then within a
message."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

BEGIN = b"EHLO slow.test\r\nMAIL FROM:<slow@else.test>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\n"


@contextlib.contextmanager
def slow_clients(port: int, *, idle: int, dripping: int, pause: float = 1.0) -> Iterator[list[socket.socket]]:
    """From many addresses of the loopback network: one address has not so many ports."""
    clients: list[socket.socket] = []
    stop = threading.Event()
    try:
        for number in range(idle + dripping):
            clients.append(_connect(port, number))
        drips = clients[idle:]
        _begin(drips)

        def drip() -> None:
            while not stop.wait(pause):
                for client in drips:
                    with contextlib.suppress(OSError):
                        client.send(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield clients
        finally:
            stop.set()
            thread.join()
    finally:
        for client in clients:
            client.close()


def _connect(port: int, number: int) -> socket.socket:
    source = (f"127.0.{number // 10_000}.{number // 1000 % 10 + 1}", 0)
    client = socket.create_connection(("127.0.0.1", port), 30, source)
    client.recv(200)
    return client


def _begin(clients: list[socket.socket]) -> None:
    """Until all are within their message."""
    answers = dict.fromkeys(clients, b"")
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.sendall(BEGIN)
            selector.register(client, selectors.EVENT_READ, client)
        while selector.get_map():
            ready = selector.select(30)
            if not ready:
                raise TimeoutError("the server does not answer slow clients")
            for key, _ in ready:
                client = key.data
                answers[client] += client.recv(4096)
                if b"\r\n354 " in answers[client]:
                    selector.unregister(client)
