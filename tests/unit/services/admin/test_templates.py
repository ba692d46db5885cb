"""A template is a named set of values that a new user gets; nobody gains by it what the caller could not give."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office
from tests.unit.services.admin.test_changes import House
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.do("group add", name="staff@example.org", member=["alice"])
    office.do(
        "template add",
        name="clerk@example.org",
        description="For the office",
        remark="works in the office",
        quota="2G",
        quota_messages=5000,
        clean_out=["deleted 30d"],
        junk_score="4",
        max_message_size="20M",
        forward_to=["alice"],
        group=["staff"],
        rights="domain",
    )
    return office


def by(rights: str, *grants: str, **more: Any) -> dict[str, Any]:
    """The context of an administrator of other.test."""
    return {"caller": Caller("bob@other.test", Grants.of(rights, grants, "other.test"), "bob@other.test", **more)}  # type: ignore[arg-type]


def refused(office: Office, call: str, context: dict[str, Any] | None = None, **given: Any) -> CallError:
    before = office.users
    with pytest.raises(CallError) as error:
        office.do(call, context, **given)
    assert office.users == before
    return error.value


def test_a_new_user_has_all_that_the_template_says(office: Office) -> None:
    done = office.do("user add", name="una@example.org", template="clerk", full_name="Una")
    assert "from the template clerk@example.org" in done.text
    una = office.do("user show", name="una")
    assert (una.quota, una.quota_messages, una.clean_out, una.junk_score) == (2 << 30, 5000, ("deleted 30d",), "4")
    assert (una.max_message_size, una.forward_to, una.rights) == (20 << 20, ("alice@example.org",), "domain")
    assert (una.full_name, una.description) == ("Una", "works in the office")
    assert office.do("group show", name="staff").members == ("alice", "una@example.org")


def test_what_is_said_of_the_user_and_what_is_left_out_stands_before_the_template(office: Office) -> None:
    office.do(
        "user add", name="una@example.org", template="clerk", quota="1G", rights="none", forward_to=[""],
        without=["group", "clean_out", "remark"],
    )  # fmt: skip
    una = office.do("user show", name="una")
    assert (una.quota, una.rights, una.forward_to, una.clean_out, una.description) == (1 << 30, "none", (), (), "")
    assert una.quota_messages == 5000
    assert office.do("group show", name="staff").members == ("alice",)


def test_what_the_template_says_nothing_of_is_as_without_one(office: Office) -> None:
    office.do("domain set", name="example.org", default_quota="3G")
    office.do("template set", name="clerk", quota="0")
    office.do("user add", name="una@example.org", template="clerk")
    assert office.do("user show", name="una").quota == 3 << 30


def test_it_is_copied_and_not_linked(office: Office) -> None:
    office.do("user add", name="una@example.org", template="clerk")
    office.do("template set", name="clerk", quota="9G", rights="none")
    office.do("template remove", name="clerk")
    una = office.do("user show", name="una")
    assert (una.quota, una.rights) == (2 << 30, "domain")


def test_it_is_offered_to_its_own_domain_and_to_those_it_names(office: Office) -> None:
    assert "not offered" in refused(office, "user add", name="una@other.test", template="clerk@example.org").text
    assert refused(office, "user add", name="una@other.test", template="clerk").kind is Failure.NOT_FOUND
    office.do("template set", name="clerk", offered_to=["alias.test"])  # An alias of other.test is that domain.
    office.do("user add", name="una@other.test", template="clerk", without=["rights"])
    # An address without a domain is one of the template's.
    assert office.do("user show", name="una@other.test").forward_to == ("alice@example.org",)
    office.do("template set", name="clerk", offered_to=["*"])
    office.do("user add", name="ute@other.test", template="clerk@example.org")


def test_a_bare_name_is_first_the_own_domains_and_else_the_only_one_offered(office: Office) -> None:
    office.do("template set", name="clerk", offered_to=["other.test"])
    office.do("template add", name="clerk@other.test", quota="7G")
    office.do("user add", name="una@other.test", template="Clerk")
    assert office.do("user show", name="una@other.test").quota == 7 << 30
    office.do("domain add", name="third.test")
    for template in ("clerk@example.org", "clerk@other.test"):
        office.do("template set", name=template, offered_to=["third.test"])
    error = refused(office, "user add", name="una@third.test", template="clerk")
    assert "clerk@example.org or clerk@other.test" in error.text


def test_an_administrator_of_a_domain_sees_and_uses_those_of_it_and_those_offered(office: Office) -> None:
    office.do("template add", name="own@other.test", quota="1G")
    assert [row.template for row in office.do("template list", by("domain")).items] == ["own@other.test"]
    assert "clerk" not in refused(office, "template show", by("domain"), name="own2@other.test").text
    assert refused(office, "template show", by("domain"), name="clerk@example.org").kind is Failure.FORBIDDEN
    office.do("user add", by("domain"), name="una@other.test", template="own")
    office.do("template set", name="clerk", offered_to=["other.test"])
    rows = office.do("template list", by("domain"), sort="-quota")
    assert [row.template for row in rows.items] == ["clerk@example.org", "own@other.test"] and rows.total == 2
    assert office.do("template show", by("domain"), name="clerk@example.org").quota == 2 << 30
    assert refused(office, "template set", by("domain"), name="clerk@example.org", quota="9G").kind is Failure.FORBIDDEN
    assert refused(office, "template remove", by("domain"), name="clerk@example.org").kind is Failure.FORBIDDEN


def test_nobody_gives_by_a_template_what_the_caller_has_not(office: Office) -> None:
    office.do("template set", name="clerk", offered_to=["other.test"], rights="server-write")
    error = refused(office, "user add", by("domain"), name="una@other.test", template="clerk", without=["group"])
    assert error.kind is Failure.FORBIDDEN
    assert "clerk@example.org gives the rights server-write" in error.text
    table = {"file": "address,template\nuna@other.test,clerk\n"}
    assert "gives the rights server-write" in refused(office, "user import", by("domain"), **table).text
    # Without domains a right is for the domain of the new user.
    office.do("template set", name="clerk", rights="none", grant=["mail-read"])
    error = refused(office, "user add", by("domain"), name="una@other.test", template="clerk", without=["group"])
    assert "mail-read" in error.text
    office.do("user add", by("domain"), name="una@other.test", template="clerk", without=["group", "grant"])
    assert office.do("user show", name="una@other.test").grants == ()


def test_a_group_beyond_the_callers_domains_is_refused_by_name(office: Office) -> None:
    office.do("template set", name="clerk", offered_to=["other.test"], rights="none")
    error = refused(office, "user add", by("domain"), name="una@other.test", template="clerk")
    assert error.kind is Failure.FORBIDDEN and "staff@example.org" in error.text


def test_who_administers_a_domain_makes_no_template_that_gives_more(office: Office) -> None:
    for given in (
        {"rights": "server-read"},
        {"grant": ["mail-read"]},
        {"group": ["staff@example.org"]},
        {"offered_to": ["example.org"]},
        {"offered_to": ["*"]},
    ):
        error = refused(office, "template add", by("domain"), name="own@other.test", **given)
        assert error.kind is Failure.FORBIDDEN, (given, error.text)
    office.do("template add", by("domain"), name="own@other.test", rights="domain")
    office.do("template set", name="own@other.test", rights="server-write")
    assert refused(office, "template set", by("domain"), name="own@other.test", quota="1G").kind is Failure.FORBIDDEN


def test_rights_ask_for_the_password_once_more(office: Office) -> None:
    stale = by("server-write", reauthenticated=False)
    for call, given in (
        ("template add", {"name": "own@other.test", "rights": "domain"}),
        ("user add", {"name": "una@example.org", "template": "clerk"}),
    ):
        assert refused(office, call, stale, **given).kind is Failure.REAUTHENTICATE, call
    office.do("user add", stale, name="una@example.org", template="clerk", without=["rights"])


def test_what_cannot_be_is_refused(office: Office) -> None:
    assert "exists already" in refused(office, "template add", name="Clerk@example.org").text
    assert (
        "no 'quotta'; did you mean 'quota'?"
        in refused(office, "user add", name="una@example.org", template="clerk", without=["quotta"]).text
    )
    assert "clerk@example.org" in refused(office, "user add", name="una@example.org", template="clark").text
    assert "there is none" in refused(office, "template add", name="x@example.org", group=["nobody"]).text
    office.do("group remove", name="staff")
    assert (
        "staff@example.org, and there is none"
        in refused(office, "user add", name="una@example.org", template="clerk").text
    )
    assert "to change was named" in refused(office, "template set", name="clerk").text


def test_a_table_names_the_template_of_each_line(office: Office) -> None:
    office.do("user add", name="ute@example.org", quota="1G")
    words = {"confirmed": "make 1 administrator"}
    text = (
        "address,template,quota,groups\nuna@example.org,clerk,,\nute@example.org,clerk,,\nuwe@example.org,,5G,staff\n"
    )
    done = office.do("user import", words, file=text, update=True)
    assert done.added == 2
    assert office.do("user show", name="una").quota == 2 << 30
    assert office.do("user show", name="ute").quota == 1 << 30  # Users who exist are not made anew.
    assert office.do("group show", name="staff").members == ("alice", "una@example.org", "uwe@example.org")
    error = refused(office, "user import", file="address,template\nx@example.org,clerks\n")
    assert "line 2: There is no template 'clerks@example.org'" in error.text


def test_a_table_with_a_template_makes_no_administrator_unasked(office: Office) -> None:
    error = refused(office, "user import", file="address,template\nuna@example.org,clerk\n")
    assert "una@example.org becomes domain" in error.text


def test_names_in_templates_follow_and_are_told(office: Office) -> None:
    office.do("group rename", name="staff", new="team")
    assert office.do("template show", name="clerk").groups == ("team",)
    office.do("group remove", name="team")
    assert any("template clerk@example.org" in each for each in office.warnings)


def test_a_change_is_in_the_history_and_undone_within_the_own_rights(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.do("template add", name="clerk@other.test", quota="1G", rights="server-write")
    house.do("template set", name="clerk@other.test", quota="2G", rights="none")
    id = house.newest()
    error = house.refused("change undo", by("domain")["caller"], id=id)
    assert "gives the rights server-write" in error.text
    house.do("change undo", id=id)
    template = house.do("template show", name="clerk@other.test")
    assert (template.quota, template.rights) == (1 << 30, "server-write")
