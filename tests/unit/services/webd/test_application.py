"""Who is answered at the console's port, and with which headers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.webd.bench import Answer, Bench, Client


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ask(bench: Bench, client: Client) -> Answer:
    return asyncio.run(bench.ask(client))


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:44337", "LOCALHOST.", "x.localhost:1", "127.0.0.1:44337", "[::1]:44337", "203.0.113.9",
        "mail.example.test:44337", "console.example.org", "further.test",
    ],
)  # fmt: skip
def test_a_name_of_ours_or_an_address_is_answered(bench: Bench, host: str) -> None:
    bench.names = ("Further.test",)
    assert ask(bench, Client("GET", "/healthz", host=host)).status == 200
    assert ask(bench, Client("GET", "/", host=host)).status == 503  # Not built.


@pytest.mark.parametrize(
    "host",
    ["", "evil.test", "localhost.evil.test", "a.b.example.org", "example.org", "127.0.0.1.evil.test", "a b", "[::1"],
)
def test_any_other_name_may_be_a_stranger_s_page_that_was_led_here(bench: Bench, host: str) -> None:
    answer = ask(bench, Client("GET", "/api/session", host=host))
    assert answer.status == 421 and json.loads(answer.body)["error"]["text"]
    assert bench.log.named("web.refused")[0]["sender_host"] == "192.0.2.7"


def test_two_names_are_none(bench: Bench) -> None:
    assert ask(bench, Client("GET", "/", [("host", "localhost")], host="localhost")).status == 400


def test_health_is_told_to_whoever_calls_us_by_whatever_name(bench: Bench) -> None:
    answer = ask(bench, Client("GET", "/healthz", host="balancer.test"))
    assert (answer.status, answer.body) == (200, b"ok, but the control process does not answer\n")

    async def idle(scope: Any, receive: Any, send: Any) -> None: ...

    async def run() -> Answer:
        async with bench.control(idle):
            return await bench.get("/healthz")

    fresh = Bench(bench.socket.parent)
    bench.application = fresh.application
    assert asyncio.run(run()).body == b"ok\n"


@pytest.mark.parametrize("target", ["/", "/api/x", "/healthz", "/assets/none.js"])
def test_every_answer_says_what_browsers_must_not_do(bench: Bench, target: str) -> None:
    answer = ask(bench, Client("GET", target))
    wanted = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
    }
    assert {name: answer[name] for name in wanted} == wanted
    assert "frame-ancestors 'none'" in answer["content-security-policy"] and "camera=()" in answer["permissions-policy"]
    assert answer["cache-control"] == "no-store"


def test_browsers_are_bound_to_https_only_by_a_certificate_that_they_trust(bench: Bench) -> None:
    bench.certificates.trusted = frozenset({"mail.example.test", "127.0.0.1"})
    assert ask(bench, Client("GET", "/", host="mail.example.test"))["strict-transport-security"] == "max-age=31536000"
    assert not ask(bench, Client("GET", "/", host="localhost"))["strict-transport-security"]
    assert not ask(bench, Client("GET", "/", host="127.0.0.1"))["strict-transport-security"]


def test_http_3_is_announced_over_the_others_while_it_is_on(bench: Bench) -> None:
    assert not ask(bench, Client("GET", "/"))["alt-svc"]
    bench.application.alternative = b'h3=":44337"; ma=3600'
    assert ask(bench, Client("GET", "/"))["alt-svc"] == 'h3=":44337"; ma=3600'
    assert not ask(bench, Client("GET", "/", version="3"))["alt-svc"]


def test_pages_can_only_be_read_and_addresses_have_a_length(bench: Bench) -> None:
    answer = ask(bench, Client("POST", "/users", pieces=[b"x"]))
    assert (answer.status, answer["allow"]) == (405, "GET, HEAD")
    assert ask(bench, Client("BREW", "/api/x")).status == 501
    assert ask(bench, Client("GET", "/" + "a" * 17_000)).status == 414


def test_a_refused_client_that_sends_on_is_cut_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ask(bench, Client("POST", "/users", pieces=[b"x" * 70_000] * 20))
    assert answer.status == 405 and answer.aborted and not answer.ended
    monkeypatch.setattr("whimbrel.services.webd.exchange.DRAIN_WITHIN", 0.01)
    assert ask(bench, Client("POST", "/users", pieces=[b"x"], ends=False)).aborted


def test_a_client_that_does_not_read_is_cut_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whimbrel.services.webd.exchange.SEND_WITHIN", 0.01)
    client = Client("GET", "/")
    client.reads.clear()
    assert ask(bench, client).aborted
    assert bench.log.named("web.broken")[0]["reason"] == "it does not read"


def test_the_debug_log_tells_of_requests_without_what_was_searched_for(bench: Bench) -> None:
    ask(bench, Client("GET", "/users?search=anna"))
    assert not bench.log.named("web.request")
    bench.log.debugging.add("web")
    ask(bench, Client("GET", "/users?search=anna"))
    (told,) = bench.log.named("web.request")
    assert (told["path"], told["status"], told["protocol"]) == ("/users", 503, "HTTP/2")


def test_a_bug_ends_one_request_and_is_logged(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_exchange: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(bench.application, "_route", broken)
    assert ask(bench, Client("GET", "/")).aborted
    assert bench.log.named("web.crashed")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "https://localhost/healthz", 200),
        ("GET", "HTTPS://127.0.0.1:44337/healthz", 200),
        ("GET", "https://evil.test/", 421),  # What the target names counts, not Host. RFC 9112 3.2.2
        ("GET", "https://evil.test/api/session", 421),
        ("GET", "https://localhost@evil.test/", 400),
        ("GET", "http://localhost/healthz", 400),
        ("GET", "ftp://localhost/healthz", 400),
        ("GET", "localhost:44337", 400),
        ("GET", "*", 400),
        ("GET", "healthz", 400),
        ("OPTIONS", "*", 405),
        ("CONNECT", "localhost:25", 501),
        ("CONNECT", "/", 501),
        ("PRI", "*", 400),
        ("TRACE", "/", 405),
        ("TRACE", "/healthz", 405),
    ],
)
def test_a_target_of_another_form_is_resolved_or_refused(bench: Bench, method: str, target: str, status: int) -> None:
    answer = asyncio.run(bench.ask(Client(method, target, [("cookie", "secret=1")], version="1.1")))
    assert answer.status == status and b"secret" not in answer.body


@pytest.mark.parametrize("version", ["2", "3"])
def test_only_http_1_has_targets_that_name_the_host(bench: Bench, version: str) -> None:
    """RFC 9113 8.3.1, RFC 9114 4.3.1"""
    assert asyncio.run(bench.ask(Client("GET", "https://localhost/healthz", version=version))).status == 400


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [("content-length", "5"), ("transfer-encoding", "chunked")]),
        ("1.1", [("content-length", "5"), ("content-length", "5")]),
        ("1.1", [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]),
        ("1.0", [("transfer-encoding", "chunked")]),
    ],
)
def test_a_page_is_not_served_either_to_a_request_whose_end_is_not_clear(
    bench: Bench, version: str, headers: list[tuple[str, str]]
) -> None:
    """RFC 9112 6.1: what stands between us and the client may have understood it otherwise."""
    answer = asyncio.run(bench.ask(Client("GET", "/healthz", headers, [b"GET /"], version=version)))
    assert answer.status == 400 and answer["connection"] == "close"
