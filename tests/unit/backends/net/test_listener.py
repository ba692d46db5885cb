"""Listening: limits, refusals, owned sessions, and a pause while the loop lags."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.certs import certificates
from tests.support.fakes import MemoryLog
from tests.unit.backends.net.loops import Run, both_loops
from tests.unit.backends.net.toy import LineEngine, Toy, settle
from whimbrel.backends.net import listener as listener_module
from whimbrel.backends.net.driver import Connection
from whimbrel.backends.net.listener import Limits, Listener, watch_lag
from whimbrel.core.stats import NoTally, Tally


class Bench:
    """A listener on a Unix socket; each session waits until `release` is set."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.path = str(folder / "s")
        self.log = MemoryLog()
        self.tally: Tally = NoTally()
        self.limits = limits or Limits()
        self.listener = self.made(lambda: Connection(LineEngine()), self.session)
        self.release = asyncio.Event()
        self.sessions: list[Toy] = []
        self.ended: list[str] = []
        self.crash: Exception | None = None
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(100)
        self.clients: list[socket.socket] = []

    def open(self, refusal: bytes = b"421 too many\r\n") -> None:
        self.serve([self.socket], lambda: Connection(LineEngine()), self.session, refusal=refusal)

    def serve(
        self,
        sockets: list[socket.socket],
        factory: Callable[[], Connection[Any, Any]],
        session: Callable[[Any], Coroutine[Any, Any, None]],
        *,
        refusal: bytes = b"",
        tls: Callable[[], ssl.SSLContext | None] | None = None,
    ) -> None:
        self.listener = self.made(factory, session, refusal, tls)
        self.listener.listen([sock.dup() for sock in sockets])  # As a worker gets them: each process has its own.

    def made(
        self,
        factory: Callable[[], Connection[Any, Any]],
        session: Callable[[Any], Coroutine[Any, Any, None]],
        refusal: bytes = b"",
        tls: Callable[[], ssl.SSLContext | None] | None = None,
    ) -> Listener:
        return Listener(
            "toy",
            lambda: self.limits,
            self.log,
            factory=factory,
            session=session,
            refusal=refusal,
            implicit_tls=lambda: tls is not None,
            tls=tls or (lambda: None),
            tally=self.tally,
        )

    async def session(self, connection: Toy) -> None:
        self.sessions.append(connection)
        try:
            await self.release.wait()
            if self.crash is not None:
                raise self.crash
            self.ended.append("done")
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        finally:
            connection.end()

    def connect(self, count: int = 1) -> list[socket.socket]:
        clients = [socket.socket(socket.AF_UNIX) for _ in range(count)]
        for client in clients:
            client.setblocking(False)
            client.connect(self.path)
        self.clients += clients
        return clients

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                await asyncio.sleep(0.001)


Use = Callable[[Bench], Awaitable[Any]]


def use(run: Run, folder: Path, what: Use, limits: Limits | None = None) -> None:
    async def main() -> None:
        bench = Bench(folder, limits)
        try:
            await what(bench)
        finally:
            bench.release.set()
            for client in bench.clients:
                client.close()
            await bench.listener.close(0.5)
            bench.socket.close()
            os.unlink(bench.path)

    run(main())


