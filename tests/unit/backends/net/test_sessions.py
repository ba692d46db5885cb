"""Connections of a process: seen when somebody looks, ended as at a shutdown."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.backends.net.loops import Run, both_loops
from tests.unit.backends.net.test_listener import Bench
from whimbrel.backends.live import connections as live
from whimbrel.backends.live import sockets
from whimbrel.backends.live.connections import AllConnections
from whimbrel.backends.live.sockets import Answers
from whimbrel.backends.net import sessions as sessions_module
from whimbrel.backends.net.connector import NetConnector
from whimbrel.backends.net.sessions import ListenerSessions
from whimbrel.backends.stats.board import Board
from whimbrel.core.connections import MOST, ConnectionList, LiveConnection, Which, ordered
from whimbrel.core.net import TlsPolicy


class _Command: ...


def seen(bench: Bench) -> ListenerSessions:
    return ListenerSessions("mail/1", lambda: [bench.listener], bench.log)


@both_loops
def test_a_connection_shows_who_it_is_and_what_it_is_at(run: Run, tmp_path: Path) -> None:
    async def check() -> None:
        bench = Bench(tmp_path)
        bench.open()
        bench.connect(3)
        await bench.until(lambda: len(bench.sessions) == 3)
        for number, connection in enumerate(bench.sessions):
            connection.session_id, connection.user = f"s{number}", f"u{number}@example.test"
        bench.sessions[1].command = _Command
        page = await seen(bench).list(Which(), "user")
        assert [each.id for each in page.items] == ["s0", "s1", "s2"] and page.counts == {"toy": 3}
        assert [each.command for each in page.items] == ["", "_COMMAND", ""]
        assert all(each.idle < 60 and each.since > 1_600_000_000 for each in page.items)
        page = await seen(bench).list(Which(user="u1"), "user")
        assert [each.user for each in page.items] == ["u1@example.test"] and page.total == 1
        page = await seen(bench).list(Which(), "-user", 1)
        assert [each.id for each in page.items] == ["s2"] and page.total == 3
        await bench.listener.close(1)

    run(check())


@both_loops
def test_a_session_is_ended_by_whoever_may_and_the_log_says_who(run: Run, tmp_path: Path) -> None:
    async def check() -> None:
        bench = Bench(tmp_path)
        bench.open()
        bench.connect(2)
        await bench.until(lambda: len(bench.sessions) == 2)
        for number, connection in enumerate(bench.sessions):
            connection.session_id, connection.user = f"s{number}", f"u{number}@example.test"
        assert await seen(bench).disconnect(Which(user="u0"), "admin") == []
        ended = await seen(bench).disconnect(Which(user="u0@example.test"), "admin (192.0.2.1)")
        assert [each.id for each in ended] == ["s0"]
        await bench.until(lambda: bench.ended == ["cancelled"])
        assert bench.sessions[0].dismissed and not bench.sessions[1].dismissed
        assert [(event, fields["by"], fields["user"]) for _, event, fields in bench.log.records] == [
            ("connection.ended", "admin (192.0.2.1)", "u0@example.test")
        ]
        await bench.until(lambda: bench.listener.connections == 1)
        await bench.listener.close(1)

    run(check())


@both_loops
def test_a_session_that_must_answer_is_told_and_not_cut_off(run: Run, tmp_path: Path) -> None:
    async def check() -> None:
        bench = Bench(tmp_path)
        bench.open()
        bench.connect(1)
        await bench.until(lambda: len(bench.sessions) == 1)
        bench.sessions[0].busy = True
        assert len(await seen(bench).disconnect(Which(service="toy"), "admin")) == 1
        await asyncio.sleep(0)
        assert bench.sessions[0].stopping and not bench.ended
        bench.release.set()
        await bench.until(lambda: bench.ended == ["done"])
        await bench.listener.close(1)

    run(check())


def test_looking_at_many_gives_others_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "TURN", 5)

    async def check() -> None:
        bench = Bench(tmp_path)
        bench.open()
        bench.connect(20)
        await bench.until(lambda: len(bench.sessions) == 20)
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        assert (await seen(bench).list(Which())).total == 20
        task.cancel()
        assert turns >= 3
        await bench.listener.close(1)

    asyncio.run(check())


def test_connections_of_all_processes_are_one_list(tmp_path: Path) -> None:
    async def check() -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        benches = [Bench(tmp_path / "a"), Bench(tmp_path / "b")]
        folder = tmp_path / "live"
        async with _served(benches[0], folder, "mail-1"), _served(benches[1], folder, "mail-2"):
            for number, bench in enumerate(benches):
                bench.open()
                bench.connect(2)
                await bench.until(lambda bench=bench: len(bench.sessions) == 2)  # type: ignore[misc]
                for place, connection in enumerate(bench.sessions):
                    connection.session_id = f"{number}{place}"
                    connection.user = f"u{2 * place + number}@example.test"
            every = AllConnections(folder)
            page = await every.list(Which(), "user", 3)
            assert [each.user[:2] for each in page.items] == ["u0", "u1", "u2"]
            assert page.counts == {"toy": 4}
            assert [each.id for each in await every.disconnect(Which(ids=("01", "10")), "admin")] != []
            await benches[0].until(lambda: all(bench.ended == ["cancelled"] for bench in benches))
            assert (await every.list(Which(domains=("example.org",)))).total == 0
        for bench in benches:
            await bench.listener.close(1)

    asyncio.run(check())


def _served(bench: Bench, folder: Path, name: str) -> AbstractAsyncContextManager[None]:
    answers = Answers()
    answers.tell(live.SUBJECT, live.answering(seen(bench)))
    return sockets.serving(answers, folder, name)


def test_octets_connections_and_their_ends_are_counted(tmp_path: Path) -> None:
    board = Board(["toy"])

    def number(name: str) -> int:
        family, _, value = name.partition(".")
        return board.cell(family, value)[0]

    async def check() -> None:
        bench = Bench(tmp_path)
        bench.tally = board
        bench.open()
        clients = bench.connect(2)
        await bench.until(lambda: len(bench.sessions) == 2)
        assert number("connections.toy") == 2 and number("connections-ended.toy") == 0
        clients[0].send(b"hello\r\n")
        await bench.until(lambda: number("octets-in.toy") == 7)
        await bench.sessions[0].send_bytes(b"answer\r\n")
        bench.sessions[0].flush()
        assert number("octets-out.toy") == 8
        bench.release.set()
        for client in clients:
            client.close()
        await bench.until(lambda: number("connections-ended.toy") == 2)
        await bench.listener.close(1)

    asyncio.run(check())


def test_ten_thousand_connections_are_listed_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PATIENCE", 60.0)
    one = LiveConnection("x", "imaps", "u", "192.0.2.7", 1, "TLSv1.3", "TLS_AES", 1.5, 2.5, "IDLE", 10, 20, "mail/1")
    rows = [replace(one, id=f"{n:08x}", user=f"{'x' * 50}{n}@example.test") for n in range(MOST)]

    class Many:
        async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
            return ConnectionList(ordered(rows, order, limit), {"imaps": MOST})

        async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
            return []

    async def check() -> None:
        answers = Answers()
        answers.tell(live.SUBJECT, live.answering(Many()))
        async with sockets.serving(answers, tmp_path, "mail-1"):
            page = await AllConnections(tmp_path).list(Which(), "user")
            assert len(page.items) == page.total == MOST and page.items[0].cipher == "TLS_AES"
            page = await AllConnections(tmp_path).list(Which(), "user", 7)
            assert len(page.items) == 7 and page.total == MOST

    asyncio.run(check())


def test_octets_of_deliveries_are_counted(tmp_path: Path) -> None:
    board = Board(["smtp"])

    class NoTls:
        def client_context(self, policy: TlsPolicy) -> ssl.SSLContext:
            raise AssertionError

        def verified(self, *_: object) -> bool:
            return False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.read(100)
        writer.close()

    async def check() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = await NetConnector(NoTls(), tally=board).open("127.0.0.1", port, "", TlsPolicy())
        assert await link.read() == b"220 hello\r\n"
        await link.write(b"QUIT\r\n")
        await link.close()
        server.close()
        assert board.cell("octets-in", "delivery")[0] == 11 and board.cell("octets-out", "delivery")[0] == 6

    asyncio.run(check())
