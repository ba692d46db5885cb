"""Domains, users, aliases and groups."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import CALLS, Office
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.invoke import prepare, question


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def refused(office: Office, call: str, /, **arguments: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, **arguments)
    return caught.value


def test_an_unknown_name_is_told_with_the_nearest_known_one(office: Office) -> None:
    assert refused(office, "domain show", name="exmple.org").text == (
        "There is no domain 'exmple.org'; did you mean 'example.org'?"
    )
    error = refused(office, "user show", name="alcie@example.org")
    assert (error.kind, error.text) == (
        Failure.NOT_FOUND, "There is no user 'alcie@example.org'; did you mean 'alice@example.org'?",
    )  # fmt: skip
    assert "did you mean 'other.test'?" in refused(office, "user add", name="x@othr.test").text


def test_a_bare_name_is_one_of_the_primary_domain_and_an_alias_of_a_domain_is_followed(office: Office) -> None:
    assert office.do("user show", name="alice").address == "alice@example.org"
    assert office.do("user show", name="BOB@alias.test").address == "bob@other.test"
    assert office.do("user add", name="carol@alias.test")
    assert office.do("user show", name="carol@other.test").address == "carol@other.test"


def test_the_primary_domain_is_always_exactly_one(office: Office) -> None:
    office.do("domain primary", name="other.test")
    assert [(row.name, row.primary) for row in office.do("domain list").items] == [
        ("example.org", False), ("other.test", True),
    ]  # fmt: skip
    assert office.do("user show", name="bob").address == "bob@other.test"


def test_a_domain_that_holds_users_is_not_removed(office: Office) -> None:
    assert "other.test holds 1 user;" in refused(office, "domain remove", name="other.test").text
    office.do("user remove", name="bob@other.test")
    office.do("domain remove", name="other.test")
    assert [row.name for row in office.do("domain list").items] == ["example.org"]
    assert "primary" in (
        office.do("user remove", name="alice") and refused(office, "domain remove", name="example.org").text
    )


def test_set_changes_what_is_named_and_nothing_else(office: Office) -> None:
    office.do("user set", name="alice", quota="2G", forward_to=["x@y.test", "bob@other.test"], keep_copy=False)
    office.do("user set", name="alice", alias=["al", "ali"])
    view = office.do("user show", name="alice")
    assert (view.quota, view.forward_to, view.keep_copy, view.aliases, view.full_name) == (
        2 << 30, ("x@y.test", "bob@other.test"), False, ("al", "ali"), "Alice Adams",
    )  # fmt: skip
    office.do("user set", name="alice", forward_to=[""], alias=["al"])
    view = office.do("user show", name="alice")
    assert (view.forward_to, view.aliases) == ((), ("al",))
    assert refused(office, "user set", name="alice").kind is Failure.USAGE


def test_a_password_becomes_a_verifier_and_is_shown_nowhere(office: Office) -> None:
    assert "geheim" not in office.users
    assert "$argon2id$" in office.users
    assert not office.do("user show", name="bob@other.test").has_password
    ready = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$cmVhZHlyZWFkeQ00"
    office.do("user password", name="bob@other.test", password=ready)
    assert "$cmVhZHlyZWFkeQ00" in office.users
    assert "<password-keys>" not in office.users[office.users.index("bob") :]
    assert refused(office, "user password", name="alice", password="").kind is Failure.USAGE
    for call, name in (("user password", "alice"), ("user add", "new")):
        told = refused(office, call, name=name, password=f"{name}2026")
        assert (told.kind, [fault.name for fault in told.fields]) == (Failure.REFUSED, ["password"])


def test_disable_and_enable(office: Office) -> None:
    office.do("user disable", name="alice")
    assert not office.do("user show", name="alice").enabled
    office.do("user enable", name="alice")
    assert office.do("user show", name="alice").enabled


def test_a_list_comes_in_pages(office: Office) -> None:
    for number in range(5):
        office.do("user add", name=f"u{number}@other.test")
    seen, after = [], ""
    while True:
        page = office.do("user list", domain="other.test", limit=2, after=after)
        seen += [row.address for row in page.items]
        after = page.more
        if not after:
            break
    assert seen == ["bob@other.test", *(f"u{number}@other.test" for number in range(5))]


def test_renaming_a_domain_needs_a_stopped_server_and_a_free_name(office: Office) -> None:
    assert "stop the server" in refused(office, "domain rename", name="other.test", new="new.test").text
    stopped = {"live": False, "rename_domain": office.do}
    for taken in ("example.org", "alias.test"):
        with pytest.raises(CallError, match="already"):
            office.do("domain rename", stopped, name="other.test", new=taken)


def test_a_group_is_changed_as_a_whole_or_member_by_member(office: Office) -> None:
    office.do("group add", name="team@example.org", member=["alice", "bob@other.test"])
    office.do("group set", name="team", add_member=["carol@x.test", "ALICE"], remove_member=["Bob@other.test"])
    assert office.do("group show", name="team").members == ("alice", "carol@x.test")
    office.do("group set", name="team", add_member=["müller@straße.test"])
    office.do("group set", name="team", add_member=["MÜLLER@xn--strae-oqa.test"], remove_member=["carol@x.test"])
    assert office.do("group show", name="team").members == ("alice", "müller@xn--strae-oqa.test")
    office.do("group set", name="team", remove_member=["Müller@Straße.test"])
    assert office.do("group show", name="team").members == ("alice",)
    office.do("group set", name="team", member=[""])
    assert office.do("group show", name="team").members == ()


def test_check_follows_an_address_step_by_step(office: Office) -> None:
    office.do("alias add", name="info@example.org", to=["team", "x@remote.test"])
    office.do("group add", name="team@example.org", member=["alice", "bob@alias.test"])
    office.do("user set", name="bob@other.test", forward_to=["bob@home.test"])
    found = office.do("alias check", address="info")
    assert found.mailboxes == ("alice@example.org", "bob@other.test")
    assert set(found.remote) == {"x@remote.test", "bob@home.test"}
    assert found.problems == ()
    assert [(step.depth, step.address) for step in found.steps][:2] == [
        (0, "info@example.org"), (1, "team@example.org"),
    ]  # fmt: skip


def test_check_finds_what_does_not_exist(office: Office) -> None:
    assert office.do("alias check", address="nobody@example.org").problems == ("nobody@example.org does not exist",)
    office.do("user set", name="alice", forward_to=["bob@other.test"])
    office.do("user set", name="bob@other.test", forward_to=["alice@example.org"])
    assert "loop: " in office.do("alias check", address="alice").problems[0]
    office.do("user set", name="alice", forward_to=["alice@example.org", "x@remote.test"])
    assert office.do("alias check", address="alice").problems == ()


def test_a_wildcard_alias_is_named_as_it_is(office: Office) -> None:
    office.do("alias add", name="sales-*@example.org", to=["alice"])
    assert office.do("alias show", name="sales-*@example.org").to == ("alice",)
    assert office.do("alias check", address="sales-eu@example.org").mailboxes == ("alice@example.org",)
    office.do("alias remove", name="sales-*@example.org")
    assert office.do("alias list").items == ()


def _question(office: Office, call: str, **arguments: object) -> str:
    return asyncio.run(question(prepare(CALLS[call], office.context(), arguments)))


def test_removing_a_user_everywhere_names_what_goes_in_question_and_answer(office: Office) -> None:
    office.do("alias add", name="help", to=["alice"])
    office.do("alias add", name="both", to=["alice", "bob@other.test"])
    expected = (
        "removed too, since nobody else gets their mail: alias help@example.org; taken out of alias both@example.org"
    )
    text = _question(office, "user remove", name="alice", everywhere=True)
    assert "alice@example.org with 6 messages (6000 octets)" in text
    assert expected in text
    assert "still named by alias help@example.org, alias both@example.org" in _question(
        office, "user remove", name="alice"
    )
    assert office.do("user remove", name="alice", everywhere=True).text.endswith(expected)
    assert office.do("alias show", name="both").to == ("bob@other.test",)


@pytest.mark.parametrize("call", ["user remove", "group remove", "alias remove", "domain remove"])
def test_nobody_is_asked_about_what_is_not_there(office: Office, call: str) -> None:
    with pytest.raises(CallError) as error:
        _question(office, call, name="nobody.test")
    assert error.value.kind is Failure.NOT_FOUND


def test_the_question_about_a_domain_counts_what_goes_with_it(office: Office) -> None:
    office.do("domain add", name="third.test")
    for name in ("a", "b"):
        office.do("alias add", name=f"{name}@third.test", to=["alice@example.org"])
    office.do("group add", name="g@third.test", member=["alice@example.org"])
    assert _question(office, "domain remove", name="third.test") == (
        "Remove the domain third.test with its 2 aliases and 1 group?"
    )


def test_sizes_and_numbers_of_records_are_numbers(office: Office) -> None:
    office.do("user set", name="alice", quota="1G")
    (alice,) = office.do("user list", domain="example.org").items
    shown = office.do("user show", name="alice")
    assert (alice.quota, shown.quota, shown.quota_messages, shown.max_message_size) == (1 << 30, 1 << 30, 0, 0)
    domain = office.do("domain show", name="example.org")
    assert (domain.quota, domain.quota_messages, domain.default_quota) == (0, 0, 0)


def test_a_catch_all_or_forwarding_that_leads_to_nobody_says_so_without_a_loop(office: Office) -> None:
    office.do("domain set", name="example.org", catch_all="ghost@example.org")
    assert office.warnings == [
        "the catch-all of example.org leads to what gets nothing: ghost@example.org does not exist"
    ]
    office.do("domain set", name="example.org", catch_all="")
    office.do("user set", name="alice", forward_to=["ghost@example.org"])
    assert office.warnings == ["alice@example.org leads to what gets nothing: ghost@example.org does not exist"]
    text = office.do("user set", name="alice", keep_copy=False).text
    assert text.endswith("Attention: mail to alice@example.org is refused: ghost@example.org does not exist")
