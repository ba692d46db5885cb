"""The wizard's API: closed without the code, bounded, and one set-up however often it is asked for."""

import asyncio
import functools
import json
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import InlinePool, MemoryLog
from tests.unit.services.setup.fake import FakeMachine
from tests.unit.services.setup.test_steps import GOOD
from tests.unit.services.webd.bench import Answer, Client
from whimbrel.app.setup.writing import STEPS
from whimbrel.core.config import ConfigError, Fault
from whimbrel.services.setup import application
from whimbrel.services.setup.answers import Answers
from whimbrel.services.setup.application import COOKIE, SetupApplication
from whimbrel.services.setup.door import HOST_ATTEMPTS, Door
from whimbrel.services.webd import exchange
from whimbrel.services.webd.pages import Pages

CODE = "k3fh-7pwm-xq2a-ynvd"
OURS = "https://localhost:44337"
CALLS = ("steps", "check", "review", "apply")


class FakeInstaller:
    def __init__(self) -> None:
        self.made: list[Answers] = []
        self.faults: list[Fault] = []
        self.fails: Exception | None = None
        self.warnings: list[str] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def survey(self, answers: Answers) -> Sequence[Fault]:
        return self.faults

    def set_up(self, answers: Answers, progress: Callable[[str], None]) -> Sequence[str]:
        progress("Writing")
        self.goes_on.wait(20)
        if self.fails is not None:
            raise self.fails
        self.made.append(answers)
        return self.warnings


class Setup:
    def __init__(self, folder: Path, machine: FakeMachine | None = None) -> None:
        self.installer = FakeInstaller()
        self.log = MemoryLog()
        self.door = Door(CODE, lambda: 1.0)
        pages = Pages(folder / "nothing", InlinePool())
        self.application = SetupApplication(STEPS, machine or FakeMachine(), self.installer, self.door, pages, self.log)
        self.headers: list[tuple[str, str]] = []

    async def ask(
        self, method: str, path: str, body: object = None, headers: list[tuple[str, str]] | None = None, **more: Any
    ) -> Answer:
        given = self.headers if headers is None else headers
        pieces = [] if body is None else [body if isinstance(body, bytes) else json.dumps(body).encode()]
        kind = [("content-type", "application/json")] if body is not None else []
        client = Client(method, path, [*given, *kind], pieces, **more)
        async with asyncio.timeout(20):
            await self.application(client.scope, client.receive, client.send)
        return client.answer

    async def enter(self) -> None:
        answer = await self.ask("POST", "/api/setup/session", {"code": CODE}, [("origin", OURS)])
        assert answer.status == 200
        cookie = answer["set-cookie"].partition(";")[0]
        self.headers = [
            ("origin", OURS),
            ("cookie", cookie),
            ("x-csrf-token", json.loads(answer.body)["result"]["csrf"]),
        ]

    async def call(self, verb: str, **body: object) -> Any:
        answer = await self.ask("POST", f"/api/setup/{verb}", body)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["result"]


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*words: Any, **named: Any) -> None:
        asyncio.run(test(*words, **named))

    return run


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


@in_a_loop
async def test_without_the_code_nothing_is_said_and_nothing_done(setup: Setup) -> None:
    state = json.loads((await setup.ask("GET", "/api/setup")).body)["result"]
    assert state == {"state": "open", "signed_in": False}
    for method, verb in [("GET", "steps"), *(("POST", call) for call in CALLS), ("DELETE", "session"), ("GET", "x")]:
        answer = await setup.ask(method, f"/api/setup/{verb}", {"answers": GOOD}, [("origin", OURS)])
        assert (answer.status, b"example.org" in answer.body) == (401, False)
    assert setup.installer.made == []