@both_loops
def test_connections_become_sessions_that_the_listener_owns(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        clients = bench.connect(5)
        await bench.until(lambda: len(bench.sessions) == 5)
        assert (bench.listener.connections, bench.listener.accepted) == (5, 5)
        bench.release.set()
        for client in clients:
            client.close()
        await bench.until(lambda: bench.listener.connections == 0)
        assert bench.ended == ["done"] * 5 and not bench.listener._hosts

    use(run, tmp_path, what)


@both_loops
def test_one_over_the_limit_is_told_why_and_logged(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect(2)
        await bench.until(lambda: len(bench.sessions) == 2)
        (third,) = bench.connect()
        assert await asyncio.get_running_loop().sock_recv(third, 100) == b"421 too many\r\n"
        assert await asyncio.get_running_loop().sock_recv(third, 100) == b""
        assert bench.log.named("connection.limit") == [{"service": "toy", "sender_host": "", "connections": 2}]
        bench.limits = Limits(connections=0)  # A changed setting counts at once; 0 is no limit.
        bench.connect(3)
        await bench.until(lambda: len(bench.sessions) == 5)

    use(run, tmp_path, what, Limits(connections=2))


class FakeListening:
    """Accepts what it was given: (connection or error, address)."""

    def __init__(self, *queue: tuple[socket.socket | OSError, Any]) -> None:
        self.queue = list(queue)

    def accept(self) -> tuple[socket.socket, Any]:
        connection, address = self.queue.pop(0)
        if isinstance(connection, OSError):
            raise connection
        return connection, address


@pytest.mark.parametrize(
    "address", [("192.0.2.1", 1), ("::ffff:192.0.2.1", 1, 0, 0)], ids=["an IPv4 socket", "a socket for both"]
)
def test_connections_of_one_host_are_bounded(tmp_path: Path, address: tuple[Any, ...]) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        first, other = socket.socketpair()
        bench.listener._acceptor.accept(FakeListening((first, ("192.0.2.1", 2))))  # type: ignore[arg-type]
        ours, theirs = socket.socketpair()
        theirs.settimeout(1)
        # Before the loop runs again: one that is only connecting, or in its handshake, counts too.
        bench.listener._acceptor.accept(FakeListening((ours, address)))  # type: ignore[arg-type]
        assert theirs.recv(100) == b"421 too many\r\n"
        assert len(bench.log.named("connection.limit")) == 1
        await bench.until(lambda: len(bench.sessions) == 1)
        theirs.close()
        other.close()

    use(asyncio.run, tmp_path, what, Limits(per_host=1))


@both_loops
def test_a_session_that_crashes_is_logged_and_the_others_go_on(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        (client,) = bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)
        bench.crash = ValueError("a bug")
        bench.release.set()
        await bench.until(lambda: bool(bench.log.named("session.crashed")))
        client.close()
        await bench.until(lambda: not bench.listener.connections)
        bench.crash = None
        bench.connect()
        await bench.until(lambda: bench.ended == ["done"])

    use(run, tmp_path, what)


@both_loops
def test_nothing_is_accepted_while_it_is_paused(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.listener.pause()
        bench.connect(2)
        await settle()
        assert bench.sessions == []
        bench.listener.pause()
        bench.listener.resume()
        bench.listener.resume()
        await bench.until(lambda: len(bench.sessions) == 2)

    use(run, tmp_path, what)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL])
def test_without_descriptors_it_pauses_instead_of_spinning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        full = OSError(number, "Too many open files")
        bench.listener._acceptor.accept(FakeListening((full, None)))  # type: ignore[arg-type]
        assert [record["error"] for record in bench.log.named("accept.failed")] == ["Too many open files"]
        bench.connect()
        await settle()
        assert bench.sessions == []
        bench.listener.resume()  # By the lag watch: too early, the next try would fail and be logged again.
        await settle()
        assert bench.sessions == []
        monkeypatch.setattr(bench.listener._acceptor, "_not_before", 0.0)
        bench.listener.resume()
        await bench.until(lambda: len(bench.sessions) == 1)

    use(asyncio.run, tmp_path, what)


@pytest.mark.parametrize("error", [BlockingIOError(), ConnectionAbortedError(), InterruptedError()])
def test_a_connection_that_another_worker_took_or_that_went_is_nothing(tmp_path: Path, error: OSError) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.listener._acceptor.accept(FakeListening((error, None)))  # type: ignore[arg-type]
        assert bench.log.records == []

    use(asyncio.run, tmp_path, what)


def test_a_connection_whose_network_failed_does_not_hold_up_the_next(tmp_path: Path) -> None:
    """accept(2) tells what is wrong with the new connection, too: whoever can bring that about must not stop us."""

    async def what(bench: Bench) -> None:
        bench.open()
        error = OSError(errno.EHOSTUNREACH, "No route to host")
        bench.listener._acceptor.accept(FakeListening((error, None)))  # type: ignore[arg-type]
        assert len(bench.log.named("accept.failed")) == 1
        bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)

    use(asyncio.run, tmp_path, what)


