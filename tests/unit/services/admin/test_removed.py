"""Removed users: their mail is kept until an administrator deletes it, and comes back with all that they were."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.people.lifecycle import recover

ALICE = "alice@example.org"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.do("user set", name="alice", alias=["boss", "chief"], quota="5G", forward_to=["x@elsewhere.test"])
    office.do("group add", name="staff@example.org", member=["alice", "bob@other.test"])
    office.do("alias add", name="info@example.org", to=["alice@example.org"])
    office.mail(ALICE, 3)
    return office


def removed(office: Office) -> list[tuple[str, int]]:
    return [(each.address, each.messages) for each in office.do("user removed-list").items]


def test_a_removed_user_is_listed_with_the_mail(office: Office) -> None:
    verifier = office.users[office.users.index("$argon2id$") :].split("<")[0]
    office.do("user remove", name="alice")
    assert removed(office) == [(ALICE, 3)]
    assert verifier not in office.users
    assert office.held(ALICE) == 0
    assert not office.intents.open and office.intents.history[-1] == ("end", "remove-user")


def test_who_still_names_a_removed_user_is_told(office: Office) -> None:
    office.do("user set", name="bob@other.test", forward_to=["boss@example.org"])
    office.do("user remove", name="alice")
    (warning,) = office.warnings
    for name in ("group staff@example.org", "alias info@example.org", "the forwarding of bob@other.test"):
        assert name in warning


def test_a_user_is_taken_out_everywhere_if_that_is_wanted(office: Office) -> None:
    office.do("user set", name="bob@other.test", forward_to=["boss@example.org", "y@elsewhere.test"])
    office.do("user remove", name="alice", everywhere=True)
    assert not office.warnings
    assert office.do("group show", name="staff").members == ("bob@other.test",)
    assert office.do("user show", name="bob@other.test").forward_to == ("y@elsewhere.test",)
    assert "info" not in office.users  # An alias for nobody goes.


def test_all_of_a_user_comes_back(office: Office) -> None:
    before = office.users
    office.do("user remove", name="alice", everywhere=True)
    office.do("user removed-restore", removed=ALICE)
    alice = office.do("user show", name="alice")
    assert (alice.quota, alice.aliases, alice.forward_to) == (5 << 30, ("boss", "chief"), ("x@elsewhere.test",))
    verifier = before[before.index("$argon2id$") :].split("<")[0]
    assert verifier in office.users
    assert office.do("group show", name="staff").members == ("bob@other.test", ALICE)
    assert office.held(ALICE) == 3
    assert removed(office) == [] and not office.warnings


def test_a_user_comes_back_under_another_name_without_what_others_have_now(office: Office) -> None:
    office.do("user remove", name="alice")
    office.do("user add", name="alice@example.org", alias=["boss"])
    office.do("user removed-restore", removed=ALICE, to="anna@example.org")
    assert any("boss did not come back" in warning for warning in office.warnings)
    anna = office.do("user show", name="anna")
    assert (anna.aliases, anna.quota) == (("chief",), 5 << 30)
    assert (office.held("anna@example.org"), office.held(ALICE)) == (3, 0)
    assert "anna@example.org" in office.do("group show", name="staff").members


def test_a_new_user_of_the_name_sees_nothing_of_the_former_one(office: Office) -> None:
    asyncio.run(office.state.set("sign-in", ALICE, "1 imap 192.0.2.1"))
    asyncio.run(office.state.set("furnished", ALICE, "1"))
    office.do("user remove", name="alice")
    office.do("user add", name="alice@example.org")
    alice = office.do("user show", name="alice")
    assert (alice.last_sign_in, alice.quota, alice.aliases, alice.has_password) == (0, 0, (), False)
    assert office.held(ALICE) == 0
    assert asyncio.run(office.state.get("furnished", ALICE)) is None


def test_mail_that_a_removal_by_hand_has_left_is_put_aside_and_told(office: Office) -> None:
    office.do("user remove", name="bob@other.test")
    office.clock.time += 60
    office.mail("bob@other.test", 2)  # As if it had been removed from the file only.
    office.do("user add", name="bob@other.test")
    assert any("put aside" in warning for warning in office.warnings)
    assert office.held("bob@other.test") == 0
    assert ("bob@other.test", 2) in removed(office)


def test_mail_is_not_put_over_a_mailbox_that_holds_some(office: Office) -> None:
    office.do("user remove", name="alice")
    office.do("user add", name="alice@example.org")
    with pytest.raises(CallError, match=r"There is a user .* again"):
        office.do("user removed-restore", removed=ALICE)
    office.mail(ALICE, 1)
    with pytest.raises(CallError, match="holds messages"):
        office.do("user removed-restore", removed=ALICE, to=ALICE)
    assert (office.held(ALICE), removed(office)) == (1, [(ALICE, 3)])
    assert not office.intents.open


def test_purged_is_gone(office: Office) -> None:
    office.do("user remove", name="alice")
    assert "3 messages" in office.do("user removed-purge", removed=ALICE).text
    assert removed(office) == []
    with pytest.raises(CallError, match="no removed user"):
        office.do("user removed-purge", removed=ALICE)


def test_two_of_one_name_are_told_apart_by_id(office: Office) -> None:
    office.do("user remove", name="alice")
    office.clock.time += 60
    office.do("user add", name="alice@example.org")
    office.mail(ALICE, 1)
    office.do("user remove", name="alice")
    with pytest.raises(CallError, match="was removed 2 times"):
        office.do("user removed-restore", removed=ALICE)
    first = office.do("user removed-list").items[-1]
    office.do("user removed-restore", removed=first.id)
    assert office.held(ALICE) == 3


def test_who_administers_one_domain_sees_and_restores_nothing_of_another(office: Office) -> None:
    office.do("user remove", name="alice")
    bob = {"caller": Caller("bob", Grants.of("domain other.test"))}
    assert office.do("user removed-list", bob).items == ()
    for call in ("user removed-restore", "user removed-purge"):
        with pytest.raises(CallError, match="no removed user"):
            office.do(call, bob, removed=ALICE)


def test_rights_come_back_only_by_who_has_them(office: Office) -> None:
    office.do("user rights", name="alice", rights="server-write")
    office.do("user add", name="root@other.test", rights="server-write")
    office.do("user remove", name="alice")
    admin = {"caller": Caller("anna", Grants.of("domain example.org"))}
    office.do("user removed-restore", admin, removed=ALICE)
    assert any("rights" in warning for warning in office.warnings)
    assert office.do("user show", name="alice").rights == "none"


def test_a_dry_run_removes_and_restores_nothing(office: Office) -> None:
    before = office.users
    assert "would be" in office.do("user remove", {"dry_run": True}, name="alice").text
    assert (office.users, office.held(ALICE)) == (before, 3)
    assert not office.intents.history


@pytest.mark.parametrize("written", [False, True])
def test_a_removal_that_a_crash_cut_off_is_finished_or_undone(office: Office, written: bool) -> None:
    """The write of users.cfg decides."""
    asyncio.run(office.intents.begin("remove-user", {"account": ALICE, "id": "18a0", "record": "{}"}))
    if written:
        text = office.users
        start = text.index('<user name="alice">')
        (office.folder / "users.cfg").write_text(text[:start] + text[text.index("</user>", start) + 7 :])
    asyncio.run(recover(office.context()))
    assert not office.intents.open
    assert (removed(office) == [(ALICE, 3)]) is written
    assert (office.held(ALICE) == 3) is not written


def test_what_a_crash_cut_off_waits_while_the_directory_cannot_tell_who_is_there(office: Office) -> None:
    class Unavailable:
        async def account(self, account: AccountId) -> None:
            raise MailError(451, "4.3.0", "The directory is not available now")

    asyncio.run(office.intents.begin("remove-user", {"account": ALICE, "id": "18a0", "record": "{}"}))
    asyncio.run(recover(office.context(directory=Unavailable())))
    assert office.intents.open and office.held(ALICE) == 3
    asyncio.run(recover(office.context()))
    assert not office.intents.open


@pytest.mark.parametrize("written", [False, True])
def test_a_return_that_a_crash_cut_off_is_finished_or_undone(office: Office, written: bool) -> None:
    office.do("user remove", name="alice")
    (each,) = asyncio.run(office.mailboxes.removed())
    values = {"account": ALICE, "id": each.id, "origin": ALICE}
    asyncio.run(office.intents.begin("restore-user", values))
    asyncio.run(office.mailboxes.bring_back(each.id, AccountId(ALICE)))
    if written:  # Straight into the file: `user add` would put the mail aside.
        (office.folder / "users.cfg").write_text(
            office.users.replace("</domain>", '  <user name="alice"/>\n  </domain>', 1)
        )
    asyncio.run(recover(office.context()))
    assert not office.intents.open
    assert office.held(ALICE) == (3 if written else 0)
    assert removed(office) == ([] if written else [(ALICE, 3)])


def test_a_bare_name_is_a_removed_user_of_the_primary_domain(office: Office) -> None:
    office.mail("alice@example.org")
    office.do("user remove", name="alice")
    assert office.do("user removed-restore", removed="alice").text == "User alice@example.org was brought back"