@in_a_loop
async def test_a_wrong_code_is_refused_counted_and_logged(setup: Setup) -> None:
    for _ in range(HOST_ATTEMPTS):
        answer = await setup.ask("POST", "/api/setup/session", {"code": "wrong"}, [("origin", OURS)])
        assert (answer.status, answer["set-cookie"]) == (401, "")
    answer = await setup.ask("POST", "/api/setup/session", {"code": CODE}, [("origin", OURS)])
    assert (answer.status, answer["retry-after"]) == (429, "61")
    assert CODE not in repr(setup.log.records)
    answer = await setup.ask("POST", "/api/setup/session", {"code": CODE}, [("origin", OURS)], client="192.0.2.8")
    assert answer.status == 200


@in_a_loop
async def test_the_session_is_a_cookie_that_no_other_page_can_use(setup: Setup) -> None:
    answer = await setup.ask("POST", "/api/setup/session", {"code": CODE}, [("origin", OURS)])
    assert answer["set-cookie"].startswith(f"{COOKIE}=")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"} <= set(answer["set-cookie"].split("; "))
    await setup.enter()
    assert json.loads((await setup.ask("GET", "/api/setup")).body)["result"]["signed_in"]
    cookie, csrf = setup.headers[1], setup.headers[2]
    for headers in (
        [cookie, csrf], [("origin", "https://evil.example"), cookie, csrf], [("origin", "null"), cookie, csrf],
        [("origin", "https://localhost"), cookie, csrf], [("origin", OURS), cookie],
        [("origin", OURS), cookie, ("x-csrf-token", "x")],
    ):  # fmt: skip
        for verb in CALLS:
            assert (await setup.ask("POST", f"/api/setup/{verb}", {"answers": GOOD}, headers)).status == 403
    assert (await setup.ask("POST", "/api/setup/session", {"code": CODE}, [])).status == 403
    assert setup.installer.made == []


@in_a_loop
async def test_signing_out_ends_it(setup: Setup) -> None:
    await setup.enter()
    assert (await setup.ask("DELETE", "/api/setup/session")).status == 200
    assert (await setup.ask("GET", "/api/setup/steps")).status == 401


@in_a_loop
async def test_the_steps_come_with_what_the_machine_proposes(setup: Setup) -> None:
    await setup.enter()
    steps = (await setup.call("steps", answers={"hostname": "mx.example.net"}))["steps"]
    assert [step["name"] for step in steps] == [step.name for step in STEPS]
    fields = {field["name"]: field for step in steps for field in step["fields"]}
    assert fields["hostname"]["default"] == "mail.example.org"
    assert fields["domain"]["default"] == "example.net"
    assert fields["language"]["schema"] == {"type": "string", "enum": ["en", "de", "fr", "es"]}
    assert fields["administrator.password"]["schema"]["writeOnly"]
    assert "run-as" not in fields
    asked = json.loads((await setup.ask("GET", "/api/setup/steps")).body)["result"]["steps"]
    assert {field["name"]: field for step in asked for field in step["fields"]}["domain"]["default"] == "example.org"


@in_a_loop
async def test_a_step_is_checked_alone(setup: Setup) -> None:
    await setup.enter()
    answers = {**GOOD, "hostname": "no name", "domain": "example.org"}
    result = await setup.call("check", step="names", answers=answers)
    assert [fault["name"] for fault in result["faults"]] == ["hostname"]
    result = await setup.call("check", step="names", answers=GOOD)
    assert result["faults"] == []
    texts = [each["text"] for check in result["checks"] for each in check["findings"]]
    assert "mail.example.org resolves to this machine: yes (192.0.2.7)" in texts
    table = {**GOOD, "users": "address,rights\na,server-write\n"}
    assert (await setup.call("check", step="people", answers=table))["faults"] == []
    for body in ({"step": "nothing"}, {"step": "names", "check": "relay"}, {}):
        assert (await setup.ask("POST", "/api/setup/check", body)).status == 404


