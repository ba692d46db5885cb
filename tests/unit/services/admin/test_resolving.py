"""`alias check` tells what delivery does, for every kind of address; what leads nowhere is told."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import FakeDirectory
from tests.unit.services.admin.office import CALLS, Office
from whimbrel.core.address import Address
from whimbrel.core.errors import MailError
from whimbrel.core.rights import Grants
from whimbrel.flow.routing.router import Router
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.invoke import prepare, run
from whimbrel.services.admin.people.resolving import Resolution, dangling, resolved

NAMES = [f"n{n}" for n in range(6)]
MEMBERS = st.lists(st.sampled_from([*NAMES, "nobody", "away"]), max_size=3)
GRAPH = st.dictionaries(st.sampled_from(NAMES), st.tuples(st.sampled_from("uakd"), MEMBERS))
ASKED = [
    "n0", "n1", "n2", "nobody", "postmaster", "n0+tag", "away", "n0%x", "wild-1", "x@remote.test", "other@other.test",
    "postmaster@other.test", "n0@[192.0.2.9]",
]  # fmt: skip


class Ports:
    """Of an AdminContext what is asked here."""

    def __init__(self, directory: FakeDirectory) -> None:
        self.directory, self.config = directory, FakeConfig()
        self.mailboxes = None


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.do("user rights", name="alice", rights="server-write")
    office.do("user add", name="carol@example.org", forward_to=["alice@example.org"])
    office.do("user add", name="off@example.org", enabled=False)
    office.do("alias add", name="info@example.org", to=["alice", "x@elsewhere.test"])
    office.do("alias add", name="shop-*@example.org", to=["carol"])
    office.do("group add", name="team@example.org", member=["info", "carol"])
    office.do("domain set", name="other.test", catch_all="carol@example.org")
    return office


def delivered(office: Office, address: str) -> tuple[list[str], list[str]]:
    """What delivery does: mailboxes and addresses elsewhere. Both empty: it refuses."""
    ctx = office.context()
    try:
        expansion = asyncio.run(Router(ctx.directory, ctx.config).route(Address.parse(address), ""))
    except MailError:
        return [], []
    return [str(each.account.address) for each in expansion.local], [str(each.address) for each in expansion.remote]


@pytest.mark.parametrize(
    ("address", "is_a"),
    [
        ("alice@example.org", "user"),
        ("ALICE@Example.org", "user"),
        ("alice+news@example.org", "user, with a tag"),
        ("carol@example.org", "user, forwards and keeps a copy"),
        ("info@example.org", "alias (info@example.org)"),
        ("shop-7@example.org", "alias (shop-*@example.org)"),
        ("info+tag@example.org", "alias (info@example.org), with a tag"),
        ("team@example.org", "group (team@example.org)"),
        ("anything@other.test", "catch all (*@other.test)"),
        ("postmaster@example.org", "postmaster"),
        ("postmaster@alias.test", "postmaster"),
        ("alice@alias.test", "catch all (*@other.test)"),
        ("off@example.org", "refused: This mailbox is disabled"),
        ("nobody@example.org", "refused: User unknown"),
        ("alice%x.test@example.org", "refused: Relaying denied"),
        ("someone@elsewhere.test", "address elsewhere"),
        ("someone@[192.0.2.7]", "address elsewhere"),
    ],
)
def test_every_kind_of_address_is_told_as_it_is_delivered(office: Office, address: str, is_a: str) -> None:
    told = office.do("alias check", address=address)
    assert told.steps[0].is_a.startswith(is_a)
    assert (list(told.mailboxes), list(told.remote)) == delivered(office, address)
    assert bool(told.problems) == (delivered(office, address) == ([], []))


@given(GRAPH, st.sampled_from(ASKED))
def test_any_directory_is_told_as_it_is_delivered(graph: dict[str, tuple[str, list[str]]], asked: str) -> None:
    directory = FakeDirectory(domains={"example.test": (), "other.test": ()})
    for name, (kind, members) in graph.items():
        others = tuple("away@remote.test" if each == "away" else f"{each}@example.test" for each in members)
        if kind == "a":
            directory.alias(f"{name}@example.test", *others)
        else:
            directory.user(f"{name}@example.test", forward_to=others, keep_copy=kind == "k", enabled=kind != "d")
    directory.alias("wild-*@example.test", "n1@example.test")
    address = Address.parse(asked if "@" in asked else f"{asked}@example.test")
    ports = Ports(directory)
    told = asyncio.run(resolved(ports, address))  # type: ignore[arg-type]
    try:
        expansion = asyncio.run(Router(directory, ports.config).route(address, ""))
    except MailError:
        assert not told.mailboxes and not told.remote and told.problems
        return
    assert told.mailboxes == tuple(str(each.account.address) for each in expansion.local)
    assert told.remote == tuple(str(each.address) for each in expansion.remote)
    assert len(expansion.unreachable) <= len(told.problems)


def test_who_leads_nowhere_is_found_in_the_whole_directory(office: Office) -> None:
    assert asyncio.run(dangling(office.context())) == ()
    office.do("user remove", name="carol")
    office.do("group add", name="lost@example.org", member=["gone@example.org", "alice"])
    told = asyncio.run(dangling(office.context()))
    assert sorted(told) == sorted(
        (
            "the catch-all of other.test names carol@example.org: carol@example.org does not exist",
            "alias shop-*@example.org names carol@example.org: carol@example.org does not exist",
            "group lost@example.org names gone@example.org: gone@example.org does not exist",
            "group team@example.org names carol@example.org: carol@example.org does not exist",
        )
    )


def test_a_circle_that_no_edit_could_make_alone_is_found(office: Office) -> None:
    """A catch-all that leads to a name nobody has goes round in itself."""
    office.do("domain set", name="other.test", catch_all="nobody@other.test")
    assert "nobody@other.test" in office.warnings[0]
    (told,) = asyncio.run(dangling(office.context()))
    assert told.startswith("the catch-all of other.test names nobody@other.test")


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("alias add", {"name": "a@example.org", "to": ["gone@example.org"]}, "gone@example.org does not exist"),
        ("group add", {"name": "g@example.org", "member": ["alice", "gone"]}, "gone@example.org does not exist"),
        ("group set", {"name": "team", "add_member": ["off"]}, "disabled"),
        ("alias set", {"name": "info", "to": ["gone"]}, "gone@example.org does not exist"),
        ("domain set", {"name": "other.test", "catch_all": "gone@example.org"}, "gone@example.org does not exist"),
        ("alias remove", {"name": "info"}, "still named by group team@example.org"),
        ("group remove", {"name": "team"}, ""),
        ("alias add", {"name": "a@example.org", "to": ["alice"]}, ""),
    ],
)
def test_a_change_that_leads_nowhere_is_made_and_told(
    office: Office, call: str, arguments: dict[str, object], words: str
) -> None:
    office.do(call, **arguments)
    assert bool(office.warnings) is bool(words)
    assert words in " ".join(office.warnings)


def test_a_removed_domain_that_others_name_is_told(office: Office) -> None:
    office.do("domain add", name="third.test")
    office.do("alias add", name="x@example.org", to=["y@third.test"])
    office.do("domain remove", name="third.test")
    assert "alias x@example.org" in office.warnings[0]


def test_who_administers_one_domain_learns_nothing_of_others_by_a_check(office: Office) -> None:
    office.do("alias add", name="hidden@example.org", to=["alice"])
    office.do("alias add", name="out@other.test", to=["hidden@example.org", "bob"])
    grants = Grants.of("none", ["accounts other.test"], "other.test")
    ctx = office.context().request(Caller("una@other.test", grants))

    async def check(address: str) -> Resolution:
        resolution = await run(prepare(CALLS["alias check"], ctx, {"address": address}))
        assert isinstance(resolution, Resolution)
        return resolution

    told = asyncio.run(check("out@other.test"))
    assert [(step.address, step.kind) for step in told.steps] == [
        ("out@other.test", "alias"), ("hidden@example.org", "hidden"), ("bob@other.test", "user"),
    ]  # fmt: skip
    assert told.mailboxes == ("bob@other.test",) and "alice" not in str(told)
    # Whom the rules choose (the administrators) stands in no record of his.
    told = asyncio.run(check("postmaster@other.test"))
    assert "alice" not in str(told)
    for address in ("alice@example.org", "nobody@example.org", "hidden"):
        with pytest.raises(CallError) as refused:
            asyncio.run(check(address))
        assert refused.value.kind is Failure.FORBIDDEN, address
    assert asyncio.run(check("somebody@remote.test")).remote == ("somebody@remote.test",)


def test_what_leads_to_a_domain_that_was_removed_is_sent_elsewhere_and_stays_a_warning(office: Office) -> None:
    office.do("domain add", name="left.test")
    office.do("user add", name="zoe@left.test")
    office.do("alias add", name="sales@example.org", to=["zoe@left.test"])
    office.do("user remove", name="zoe@left.test")
    office.do("domain remove", name="left.test")
    (warning,) = office.warnings
    assert "alias sales@example.org" in warning and "sent to whichever server" in warning and "return" not in warning
    (problem,) = office.do("alias check", address="sales@example.org").problems
    assert "left.test is no domain here any more" in problem
    assert any("names zoe@left.test: left.test is no" in each.text for each in office.do("config check").problems)
    office.do("alias remove", name="sales@example.org")
    assert office.do("config check").problems == ()
