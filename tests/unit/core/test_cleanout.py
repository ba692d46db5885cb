"""Clean-out rules: how they are written, and which one is in force."""

import pytest

from whimbrel.core.cleanout import CleanOut, days_for, in_force


def rules(*texts: str) -> list[CleanOut]:
    return [CleanOut(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "written", "folder", "days"),
    [
        ("deleted 30d", "deleted 30d", "deleted", 30),
        (" Junk  7 ", "junk 7d", "junk", 7),
        ("all 0d", "all 0d", "all", 0),
    ],
)
def test_a_rule_is_a_folder_and_days(text: str, written: str, folder: str, days: int) -> None:
    rule = CleanOut(text)
    assert (str(rule), rule.folder, rule.days) == (written, folder, days)
    assert CleanOut(rule) == rule


@pytest.mark.parametrize(
    "text", ["", "deleted", "30d", "deleted 30w", "trash 30d", "deleted -1d", "deleted 36501d", "deleted 99999999d"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"clean-out rule|more than 36500 days"):
        CleanOut(text)


def test_a_users_rule_stands_in_for_the_domains_about_the_same_folder() -> None:
    found = in_force(rules("junk 3d", "sent 0d"), rules("deleted 30d", "junk 14d", "all 365d"))
    assert set(found) == set(rules("deleted 30d", "junk 3d", "sent 0d", "all 365d"))
    assert [days_for(found, kind) for kind in ("deleted", "junk", "sent", "inbox", "")] == [30, 3, 0, 365, 365]


def test_without_a_rule_everything_stays_for_ever() -> None:
    assert days_for((), "deleted") == 0
    assert days_for(rules("deleted 30d"), "inbox") == 0