@in_a_loop
async def test_the_review_has_words_and_every_fault(setup: Setup) -> None:
    await setup.enter()
    setup.installer.faults = [Fault("", 0, "store", "/x is not empty")]
    result = await setup.call("review", answers={**GOOD, "users": "address,rights\na,server-write\n"})
    assert [fault["name"] for fault in result["faults"]] == ["users", "store"]
    assert result["confirm"] == "make 1 administrator"
    assert any("example.org administers" in " ".join(step["words"]) for step in result["words"])
    assert "four words" not in json.dumps(result)


@in_a_loop
async def test_applying_tells_its_progress_and_ends_the_code(setup: Setup) -> None:
    await setup.enter()
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": {**GOOD, "names": ["anna"]}})
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["item"].get("progress") for line in lines[:-2]] == ["Writing", "Starting the server"]
    done = lines[-2]["item"]["done"]
    password = setup.installer.made[0].made["anna"].reveal()
    assert done["made"] == [{"user": "anna@example.org", "password": password}]
    assert done["administrator"] == "admin@example.org"
    assert done["console"] == 44337
    assert lines[-1] == {"end": True, "warnings": []}
    assert setup.application.done.is_set()
    assert (await setup.ask("POST", "/api/setup/session", {"code": CODE}, [("origin", OURS)])).status == 401


@in_a_loop
async def test_the_end_tells_where_the_console_is_from_then_on(setup: Setup) -> None:
    await setup.enter()
    answers = {**GOOD, "services": {"console": {"listen": ["*:44338", "127.0.0.1:8443"]}}}
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": answers})
    assert json.loads(answer.body.splitlines()[-2])["item"]["done"]["console"] == 44338


@in_a_loop
async def test_faults_stop_it_before_anything_is_written(setup: Setup) -> None:
    await setup.enter()
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": {"domain": "a b"}})
    assert answer.status == 422
    names = {fault["name"] for fault in json.loads(answer.body)["error"]["fields"]}
    assert names == {"hostname", "domain", "administrator.password"}
    assert not setup.application.applying


@in_a_loop
async def test_root_must_name_whom_the_server_runs_as(tmp_path: Path) -> None:
    setup = Setup(tmp_path, FakeMachine(root=True))
    await setup.enter()
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": GOOD})
    assert [fault["name"] for fault in json.loads(answer.body)["error"]["fields"]] == ["run-as"]
    setup.installer.faults = [Fault("", 0, "store", "/x is not empty")]
    for step, names in (("surroundings", ["run-as"]), ("names", []), ("storage", ["store"])):
        answer = await setup.ask("POST", "/api/setup/check", {"step": step, "answers": GOOD})
        assert [fault["name"] for fault in json.loads(answer.body)["result"]["faults"]] == names, "said at its own step"
    setup.installer.faults = []
    assert (await setup.ask("POST", "/api/setup/apply", {"answers": {**GOOD, "run-as": "whimbrel"}})).status == 200


@pytest.mark.parametrize(
    "error", [ConfigError(Fault("", 0, "store", "is full")), OSError(28, "No space left on device")]
)
@in_a_loop
async def test_what_fails_while_writing_is_told_and_can_be_tried_again(setup: Setup, error: Exception) -> None:
    await setup.enter()
    setup.installer.fails = error
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": GOOD})
    last = json.loads(answer.body.splitlines()[-1])
    assert "Nothing was set up" in last["error"]["text"]
    assert not setup.application.done.is_set()
    setup.installer.fails = None
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": GOOD})
    assert json.loads(answer.body.splitlines()[-1])["end"]
    assert len(setup.installer.made) == 1


@in_a_loop
async def test_a_fault_of_our_own_ends_it_for_all_who_wait(setup: Setup) -> None:
    await setup.enter()
    setup.installer.fails = RuntimeError("bug")
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": GOOD})
    assert "by a fault of its own" in json.loads(answer.body.splitlines()[-1])["error"]["text"]
    assert "bug" not in answer.body.decode()
    assert not setup.application.applying
    assert any("bug" in repr(record) for record in setup.log.records)


