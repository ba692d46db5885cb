"""Consoles among the connections that administrators see and end."""

import asyncio
from typing import Any

from tests.support.fakes import MemoryLog
from tests.unit.services.webd.test_tcp import Bench, run, to_end
from whimbrel.core.connections import Which
from whimbrel.services.webd.forward import USER, answer_headers
from whimbrel.services.webd.live import LONGEST, WebConnection, WebConnections


async def asked(bench: Bench, path: str = "/wait", user: str = "") -> Any:
    reader, writer = await bench.client()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    count = len(bench.requests)
    while len(bench.requests) == count:
        await asyncio.sleep(0.005)
    next(reversed(bench.tcp._live._all)).user = user
    return reader, writer


def test_connections_are_listed_with_who_is_signed_in_and_ended_by_it() -> None:
    async def work(bench: Bench) -> None:
        reader, writer = await asked(bench, user="alice@example.org")
        _, other = await asked(bench, user="bob@example.net")
        page = await bench.tcp._live.list(Which())
        assert page.counts == {"console": 2} and [row.user for row in page.items] == [
            "alice@example.org", "bob@example.net",
        ]  # fmt: skip
        row = page.items[0]
        assert row.tls == "TLSv1.3" and row.cipher.startswith("TLS_") and row.address == "192.0.2.7"
        assert row.received > 0 and row.idle < 5 and row.since > 1_700_000_000
        within = Which(domains=("example.org",))
        assert [each.user for each in (await bench.tcp._live.list(within)).items] == ["alice@example.org"]
        assert not await bench.tcp._live.disconnect(Which(user="alice"), "admin")  # A part of a name ends nobody.
        (ended,) = await bench.tcp._live.disconnect(Which(user="alice@example.org", domains=("example.org",)), "admin")
        assert ended.user == "alice@example.org" and await to_end(reader) == b""
        assert [each.user for each in (await bench.tcp._live.list(Which())).items] == ["bob@example.net"]
        assert bench.log.lines("connection.ended") if hasattr(bench.log, "lines") else True
        writer.close()
        other.transport.abort()

    run(work)


def test_what_a_connection_is_at_is_shown_without_tricks() -> None:
    async def work() -> None:
        live = WebConnections("web", MemoryLog())
        connection = WebConnection("w1", "console", "192.0.2.7", 4711, lambda: None, 0.0, 0.0)
        live.add(connection)
        connection.begin(1, "GET", "/api/events")
        connection.begin(2, "G\x1b[31m", "/a\r\nb\x9b<script>" + "x" * 9000)
        (row,) = (await live.list(Which())).items
        assert row.command.isascii() and row.command.isprintable() and len(row.command) < LONGEST + 30
        connection.over(2)
        assert (await live.list(Which())).items[0].command == "GET /api/events"
        connection.over(1)
        assert (await live.list(Which())).items[0].command == ""
        live.remove(connection)
        assert not (await live.list(Which())).items

    asyncio.run(work())


def test_who_made_a_request_never_reaches_a_client() -> None:
    assert answer_headers([(USER, b"alice@example.org"), (b"x", b"y")]) == [(b"x", b"y")]
