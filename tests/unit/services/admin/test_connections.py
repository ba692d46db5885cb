"""Calls about connections: whose are shown to whom, and what is ended."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import CALLS, Office
from whimbrel.core.connections import MOST, ConnectionList, LiveConnection, Which, ordered
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.invoke import stream

ALICE = LiveConnection(
    "0a1", "imaps", "alice@example.org", "192.0.2.7", 4711, "TLSv1.3", "AES", 1_790_000_000.0, 5.0, "IDLE", 10, 20, "m"
)  # fmt: skip
BOB = replace(ALICE, id="0b1", user="bob@other.test", address="198.51.100.9", since=1_790_000_001.0)
NOBODY = replace(ALICE, id="0c1", user="", service="smtp", tls="", cipher="", command="", since=1_790_000_002.0)


class Clients:
    """The port Connections, over a list."""

    def __init__(self, *rows: LiveConnection) -> None:
        self.rows, self.by = list(rows), list[str]()

    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        chosen = [row for row in self.rows if which.fits(row)]
        counts: dict[str, int] = {}
        for row in chosen:
            counts[row.service] = counts.get(row.service, 0) + 1
        return ConnectionList(ordered(chosen, order, limit), counts)

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        chosen = [row for row in self.rows if which.fits(row, whole=True)]
        self.rows = [row for row in self.rows if row not in chosen]
        self.by.append(by)
        return chosen


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def who(rights: str, *grants: str) -> Caller:
    from whimbrel.core.address import Domain

    return Caller("bob@other.test", Grants.of(rights, grants, Domain("other.test")), "bob@other.test", "192.0.2.1")


def test_all_are_listed_with_their_number_whatever_the_limit(office: Office) -> None:
    view = office.do("connection list", {"connections": Clients(ALICE, BOB, NOBODY)}, limit=1)
    assert [row.id for row in view.items] == ["0a1"]
    assert (view.total, view.services) == (3, {"imaps": 2, "smtp": 1})
    assert (view.items[0].command, view.items[0].idle, view.items[0].tls) == ("IDLE", 5, "TLSv1.3")


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({"service": "smtp"}, ["0c1"]),
        ({"user": "ALICE"}, ["0a1"]),
        ({"address": "198.51.100.0/24"}, ["0b1"]),
        ({"sort": "-since"}, ["0c1", "0b1", "0a1"]),
    ],
)
def test_filters_and_order(office: Office, arguments: dict[str, Any], ids: list[str]) -> None:
    view = office.do("connection list", {"connections": Clients(ALICE, BOB, NOBODY)}, **arguments)
    assert [row.id for row in view.items] == ids


@pytest.mark.parametrize("sort", ["since", "-since", "idle", "-idle", "user", "-user", "octets", "-octets"])
def test_pages_follow_each_other_and_can_be_jumped_into(office: Office, sort: str) -> None:
    rows = [
        replace(ALICE, id=f"{number:03x}", user=f"u{number % 7}", since=float(number % 5), idle=float(number % 3))
        for number in range(40)
    ]
    context = {"connections": Clients(*rows)}
    every = [row.id for row in office.do("connection list", context, sort=sort).items]
    chained, after = list[str](), ""
    while True:
        page = office.do("connection list", context, sort=sort, limit=7, after=after)
        assert page.total == 40
        chained += [row.id for row in page.items]
        if not (after := page.more):
            break
    assert chained == every and sorted(every) == [row.id for row in rows]
    jumped = office.do("connection list", context, sort=sort, limit=7, skip=30)
    assert [row.id for row in jumped.items] == every[30:37] and jumped.more


@pytest.mark.parametrize(
    "after", ["x", "[]", '["since", 1]', '["user", "a", "b"]', '["since", "a", "b"]', '["since", null, "b"]']
)
def test_a_place_that_is_none_is_refused(office: Office, after: str) -> None:
    with pytest.raises(CallError) as caught:
        office.do("connection list", {"connections": Clients(ALICE)}, after=after)
    assert caught.value.fields[0].name == "after"


@pytest.mark.parametrize(
    ("search", "ids"), [("ALICE", ["0a1"]), ("192.0", ["0a1", "0c1"]), ("smtp", ["0c1"]), ("0b", ["0b1"]), ("zz", [])]
)
def test_a_search_looks_at_all_that_names_a_connection(office: Office, search: str, ids: list[str]) -> None:
    context = {"connections": Clients(ALICE, BOB, NOBODY)}
    assert [row.id for row in office.do("connection list", context, search=search).items] == ids


def test_who_administers_a_domain_sees_and_ends_those_of_its_users_alone(office: Office) -> None:
    clients = Clients(ALICE, BOB, NOBODY)
    mine = {"connections": clients, "caller": who("none", "accounts other.test")}
    view = office.do("connection list", mine)
    assert [row.id for row in view.items] == ["0b1"] and view.total == 1 and view.services == {"imaps": 1}
    for arguments in ({"ids": ["0a1", "0c1"]}, {"user": "alice@example.org"}, {"address": "192.0.2.0/24"}):
        with pytest.raises(CallError) as refused:
            office.do("connection disconnect", mine, **arguments)
        assert refused.value.kind is Failure.NOT_FOUND
    assert "1 connection was ended" in office.do("connection disconnect", mine, ids=["0b1"]).text
    assert clients.rows == [ALICE, NOBODY] and clients.by[-1] == "bob@other.test (192.0.2.1)"


def test_who_only_reads_sees_all_and_ends_none(office: Office) -> None:
    mine = {"connections": Clients(ALICE, BOB), "caller": who("server-read")}
    assert office.do("connection list", mine).total == 2
    with pytest.raises(CallError) as refused:
        office.do("connection disconnect", mine, ids=["0a1"])
    assert refused.value.kind is Failure.FORBIDDEN


def test_a_user_is_meant_by_any_of_his_names(office: Office) -> None:
    clients = Clients(ALICE, BOB)
    office.do("connection disconnect", {"connections": clients}, user="alice")
    assert clients.rows == [BOB]
    office.do("connection disconnect", {"connections": clients}, user="BOB@alias.test")
    assert clients.rows == []


def test_a_check_ends_nobody(office: Office) -> None:
    clients = Clients(ALICE, BOB)
    done = office.do("connection disconnect", {"connections": clients, "dry_run": True}, address="192.0.2.7")
    assert done.text == "1 connection would be ended" and len(clients.rows) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "say which"),
        ({"address": "mail.example.org"}, "no IP address"),
        ({"ids": ["zz"]}, "There is no connection with the 'id zz'"),
        ({"user": "carol"}, "There is no connection of the 'user carol'"),
    ],
)
def test_what_cannot_be_ended_is_told(office: Office, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(CallError, match=text):
        office.do("connection disconnect", {"connections": Clients(ALICE)}, **arguments)


def test_a_watch_tells_what_comes_changes_and_goes(office: Office) -> None:
    looks = [[ALICE], [replace(ALICE, command=""), BOB], [BOB]]

    class Changing(Clients):
        async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
            self.rows = looks.pop(0)
            return await super().list(which, order, limit)

    async def work() -> list[tuple[str, str]]:
        ctx = office.context(connections=Changing())
        watching = stream(CALLS["connection watch"], ctx, {"looks": 3, "interval": 0.25})
        return [(change.id, change.what) async for change in watching]

    assert asyncio.run(work()) == [
        ("0a1", "open"),
        ("0b1", "open"),
        ("0a1", "changed"),
        ("0a1", "ended"),
    ]


def test_nobody_reaches_who_may_do_more(office: Office) -> None:
    """Neither by id, name or address; nor is it shown that they are there."""
    office.do("user add", name="mighty@other.test")
    office.do("user rights", name="mighty@other.test", rights="server-write")
    mighty = replace(BOB, id="0d1", user="mighty@other.test")
    clients = Clients(ALICE, BOB, mighty)
    mine = {"connections": clients, "caller": who("none", "accounts other.test")}
    view = office.do("connection list", mine)
    assert ([row.id for row in view.items], view.total, view.services) == (["0b1"], 1, {"imaps": 1})
    for arguments in ({"ids": ["0d1"]}, {"user": "mighty@other.test"}, {"ids": ["0d1"], "address": BOB.address}):
        with pytest.raises(CallError) as refused:
            office.do("connection disconnect", mine, **arguments)
        assert refused.value.kind is Failure.NOT_FOUND and "more" not in refused.value.text
    office.do("connection disconnect", mine, address=BOB.address)
    assert clients.rows == [ALICE, mighty]

    async def watched() -> list[Any]:
        ctx = office.context(connections=Clients(BOB, mighty)).request(mine["caller"])  # type: ignore[arg-type]
        return [each async for each in stream(CALLS["connection watch"], ctx, {"looks": 1})]

    assert [each.id for each in asyncio.run(watched())] == ["0b1"]


def test_who_has_gone_is_still_ended_by_who_administers_the_domain(office: Office) -> None:
    clients = Clients(replace(BOB, user="gone@other.test"))
    office.do("connection disconnect", {"connections": clients, "caller": who("domain")}, address=BOB.address)
    assert clients.rows == []
