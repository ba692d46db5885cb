"""Whoever makes a circle of forwardings in which nobody keeps a copy is told so."""

from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office

WARNING = "leads only back to itself"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.do("user add", name="bob@example.org", full_name="Bob")
    office.do("user set", name="alice", forward_to=["bob@example.org"], keep_copy=False)
    return office


def test_a_circle_without_a_mailbox_is_told_with_its_way(office: Office) -> None:
    text = office.do("user set", name="bob", forward_to=["alice@example.org"], keep_copy=False).text
    assert text.startswith("User bob@example.org was changed. Attention: ") and WARNING in text
    assert "bob@example.org -> alice@example.org -> bob@example.org" in text


def test_a_circle_over_an_alias_and_a_group_is_found_for_a_new_user(office: Office) -> None:
    office.do("alias add", name="info@example.org", to=["carol@example.org"])
    office.do("group add", name="team@example.org", member=["info@example.org"])
    done = office.do("user add", name="carol@example.org", forward_to=["team@example.org"], keep_copy=False)
    assert WARNING in done.text


@pytest.mark.parametrize(
    "more",
    [
        {"forward_to": ["alice@example.org"]},
        {"forward_to": ["alice@example.org"], "keep_copy": True},
        {"forward_to": ["alice@example.org", "bob@example.org"], "keep_copy": False},
        {"forward_to": ["alice@example.org", "else@where.test"], "keep_copy": False},
        {"forward_to": ["else@where.test"], "keep_copy": False},
        {"full_name": "Bob"},
    ],
)
def test_where_somebody_has_the_mail_nobody_is_warned(office: Office, more: dict[str, object]) -> None:
    assert office.do("user set", name="bob", **more).text == "User bob@example.org was changed"


def test_the_last_copy_of_a_circle_that_is_given_up_is_told(office: Office) -> None:
    office.do("user set", name="bob", forward_to=["alice@example.org"])
    assert WARNING in office.do("user set", name="bob", keep_copy=False).text
    assert WARNING not in office.do("user set", name="bob", keep_copy=True).text
