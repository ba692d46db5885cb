"""Which answers are packed, and that none is that may hold a secret."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.webd.bench import Answer, Bench
from tests.unit.services.webd.test_forward import ask

BODY = b'{"items": [' + b'"alice@example.org", ' * 500 + b'""]}'
JSON = (b"content-type", b"application/json")
OPEN = (b"cache-control", b"no-store")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def answered(bench: Bench, headers: list[tuple[bytes, bytes]], *, accept: str = "br, gzip", **more: Any) -> Answer:
    from tests.unit.services.webd.bench import Client

    async def control(scope: Any, receive: Any, send: Any) -> None:
        body = more.get("body", BODY)
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": more.get("status", 200), "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})

    client = Client(more.get("method", "GET"), "/api/x", [("accept-encoding", accept)] if accept else [])
    return ask(bench, client, control)


def test_a_long_answer_without_secrets_is_packed(bench: Bench) -> None:
    answer = answered(bench, [JSON, OPEN])
    assert answer["content-encoding"] == "gzip" and answer["vary"] == "accept-encoding"
    assert not answer["content-length"] and len(answer.body) < len(BODY) // 10 and answer.ended
    assert gzip.decompress(answer.body) == BODY


@pytest.mark.parametrize(
    "headers",
    [
        [JSON, (b"cache-control", b"no-store, no-transform")],
        [JSON, OPEN, (b"etag", b'"1"')],
        [JSON, OPEN, (b"content-encoding", b"gzip")],
        [(b"content-type", b"text/event-stream"), OPEN],
        [(b"content-type", b"application/x-ndjson"), OPEN],
        [OPEN],
    ],
)
def test_what_may_hold_a_secret_or_is_a_stream_is_not(bench: Bench, headers: list[tuple[bytes, bytes]]) -> None:
    answer = answered(bench, headers)
    assert answer.body == BODY and answer["content-length"] == str(len(BODY))


@pytest.mark.parametrize("accept", ["", "br", "gzip;q=0", "identity"])
def test_only_who_asks_for_it_gets_it_packed(bench: Bench, accept: str) -> None:
    answer = answered(bench, [JSON, OPEN], accept=accept)
    assert answer.body == BODY and not answer["content-encoding"]


def test_short_answers_and_refusals_are_sent_as_they_are(bench: Bench) -> None:
    assert answered(bench, [JSON, OPEN], body=b"{}").body == b"{}"
    assert answered(bench, [JSON, OPEN], status=422).body == BODY
