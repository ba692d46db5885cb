"""Who is sent away can read why, whatever it still sends; and holds nothing for longer than the bounds allow."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.certs import certificates
from tests.unit.backends.net.loops import Run, both_loops
from tests.unit.backends.net.test_driver_tls import secured
from tests.unit.backends.net.test_listener import Bench, use
from tests.unit.backends.net.toy import LineEngine, Toy, connected, read, settle
from whimbrel.backends.net import driver, farewell, listener
from whimbrel.backends.net.driver import WRITE_AHEAD, Closed, Connection
from whimbrel.backends.net.farewell import Farewell
from whimbrel.backends.net.listener import Limits
from whimbrel.backends.net.secure import Secure
from whimbrel.backends.net.wire import READ_AHEAD


class Wire(asyncio.Transport):
    """What was asked of a transport, in order; `room` is what the peer takes before it stops reading."""

    def __init__(self, room: int = 1 << 30) -> None:
        super().__init__()
        self.room, self.held = room, 0
        self.calls: list[str] = []
        self.protocol: asyncio.BaseProtocol | None = None
        self.refuses_eof = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def get_write_buffer_size(self) -> int:
        return self.held

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(f"write {len(data)}")
        self.held += max(0, len(data) - self.room)
        self.room = max(0, self.room - len(data))
        if self.held and isinstance(self.protocol, Farewell):
            self.protocol.pause_writing()

    def read_on(self) -> None:
        """The peer takes all that is held, and what comes."""
        self.held, self.room = 0, 1 << 30
        assert isinstance(self.protocol, Farewell)
        self.protocol.resume_writing()

    def resume_reading(self) -> None:
        self.calls.append("resume_reading")

    def write_eof(self) -> None:
        self.calls.append("write_eof")
        if self.refuses_eof:
            raise OSError("not connected")

    def is_closing(self) -> bool:
        return "close" in self.calls or "abort" in self.calls

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")


@contextlib.asynccontextmanager
async def ending(wire: Wire) -> AsyncIterator[Toy]:
    connection: Toy = Connection(LineEngine())
    connection.connection_made(wire)
    yield connection
    for protocol in (wire.protocol, connection):
        if isinstance(protocol, asyncio.BufferedProtocol):
            protocol.connection_lost(None)


def calls(*, asked: bool = False, ended: bool = False, received: bytes = b"", room: int = 1 << 30) -> list[str]:
    """What an end with a last reply of 4 octets asks of the transport."""
    wire = Wire(room)

    async def main() -> None:
        async with ending(wire) as connection:
            if received:
                connection.data_received(received)
            if ended:
                connection.eof_received()
            connection.asked = asked
            await connection.send_bytes(b"bye\n")
            connection.end()
            connection.end()  # The listener's, after the session's.

    asyncio.run(main())
    return wire.calls


def test_an_end_that_the_peer_asked_for_or_began_takes_no_longer_path() -> None:
    assert calls(asked=True) == ["write 4", "close"]
    assert calls(ended=True) == ["write 4", "close"]


def test_an_end_that_we_decided_closes_our_side_first_and_hears_the_rest() -> None:
    assert calls() == ["write 4", "resume_reading", "write_eof"]


def test_one_that_asked_for_the_end_and_sent_more_is_heard_out_all_the_same() -> None:
    assert calls(asked=True, received=b"NOOP\n") == ["write 4", "resume_reading", "write_eof"]


def test_our_side_is_closed_when_the_peer_has_taken_all() -> None:
    wire = Wire(room=2)

    async def main() -> None:
        async with ending(wire) as connection:
            await connection.send_bytes(b"bye\n")
            connection.end()
            assert wire.calls == ["write 4", "resume_reading"]
            assert isinstance(wire.protocol, Farewell)
            assert wire.protocol.eof_received(), "half-closed, it still reads"
            wire.read_on()
            assert wire.calls[2:] == ["close"], "nothing can come any more"

    asyncio.run(main())


def test_one_that_has_closed_its_side_gets_what_is_held_and_is_waited_for_no_longer() -> None:
    wire = Wire(room=2)

    async def main() -> None:
        async with ending(wire) as connection:
            connection.eof_received()
            await connection.send_bytes(b"bye\n")
            connection.end()
            assert wire.calls == ["write 4"]
            wire.read_on()
            assert wire.calls == ["write 4", "close"]

    asyncio.run(main())


def test_a_connection_that_was_reset_before_our_end_is_dropped() -> None:
    wire = Wire()
    wire.refuses_eof = True

    async def main() -> None:
        async with ending(wire) as connection:
            connection.end()
            assert wire.calls[-2:] == ["write_eof", "abort"]

    asyncio.run(main())


def test_more_octets_than_the_bound_are_not_heard() -> None:
    wire = Wire()

    async def main() -> None:
        async with ending(wire) as connection:
            connection.end()
            leaving = wire.protocol
            assert isinstance(leaving, Farewell)
            size = len(leaving.get_buffer(-1))
            for _ in range(farewell.OCTETS // size):
                leaving.buffer_updated(size)
            assert "abort" not in wire.calls
            leaving.buffer_updated(1)
            assert wire.calls[-1] == "abort"

    asyncio.run(main())


async def sent(theirs: socket.socket, size: int) -> None:
    await asyncio.get_running_loop().sock_sendall(theirs, b"x" * size)


async def until_gone(connection: Toy) -> None:
    assert connection.farewell is not None
    async with asyncio.timeout(5):
        await connection.farewell.over()


@both_loops
def test_a_flood_that_was_held_back_is_taken_and_its_sender_reads_the_reply_and_the_end(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=65536) as (connection, theirs):
            sending = asyncio.create_task(sent(theirs, 1_000_000))
            while not connection._read_paused:
                await asyncio.sleep(0)
            assert connection.received <= READ_AHEAD + 300_000 and not sending.done()
            await connection.send_bytes(b"500 line too long\n")
            connection.end()
            async with asyncio.timeout(5):
                await sending
            assert await read(theirs) == b"500 line too long\n"
            assert await read(theirs) == b""
            theirs.shutdown(socket.SHUT_WR)
            await until_gone(connection)

    run(main())


@both_loops
def test_a_peer_that_is_silent_is_not_waited_for_long(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "SILENCE", 0.05)

    async def main() -> None:
        async with connected() as (connection, theirs):
            connection.end()
            await until_gone(connection)
            assert await read(theirs) == b""

    run(main())


@both_loops
def test_a_peer_that_drips_is_cut_off_within_the_bound(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "SILENCE", 0.05)
    monkeypatch.setattr(farewell, "IN_ALL", 0.3)

    async def main() -> None:
        async with connected() as (connection, theirs):
            loop = asyncio.get_running_loop()
            start = loop.time()
            connection.end()
            assert connection.farewell is not None
            gone = asyncio.create_task(connection.farewell.over())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while not gone.done():
                    theirs.send(b"x")
                    await asyncio.sleep(0.005)
                    assert loop.time() - start < 5
            await gone
            assert loop.time() - start >= 0.29, "as long as it sends it is heard, up to the bound"

    run(main())


@both_loops
def test_one_that_was_sent_away_counts_until_it_is_gone(run: Run, tmp_path: Path) -> None:
    """Else whoever makes errors could hold any number of connections."""

    async def what(bench: Bench) -> None:
        bench.open()
        (client,) = bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)
        bench.release.set()
        await bench.until(lambda: bench.ended == ["done"])
        await settle()
        assert bench.listener.connections == 1 and sum(bench.listener._hosts.values()) == 1
        (refused,) = bench.connect()
        assert await read(refused) == b"421 too many\r\n"
        client.close()
        await bench.until(lambda: not bench.listener.connections)
        assert not bench.listener._hosts

    use(run, tmp_path, what, Limits(connections=1))


@both_loops
def test_one_over_the_limit_that_speaks_first_reads_the_refusal(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)
        for _ in range(20):
            (refused,) = bench.connect()
            async with asyncio.timeout(5):
                await sent(refused, 200_000)
            assert await read(refused) == b"421 too many\r\n"
            assert await read(refused) == b""
            refused.close()
        await bench.until(lambda: not bench.listener._refused)
        assert bench.listener.connections == 1

    use(run, tmp_path, what, Limits(connections=1))


@both_loops
def test_those_over_the_limit_that_are_heard_out_are_few(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "REFUSED", 2)

    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)
        refused = bench.connect(5)
        for client in refused:
            assert await read(client) == b"421 too many\r\n"
            assert await read(client) == b""
        assert len(bench.listener._refused) == 2

    use(run, tmp_path, what, Limits(connections=1))


@both_loops
def test_a_shutdown_waits_for_those_who_read_why_and_only_a_moment_for_those_who_do_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PARTING", 0.1)

    async def what(bench: Bench) -> None:
        bench.open()
        polite, deaf = bench.connect(2)
        await bench.until(lambda: len(bench.sessions) == 2)
        for session in bench.sessions:
            await session.send_bytes(b"421 shutting down\r\n")
        loop = asyncio.get_running_loop()
        start = loop.time()
        closing = asyncio.create_task(bench.listener.close(5))
        assert await read(polite) == b"421 shutting down\r\n"
        assert await read(polite) == b""
        polite.close()
        await closing
        assert 0.09 <= loop.time() - start < 4
        assert not bench.listener.connections and not bench.listener._hosts
        await settle()
        assert await read(deaf) == b"421 shutting down\r\n"
        assert await read(deaf) == b""

    use(run, tmp_path, what)


@both_loops
def test_a_shutdown_does_not_wait_for_one_that_never_reads(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)
        transport = bench.sessions[0]._transport
        assert transport is not None
        transport.write(b"x" * 3_000_000)
        assert transport.get_write_buffer_size()
        async with asyncio.timeout(5):
            await bench.listener.close(0.1)
        assert not bench.listener.connections
        await settle()
        assert transport.is_closing() and transport.get_write_buffer_size() == 0

    use(run, tmp_path, what)


@both_loops
def test_a_session_that_is_stopped_before_it_began_leaves_no_connection(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        connections: list[Toy] = []

        def make() -> Toy:
            connections.append(Connection(LineEngine()))
            return connections[-1]

        async def never(_: Toy) -> None:
            raise AssertionError("it was to be cancelled first")

        bench.serve([bench.socket], make, never)
        own = bench.listener._own

        def cancelled_first(work: object, host: str, connection: Toy | None) -> None:
            own(work, host, connection)  # type: ignore[arg-type]
            if len(connections) == 1 and connections[0]._transport is not None:
                for task in bench.listener._tasks:
                    task.cancel()

        bench.listener._own = cancelled_first  # type: ignore[method-assign,assignment]
        (client,) = bench.connect()
        assert await read(client) == b""
        assert len(connections) == 1

    use(run, tmp_path, what)


@both_loops
def test_one_that_was_accepted_a_moment_before_a_shutdown_is_closed_by_us(run: Run, tmp_path: Path) -> None:
    """And not when somebody collects the garbage."""

    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bench.listener._acceptor.accept(bench.socket)
            await bench.listener.close(0.1)
            gc.collect()
        assert [str(each.message) for each in caught if each.category is ResourceWarning] == []
        assert not bench.listener.connections and not bench.listener._hosts

    use(run, tmp_path, what)


@both_loops
@pytest.mark.parametrize("how", ["reset", "closed", "silent", "no hello"])
def test_a_handshake_that_comes_to_nothing_leaves_neither_connection_nor_place(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(driver, "HANDSHAKE_TIMEOUT", 0.05)

    async def what(bench: Bench) -> None:
        tls = certificates("localhost").server()
        listening = socket.create_server(("127.0.0.1", 0))
        bench.serve([listening], lambda: Connection(LineEngine()), bench.session, tls=lambda: tls)
        with socket.create_connection(listening.getsockname()) as client:
            client.setblocking(False)
            await bench.until(lambda: bench.listener.connections == 1)
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            elif how == "closed":
                client.close()
            elif how == "no hello":
                async with asyncio.timeout(5):
                    await asyncio.get_running_loop().sock_sendall(client, b"\x16\x03\x01\x00\x05hello" + bytes(500_000))
                alert = b""
                while data := await read(client):
                    alert += data
                assert alert[:1] == b"\x15", "the reason can be read"
                client.close()
            await bench.until(lambda: not bench.listener.connections)
            (record,) = bench.log.named("tls.failed")
            assert str(record["reason"]).startswith("TLS handshake failed: ")
            assert not bench.listener._hosts and not bench.sessions
        await bench.listener.close(0.1)
        listening.close()

    use(run, tmp_path, what)


def _open() -> int:
    return len(os.listdir("/proc/self/fd"))


@both_loops
@pytest.mark.parametrize("how", ["crash", "stopped", "refused", "no certificate", "no factory", "given up at once"])
def test_no_end_leaves_a_descriptor_a_task_or_a_place(run: Run, tmp_path: Path, how: str) -> None:
    async def what(bench: Bench) -> None:
        def make() -> Toy:
            if how == "no factory":
                raise ValueError("a bug")
            return Connection(LineEngine())

        tls = (lambda: None) if how == "no certificate" else None
        bench.serve([bench.socket], make, bench.session, refusal=b"421 no\r\n", tls=tls)
        bench.crash = ValueError("a bug") if how == "crash" else None
        bench.limits = Limits(per_host=1) if how == "refused" else Limits()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        for client in bench.connect():  # With the first one a loop may take descriptors of its own.
            await settle()
            client.close()
            bench.release.set()
            await bench.until(lambda: not bench.listener.connections)
            bench.release.clear()
            bench.log.records.clear()
        descriptors, tasks = _open(), len(asyncio.all_tasks())
        clients = bench.connect(10)
        if how != "given up at once":
            await settle()
        if how == "stopped":
            for task in list(bench.listener._tasks):
                task.cancel()
        bench.release.set()
        await settle()
        for client in clients:
            client.close()
        await bench.until(lambda: not bench.listener.connections and not bench.listener._refused)
        await settle()
        bench.log.records.clear()  # An exception has frames, which have sockets.
        assert (_open(), len(asyncio.all_tasks())) == (descriptors, tasks)
        assert not bench.listener._hosts

    use(run, tmp_path, what)


@both_loops
def test_tls_that_fails_while_we_write_ends_the_session(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(secure: Secure) -> bytes:
        secure._fail(ssl.SSLError("a bad state"))
        return b""

    async def main() -> None:
        async with secured() as (connection, theirs, _client):
            monkeypatch.setattr(Secure, "sealed", broken)
            await connection.send_bytes(b"a first line\n")
            with pytest.raises(Closed):
                await connection.send_bytes(b"x" * 2 * WRITE_AHEAD)
            with pytest.raises(Closed):
                await connection.next_event(5)
            connection.end()
            while await read(theirs):  # The tickets of the handshake.
                pass

    run(main())


@both_loops
def test_what_is_pushed_or_asked_of_one_that_has_ended_is_nothing(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            await connection.send_bytes(b"bye\n")
            connection.end()
            assert not connection.clear
            connection.push(b"news\n")
            with pytest.raises(Closed):
                await connection.drain()
            with pytest.raises(Closed):
                await connection.start_tls(certificates("localhost").server())
            assert await read(theirs) == b"bye\n"
            assert await read(theirs) == b""

    run(main())
