"""A dialogue is told while somebody wants to know, and costs a session nothing else."""

import asyncio

import pytest

from tests.support.fakes import MemoryLog
from whimbrel.backends.net.driver import Connection
from whimbrel.backends.net.listener import Limits, Listener
from whimbrel.backends.net.tracing import EVENTS, trace
from whimbrel.protocols.dialogue import DIALOGUES


class Echo:
    """An engine whose events are lines."""

    def __init__(self) -> None:
        self._held = b""

    def receive(self, data: bytes) -> None:
        self._held += data

    def next_event(self) -> object:
        from whimbrel.core.engine import NEED_DATA

        line, found, rest = self._held.partition(b"\r\n")
        if not found:
            return NEED_DATA
        self._held = rest
        return line

    def send(self, reply: bytes) -> bytes:
        return reply + b"\r\n"

    def tls_started(self) -> None: ...


def test_every_service_of_mail_can_be_traced() -> None:
    assert EVENTS.keys() == DIALOGUES.keys() - {"sending"}
    log = MemoryLog()
    assert trace("smtp", "192.0.2.1", log) is None
    assert trace("console", "192.0.2.1", log) is None


def test_sessions_under_way_are_traced_when_it_is_switched_on_and_no_more_when_off() -> None:
    log = MemoryLog()

    async def session(connection: "Connection[bytes, bytes]") -> None:
        await connection.send(b"220 ready")
        while True:
            line = await connection.next_event(timeout=5)
            await connection.send(b"250 ok")
            if line == b"QUIT":
                connection.end()
                return

    async def test() -> None:
        server = Listener(
            "smtp", lambda: Limits(10, 10), log, factory=lambda: Connection(Echo()), session=session,  # type: ignore[arg-type]
            trace=lambda host: trace("smtp", host, log),
        )  # fmt: skip
        import socket

        listening = socket.create_server(("127.0.0.1", 0))
        server.listen([listening])
        reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])

        async def say(line: bytes) -> None:
            writer.write(line + b"\r\n")
            await reader.readline()

        await reader.readline()
        await say(b"EHLO one")
        log.debugging = {"smtp"}
        server.retrace()
        await say(b"EHLO two")
        await say(b"AUTH PLAIN c2VjcmV0")
        log.debugging = set()
        server.retrace()
        await say(b"EHLO three")
        await say(b"QUIT")
        writer.close()
        await server.close(1.0)

    asyncio.run(test())
    said = [str(record["said"]) for record in log.named("smtp.dialogue")]
    # Where we are in the session is known from the first answer on.
    assert said == ["S: 250 ok", "C: AUTH PLAIN ***", "S: 250 ok"]
    assert not any("three" in line or "one" in line for line in said)


@pytest.mark.parametrize("service", sorted(EVENTS))
def test_a_category_is_the_first_word_of_its_event(service: str) -> None:
    log = MemoryLog()
    log.debugging = {EVENTS[service].partition(".")[0]}
    assert trace(service, "192.0.2.1", log) is not None
