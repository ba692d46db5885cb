"""Renaming a user: mail, names, and all who name the user move along."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.people.lifecycle import recover

ALICE, ANNA, ELSEWHERE = "alice@example.org", "anna@example.org", "anna@other.test"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.do("user set", name="alice", alias=["boss"], quota="5G")
    office.do("group add", name="staff@example.org", member=["alice", "bob@other.test"])
    office.do("alias add", name="info@example.org", to=["Alice@Example.org"])
    office.do("user set", name="bob@other.test", forward_to=["alice@example.org"])
    office.do("domain set", name="other.test", catch_all="alice@example.org")
    office.mail(ALICE, 3)
    return office


def test_mail_and_everyone_who_names_the_user_move_along(office: Office) -> None:
    asyncio.run(office.state.set("sign-in", ALICE, "1 imap 192.0.2.1"))
    verifier = office.users[office.users.index("$argon2id$") :].split("<")[0]
    office.do("user rename", name="alice", new="anna")
    anna = office.do("user show", name="anna")
    assert (anna.full_name, anna.quota, anna.aliases) == ("Alice Adams", 5 << 30, ("boss",))
    assert anna.last_sign_in == 1 and verifier in office.users
    assert office.do("group show", name="staff").members == ("anna", "bob@other.test")
    assert office.do("alias show", name="info").to == (ANNA,)
    assert office.do("user show", name="bob@other.test").forward_to == (ANNA,)
    assert office.do("domain show", name="other.test").catch_all == ANNA
    assert office.held(ANNA) == 3
    assert "alice" not in office.users.casefold().replace("alice adams", "")
    assert not office.intents.open


def test_the_former_address_can_stay(office: Office) -> None:
    office.do("user rename", name="alice", new="anna", keep_alias=True)
    assert office.do("user show", name="anna").aliases == ("boss", "alice")
    assert office.do("alias check", address=ALICE).mailboxes == (ANNA,)


def test_a_user_goes_to_another_domain_with_all_names(office: Office) -> None:
    office.do("user rename", name="alice", new=ELSEWHERE)
    assert office.do("user show", name=ELSEWHERE).aliases == ("boss",)
    assert office.do("group show", name="staff").members == (ELSEWHERE, "bob@other.test")
    assert office.held(ELSEWHERE) == 3
    assert office.do("alias check", address="boss@example.org").problems == ("boss@example.org does not exist",)


def test_all_former_addresses_can_stay_in_the_former_domain(office: Office) -> None:
    office.do("user rename", name="alice", new=ELSEWHERE, keep_alias=True)
    for address in (ALICE, "boss@example.org", "boss@other.test"):
        assert office.do("alias check", address=address).mailboxes == (ELSEWHERE,)


def test_a_right_for_the_own_domain_stays_for_the_former_one(office: Office) -> None:
    office.do("user rights", name="alice", rights="domain")
    office.do("user rename", name="alice", new=ELSEWHERE)
    anna = office.do("user show", name=ELSEWHERE)
    assert (anna.rights, anna.grants) == ("none", ("domain example.org",))


def test_what_meant_the_former_domain_still_means_it(office: Office) -> None:
    office.do("user add", name="carol@example.org")
    office.do("user set", name="alice", forward_to=["carol"])
    office.do("user rename", name="alice", new=ELSEWHERE)
    assert office.do("user show", name=ELSEWHERE).forward_to == ("carol@example.org",)


@pytest.mark.parametrize("new", ["staff", "info", "bob@other.test", "anna@nowhere.test", "a b", "boss/x"])
def test_a_name_that_is_taken_or_none_is_refused_and_nothing_moves(office: Office, new: str) -> None:
    before = office.users
    with pytest.raises(CallError):
        office.do("user rename", name="alice", new=new)
    assert (office.users, office.held(ALICE)) == (before, 3)
    assert not office.intents.open


def test_the_spelling_alone_can_change(office: Office) -> None:
    office.do("user rename", name="alice", new="Alice")
    assert office.do("user show", name="alice").address == "Alice@example.org"
    assert office.held(ALICE) == 3


def test_a_name_of_ones_own_becomes_the_name(office: Office) -> None:
    office.do("user rename", name="alice", new="boss", keep_alias=True)
    assert office.do("user show", name="boss").aliases == ("alice",)
    assert office.held("boss@example.org") == 3


def test_who_administers_one_domain_moves_nobody_out_of_it(office: Office) -> None:
    admin = {"caller": Caller("x", Grants.of("domain example.org"))}
    with pytest.raises(CallError, match="only"):
        office.do("user rename", admin, name="alice", new=ELSEWHERE)


def test_a_group_and_an_alias_get_new_names_and_are_named_by_them(office: Office) -> None:
    office.do("group add", name="all@example.org", member=["staff", "info"])
    office.do("group rename", name="staff", new="team", keep_alias=True)
    office.do("alias rename", name="info", new="hello@other.test")
    assert office.do("group show", name="all").members == ("team", "hello@other.test")
    assert office.do("group show", name="team").members == ("alice", "bob@other.test")
    assert office.do("alias check", address="staff@example.org").mailboxes == (ALICE, "bob@other.test")
    office.do("group rename", name="team", new="team@other.test")
    assert office.do("group show", name="team@other.test").members == (ALICE, "bob@other.test")


@pytest.mark.parametrize("written", [False, True])
def test_a_rename_that_a_crash_cut_off_is_finished_or_undone(office: Office, written: bool) -> None:
    asyncio.run(office.state.set("sign-in", ALICE, "1 imap 192.0.2.1"))
    asyncio.run(office.intents.begin("rename-user", {"old": ALICE, "new": ANNA}))
    asyncio.run(office.mailboxes.rename(AccountId(ALICE), AccountId(ANNA)))
    if written:
        text = office.users.replace('<user name="alice">', '<user name="anna">')
        (office.folder / "users.cfg").write_text(text)
    asyncio.run(recover(office.context()))
    assert not office.intents.open
    assert (office.held(ANNA) if written else office.held(ALICE)) == 3
    assert (asyncio.run(office.state.get("sign-in", ANNA)) is not None) is written
