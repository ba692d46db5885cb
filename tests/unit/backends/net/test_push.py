"""News are written from outside a session that waits: in order, only to who reads; and a wait costs little memory."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.backends.net.loops import Run, both_loops
from tests.unit.backends.net.test_listener import Bench
from tests.unit.backends.net.toy import connected, read, settle
from whimbrel.backends.net.driver import Closed, TimedOut
from whimbrel.backends.net.listener import Limits


@both_loops
def test_what_is_pushed_goes_out_at_once_and_the_session_waits_on(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            task = asyncio.create_task(connection.next_event(5))
            await settle()
            connection.push(b"news\n")
            assert await read(theirs) == b"news\n"
            assert not task.done() and connection.sent == 5
            theirs.send(b"a\n")
            assert await task == b"a"

    run(main())


@both_loops
def test_held_replies_go_before_what_is_pushed(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            await connection.send_bytes(b"held\n")
            connection.push(b"news\n")
            assert await read(theirs) == b"held\nnews\n"

    run(main())


@both_loops
def test_nothing_is_pushed_to_a_peer_that_does_not_read_or_has_gone(run: Run) -> None:
    async def main() -> None:
        async with connected(buffer=4096) as (connection, theirs):
            assert connection.clear
            task = asyncio.create_task(connection.next_event(5))
            while connection.clear:
                connection.push(b"x" * 65536)
                await settle()
                assert connection.sent < 10_000_000, "a peer that reads nothing is never clear again"
            theirs.close()
            with pytest.raises(Closed):
                await task
            assert not connection.clear
            connection.push(b"y")  # No error, whoever was late.

    run(main())


@both_loops
def test_a_time_out_still_comes_after_a_push(run: Run) -> None:
    async def main() -> None:
        async with connected() as (connection, theirs):
            task = asyncio.create_task(connection.event_or_wake(0.05))
            await settle()
            connection.push(b"news\n")
            with pytest.raises(TimedOut):
                await task
            assert await read(theirs) == b"news\n"

    run(main())


def test_a_connection_has_no_dictionary() -> None:
    async def main() -> None:
        async with connected() as (connection, _):
            assert not hasattr(connection, "__dict__")

    asyncio.run(main())


def _depth(task: "asyncio.Task[object]") -> int:
    """Coroutines that are suspended within each other."""
    depth, inner = 0, task.get_coro()
    while hasattr(inner, "cr_await"):
        depth, inner = depth + 1, inner.cr_await
    return depth


def test_waiting_holds_one_coroutine_of_the_driver() -> None:
    async def main() -> None:
        async with connected() as (connection, _):
            task = asyncio.create_task(connection.event_or_wake(5))
            await settle()
            assert _depth(task) == 1
            task.cancel()

    asyncio.run(main())


@both_loops
def test_a_session_takes_the_place_of_its_beginning_in_the_counts(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        bench = Bench(tmp_path, Limits(connections=3, per_host=3))
        bench.open()
        clients = bench.connect(3)
        await bench.until(lambda: len(bench.sessions) == 3)
        assert bench.listener.connections == 3 and sum(bench.listener._hosts.values()) == 3
        assert all(_depth(task) == 2 for task in bench.listener._tasks), "the session and what it waits for, no more"
        (refused,) = bench.connect(1)
        assert await read(refused) == b"421 too many\r\n"
        bench.release.set()
        for client in (*clients, refused):
            client.close()
        await bench.until(lambda: bench.listener.connections == 0)
        assert not bench.listener._hosts
        await bench.listener.close(1)
        bench.socket.close()

    run(main())