@both_loops
def test_closing_takes_no_more_connections_and_ends_sessions_that_do_not_end(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect(2)
        await bench.until(lambda: len(bench.sessions) == 2)
        await bench.listener.close(0.05)
        assert bench.ended == ["cancelled", "cancelled"] and bench.listener.connections == 0
        bench.connect()
        await settle()
        assert len(bench.sessions) == 2
        bench.listener.resume()  # By the lag watch, which does not know.
        await settle()
        assert len(bench.sessions) == 2

    use(run, tmp_path, what)


def test_a_late_loop_stops_accepting_until_it_has_caught_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "_TICK", 0.005)
    monkeypatch.setattr(listener_module, "LAG", 0.02)

    async def what(bench: Bench) -> None:
        bench.open()
        states: list[bool] = []
        pause, resume = bench.listener.pause, bench.listener.resume
        monkeypatch.setattr(bench.listener, "pause", lambda: (states.append(False), pause()))
        monkeypatch.setattr(bench.listener, "resume", lambda: (states.append(True), resume()))
        watch = asyncio.create_task(watch_lag([bench.listener]))
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.002)
        end = loop.time() + 0.05
        while loop.time() < end:
            pass  # The loop stands still.
        await bench.until(lambda: False in states)
        await bench.until(lambda: bool(states) and states[-1])
        watch.cancel()
        bench.connect()
        await bench.until(lambda: len(bench.sessions) == 1)

    use(asyncio.run, tmp_path, what)


@both_loops
def test_closing_leaves_a_busy_session_to_end_itself(run: Run, tmp_path: Path) -> None:
    async def what(bench: Bench) -> None:
        bench.open()
        bench.connect(2)
        await bench.until(lambda: len(bench.sessions) == 2)
        bench.sessions[0].busy = True
        closing = asyncio.create_task(bench.listener.close(grace=5))
        await bench.until(lambda: bench.ended == ["cancelled"])
        assert bench.sessions[0].stopping and not bench.sessions[1].stopping and not closing.done()
        bench.release.set()
        await closing
        assert bench.ended == ["cancelled", "done"]

    use(run, tmp_path, what)


def test_a_loop_that_is_late_for_ever_still_lets_somebody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a few connections that keep it busy would shut out all others."""
    monkeypatch.setattr(listener_module, "_TICK", 0.001)
    monkeypatch.setattr(listener_module, "LAG", -1.0)  # Late at each look.
    monkeypatch.setattr(listener_module, "MOST_LATE", 3)

    async def what(bench: Bench) -> None:
        bench.open()
        states: list[bool] = []
        pause, resume = bench.listener.pause, bench.listener.resume
        monkeypatch.setattr(bench.listener, "pause", lambda: (states.append(False), pause()))
        monkeypatch.setattr(bench.listener, "resume", lambda: (states.append(True), resume()))
        watch = asyncio.create_task(watch_lag([bench.listener]))
        await bench.until(lambda: len(states) >= 8)
        watch.cancel()
        assert states[:8] == [False, False, False, True] * 2

    use(asyncio.run, tmp_path, what)


def test_handshakes_count_against_the_limit_of_a_host(tmp_path: Path) -> None:
    """Else a host could hold any number of connections at the price of none."""

    async def what(bench: Bench) -> None:
        tls = certificates("localhost").server()
        bench.serve(
            [bench.socket],
            lambda: Connection(LineEngine()),
            bench.session,
            tls=lambda: tls,
        )
        address = ("192.0.2.1", 1)
        ours, theirs = socket.socketpair()
        bench.listener._acceptor.accept(FakeListening((ours, address)))  # type: ignore[arg-type]
        second, refused = socket.socketpair()
        refused.settimeout(1)
        bench.listener._acceptor.accept(FakeListening((second, address)))  # type: ignore[arg-type]
        incoming = ssl.MemoryBIO()
        client = certificates("localhost").client().wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="localhost")
        incoming.write(refused.recv(100))
        with pytest.raises(ssl.SSLError, match=r"(?i)alert.internal.error"):
            client.do_handshake()
        assert len(bench.log.named("connection.limit")) == 1
        theirs.send(b"no TLS at all\r\n\r\n")
        await bench.until(lambda: bool(bench.log.named("tls.failed")))
        theirs.close()
        await bench.until(lambda: not bench.listener.connections)  # The place is free again.
        assert not bench.listener._hosts and not bench.sessions
        refused.close()

    use(asyncio.run, tmp_path, what, Limits(per_host=1))
