"""The driver under TLS: its waits and buffers are bounded, and each way in which TLS may end is an end."""

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.backends.net.loops import Run, both_loops
from tests.unit.backends.net.test_driver import FILES, echo
from tests.unit.backends.net.test_listener import Bench, FakeListening, use
from tests.unit.backends.net.test_secure import Client
from tests.unit.backends.net.toy import LineEngine, Toy, connected, read, settle
from whimbrel.backends.net import driver, farewell
from whimbrel.backends.net.driver import Closed, Connection, TimedOut
from whimbrel.backends.net.secure import STEP, Secure
from whimbrel.backends.net.wire import READ_AHEAD, SECURE_CHUNK


async def told(theirs: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(theirs, data)


@contextlib.asynccontextmanager
async def secured(
    *, buffer: int = 0, early: bytes = b"", size: int = 0
) -> AsyncIterator[tuple[Toy, socket.socket, Client]]:
    """A connection after STARTTLS, its peer's socket, and that peer's TLS. Its handshake comes in pieces of `size`."""
    async with connected(buffer=buffer) as (connection, theirs):
        client = Client()
        starting = asyncio.create_task(connection.start_tls(FILES.server()))
        await asyncio.sleep(0)  # As behind a 220: it speaks when it was told to.
        hello = client.shake()
        for at in range(0, len(hello), size or len(hello)):
            await told(theirs, hello[at : at + (size or len(hello))])
            await asyncio.sleep(0)
        last = b""
        while not last:
            client.input.write(await read(theirs))
            last = client.shake()
        last += client.says(early)
        for at in range(0, len(last), size or len(last)):
            await told(theirs, last[at : at + (size or len(last))])
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await starting
        yield connection, theirs, client


async def heard(theirs: socket.socket, client: Client, size: int) -> bytes:
    """`size` octets of plaintext; fewer when the other end is through."""
    got = b""
    while len(got) < size:
        data = await read(theirs, 300_000)
        if not data:
            break
        got += client.hears(data)
    return got


@both_loops
@pytest.mark.parametrize("size", [0, 1, 7])
def test_what_comes_with_the_end_of_the_handshake_is_not_lost(run: Run, size: int) -> None:
    async def main() -> None:
        async with secured(early=b"one\ntwo\n", size=size) as (connection, theirs, client):
            assert connection.tls is not None and connection.tls.version == "TLSv1.3"
            task = asyncio.create_task(echo(connection))
            assert await heard(theirs, client, 8) == b"one\ntwo\n"
            for octet in client.says(b"three\n"):
                await told(theirs, bytes([octet]))
                await asyncio.sleep(0)
            assert await heard(theirs, client, 6) == b"three\n"
            assert (connection.received, connection.sent) == (14, 14)
            theirs.close()
            await task

    run(main())


@both_loops
def test_what_comes_before_anybody_waits_for_the_handshake_belongs_to_it(run: Run) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        client = Client()
        theirs.send(client.shake())
        connection: Toy = Connection(LineEngine())
        connection.expect_tls(FILES.server())
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, ours)
        await settle()
        client.input.write(await read(theirs))
        theirs.send(client.shake() + client.says(b"a\n"))
        await settle()
        await connection.handshake()
        assert await connection.next_event(5) == b"a"
        connection.abort()
        theirs.close()

    run(main())


@both_loops
def test_a_handshake_has_its_own_deadline(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "HANDSHAKE_TIMEOUT", 0.05)

    async def main() -> None:
        async with connected() as (connection, theirs):

            async def trickle() -> None:
                for octet in Client().shake():
                    theirs.send(bytes([octet]))
                    await asyncio.sleep(0.01)

            task = asyncio.create_task(trickle())
            async with asyncio.timeout(5):
                with pytest.raises(Closed, match="took too long"):
                    await connection.start_tls(FILES.server())
            task.cancel()
            assert connection.tls is None

    run(main())


