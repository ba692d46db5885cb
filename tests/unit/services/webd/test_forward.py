"""What passes between a browser and control, and what does not."""

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.webd.bench import COOKIE, INSTALLATION, Answer, Bench, Client
from whimbrel.services.console.cookie import cookie_name
from whimbrel.services.webd import forward, upstream

Asgi = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def body_of(receive: Any) -> bytes:
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


async def answer(send: Any, content: bytes, status: int = 200, headers: Any = ()) -> None:
    length = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": content})


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked."""
    body = await body_of(receive)
    told = {
        "method": scope["method"],
        "target": scope["raw_path"].decode() + "?" + scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "size": len(body),
    }
    await answer(send, json.dumps(told).encode(), headers=[(b"content-type", b"application/json")])


def ask(bench: Bench, client: Client, control: Asgi = mirror) -> Answer:
    async def run() -> Answer:
        async with bench.control(control):
            return await bench.ask(client)

    return asyncio.run(run())


def told(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return json.loads(answer.body)


def headers_of(answer: Answer) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in told(answer)["headers"]:
        headers.setdefault(name, []).append(value)
    return headers


def test_method_address_and_body_come_as_they_were(bench: Bench) -> None:
    target = "/api/admin/user/get?name=a%2Fb%40x&x=%C3%A4"
    assert told(ask(bench, Client("GET", target)))["target"] == target
    posted = told(ask(bench, Client("POST", "/api/session", [("content-length", "5")], [b"ab", b"cde"])))
    assert (posted["method"], posted["size"]) == ("POST", 5)
    assert told(ask(bench, Client("PATCH", "/api/admin/settings", pieces=[b"ab", b"cde"])))["size"] == 5
    assert told(ask(bench, Client("DELETE", "/api/session")))["size"] == 0


def test_control_hears_who_asks_and_by_which_name_and_nobody_can_say_it_is_another(bench: Bench) -> None:
    forged = [
        ("Whimbrel-Client", "127.0.0.1"), ("whimbrel_client", "127.0.0.1"), ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"), ("X-Real-IP", "127.0.0.1"),
        ("Connection", "whimbrel-client, host, cookie, origin"),
    ]  # fmt: skip
    kept = [("Origin", "https://localhost:44337"), ("Cookie", f"{COOKIE}=x"), ("X-CSRF-Token", "t")]
    headers = headers_of(ask(bench, Client("GET", "/api/session", forged + kept, client="::ffff:198.51.100.4")))
    assert headers["whimbrel-client"] == ["198.51.100.4"]
    assert headers["host"] == ["localhost:44337"] and headers["origin"] == ["https://localhost:44337"]
    assert headers["cookie"] == [f"{COOKIE}=x"] and headers["x-csrf-token"] == ["t"]
    assert "127.0.0.1" not in str(headers)


def test_what_one_hop_says_to_the_next_does_not_go_on(bench: Bench) -> None:
    hop = [
        ("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "9"), ("TE", "trailers"),
        ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"), ("Proxy-Authorization", "x"), ("X-Kept", "1"),
    ]  # fmt: skip
    headers = headers_of(ask(bench, Client("GET", "/api/x", hop)))
    assert set(headers) == {"host", "x-kept", "whimbrel-client"}

    async def hopping(scope: Any, receive: Any, send: Any) -> None:
        given = [(b"connection", b"x-hop"), (b"x-hop", b"1"), (b"keep-alive", b"9"), (b"set-cookie", b"a=b")]
        await answer(send, b"x", headers=given)

    back = ask(bench, Client("GET", "/api/x"), hopping)
    names = {name for name, _ in back.headers}
    assert back["set-cookie"] == "a=b" and not names & {"connection", "x-hop", "keep-alive", "date", "server"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", [("content-length", "5"), ("transfer-encoding", "chunked")], 400),
        ("POST", [("content-length", "5"), ("content-length", "6")], 400),
        ("POST", [("content-length", "5"), ("content-length", "5")], 400),
        ("POST", [("content-length", "+5")], 400),
        ("POST", [("content-length", "5, 5")], 400),
        ("POST", [("content-length", "0x5")], 400),
        ("POST", [("content-length", "٥".encode().decode("latin-1"))], 400),
        ("POST", [("transfer-encoding", "chunked"), ("transfer-encoding", "identity")], 400),
        ("POST", [("x", "a\r\nwhimbrel-client: 127.0.0.1"), ("content-length", "5")], 400),
        ("POST", [("x y", "a"), ("content-length", "5")], 400),
        ("POST", [("x", "a\0"), ("content-length", "5")], 400),
        ("P OST", [], 501),
        ("CONNECT", [], 501),
    ],
)
def test_a_request_that_could_be_read_as_two_is_none(
    bench: Bench, method: str, headers: list[tuple[str, str]], status: int
) -> None:
    refused = ask(bench, Client(method, "/api/x", headers, [b"GET /"]))
    assert refused.status == status
    assert json.loads(refused.body)["error"]["kind"] == ("usage" if status == 400 else "method")


@pytest.mark.parametrize("headers", [[("content-length", "5")], [("transfer-encoding", "chunked")]])
def test_what_comes_with_a_reading_request_is_thrown_away(bench: Bench, headers: list[tuple[str, str]]) -> None:
    answer = ask(bench, Client("GET", "/api/x", headers, [b"GET /"]))
    assert answer.status == 200 and not told(answer).get("octets")
    assert not {"content-length", "transfer-encoding"} & headers_of(answer).keys()


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "QUERY", "DELETE"])
def test_control_says_which_methods_an_address_takes(bench: Bench, method: str) -> None:
    assert told(ask(bench, Client(method, "/api/x")))["method"] == method


@pytest.mark.parametrize("target", ["/api/x y", "/api/x\r\nHost: a", "/api/\x00", "/api/\xff"])
def test_an_address_that_is_none_does_not_reach_control(bench: Bench, target: str) -> None:
    assert ask(bench, Client("GET", target)).status == 400


@pytest.mark.parametrize(("announced", "pieces"), [("5", [b"abcdef"]), ("5", [b"abc"])])
def test_a_body_longer_or_shorter_than_announced_is_refused(bench: Bench, announced: str, pieces: list[bytes]) -> None:
    refused = ask(bench, Client("POST", "/api/x", [("content-length", announced)], pieces))
    assert refused.status in (400, 502) or refused.aborted


def test_bodies_have_a_size_and_calls_that_take_files_a_larger_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = forward.BODY_MOST + 1
    refused = ask(bench, Client("POST", "/api/admin/user/set", [("content-length", str(over))]))
    assert refused.status == 413 and not refused.aborted
    streamed = ask(bench, Client("POST", "/api/admin/user/set", pieces=[b"x" * 65536] * 17))
    assert streamed.status == 413
    taken = ask(bench, Client("POST", "/api/admin/user/import", [("content-length", str(over))], [b"x" * over]))
    assert told(taken)["size"] == over
    monkeypatch.setattr(forward, "FILE_BODY", over)
    assert ask(bench, Client("POST", "/api/admin/user/import", [("content-length", str(over + 1))])).status == 413


def test_a_body_that_does_not_come_is_not_waited_for_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "RECEIVE_WITHIN", 0.01)
    monkeypatch.setattr("whimbrel.services.webd.exchange.DRAIN_WITHIN", 0.01)
    slow = ask(bench, Client("POST", "/api/x", [("content-length", "9")], [b"abc"], ends=False))
    assert slow.status == 408 and slow.aborted


def test_an_answer_comes_piece_by_piece(bench: Bench) -> None:
    async def run() -> tuple[bytes, Answer]:
        go_on = asyncio.Event()

        async def events(scope: Any, receive: Any, send: Any) -> None:
            kind = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": kind})
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"data: 2\n\n"})

        client = Client("GET", "/api/events?topics=queue")
        async with bench.control(events):
            asking = asyncio.ensure_future(bench.ask(client))
            await client.heard.wait()
            first = client.answer.body
            go_on.set()
            return first, await asking

    first, whole = asyncio.run(run())
    assert (first, whole.body, whole.ended) == (b"data: 1\n\n", b"data: 1\n\ndata: 2\n\n", True)
    assert whole["content-type"] == "text/event-stream"


def test_a_client_that_goes_ends_what_control_does_for_it(bench: Bench) -> None:
    async def run() -> str:
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def waiting(scope: Any, receive: Any, send: Any) -> None:
            await body_of(receive)
            client.leave()
            heard.set_result((await receive())["type"])

        client = Client("GET", "/api/x")
        async with bench.control(waiting):
            await bench.ask(client)
            return await asyncio.wait_for(heard, 10)

    assert asyncio.run(run()) == "http.disconnect"


def test_control_that_dies_in_an_answer_leaves_no_half_answer_that_looks_whole(bench: Bench) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        raise asyncio.CancelledError

    cut = ask(bench, Client("GET", "/api/x"), half)
    assert cut.aborted and not cut.ended


def test_control_that_is_away_is_said_in_the_shape_of_the_api_and_logged_once(bench: Bench) -> None:
    async def run() -> list[Answer]:
        return [await bench.get("/api/session"), await bench.get("/metrics")]

    api, metrics = asyncio.run(run())
    error = json.loads(api.body)["error"]
    assert (api.status, api["retry-after"], error["kind"], error["fields"]) == (503, "2", "unavailable", [])
    assert metrics.status == 503 and metrics["content-type"].startswith("text/plain")
    assert len(bench.log.named("web.control-away")) == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_no_error(bench: Bench) -> None:
    """Only what can be repeated goes over one. RFC 9110 9.2.2"""

    async def run() -> tuple[list[int], int]:
        statuses, accepted = [], 0
        body = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal accepted
            accepted += 1
            await reader.readuntil(b"\r\n\r\n")
            writer.write(body)
            if accepted == 1:
                await reader.readuntil(b"\r\n\r\n")  # The next request comes, and is never answered.
            writer.close()

        async with await asyncio.start_unix_server(one, bench.socket):
            statuses.append((await bench.get("/api/x")).status)
            statuses.append((await bench.get("/api/x")).status)
            statuses.append((await bench.ask(Client("POST", "/api/x"))).status)
        return statuses, accepted

    assert asyncio.run(run()) == ([200, 200, 200], 3)


def test_a_connection_is_used_again(bench: Bench) -> None:
    async def run() -> set[str]:
        seen = set()

        async def who(scope: Any, receive: Any, send: Any) -> None:
            seen.add(str(id(scope["state"]["peer"])))
            await answer(send, b"")

        async with bench.control(who):
            for _ in range(5):
                await bench.get("/api/x")
        return seen

    assert len(asyncio.run(run())) == 1


def test_readers_that_do_not_read_cost_nothing_and_hold_up_nobody(bench: Bench) -> None:
    async def run() -> tuple[int, Answer]:
        sent = 0

        async def flood(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            if scope["path"] == "/api/quick":
                await answer(send, b"quick")
                return
            await body_of(receive)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            gone = asyncio.ensure_future(receive())
            while not gone.done():
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                sent += 65536
                await asyncio.sleep(0)  # Hypercorn does not wait for who has gone.

        idle = [Client("GET", "/api/flood") for _ in range(10)]
        async with bench.control(flood):
            asking = []
            for client in idle:
                asking.append(asyncio.ensure_future(bench.ask(client)))
                await asyncio.wait_for(client.heard.wait(), 10)
                client.reads.clear()
            for _ in range(50):
                quick = await bench.get("/api/quick")
            held = sent
            for client in idle:
                client.leave()
                client.reads.set()
            await asyncio.gather(*asking)
        return held, quick

    held, quick = asyncio.run(run())
    assert quick.body == b"quick" and held < 10 * 2 * 1024 * 1024


def session(id: str) -> tuple[str, str]:
    """The cookie of a session at the port that `Bench.get` asks."""
    return "cookie", f"{cookie_name(INSTALLATION, 'localhost')}={id}"


def knowing(application: Asgi) -> Asgi:
    """Control that knows every session and token whose id begins with `known`."""

    async def control(scope: Any, receive: Any, send: Any) -> None:
        shown = b" ".join(value for name, value in scope["headers"] if name in (b"cookie", b"authorization"))

        async def named(message: Any) -> None:
            if b"known" in shown and message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"whimbrel-user", b"alice@example.org")]}
            await send(message)

        await application(scope, receive, named)

    return control


def test_what_is_above_the_share_of_a_session_waits_and_others_do_not(bench: Bench) -> None:
    async def run() -> tuple[int, int, set[int]]:
        go_on, under_way = asyncio.Event(), 0

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            nonlocal under_way
            if scope["path"] == "/api/quick":
                await answer(send, b"")
                return
            under_way += 1
            await go_on.wait()
            await answer(send, b"")

        async with bench.control(knowing(slow)):
            proofs = session("known1"), session("known2"), ("authorization", "Bearer known3")
            for proof in proofs:
                await bench.get("/api/quick", proof)
            mine = [asyncio.ensure_future(bench.get("/api/x", proofs[0])) for _ in range(forward.PER_SESSION + 9)]
            while under_way < forward.PER_SESSION:
                await asyncio.sleep(0.001)
            # From the same address, with a session and with a token of others.
            others = [asyncio.ensure_future(bench.get("/api/x", proof)) for proof in proofs[1:]]
            while under_way < forward.PER_SESSION + 2:
                await asyncio.sleep(0.001)
            most, done = under_way, sum(task.done() for task in mine)
            go_on.set()
            statuses = {each.status for each in await asyncio.gather(*mine, *others)}
            return most, done, statuses

    assert asyncio.run(run()) == (forward.PER_SESSION + 2, 0, {200})


@pytest.mark.parametrize(
    "proof",
    [
        lambda number: [session(f"madeup{number}")],
        lambda number: [("authorization", f"Bearer madeup{number}")],
        lambda number: [("cookie", f"whatever={number}")],
        lambda number: [("cookie", f"{cookie_name('ffffffff', 'localhost')}={number}")],
        lambda number: [],
    ],
)
def test_what_is_made_up_has_the_share_of_those_who_show_nothing(
    bench: Bench, proof: Callable[[int], list[tuple[str, str]]]
) -> None:
    async def run() -> tuple[int, int]:
        go_on, under_way, most = asyncio.Event(), 0, 0

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            nonlocal under_way, most
            if scope["path"] == "/api/quick":
                await answer(send, b"")
                return
            under_way += 1
            most = max(most, under_way)
            await go_on.wait()
            under_way -= 1
            await answer(send, b"", 401)

        async with bench.control(knowing(slow)):
            await bench.get("/api/quick", session("known"))
            many = [
                asyncio.ensure_future(bench.get("/api/x", *proof(number)))
                for number in range(forward.PER_UNAUTHENTICATED + 9)
            ]
            while under_way < forward.PER_UNAUTHENTICATED:
                await asyncio.sleep(0.001)
            quick = await bench.get("/api/quick", session("known"))
            go_on.set()
            await asyncio.gather(*many)
            return most, quick.status

    assert asyncio.run(run()) == (forward.PER_UNAUTHENTICATED, 200)


def test_a_session_that_has_ended_has_no_share_of_its_own_any_more(bench: Bench) -> None:
    async def run() -> list[bool]:
        async def once(scope: Any, receive: Any, send: Any) -> None:
            over = scope["path"] == "/api/over"
            await answer(send, b"", 401 if over else 200, [] if over else [(b"whimbrel-user", b"alice@example.org")])

        seen = []
        async with bench.control(once):
            for path in ("/api/x", "/api/over"):
                await bench.get(path, session("a"))
                seen.append(bool(bench.forward._recognised._known))
        return seen

    assert asyncio.run(run()) == [True, False]


def test_streams_have_a_share_of_their_own_and_do_not_wait(bench: Bench) -> None:
    async def run() -> tuple[list[int], int, int]:
        go_on = asyncio.Event()

        async def follow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] != "/api/events":
                await answer(send, b"")
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b""})

        async with bench.control(knowing(follow)):
            # Those of several people at one address, none of whom this worker has seen before.
            clients = [
                Client("GET", "/api/events", [session(f"known{number % 3}")], host="localhost")
                for number in range(3 * forward.STREAMS)
            ]
            tabs = []
            for client in clients:
                tabs.append(asyncio.ensure_future(bench.ask(client)))
                await asyncio.wait_for(client.heard.wait(), 10)
            refused = (await bench.get("/api/events", session("known1"))).status
            quick = (await bench.get("/api/x", session("known1"))).status
            go_on.set()
            return [each.status for each in await asyncio.gather(*tabs)], refused, quick

    assert asyncio.run(run()) == ([200] * 3 * forward.STREAMS, 429, 200)


def test_requests_beyond_the_connections_to_control_wait_a_moment_then_hear_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "PLACE_WITHIN", 0.01)
    bench.upstream._places = asyncio.Semaphore(0)
    refused = ask(bench, Client("GET", "/api/x"))
    assert refused.status == 503 and refused["retry-after"] == "5"


def test_an_answer_before_the_end_of_the_request_is_passed_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whimbrel.services.webd.exchange.DRAIN_WITHIN", 0.01)

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b'{"error": {}}', 403)

    sent = Client("POST", "/api/admin/user/import", [("content-length", str(1 << 22))], [b"x" * 65536] * 10, ends=False)
    early = ask(bench, sent, refuse)
    assert early.status == 403 and early.body == b'{"error": {}}'


def test_what_is_no_http_is_as_good_as_away(bench: Bench) -> None:
    async def run() -> Answer:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example.test ESMTP\r\n")
            writer.close()

        async with await asyncio.start_unix_server(babble, bench.socket):
            return await bench.get("/api/x")

    assert asyncio.run(run()).status == 503


def test_a_path_longer_than_the_system_allows_for_sockets_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 60) / ("y" * 60)
    folder.mkdir(parents=True)
    with pytest.raises(OSError):
        socket.socket(socket.AF_UNIX).bind(str(folder / "console.sock"))
    assert told(ask(Bench(folder), Client("GET", "/api/x")))["method"] == "GET"
