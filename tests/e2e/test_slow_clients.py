"""Slow clients cost little and hold up nobody. Architecture, section 8: every wait has a bound."""

import contextlib
from collections.abc import Callable

import pytest

from tests.support.mail import eventually, imap, letter, send, subjects
from tests.support.server import Running
from tests.support.slow_clients import slow_clients

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


def memory(pid: int) -> int:
    """Octets that all processes of the server hold, shared ones in parts."""
    from bench.measure import pss_bytes

    return int(pss_bytes([pid]))


def test_beside_200_dripping_clients_others_sign_in_and_deliver(own_server: Maker) -> None:
    with own_server({"services/smtp/max-connections-per-host": "1000"}) as server:
        send(server, "user2@example.test", letter("before"))
        assert subjects(server, "user2@example.test") == ["before"]  # Whatever a first sign-in loads is there now.
        before = memory(server.pid)
        with slow_clients(server.ports["smtp"], idle=100, dripping=200, pause=0.05) as clients:
            for number in range(5):
                send(server, "user2@example.test", letter(f"beside-{number}"))
            with imap(server, "user2@example.test") as client:
                assert client.noop()[0] == "OK"
            # A password that is being hashed at this moment takes 19 MiB, for a moment.
            cost = min((memory(server.pid) - before) / len(clients) for _ in eventually(1))
            assert cost < 60 * 1024, f"{cost / 1024:.0f} KiB for each slow client"
        for _ in eventually(10):
            if len(subjects(server, "user2@example.test")) == 6:
                break
        else:
            pytest.fail("not all messages arrived")


def test_a_host_over_its_limit_is_told_421(own_server: Maker) -> None:
    with own_server({"services/smtp/max-connections-per-host": "3"}) as server, contextlib.ExitStack() as stack:
        import socket

        banners = []
        # The limit is that of each worker, which take turns as they are free.
        for _ in range(40):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.ports["smtp"]), 10))
            banners.append(client.recv(200)[:3])
            if banners[-1] == b"421":
                break
        assert banners[-1] == b"421" and banners.count(b"220") >= 3
