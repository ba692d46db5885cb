"""Other servers as they say they are: kept, bounded, and never a way to read a token."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeClock, MemoryLog, MemoryState
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigError
from whimbrel.services.peers.ports import Said, ShownCertificate, UntrustedError
from whimbrel.services.peers.watch import PeerState, PeerWatch, read

TOKEN = "wbt_not-to-be-seen"
PIN = "AB:" * 31 + "CD"


def status(**more: Any) -> Said:
    values = {"version": "1.2", "red": 0, "waiting": 7, "held": 1, "attention": []} | more
    return Said(200, json.dumps({"result": values}).encode())


class Servers:
    """Answers as it is told to."""

    def __init__(self, answers: Mapping[str, Said | Exception]) -> None:
        self.answers = dict(answers)
        self.asked: list[tuple[str, str, str, str]] = []

    async def get(self, url: str, path: str, token: str, pin: str) -> Said:
        self.asked.append((url, path, token, pin))
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def certificate(self, url: str) -> ShownCertificate:
        raise NotImplementedError


class Room:
    def __init__(self, folder: Path, answers: Mapping[str, Said | Exception]) -> None:
        self.config = FileConfig(folder / "mailserver.cfg", MailServer)
        self.servers, self.state, self.clock, self.log = Servers(answers), MemoryState(), FakeClock(), MemoryLog()
        self.watch = self.made()

    def made(self) -> PeerWatch:
        return PeerWatch(self.servers, self.config, self.state, self.clock, self.log)

    def set(self, **values: object) -> None:
        paths = {f"servers/server[{name}]/{field}": value for name, fields in values.items()
                 for field, value in dict(fields).items()}  # type: ignore[call-overload]  # fmt: skip
        asyncio.run(self.config.change(paths))

    def look(self, *names: str) -> dict[str, PeerState]:
        return {each.name: each for each in asyncio.run(self.watch.look(names))}


def url(name: str) -> str:
    return f"https://{name}.example.org:44337"


def of(name: str, **more: object) -> dict[str, object]:
    return {"url": url(name), "token": TOKEN} | more


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, {url("a"): status(), url("b"): OSError("connection refused")})


def test_each_server_is_asked_with_its_token_and_fingerprint(room: Room) -> None:
    room.set(a=of("a", fingerprint=PIN), b=of("b"))
    states = room.look()
    assert room.servers.asked == [
        (url("a"), "/api/admin/status", TOKEN, "ab" * 31 + "cd"), (url("b"), "/api/admin/status", TOKEN, ""),
    ]  # fmt: skip
    assert (states["a"].state, states["a"].version, states["a"].waiting, states["a"].held) == ("ok", "1.2", 7, 1)
    assert (states["b"].state, states["b"].text) == ("unreachable", "Connection refused")


def test_those_that_are_named_are_asked_alone(room: Room) -> None:
    room.set(a=of("a"), b=of("b"))
    assert room.look("b")["a"].state == "unknown"
    assert [asked[0] for asked in room.servers.asked] == [url("b")]


def test_a_server_without_an_address_or_a_token_is_not_asked(room: Room) -> None:
    room.set(a={"url": url("a")}, b={"token": TOKEN})
    states = room.look()
    assert room.servers.asked == []
    assert {each.text for each in states.values()} == {"Its token is not set.", "Its address is not set."}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (status(), "ok"),
        (status(attention=[{"level": "warning", "text": "mind this"}]), "warning"),
        (status(attention=[{"level": "danger", "text": "an open relay"}]), "failing"),
        (status(red=2), "failing"),
        (Said(401, b""), "refused"),
        (Said(403, b""), "refused"),
        (Said(421, b""), "refused"),
        (Said(302, b""), "refused"),
        (Said(200, b"<html>"), "refused"),
        (Said(200, b"[" * 100_000), "refused"),
        (Said(200, b'{"result": []}'), "refused"),
        (status(red="2"), "refused"),
        (status(attention=[1]), "refused"),
        (UntrustedError("another certificate"), "untrusted"),
        (TimeoutError(), "unreachable"),
        (ValueError("no URL"), "unreachable"),
    ],
)
def test_what_comes_back_is_a_state_in_words(room: Room, said: Said | Exception, state: str) -> None:
    room.set(a=of("a"))
    room.servers.answers[url("a")] = said
    seen = room.look()["a"]
    assert seen.state == state
    assert seen.text or state == "ok" or seen.red
    assert TOKEN not in repr(seen) + repr(room.log.records)


def test_what_a_server_says_is_bounded_and_shows_nothing_but_text() -> None:
    long = {"level": "warning", "text": "\x1b[31m" + "x" * 10_000}
    seen = read(PeerState("a", url("a")), status(attention=[long] * 500, version="1\r\n" * 99, waiting=10**30))
    assert len(seen.attention) == 10 and max(map(len, seen.attention)) <= 300 and len(seen.version) <= 40
    assert all(text.isprintable() for text in (*seen.attention, seen.version, seen.text))
    assert seen.waiting == 1 << 53


def test_since_when_it_is_so_is_known_after_a_restart_too(room: Room) -> None:
    room.set(a=of("a"))
    began = room.look()["a"].since
    room.clock.forward(100)
    assert room.look()["a"].since == began
    room.watch = room.made()
    room.clock.forward(100)
    assert room.look()["a"].since == began
    room.servers.answers[url("a")] = OSError("gone")
    assert room.look()["a"].since == began + 200
    assert [event for _, event, _ in room.log.records] == ["peer.changed"]


def test_a_server_that_was_taken_out_or_moved_is_forgotten(room: Room) -> None:
    room.set(a=of("a"), b=of("b"))
    room.look()
    asyncio.run(room.config.change({"servers/server[b]": None, "servers/server[a]/url": url("c")}))
    assert [(each.name, each.state) for each in room.watch.states()] == [("a", "unknown")]
    room.servers.answers[url("c")] = status()
    room.look()
    assert [key for key, _ in asyncio.run(room.state.list("peer"))] == ["a"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("url", "http://a.example.org"), ("url", "https://user:pw@a.example.org"), ("url", "https://a/x?y"),
     ("url", "javascript:alert(1)"), ("fingerprint", "AB:CD")],
)  # fmt: skip
def test_what_is_no_address_or_fingerprint_is_refused(room: Room, field: str, value: str) -> None:
    with pytest.raises(ConfigError):
        room.set(a={field: value})