@both_loops
@pytest.mark.parametrize("polite", [True, False], ids=["with close_notify", "without"])
def test_a_peer_that_closes_is_told_as_an_end_after_what_it_said(run: Run, polite: bool) -> None:
    async def main() -> None:
        async with secured() as (connection, theirs, client):
            last = client.says(b"last\n")
            if polite:
                with pytest.raises(ssl.SSLWantReadError):
                    client.tls.unwrap()
                last += client.output.read()
            await told(theirs, last)
            if not polite:
                theirs.shutdown(socket.SHUT_WR)
            assert await connection.next_event(5) == b"last"
            await connection.send(b"answer")
            with pytest.raises(Closed):
                await connection.next_event(5)
            connection.end()
            assert await heard(theirs, client, 7) == b"answer\n"
            assert await read(theirs) == b""

    run(main())


@both_loops
def test_the_end_says_close_notify_after_all_that_is_held(run: Run) -> None:
    async def main() -> None:
        async with secured(buffer=8192) as (connection, theirs, client):
            body = bytes(range(256)) * 4000
            sending = asyncio.create_task(connection.send_bytes(body))
            await settle()
            sending.cancel()
            connection.end()
            assert connection.farewell is not None
            assert await heard(theirs, client, len(body)) == body
            while data := await read(theirs):
                client.input.write(data)
            client.input.write_eof()
            with contextlib.suppress(ssl.SSLZeroReturnError):
                assert client.tls.read(1) == b""  # Without a close_notify it were SSLEOFError.

    run(main())


@both_loops
def test_an_end_whose_peer_never_reads_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "UNSENT", 0.05)

    async def main() -> None:
        async with secured(buffer=8192) as (connection, _, _client):
            sending = asyncio.create_task(connection.send_bytes(b"x" * 2_000_000))
            await settle()
            sending.cancel()
            connection.end()
            assert connection.farewell is not None
            async with asyncio.timeout(2):
                await connection.farewell.over()

    run(main())


@both_loops
def test_a_slow_reader_s_body_is_encrypted_as_it_reads(run: Run) -> None:
    async def main() -> None:
        async with secured(buffer=8192) as (connection, theirs, client):
            body = bytes(range(256)) * 20_000
            await connection.send_bytes(b"first line\n")
            sending = asyncio.create_task(connection.send_bytes(body))
            await settle()
            transport, secure = connection._transport, connection._secure
            assert transport is not None and secure is not None and not sending.done()
            assert secure.held > len(body) - 4 * STEP and secure._held[0] is body
            most, got, size = 0, list[bytes](), 0
            while size < len(body) + 11:
                most = max(most, transport.get_write_buffer_size())
                got.append(client.hears(await read(theirs, 100_000)))
                size += len(got[-1])
            await sending
            assert b"".join(got) == b"first line\n" + body
            assert most < 3 * STEP

    run(main())


@both_loops
def test_a_peer_that_never_reads_times_out_and_one_that_does_may_take_its_time(run: Run) -> None:
    async def main() -> None:
        async with secured(buffer=8192) as (connection, theirs, client):
            sending = asyncio.create_task(connection.send_bytes(b"x" * 2_000_000, timeout=0.1))
            got = 0
            while got < 1_500_000:
                got += len(client.hears(await read(theirs, 20_000)))
                await asyncio.sleep(0.002)
            assert not sending.done()
            with pytest.raises(TimedOut):
                await sending

    run(main())


@both_loops
def test_a_peer_that_floods_is_held_back_while_the_session_is_busy(run: Run) -> None:
    async def main() -> None:
        async with secured(buffer=65536) as (connection, theirs, client):
            wire = client.says(b"x" * 999 + b"\n") + b"".join(client.says(b"y" * 999 + b"\n") for _ in range(2999))
            sending = asyncio.create_task(told(theirs, wire))
            for _ in range(200):
                await asyncio.sleep(0)
            assert not sending.done()
            assert connection.received <= READ_AHEAD + SECURE_CHUNK + 16384
            for _ in range(3000):
                assert len(await connection.next_event(5)) == 999
                await connection.send(b"")
                with contextlib.suppress(BlockingIOError):
                    theirs.recv(65536)
            await sending
            assert connection.received == 3_000_000

    run(main())


