"""Quota, clean-out and last sign-in, as administrators see and set them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import FakeClock
from tests.unit.services.admin.office import CALLS, Office
from whimbrel.backends.store.memory.spool import MemorySpool
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.cleanout import DAY
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.mailbox import INBOX, AccountId, Limit, Usage
from whimbrel.core.quota import DomainQuota
from whimbrel.core.uids import ALL
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.invoke import stream

ALICE = AccountId("alice@example.org")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


class Quotas:
    def __init__(self, usage: Usage | None) -> None:
        self.usage = usage

    async def domain(self, name: str) -> DomainQuota | None:
        return DomainQuota(Limit(10_000, 0), self.usage) if name == "example.org" else None


def store_with(clock: FakeClock, count: int) -> MemoryStore:
    store, spool = MemoryStore(clock), MemorySpool()

    async def fill() -> None:
        ref = (await store.list(ALICE))[0].ref
        await store.commit([Append(ref, Rendition(b"", spool.hold(b"x" * 100)))] * count)

    asyncio.run(fill())
    return store


def test_user_quota_tells_what_a_mailbox_and_its_domain_hold(office: Office) -> None:
    office.do("user set", name="alice", quota="1000B", quota_messages=4)
    store = store_with(office.clock, 3)
    view = office.do("user quota", {"folders": store, "quotas": Quotas(Usage(300, 3))}, name="alice")
    assert (view.bytes, view.quota, view.messages, view.quota_messages, view.percent) == (300, 1000, 3, 4, 75)
    assert (view.domain_counted, view.domain_bytes, view.domain_quota) == (True, 300, 10_000)
    view = office.do("user quota", {"folders": store, "quotas": Quotas(None)}, name="alice")
    assert (view.domain_counted, view.domain_quota) == (False, 10_000)


def test_a_new_user_gets_the_domains_default_quota_unless_one_is_named(office: Office) -> None:
    office.do("domain set", name="example.org", quota="100G", quota_messages=5, default_quota="2G", keep_deleted="30d")
    domain = office.do("domain show", name="example.org")
    assert (domain.quota, domain.quota_messages, domain.default_quota, domain.keep_deleted) == (
        100 << 30,
        5,
        2 << 30,
        "30d",
    )
    office.do("user add", name="one")
    office.do("user add", name="two", quota="0")
    office.do("user import", file="address,quota\nthree,\nfour,1G\n")
    quotas = {name: office.do("user show", name=name).quota for name in ("one", "two", "three", "four", "alice")}
    assert quotas == {"one": 2 << 30, "two": 0, "three": 2 << 30, "four": 1 << 30, "alice": 0}
    assert office.do("user show", name="bob@other.test").quota == 0


def test_clean_out_rules_are_checked_when_they_are_set(office: Office) -> None:
    office.do("domain set", name="example.org", clean_out=["deleted 30d", "junk 14"])
    assert office.do("domain show", name="example.org").clean_out == ("deleted 30d", "junk 14d")
    with pytest.raises(CallError, match="not a clean-out rule"):
        office.do("user set", name="alice", clean_out=["bin 30d"])
    office.do("user set", name="alice", clean_out=["junk 0d"])
    assert office.do("user show", name="alice").clean_out == ("junk 0d",)
    office.do("user set", name="alice", clean_out=[""])
    assert office.do("user show", name="alice").clean_out == ()


def streamed(office: Office, call: str, context: dict[str, Any], **arguments: Any) -> list[Any]:
    async def work() -> list[Any]:
        return [found async for found in stream(CALLS[call], office.context(**context), arguments)]

    return asyncio.run(work())


@pytest.mark.parametrize("call", ["user clean-out", "domain clean-out"])
def test_clean_out_by_hand_tells_first_and_deletes_then(office: Office, call: str) -> None:
    store = store_with(office.clock, 3)
    ports = {"folders": store, "messages": store}
    name = "alice" if call.startswith("user") else "example.org"
    if call.startswith("user"):
        with pytest.raises(CallError, match="No clean-out rule is for alice"):
            streamed(office, call, ports, name=name)
    office.do("domain set", name="example.org", clean_out=["inbox 5d"])
    office.clock.forward(6 * DAY)

    async def left() -> int:
        found = await store.find(ALICE, INBOX)
        assert found is not None
        return len(await store.flags(found.ref, ALL))

    (told,) = streamed(office, call, ports | {"dry_run": True}, name=name)
    assert (told.account, told.folder, told.messages) == (ALICE, INBOX, 3)
    assert asyncio.run(left()) == 3 and not office.log.named("cleanout.done")
    assert streamed(office, call, ports, name=name) == [told]
    assert asyncio.run(left()) == 0 and office.log.named("cleanout.done")[0]["messages"] == 3


def test_the_last_sign_in_is_shown(office: Office) -> None:
    assert office.do("user show", name="alice").last_sign_in == 0
    office.state.values["sign-in", "alice@example.org"] = "1790000000 imaps 192.0.2.7"
    view = office.do("user show", name="alice")
    assert (view.last_sign_in, view.last_service, view.last_address) == (1_790_000_000, "imaps", "192.0.2.7")
    rows = office.do("user list").items
    assert [(row.address, row.last_sign_in) for row in rows] == [
        ("alice@example.org", 1_790_000_000), ("bob@other.test", 0),
    ]  # fmt: skip
