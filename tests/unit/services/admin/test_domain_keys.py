"""`domain dkim ...` and the job that goes on with new keys by itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeClock, InlinePool
from tests.support.names import TIMEOUT, Names
from tests.unit.services.admin.office import Office
from whimbrel.backends.config.dkim_keys import DkimKeyFiles
from whimbrel.core.signing import RETIRED_DAYS
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.people.domain_keys import advance

NAME = "example.org"


class Desk:
    def __init__(self, folder: Path) -> None:
        self.office, self.names, self.clock = Office(folder / "office"), Names(), FakeClock()
        self.ring = DkimKeyFiles(folder / "keys" / "dkim", folder, InlinePool(), self.clock)

    def do(self, call: str, **arguments: Any) -> Any:
        return self.office.do(f"domain {call}", {"keys": self.ring, "resolver": self.names}, name=NAME, **arguments)

    def listed(self) -> list[tuple[str, str]]:
        return [(row.state, row.published) for row in self.do("dkim").items]

    def publish(self) -> None:
        for row in self.do("dkim").items:
            self.names.add(row.name, "TXT", row.record)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_new_keys_sign_once_their_records_are_published(desk: Desk) -> None:
    desk.do("dkim-generate")
    assert desk.listed() == [("prepared", "no")] * 2
    assert asyncio.run(advance(desk.ring, desk.names, NAME, desk.clock.now())) is None
    desk.publish()
    name, state = asyncio.run(advance(desk.ring, desk.names, NAME, desk.clock.now())) or ("", "")
    assert (name[0], state) == ("w", "signing")
    assert desk.listed() == [("signing", "yes")] * 2


def test_two_generations_stand_side_by_side_and_the_old_ones_go_after_two_weeks(desk: Desk) -> None:
    desk.do("dkim-generate", now=True)
    desk.do("dkim-generate")
    with pytest.raises(CallError, match="prepared already"):
        desk.do("dkim-generate")
    desk.publish()
    asyncio.run(advance(desk.ring, desk.names, NAME, desk.clock.now()))
    assert [state for state, _ in desk.listed()] == ["signing", "signing", "retired", "retired"]
    later = desk.clock.now() + RETIRED_DAYS * 86400
    assert asyncio.run(advance(desk.ring, desk.names, NAME, later)) is None
    assert (asyncio.run(advance(desk.ring, desk.names, NAME, later + 1)) or ("", ""))[1] == "removed"
    assert [state for state, _ in desk.listed()] == ["signing", "signing"]


def test_keys_that_nobody_could_verify_are_not_used_by_mistake(desk: Desk) -> None:
    desk.do("dkim-generate")
    keys = desk.do("dkim").items[0].keys
    with pytest.raises(CallError, match="is not published"):
        desk.do("dkim-use", keys=keys)
    desk.names.add(desk.do("dkim").items[0].name, "TXT", "v=DKIM1; p=AAAA")
    with pytest.raises(CallError, match="with another key"):
        desk.do("dkim-use", keys=keys)
    desk.names.add(desk.do("dkim").items[0].name, "TXT", TIMEOUT)
    desk.do("dkim-use", keys=keys, unpublished=True)
    assert [state for state, _ in desk.listed()] == ["signing", "signing"]


def test_records_are_lines_of_a_zone_file(desk: Desk) -> None:
    with pytest.raises(CallError, match="dkim-generate"):
        desk.do("dkim-records")
    desk.do("dkim-generate")
    rsa, ed = desk.do("dkim-records").text.splitlines()
    assert rsa.startswith("w") and '._domainkey.example.org. IN TXT "v=DKIM1; k=rsa; p=' in rsa
    assert all(len(part) <= 255 for part in rsa.split('"')[1::2])
    assert "k=ed25519" in ed
    assert "PRIVATE" not in str(desk.do("dkim"))


def test_keys_are_removed_by_name(desk: Desk) -> None:
    desk.do("dkim-generate", now=True)
    keys = desk.do("dkim").items[0].keys
    with pytest.raises(CallError, match="lists them"):
        desk.do("dkim-remove", keys="w1")
    context = {"keys": desk.ring, "resolver": desk.names, "confirmed": True}
    desk.office.do("domain dkim-remove", context, name=NAME, keys=keys)
    assert desk.listed() == []


def test_a_removed_domain_leaves_no_keys(desk: Desk) -> None:
    context = {"keys": desk.ring, "resolver": desk.names, "confirmed": True}
    desk.office.do("domain add", context, name="gone.test")
    desk.office.do("domain dkim-generate", context, name="gone.test", now=True)
    assert asyncio.run(desk.ring.domains()) == ["gone.test"]
    desk.office.do("domain remove", context, name="gone.test")
    assert asyncio.run(desk.ring.domains()) == []