@in_a_loop
async def test_what_goes_wrong_after_it_was_written_is_a_warning(setup: Setup) -> None:
    await setup.enter()
    setup.installer.warnings = ["The store could not be given to whimbrel"]
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": GOOD})
    assert json.loads(answer.body.splitlines()[-1]) == {"end": True, "warnings": setup.installer.warnings}
    assert setup.application.done.is_set()


@in_a_loop
async def test_a_full_disk_is_told_with_what_to_do(setup: Setup) -> None:
    await setup.enter()
    setup.installer.fails = OSError(28, "No space left on device", "/srv/mail")
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": GOOD})
    text = json.loads(answer.body.splitlines()[-1])["error"]["text"]
    assert text == "Nothing was set up. /srv/mail: No space left on device: make room, or choose another directory."


@in_a_loop
async def test_half_characters_are_refused_at_their_field(setup: Setup) -> None:
    await setup.enter()
    half = "\ud800"
    tree = {
        "hostname": half, "domain": half, "store": half, "administrator": {"name": half, "password": half * 9},
        "names": [half], "users": f"address\n{half}", "port-25-host": half, "run-as": half,
        "outgoing": {"mode": "relay", "host": half, "user": half, "password": half},
        "certificate": {"source": "import", "chain": half, "key": half}, "settings": {"smtp/hostname": half, half: "x"},
        "services": {half: {}, "smtp": {"listen": [half]}}, half: half,
    }  # fmt: skip
    for step in STEPS:
        answer = await setup.ask("POST", "/api/setup/check", {"step": step.name, "answers": tree})
        assert answer.status == 200
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": tree})
    assert answer.status == 422
    names = {fault["name"] for fault in json.loads(answer.body)["error"]["fields"]}
    assert {"hostname", "domain", "store", "administrator.password", "names", "users"} <= names
    assert setup.installer.made == []


@in_a_loop
async def test_two_who_apply_at_once_see_one_set_up(setup: Setup) -> None:
    await setup.enter()
    setup.installer.goes_on.clear()
    first = asyncio.create_task(setup.ask("POST", "/api/setup/apply", {"answers": GOOD}))
    while not setup.application.applying:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(setup.ask("POST", "/api/setup/apply", {"answers": GOOD}))
    await asyncio.sleep(0.05)
    setup.installer.goes_on.set()
    assert (await first).body == (await second).body
    assert len(setup.installer.made) == 1


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b"[" * 100_000, 400), (b'{"answers": 5}', 400), (b"\xff", 400)]
)
@in_a_loop
async def test_what_is_no_answer_is_refused(setup: Setup, body: bytes, status: int) -> None:
    await setup.enter()
    for verb in CALLS:
        answer = await setup.ask("POST", f"/api/setup/{verb}", body)
        assert answer.status == (404 if verb == "check" and body == b'{"answers": 5}' else status)


@in_a_loop
async def test_a_body_without_end_is_cut_short(setup: Setup) -> None:
    assert (await setup.ask("POST", "/api/setup/session", b"x" * 5000, [("origin", OURS)])).status == 413


@in_a_loop
async def test_who_does_not_end_a_request_is_cut_short(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "CODE_WITHIN", 0.02)
    monkeypatch.setattr(exchange, "DRAIN_WITHIN", 0.02)
    answer = await setup.ask("POST", "/api/setup/session", b'{"code":', [("origin", OURS)], ends=False)
    assert (answer.status, answer.aborted) == (408, True)


@in_a_loop
async def test_the_other_addresses_say_what_is_so(setup: Setup) -> None:
    assert (await setup.ask("GET", "/healthz")).body == b"ok, but not set up yet\n"
    for path in ("/api/session", "/api/admin/user/list", "/api/setupx"):
        answer = await setup.ask("GET", path)
        assert (answer.status, json.loads(answer.body)["error"]["kind"]) == (503, "setup")
    page = await setup.ask("GET", "/")
    assert page.status in (200, 503)
    assert page["content-security-policy"]
    assert (await setup.ask("POST", "/", b"")).status == 405
