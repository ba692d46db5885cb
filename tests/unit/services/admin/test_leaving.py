"""`user leave`: what becomes of a user who leaves, decided at once and taken back at once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import CALLS, Office
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.invoke import prepare, question
from whimbrel.services.admin.people.departing import DAY, Departing

ANNA, BOB = "anna@example.org", "bob@example.org"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.do("user add", name=ANNA, password="eine gute geheime", alias=["ann"], forward_to=["anna@home.test"])
    office.do("user add", name=BOB)
    office.do("group add", name="staff@example.org", member=["anna", "alice"])
    office.do("alias add", name="sales@example.org", to=["ann"])
    return office


def leave(office: Office, **more: Any) -> Any:
    return office.do("user leave", {"folders": office.store, "messages": office.store}, name=ANNA, **more)


def refused(office: Office, **more: Any) -> str:
    before = office.users
    with pytest.raises(CallError) as caught:
        leave(office, **more)
    assert office.users == before
    return caught.value.text


def show(office: Office) -> Any:
    return office.do("user show", name=ANNA)


def folders(office: Office, account: str) -> list[str]:
    return [folder.name for folder in asyncio.run(office.store.list(AccountId(account)))]


def test_mail_is_kept_and_no_longer_forwarded_unless_it_is_said(office: Office) -> None:
    leave(office)
    anna = show(office)
    assert (anna.left, anna.enabled, anna.forward_to, anna.refusal) == (True, True, (), "")


def test_mail_goes_to_a_colleague_and_not_to_the_mailbox(office: Office) -> None:
    leave(office, forward_to=[BOB])
    anna = show(office)
    assert (anna.left, anna.forward_to, anna.keep_copy) == (True, (BOB,), False)
    assert office.do("alias check", address=ANNA).mailboxes == (BOB,)


def test_mail_is_refused_with_the_text(office: Office) -> None:
    leave(office, refuse="Anna has left, please write to bob@example.org")
    (step,) = office.do("alias check", address=ANNA).steps
    assert step.is_a == "refused: Anna has left, please write to bob@example.org"


def test_others_name_the_colleague_instead(office: Office) -> None:
    done = leave(office, instead="bob")
    assert office.do("group show", name="staff").members == ("bob", "alice")
    assert office.do("alias show", name="sales").to == ("bob",)
    assert "2 records" in done.text


def test_an_alias_of_nobody_else_stays_so_that_all_can_be_undone(office: Office) -> None:
    leave(office, everywhere=True)
    assert any("sales@example.org" in warning for warning in office.warnings)
    assert office.do("group show", name="staff").members == ("alice",)
    assert office.do("alias show", name="sales").to == ("ann",)


def test_a_colleague_gets_a_copy_of_all_folders(office: Office) -> None:
    office.mail(ANNA, 3)
    leave(office, give_to=BOB)
    assert f"{ANNA}/INBOX" in folders(office, BOB)
    assert (office.held(ANNA), office.held(BOB)) == (3, 3)
    assert show(office).given_to == f"{BOB}/{ANNA}"
    leave(office, give_to=BOB)
    assert f"{ANNA} 2/INBOX" in folders(office, BOB), "what bob has from before is not written over"


def test_a_full_mailbox_is_given_nothing(office: Office) -> None:
    office.mail(ANNA, 3)
    office.do("user set", name=BOB, quota_messages=2)
    assert "no room" in refused(office, give_to=BOB)
    assert office.held(BOB) == 0


@pytest.mark.parametrize(
    "more, words",
    [
        ({"forward_to": [BOB], "refuse": "x"}, "forwarded or refused"),
        ({"instead": BOB, "everywhere": True}, "instead"),
        ({"forward_to": ["ann@example.org"]}, "is the user who leaves"),
        ({"give_to": ANNA}, "is the user who leaves"),
        ({"give_to": "nobody@example.org"}, "give_to: There is no user"),
        ({"refuse": "Sie hat aufgehört"}, "accents"),
        ({"refuse": "x" * 201}, "at most 200"),
        ({"refuse": "Note: gone"}, "colon"),
        ({"delete_on": "31.12.2026"}, "2027-03-31"),
        ({"delete_on": "20270331"}, "2027-03-31"),
        ({"delete_on": "2000-01-01"}, "not after today"),
    ],
)
def test_what_does_not_go_together_changes_nothing(office: Office, more: dict[str, Any], words: str) -> None:
    assert words in refused(office, **more)


def test_nobody_shuts_himself_out(office: Office) -> None:
    caller = Caller(ANNA, account=ANNA)
    with pytest.raises(CallError, match="shut yourself out"):
        office.do("user leave", {"caller": caller}, name=ANNA)


def test_who_administers_a_domain_gives_nothing_beyond_it(office: Office) -> None:
    caller = Caller("una", Grants.of("none", ["accounts example.org"]), "una@example.org")
    more = {"caller": caller, "folders": office.store, "messages": office.store}
    for arguments in ({"give_to": "bob@other.test"}, {"instead": "bob@other.test"}):
        with pytest.raises(CallError, match=r"administers example\.org only"):
            office.do("user leave", more, name=ANNA, **arguments)
    office.do("group add", name="all@other.test", member=[ANNA])
    with pytest.raises(CallError, match="domains that you do not administer"):
        office.do("user leave", more, name=ANNA, everywhere=True)
    with pytest.raises(CallError, match=r"administers example\.org only"):
        office.do("user leave", more, name="bob@other.test")


def test_a_copy_for_oneself_needs_the_right_to_read_mail(office: Office) -> None:
    stores = {"folders": office.store, "messages": office.store}
    caller = Caller("bob", Grants.of("none", ["accounts example.org"]), BOB)
    with pytest.raises(CallError, match="needs the right mail-read"):
        office.do("user leave", {"caller": caller, **stores}, name=ANNA, give_to=BOB)
    reader = Caller("bob", Grants.of("none", ["accounts example.org", "mail-read example.org"]), BOB)
    office.do("user leave", {"caller": reader, **stores}, name=ANNA, give_to=BOB)
    assert show(office).given_to.startswith(BOB)


def test_the_review_says_all_of_it_and_changes_nothing(office: Office) -> None:
    before = office.users

    async def ask() -> str:
        ctx = office.context(folders=office.store, messages=office.store)
        arguments = {"name": ANNA, "forward_to": [BOB], "give_to": BOB, "instead": BOB, "delete_on": "2099-01-31"}
        return await question(prepare(CALLS["user leave"], ctx, arguments))

    text = asyncio.run(ask())
    for words in (
        "sign-in is off",
        f"Mail goes to {BOB}",
        f"folder {ANNA}",
        "On 2099-01-31",
        "group staff@example.org",
    ):
        assert words in text
    assert office.users == before and folders(office, BOB) == ["INBOX"]


def test_who_is_let_in_again_has_not_left(office: Office) -> None:
    leave(office, refuse="gone", delete_on="2099-01-31")
    office.do("user enable", name=ANNA)
    anna = show(office)
    assert (anna.left, anna.refusal, anna.delete_on) == (False, "", "")


def test_the_user_goes_on_the_day_and_the_mail_a_day_later(office: Office) -> None:
    office.mail(ANNA, 2)
    tomorrow = _day(office, 1)
    leave(office, delete_on=tomorrow)

    def round() -> tuple[list[str], list[str]]:
        async def work() -> tuple[list[str], list[str]]:
            departing = Departing(lambda ctx=office.context(): ctx)  # type: ignore[misc]
            return list(await departing.remove_due()), list(await departing.purge_due())

        return asyncio.run(work())

    assert round() == ([], [])
    office.clock.forward(DAY)
    assert round() == ([ANNA], [])
    (removed,) = office.do("user removed-list").items
    assert (removed.address, removed.messages) == (ANNA, 2)
    office.clock.forward(DAY - 60)
    assert round() == ([], [])
    office.clock.forward(60)
    assert round() == ([], [ANNA])
    assert office.do("user removed-list").items == ()


def test_who_is_brought_back_is_not_due_again(office: Office) -> None:
    leave(office, delete_on=_day(office, 1))
    office.do("user remove", name=ANNA)
    office.do("user removed-restore", removed=ANNA)
    anna = show(office)
    assert (anna.left, anna.delete_on) == (False, "")


def _day(office: Office, after: int) -> str:
    from datetime import date

    return date.fromtimestamp(office.clock.now() + after * DAY).isoformat()
