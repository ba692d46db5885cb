"""The driver keeps its promises to sessions and to peers, on both event loops."""

import asyncio
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.certs import certificates
from tests.unit.backends.net.loops import Run, both_loops
from tests.unit.backends.net.toy import LineEngine, Toy, connected, read, settle
from whimbrel.backends.net import driver, farewell
from whimbrel.backends.net.driver import WRITE_AHEAD, Closed, Connection, TimedOut
from whimbrel.backends.net.wire import READ_AHEAD


async def echo(connection: Toy, timeout: float = 5) -> None:
    """A session that answers each line with itself, until the end."""
    try:
        while True:
            await connection.send(await connection.next_event(timeout))
    except Closed:
        connection.end()


@both_loops
def test_a_pipelined_batch_is_answered_with_one_write(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            writes = []
            transport = connection._transport
            assert transport is not None
            write = transport.write

            class Watched:
                def __getattr__(self, name: str) -> object:
                    return getattr(transport, name)

                def write(self, data: bytes) -> None:
                    writes.append(bytes(data))
                    write(data)

            connection._transport = Watched()  # type: ignore[assignment]
            theirs.send(b"a\nb\nc\n")
            await settle()
            task = asyncio.create_task(echo(connection))
            assert await read(theirs) == b"a\nb\nc\n"
            assert writes == [b"a\nb\nc\n"]
            theirs.send(b"d\n")
            assert await read(theirs) == b"d\n"
            theirs.shutdown(socket.SHUT_WR)
            await task

    run(main())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"\n", b"bc\n", b"\n\n"]), max_size=20))
def test_any_chunking_gives_the_same_answers(chunks: list[bytes]) -> None:
    async def main() -> bytes:
        async with connected() as (connection, theirs):
            task = asyncio.create_task(echo(connection))
            for chunk in chunks:
                theirs.send(chunk)
                await asyncio.sleep(0)
            theirs.shutdown(socket.SHUT_WR)
            await task
            answers = b""
            while data := await read(theirs):
                answers += data
            return answers

    data = b"".join(chunks)
    assert asyncio.run(main()) == data[: data.rfind(b"\n") + 1]


@both_loops
def test_a_half_closed_peer_still_gets_its_answers(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"last\nwords")
            theirs.shutdown(socket.SHUT_WR)
            await settle()
            await echo(connection)
            assert await read(theirs) == b"last\n"
            assert await read(theirs) == b""

    run(main())


@both_loops
def test_what_arrived_before_the_peer_vanished_is_still_told(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"one\ntwo\n")
            theirs.close()
            await settle()
            assert await connection.next_event(1) == b"one"
            await connection.send(b"x")
            assert await connection.next_event(1) == b"two"
            await connection.send(b"x")
            with pytest.raises(Closed):
                await connection.next_event(1)

    run(main())


@both_loops
def test_an_event_without_its_reply_is_a_bug_that_is_told(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"a\nb\n")
            await connection.next_event(1)
            with pytest.raises(RuntimeError):
                await connection.next_event(1)

    run(main())


