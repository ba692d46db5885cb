"""What a user may administer is a set."""

from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def test_one_user_administers_several_domains(office: Office) -> None:
    office.do("user rights", name="alice", rights="domain", grant=["domain other.test", "mail-read"])
    assert "<grant>domain other.test</grant>" in office.users
    shown = office.do("user show", name="alice")
    assert (shown.rights, set(shown.grants)) == ("domain", {"domain other.test", "mail-read"})
    grants = Grants.of(shown.rights, shown.grants)
    caller = {"caller": Caller("alice@example.org", grants, "alice@example.org")}
    office.do("user add", caller, name="new@other.test")


def test_grants_stay_until_they_are_named(office: Office) -> None:
    office.do("user rights", name="alice", rights="none", grant=["accounts other.test"])
    office.do("user rights", name="alice", rights="domain")
    assert office.do("user show", name="alice").grants == ("accounts other.test",)
    office.do("user rights", name="alice", rights="domain", grant=[""])
    assert office.do("user show", name="alice").grants == ()


@pytest.mark.parametrize("grant", ["all", "domain nowhere.test", "server-write example.org", "domain ex ample..org"])
def test_what_is_no_grant_is_refused(office: Office, grant: str) -> None:
    before = office.users
    with pytest.raises(CallError):
        office.do("user rights", name="alice", rights="none", grant=[grant])
    assert office.users == before


def test_nobody_gives_a_right_to_read_mail_without_having_it(office: Office) -> None:
    caller = {"caller": Caller("root@example.org", Grants.of("server-write"), "root@example.org")}
    with pytest.raises(CallError) as refused:
        office.do("user rights", caller, name="alice", rights="none", grant=["mail-read example.org"])
    assert refused.value.kind is Failure.FORBIDDEN
    office.do("user rights", caller, name="alice", rights="server-read", grant=["accounts other.test"])
