"""The answers so far: nothing that was typed is lost, and nothing that is secret is sent back."""

import json
from pathlib import Path

import pytest

from tests.unit.services.setup.fake import FakeMachine
from tests.unit.services.setup.test_application import Setup, in_a_loop
from tests.unit.services.setup.test_steps import GOOD
from whimbrel.app.setup.writing import STEPS
from whimbrel.services.setup.draft import Draft, Outdated

TREE = {
    **GOOD, "users": "address,password\nanna,kept from others\n", "outgoing": {"mode": "relay", "password": "relayed"},
    "certificate": {"source": "import", "chain": "CHAIN", "key": "KEY"},
}  # fmt: skip


def test_what_is_secret_is_kept_and_not_shown() -> None:
    draft = Draft(STEPS)
    assert draft.shown().revision == 0
    assert draft.keep(TREE, "people", 0) == 1
    kept = draft.shown()
    assert set(kept.withheld) == {
        "administrator.password", "users", "outgoing.password", "certificate.chain", "certificate.key",
    }  # fmt: skip
    for secret in ("four words", "kept from others", "relayed", "KEY"):
        assert secret not in json.dumps(kept.answers)
    assert kept.at == "people"
    assert draft.whole(kept.answers) == TREE


def test_an_answer_takes_the_place_of_a_kept_one_also_if_it_is_empty() -> None:
    draft = Draft(STEPS)
    draft.keep(TREE, "people", 0)
    shown = dict(draft.shown().answers)
    assert draft.whole({**shown, "users": ""})["users"] == ""
    draft.keep({**shown, "users": "", "administrator": {"name": "admin", "password": "another one"}}, "people", 1)
    assert "users" not in draft.shown().withheld
    assert draft.whole({})["administrator"] == {"password": "another one"}
    for wrong in ({"administrator": 5}, {"administrator": []}, {"users": 5}):
        assert draft.whole(wrong).items() >= wrong.items()


def test_of_two_browsers_the_later_hears_of_the_other() -> None:
    draft = Draft(STEPS)
    assert draft.keep({"hostname": "a.example"}, "names", 0) == 1
    with pytest.raises(Outdated):
        draft.keep({"hostname": "b.example"}, "names", 0)
    assert draft.shown().answers == {"hostname": "a.example"}
    assert draft.keep({"hostname": "b.example"}, "no such step", 1) == 2
    assert draft.shown().at == "names"
    draft.forget()
    assert draft.whole({}) == {}


@in_a_loop
async def test_a_second_browser_goes_on_and_applies(tmp_path: Path) -> None:
    setup = Setup(tmp_path, FakeMachine())
    await setup.enter()
    assert await setup.call("draft", answers=GOOD, at="storage", revision=0) == {"revision": 1}
    answer = await setup.ask("POST", "/api/setup/draft", {"answers": GOOD, "at": "names", "revision": 0})
    assert (answer.status, json.loads(answer.body)["error"]["kind"]) == (409, "conflict")
    for wrong in (
        {"answers": 5, "revision": 1},
        {"answers": {}, "revision": "x"},
        {"answers": {}, "at": 1, "revision": 1},
    ):
        assert (await setup.ask("POST", "/api/setup/draft", wrong)).status == 400
    await setup.enter()
    kept = json.loads((await setup.ask("GET", "/api/setup/draft")).body)["result"]
    assert kept["withheld"] == ["administrator.password"]
    assert "four words" not in json.dumps(kept)
    answer = await setup.ask("POST", "/api/setup/apply", {"answers": kept["answers"]})
    assert answer.status == 200
    assert setup.installer.made[0].password.reveal() == GOOD["administrator"]["password"]


@in_a_loop
async def test_the_draft_is_only_for_who_has_the_code(tmp_path: Path) -> None:
    setup = Setup(tmp_path, FakeMachine())
    await setup.enter()
    await setup.call("draft", answers=GOOD, at="", revision=0)
    own, setup.headers = setup.headers, []
    assert (await setup.ask("GET", "/api/setup/draft")).status == 401
    assert (await setup.ask("POST", "/api/setup/draft", {"answers": {}, "revision": 1})).status == 401
    setup.headers = [own[1]]
    assert (await setup.ask("POST", "/api/setup/draft", {"answers": {}, "revision": 1})).status == 403