@both_loops
def test_a_silent_peer_times_out_and_can_be_told_so(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            with pytest.raises(TimedOut):
                await connection.next_event(0.02)
            await connection.send_bytes(b"421 bye\n")
            connection.end()
            assert await read(theirs) == b"421 bye\n"
            assert await read(theirs) == b""

    run(main())


@both_loops
def test_a_shorter_time_out_counts_after_a_longer_one_and_a_longer_after_a_shorter(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"a\n")
            await connection.next_event(600)  # Its timer goes on running.
            await connection.send(b"x")
            waiting = asyncio.create_task(connection.next_event(600))
            await settle()
            theirs.send(b"b\n")
            await waiting
            await connection.send(b"x")
            loop = asyncio.get_running_loop()
            start = loop.time()
            with pytest.raises(TimedOut):
                await connection.next_event(0.03)
            with pytest.raises(TimedOut):
                await connection.next_event(0.06)
            assert 0.085 <= loop.time() - start < 5

    run(main())


@both_loops
def test_a_peer_that_trickles_octets_is_timed_out_in_all(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):

            async def trickle() -> None:
                while True:
                    theirs.send(b"x")
                    await asyncio.sleep(0.01)

            task = asyncio.create_task(trickle())
            try:
                async with asyncio.timeout(2):
                    with pytest.raises(TimedOut):
                        await connection.next_event(0.1)
            finally:
                task.cancel()

    run(main())


@both_loops
def test_a_slow_reader_holds_its_own_session_and_gets_everything(run: Run) -> None:
    size = 2_000_000

    async def main() -> None:
        async with connected(buffer=8192) as (connection, theirs):
            theirs.send(b"go\n")
            await connection.next_event(1)
            sending = asyncio.create_task(connection.send(b"x" * size))
            await settle()
            assert not sending.done()
            taken = 0
            while taken <= size:
                taken += len(await read(theirs, 300_000))
            await sending
            assert taken == size + 1

    run(main())


@both_loops
def test_a_peer_that_never_reads_times_out(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=8192) as (connection, _):
            with pytest.raises(TimedOut):
                await connection.send_bytes(b"x" * 2_000_000, timeout=0.05)
            connection.abort()

    run(main())


@both_loops
def test_a_peer_that_sends_but_never_reads_times_out_all_the_same(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=8192) as (connection, theirs):

            async def trickle() -> None:
                while True:
                    theirs.send(b"x")
                    await asyncio.sleep(0.01)

            task = asyncio.create_task(trickle())
            try:
                async with asyncio.timeout(2):
                    with pytest.raises(TimedOut):
                        await connection.send_bytes(b"x" * 2_000_000, timeout=0.1)
            finally:
                task.cancel()
                connection.abort()

    run(main())


@both_loops
def test_a_slow_peer_that_reads_on_may_take_its_time(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=8192) as (connection, theirs):
            sending = asyncio.create_task(connection.send_bytes(b"x" * 2_000_000, timeout=0.1))
            loop = asyncio.get_running_loop()
            start = loop.time()
            taken = 0
            while taken < 2_000_000:
                taken += len(await read(theirs, 20_000))
                await asyncio.sleep(0.002)
            await sending
            assert loop.time() - start > 0.15

    run(main())


@both_loops
def test_a_peer_that_goes_while_we_send_ends_the_session(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=8192) as (connection, theirs):
            sending = asyncio.create_task(connection.send_bytes(b"x" * 2_000_000))
            await settle()
            theirs.close()
            with pytest.raises(Closed):
                await sending
            with pytest.raises(Closed):
                await connection.next_event(1)
            connection.flush()  # Harmless.

    run(main())


@both_loops
def test_replies_are_held_until_they_are_many(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            await connection.send_bytes(b"x" * (WRITE_AHEAD - 1))
            await settle()
            with pytest.raises(BlockingIOError):
                theirs.recv(1)
            await connection.send_bytes(b"y")
            assert len(await read(theirs, 2 * WRITE_AHEAD)) == WRITE_AHEAD
            assert connection.sent == WRITE_AHEAD

    run(main())


@both_loops
def test_a_peer_that_floods_is_held_back_while_the_session_is_busy(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=65536) as (connection, theirs):
            sent = 0
            line = b"x" * 999 + b"\n"
            for _ in range(3000):
                try:
                    sent += theirs.send(line)
                except BlockingIOError:
                    await asyncio.sleep(0)
            await settle()
            assert connection.received <= READ_AHEAD + 300_000 < sent + 1_000_000
            held = connection.received
            await settle()
            assert connection.received == held
            events = 0
            while events * 1000 < sent:
                assert await connection.next_event(1)
                await connection.send(b"")
                events += 1
                if events % 500 == 0:
                    while True:
                        try:
                            theirs.recv(65536)
                        except BlockingIOError:
                            break
            assert connection.received == sent

    run(main())


@both_loops
def test_a_wake_interrupts_a_wait_and_is_not_lost_before_one(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            connection.wake()
            assert await connection.event_or_wake(1) is None
            waiting = asyncio.create_task(connection.event_or_wake(1))
            await settle()
            connection.wake()
            connection.wake()
            assert await waiting is None
            theirs.send(b"a\n")
            assert await connection.next_event(1) == b"a"
            connection.wake()
            await connection.send(b"x")
            assert await connection.event_or_wake(1) is None

    run(main())


@both_loops
def test_a_wake_does_not_hide_an_event_nor_disturb_who_waits_for_one(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            waiting = asyncio.create_task(connection.next_event(1))
            await settle()
            connection.wake()
            await settle()
            assert not waiting.done()
            theirs.send(b"a\n")
            assert await waiting == b"a"

    run(main())


@both_loops
def test_a_wake_flushes_what_is_held_before_the_wait(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            await connection.send_bytes(b"* 1 EXISTS\n")
            waiting = asyncio.create_task(connection.event_or_wake(1))
            assert await read(theirs) == b"* 1 EXISTS\n"
            waiting.cancel()

    run(main())


FILES = certificates("localhost")


class TlsPeer:
    """The peer's end in a thread: plain bytes, then TLS, then lines."""

    def __init__(self, sock: socket.socket, before: bytes, lines: bytes) -> None:
        sock.setblocking(True)
        sock.settimeout(5)
        self.plain = self.secret = b""
        self.error: OSError | None = None
        self._sock, self._before, self._lines = sock, before, lines
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            if self._before:
                self._sock.sendall(self._before)
                self.plain = self._sock.recv(1000)
            with FILES.client().wrap_socket(self._sock, server_hostname="localhost") as tls:
                tls.sendall(self._lines)
                while self.secret.count(b"\n") < self._lines.count(b"\n"):
                    data = tls.recv(1000)
                    if not data:
                        break
                    self.secret += data
        except OSError as error:
            self.error = error
            self._sock.close()


async def finished(peer: TlsPeer) -> None:
    async with asyncio.timeout(5):
        while peer.thread.is_alive():
            await asyncio.sleep(0.001)


@both_loops
def test_starttls_goes_on_under_tls_with_the_same_engine(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            peer = TlsPeer(theirs, b"STARTTLS\n", b"a\nb\n")
            assert await connection.next_event(5) == b"STARTTLS"
            assert connection.tls is None
            await connection.send(b"go ahead")
            await connection.start_tls(FILES.server())
            assert connection.tls is not None and connection.tls.version == "TLSv1.3" and connection.tls.bits >= 128
            for line in (b"a", b"b"):
                assert await connection.next_event(5) == line
                await connection.send(line)
            connection.flush()
            await finished(peer)
            assert (peer.plain, peer.secret, peer.error) == (b"go ahead\n", b"a\nb\n", None)

    run(main())


@both_loops
def test_plaintext_behind_starttls_is_never_taken_for_what_comes_under_tls(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            engine = connection.engine
            assert isinstance(engine, LineEngine)
            peer = TlsPeer(theirs, b"STARTTLS\nEVIL\nhalf", b"good\n")
            assert await connection.next_event(5) == b"STARTTLS"
            await connection.send(b"go ahead")
            connection.data_received(b"MORE EVIL\n")  # In the driver's hands, not yet the engine's.
            await connection.start_tls(FILES.server())
            assert engine.tls == 1 and engine.buffer == b""
            assert await connection.next_event(5) == b"good"
            await connection.send(b"x")
            connection.flush()
            await finished(peer)
            assert b"MORE EVIL\n" not in engine.received

    run(main())


@both_loops
def test_with_implicit_tls_the_session_begins_after_the_handshake(run: Run) -> None:
    async def main() -> None:
        peers: list[TlsPeer] = []
        async with connected(
            tls=FILES.server(), peer=lambda theirs: peers.append(TlsPeer(theirs, b"", b"hello\n"))
        ) as (connection, _):
            assert connection.tls is not None and connection.tls.version == "TLSv1.3"
            assert await connection.next_event(5) == b"hello"
            await connection.send(b"x")
            connection.flush()
            await finished(peers[0])
            assert (peers[0].secret, peers[0].error) == (b"x\n", None)

    run(main())


@both_loops
def test_a_failed_handshake_ends_the_session(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"STARTTLS\n")
            await connection.next_event(5)
            await connection.send(b"go ahead")
            theirs.send(b"EHLO this is no TLS at all\n")
            with pytest.raises(Closed):
                await connection.start_tls(FILES.server())
            assert connection.tls is None
            with pytest.raises(Closed):
                await connection.next_event(1)

    run(main())


@both_loops
def test_tls_with_a_peer_that_has_gone_ends_the_session(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.close()
            await settle()
            with pytest.raises(Closed):
                await connection.start_tls(FILES.server())

    run(main())


@both_loops
def test_a_tls_peer_that_ends_is_an_end(run: Run) -> None:
    async def main() -> None:
        peers: list[TlsPeer] = []
        async with connected(tls=FILES.server(), peer=lambda theirs: peers.append(TlsPeer(theirs, b"", b""))) as (
            connection,
            _,
        ):
            with pytest.raises(Closed):
                await connection.next_event(5)
            await finished(peers[0])

    run(main())


@both_loops
def test_the_end_sends_what_is_held_and_leaves_no_timer(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"a\n")
            await connection.next_event(600)
            await connection.send(b"bye")
            waiting = asyncio.create_task(connection.next_event(600))
            await settle()
            waiting.cancel()
            await connection.send_bytes(b"now\n")
            connection.end()
            assert connection._timer is None
            received = b""
            while data := await read(theirs):
                received += data
            assert received == b"bye\nnow\n"

    run(main())


@both_loops
def test_an_ended_connection_whose_peer_never_reads_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "UNSENT", 0.05)

    async def main() -> None:
        async with connected(buffer=8192) as (connection, _):
            transport = connection._transport
            assert transport is not None
            await connection.send_bytes(b"x" * 1000)
            transport.write(b"x" * 2_000_000)
            connection.end()
            assert connection.farewell is not None
            async with asyncio.timeout(2):
                await connection.farewell.over()

    run(main())


class FakeTransport:
    """Tells the addresses it was given."""

    def __init__(self, peer: object, local: object) -> None:
        self.names = {"peername": peer, "sockname": local}

    def get_extra_info(self, name: str) -> object:
        return self.names.get(name)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (("::ffff:192.0.2.1", 25, 0, 0), ("192.0.2.1", 25)),
        (("2001:db8::1", 25, 0, 0), ("2001:db8::1", 25)),
        (("192.0.2.1", 25), ("192.0.2.1", 25)),
        ("/run/socket", ("", 0)),
        (None, ("", 0)),
    ],
)
def test_a_mapped_address_is_told_as_ipv4_and_a_unix_socket_has_none(name: object, known: tuple[str, int]) -> None:
    async def main() -> None:
        connection: Toy = Connection(LineEngine(), lambda _: None)
        connection.connection_made(FakeTransport(name, name))  # type: ignore[arg-type]
        assert (connection.peer, connection.local, connection.tls) == (known, known, None)

    asyncio.run(main())


@both_loops
def test_a_flood_of_commands_leaves_the_others_their_turn(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            theirs.send(b"a\n" * 5000)
            await settle()
            answered = list[int]()

            async def session() -> None:
                while True:
                    await connection.send(await connection.next_event(5))
                    answered.append(1)

            task = asyncio.create_task(session())
            seen = 0
            while len(answered) < 5000:
                await asyncio.sleep(0)
                assert len(answered) - seen <= driver.TURN
                seen = len(answered)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(main())