@both_loops
def test_a_record_that_is_forged_ends_the_session_and_is_told_to_who_logs(run: Run) -> None:
    async def main() -> None:
        async with secured() as (connection, theirs, client):
            told_reasons: list[tuple[str, str]] = []
            connection.broken = lambda host, reason: told_reasons.append((host, reason))
            good, bad = client.says(b"good\n"), bytearray(client.says(b"bad\n"))
            bad[-1] ^= 1
            await told(theirs, good + bytes(bad))
            assert await connection.next_event(5) == b"good"
            await connection.send(b"x")
            with pytest.raises(Closed):
                await connection.next_event(5)
            connection.end()
            assert len(told_reasons) == 1 and told_reasons[0][0] == "" and "SSL" in told_reasons[0][1]
            alert = await read(theirs)
            with pytest.raises(ssl.SSLError):
                client.hears(alert)
            assert await read(theirs) == b""

    run(main())


@both_loops
def test_what_is_pushed_goes_out_under_tls_while_the_session_waits(run: Run) -> None:
    async def main() -> None:
        async with secured() as (connection, theirs, client):
            waiting = asyncio.create_task(connection.event_or_wake(5))
            await settle()
            assert connection.clear
            connection.push(b"* 1 EXISTS\n")
            assert await heard(theirs, client, 11) == b"* 1 EXISTS\n"
            assert not waiting.done()
            waiting.cancel()

    run(main())


@both_loops
def test_compression_goes_inside_of_tls(run: Run) -> None:
    async def main() -> None:
        async with secured() as (connection, theirs, client):
            connection.compress()
            packer, unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
            await told(theirs, client.says(packer.compress(b"a" * 5000 + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH)))
            assert await connection.next_event(5) == b"a" * 5000
            await connection.send(b"b" * 5000)
            connection.flush()
            answer = b""
            while not answer.endswith(b"\n"):
                answer += unpacker.decompress(await heard(theirs, client, 1))
            assert answer == b"b" * 5000 + b"\n" and connection.received < 200

    run(main())


@both_loops
def test_one_that_asks_and_never_reads_gets_no_more_answers_than_are_held(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=8192) as (connection, theirs):

            async def session() -> None:
                while True:
                    await connection.next_event(0.2)
                    await connection.send(b"y" * 30_000)

            task = asyncio.create_task(session())
            async with asyncio.timeout(5):
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    while not task.done():
                        theirs.send(b"a\n")
                        await asyncio.sleep(0.001)
                with pytest.raises(TimedOut):
                    await task
            assert connection.sent < 500_000

    run(main())


@both_loops
def test_a_listener_s_sessions_begin_after_the_handshake_and_what_breaks_is_logged(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        context = FILES.server()
        bench.serve([bench.socket], lambda: Connection(LineEngine()), bench.session, tls=lambda: context)
        client = Client()
        (sock,) = bench.connect()
        await told(sock, client.shake())
        client.input.write(await read(sock))
        assert bench.listener.connections == 1 and not bench.sessions
        await told(sock, client.shake())
        await bench.until(lambda: len(bench.sessions) == 1)
        assert bench.sessions[0].tls is not None and bench.listener.connections == 1
        await told(sock, b"this is no record\n")
        await bench.until(lambda: bool(bench.log.named("tls.failed")))
        (record,) = bench.log.named("tls.failed")
        assert record["service"] == "toy" and "SSL" in str(record["reason"])

    use(run, tmp_path, what)


@both_loops
def test_closing_a_listener_ends_handshakes_too(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        context = FILES.server()
        bench.serve([bench.socket], lambda: Connection(LineEngine()), bench.session, tls=lambda: context)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        bench.listener._acceptor.accept(FakeListening((ours, ("192.0.2.1", 1))))  # type: ignore[arg-type]
        await settle()
        await bench.listener.close(1)
        assert not bench.listener.connections and not bench.sessions
        with contextlib.suppress(ConnectionResetError):
            assert await read(theirs) == b""
        theirs.close()

    use(run, tmp_path, what)


@both_loops
def test_a_peer_that_makes_tls_answer_and_never_reads_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with secured(buffer=8192) as (connection, theirs, client):
            monkeypatch.setattr(Secure, "outgoing", lambda _: b"x" * 1000)
            async with asyncio.timeout(5):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    while not connection._lost:
                        await told(theirs, client.says(b"y"))
                        await asyncio.sleep(0)
                        transport = connection._transport
                        assert transport is not None and transport.get_write_buffer_size() <= READ_AHEAD + 1000
                while not connection._lost:
                    await asyncio.sleep(0)

    run(main())
