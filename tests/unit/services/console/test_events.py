"""The stream of all that is live: what is shown to whom, how often, and what it costs that nobody reads."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, cast

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.services.console.virtual import run
from whimbrel.core.address import Domain
from whimbrel.core.log import LogLine
from whimbrel.core.rights import EVERYTHING, Grants, Right
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.console.events import HEARTBEAT, REVIEW, Viewer, events
from whimbrel.services.console.events_hub import GAP, KEPT, LINGER, MAX_OWN, PER_SECOND, Hub, Topic

ADMIN = Caller("admin", EVERYTHING)
READER = Caller("reader@example.org", Grants.of("server-read"))
OTHER = Caller("bob@other.test", Grants.of("none", ["accounts other.test"], Domain("other.test")))


class World:
    """What topics look at."""

    def __init__(self) -> None:
        self.looks: list[str] = []
        self.state: dict[str, object] = {"n": 0}
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.following = 0
        self.took = 0.0
        self.fails: Exception | None = None
        self.log = MemoryLog()
        self.hub = Hub(
            [
                Topic("counters", Right.SERVER_READ, self._look("counters"), period=1.0),
                Topic("tasks", Right.SERVER_READ, self._look("tasks"), period=0.05),
                Topic("connections", Right.ACCOUNTS, self._mine, period=1.0),
                Topic("operations", Right.ACCOUNTS, self._mine, period=1.0, own=True),
                Topic("log:mail", Right.SERVER_READ, follow=self._follow),
            ],
            lambda caller: cast(AdminContext, caller),
            self.log,
            "e1",
        )

    def _look(self, name: str) -> Callable[[AdminContext], Any]:
        async def look(_ctx: AdminContext) -> bytes:
            self.looks.append(name)
            await asyncio.sleep(self.took)
            if self.fails is not None:
                raise self.fails
            return json.dumps(self.state).encode()

        return look

    async def _mine(self, ctx: AdminContext) -> bytes:
        caller = cast(Caller, ctx)
        self.looks.append(caller.name)
        within = caller.grants.domains(Right.ACCOUNTS, reads=True)
        return json.dumps({"of": None if within is None else sorted(within)}).encode()

    async def _follow(self, _ctx: AdminContext) -> AsyncGenerator[LogLine, None]:
        self.following += 1
        try:
            while True:
                text = await self.lines.get()
                yield LogLine("mail", 1.0, text, "Recv", (("Queue-ID", "q1"),))
        finally:
            self.following -= 1

    def write(self, *texts: str) -> None:
        for text in texts:
            self.lines.put_nowait(text)


class Browser:
    """Reads a stream through the ASGI application; `reading` off, it takes nothing more."""

    def __init__(self, world: World, topics: str, caller: Caller = ADMIN, last: str = "") -> None:
        self.events: list[tuple[float, str, str, Any]] = []
        self.status = 0
        self.body = b""
        self.reading = asyncio.Event()
        self.reading.set()
        self.ended = asyncio.Event()
        self.signed_in: Mapping[str, object] | None = {"expires": "soon"}
        self.gone = asyncio.Event()
        self._viewer = Viewer(caller, self._session, self.ended)
        self._route = events(world.hub, lambda _request: self._viewer)
        self.headers = [(b"last-event-id", last.encode())] if last else []
        self.scope = {
            "type": "http", "method": "GET", "path": "/api/events", "query_string": f"topics={topics}".encode(),
            "headers": self.headers, "http_version": "1.1", "asgi": {"version": "3.0", "spec_version": "2.4"},
        }  # fmt: skip
        self.task = asyncio.create_task(self._route.app(self.scope, self._receive, self._send))

    async def _session(self) -> Mapping[str, object] | None:
        return self.signed_in

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        if self.gone.is_set():
            raise OSError
        if message["type"] == "http.response.start":
            self.status = message["status"]
        for block in message.get("body", b"").split(b"\n\n"):
            self._take(block.decode())
        self.body += message.get("body", b"")

    def _take(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in fields:
            now = asyncio.get_running_loop().time()
            self.events.append((now, fields["event"], fields.get("id", ""), json.loads(fields["data"])))

    def of(self, name: str) -> list[Any]:
        return [data for _, event, _, data in self.events if event == name]

    async def leave(self) -> None:
        self.gone.set()
        self.reading.set()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_a_state_comes_at_once_and_then_when_it_changes() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "counters")
        await asyncio.sleep(5.2)
        assert browser.of("counters") == [{"n": 0}] and browser.status == 200
        world.state = {"n": 1}
        await asyncio.sleep(1.3)
        assert browser.of("counters") == [{"n": 0}, {"n": 1}]
        await browser.leave()
        await world.hub.close()

    run(check())


def test_a_topic_comes_four_times_a_second_at_most_and_the_latest_wins() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "tasks")
        for number in range(200):
            world.state = {"n": number}
            await asyncio.sleep(0.05)
        times = [at for at, name, _, _ in browser.events if name == "tasks"]
        assert 20 <= len(times) <= 42
        assert all(after - before >= GAP - 0.001 for before, after in itertools.pairwise(times))
        await asyncio.sleep(1)
        assert browser.of("tasks")[-1] == {"n": 199}
        await browser.leave()
        await world.hub.close()

    run(check())


def test_ten_browsers_cost_one_look() -> None:
    async def check(number: int) -> int:
        world = World()
        browsers = [Browser(world, "counters,connections", READER if n % 2 else ADMIN) for n in range(number)]
        await asyncio.sleep(20)
        assert all(browser.of("counters") for browser in browsers)
        for browser in browsers:
            await browser.leave()
        await world.hub.close()
        return len(world.looks)

    assert run(check(10)) == run(check(1))


def test_a_browser_that_does_not_read_is_looked_for_no_more_and_gets_the_latest_when_it_does() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "tasks,log:mail")
        await asyncio.sleep(1)
        browser.reading.clear()
        for number in range(int(LINGER) + 10):
            world.state = {"n": number}
            await asyncio.sleep(1)
        assert world.hub.watched == [] and world.following == 0
        looks, shown = len(world.looks), len(browser.events)
        world.state = {"n": 777}
        await asyncio.sleep(600)
        assert len(world.looks) == looks
        browser.reading.set()
        await asyncio.sleep(2)
        assert browser.of("tasks")[-1] == {"n": 777} and len(browser.events) - shown <= 5
        await browser.leave()
        await world.hub.close()

    run(check())


def test_nobody_watches_and_nothing_is_looked_at() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "counters,log:mail")
        await asyncio.sleep(2)
        assert sorted(world.hub.watched) == ["counters", "log:mail"] and world.following == 1
        await browser.leave()
        await asyncio.sleep(LINGER * 1.5)
        assert world.hub.watched == [] and world.following == 0
        looks = len(world.looks)
        await asyncio.sleep(1000)
        assert len(world.looks) == looks
        await world.hub.close()

    run(check())


def test_a_slow_look_takes_its_share_of_time_and_no_more() -> None:
    async def check() -> None:
        world = World()
        world.took = 2.0
        browser = Browser(world, "tasks")
        await asyncio.sleep(1030)
        assert 8 <= len(world.looks) <= 11
        await browser.leave()
        await world.hub.close()

    run(check())


def test_lines_come_as_they_are_written_and_a_flood_is_skipped_and_counted() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "log:mail")
        await asyncio.sleep(1)
        world.write("one", "two")
        await asyncio.sleep(1)
        (first,) = browser.of("log:mail")
        assert [line["text"] for line in first["lines"]] == ["one", "two"]
        assert (first["skipped"], first["gap"]) == (0, False)
        assert first["lines"][0]["title"] == "Recv" and first["lines"][0]["fields"] == {"Queue-ID": "q1"}
        world.write(*(f"flood {n}" for n in range(500)))
        await asyncio.sleep(3)
        rest = browser.of("log:mail")[1:]
        shown = [line["text"] for event in rest for line in event["lines"]]
        assert len(shown) <= PER_SECOND + 3 and shown[-1] == "flood 499"
        assert sum(event["skipped"] for event in rest) + len(shown) == 500
        await browser.leave()
        await world.hub.close()

    run(check())


def test_a_flood_that_does_not_end_is_shown_at_the_agreed_rate() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "log:mail")
        await asyncio.sleep(1)
        for _ in range(40):
            world.write(*("x" for _ in range(100)))
            await asyncio.sleep(0.25)
        shown = sum(len(event["lines"]) for event in browser.of("log:mail"))
        assert PER_SECOND * 8 <= shown <= PER_SECOND * 12
        await browser.leave()
        await world.hub.close()

    run(check())


def test_who_comes_again_has_the_lines_that_were_missed() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "log:mail,counters")
        await asyncio.sleep(1)
        world.write("one")
        await asyncio.sleep(1)
        last = next(ident for _, name, ident, _ in browser.events if name == "log:mail")
        await browser.leave()
        world.write("two", "three")
        await asyncio.sleep(5)
        again = Browser(world, "log:mail,counters", last=last)
        await asyncio.sleep(1)
        (event,) = again.of("log:mail")
        assert [line["text"] for line in event["lines"]] == ["two", "three"] and not event["gap"]
        assert again.of("counters") == [{"n": 0}]
        fresh = Browser(world, "log:mail")
        world.write("four")
        await asyncio.sleep(1)
        assert [line["text"] for event in fresh.of("log:mail") for line in event["lines"]] == ["four"]
        assert not fresh.of("log:mail")[0]["gap"]
        for one in (again, fresh):
            await one.leave()
        await world.hub.close()

    run(check())


@pytest.mark.parametrize("away", [LINGER * 3, 1.0])
def test_who_was_away_for_too_long_hears_of_the_gap(away: float) -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "log:mail")
        await asyncio.sleep(1)
        world.write("one")
        await asyncio.sleep(1)
        last = next(ident for _, name, ident, _ in browser.events if name == "log:mail")
        await browser.leave()
        if away < LINGER:
            world.write(*("x" for _ in range(KEPT + 10)))
        else:
            other = Browser(world, "counters")
            await asyncio.sleep(1)
            await other.leave()
        await asyncio.sleep(away)
        again = Browser(world, "log:mail", last=last)
        await asyncio.sleep(1)
        world.write("last")
        await asyncio.sleep(3)
        assert again.of("log:mail")[0]["gap"]
        await again.leave()
        await world.hub.close()

    run(check())


@pytest.mark.parametrize("last", ["e0-5", "5", "e1-", "e1-x", "e1--1", "e1-" + "9" * 400, "\u00fc-1", "e1-٣"])
def test_an_id_that_is_none_of_ours_is_that_of_a_new_reader(last: str) -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "log:mail,counters", last="")
        browser.headers[:] = [(b"last-event-id", last.encode("utf-8"))]
        await asyncio.sleep(1)
        world.write("one")
        await asyncio.sleep(1)
        assert [line["text"] for line in browser.of("log:mail")[0]["lines"]] == ["one"]
        await browser.leave()
        await world.hub.close()

    run(check())


def test_who_administers_domains_sees_his_own_part_and_nothing_else() -> None:
    async def check() -> None:
        world = World()
        his, all_ = Browser(world, "connections", OTHER), Browser(world, "connections")
        await asyncio.sleep(1)
        assert his.of("connections") == [{"of": ["other.test"]}] and all_.of("connections") == [{"of": None}]
        for topic in ("counters", "tasks", "log:mail"):
            refused = Browser(world, f"connections,{topic}", OTHER)
            await asyncio.gather(refused.task)
            assert refused.status == 403 and b"server-read" in refused.body
        for browser in (his, all_):
            await browser.leave()
        await world.hub.close()

    run(check())


def test_each_sees_own_operations() -> None:
    async def check() -> None:
        world = World()
        one = Browser(world, "operations", OTHER)
        two = Browser(world, "operations", Caller("carol@other.test", OTHER.grants, owner="carol"))
        await asyncio.sleep(0.5)
        assert {"bob@other.test", "carol@other.test"} <= set(world.looks)
        for browser in (one, two):
            await browser.leave()
        await world.hub.close()

    run(check())


@pytest.mark.parametrize(
    ("topics", "status"),
    [("", 400), ("nothing", 404), ("counters,nothing", 404), (",".join(f"t{n}" for n in range(30)), 400)],
)
def test_a_topic_that_there_is_not_is_refused(topics: str, status: int) -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, topics)
        await browser.task
        assert browser.status == status and world.hub.watched == []
        await world.hub.close()

    run(check())


def test_streams_of_one_user_are_bounded_and_one_that_ends_makes_room() -> None:
    async def check() -> None:
        world = World()
        some = [Browser(world, "counters", READER) for _ in range(MAX_OWN)]
        await asyncio.sleep(1)
        refused = Browser(world, "counters", READER)
        await refused.task
        assert refused.status == 503
        await some[0].leave()
        again = Browser(world, "counters", READER)
        await asyncio.sleep(1)
        assert again.status == 200
        for browser in (*some[1:], again):
            await browser.leave()
        await world.hub.close()

    run(check())


def test_the_stream_ends_with_the_session_and_says_so() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "session,counters")
        await asyncio.sleep(1)
        assert browser.of("session") == [{"expires": "soon"}]
        browser.signed_in = {"expires": "later"}
        await asyncio.sleep(REVIEW * 2)
        assert browser.of("session")[-1] == {"expires": "later"}
        browser.signed_in = None
        await asyncio.sleep(REVIEW * 2 + 1)
        assert browser.of("session")[-1] == {"ended": True} and browser.task.done()
        await world.hub.close()

    run(check())


def test_a_quiet_stream_shows_that_it_is_alive() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "counters")
        await asyncio.sleep(1)
        before = browser.body.count(b":\n\n")
        await asyncio.sleep(HEARTBEAT * 4)
        assert 3 <= browser.body.count(b":\n\n") - before <= 5
        await browser.leave()
        await world.hub.close()

    run(check())


def test_a_topic_that_fails_says_so_and_leaves_the_others_as_they_are() -> None:
    async def check() -> None:
        world = World()
        world.fails = CallError(Failure.UNAVAILABLE, "not now")
        browser = Browser(world, "counters,connections")
        await asyncio.sleep(2)
        assert browser.of("counters")[-1]["error"]["text"] == "not now" and browser.of("connections")
        world.fails = RuntimeError("secret")
        await asyncio.sleep(2)
        assert browser.of("counters")[-1]["error"]["kind"] == "failed" and b"secret" not in browser.body
        assert world.log.records[-1][1] == "console.topic-failed"
        world.fails = None
        await asyncio.sleep(2)
        assert browser.of("counters")[-1] == {"n": 0}
        await browser.leave()
        await world.hub.close()

    run(check())


def test_no_line_of_a_log_can_make_an_event_of_its_own() -> None:
    async def check() -> None:
        world = World()
        browser = Browser(world, "log:mail")
        await asyncio.sleep(1)
        world.write("a\n\nevent: session\ndata: {}\n\n", "b\r\rdata: x", "\u2028\ud800")
        await asyncio.sleep(1)
        assert [name for _, name, _, _ in browser.events] == ["log:mail"]
        assert len(browser.of("log:mail")[0]["lines"]) == 3
        await browser.leave()
        await world.hub.close()

    run(check())
