"""A new password is long enough, and nothing that everybody tries first or knows of its user."""

import pytest

from whimbrel.core.credentials.policy import PasswordPolicy, known_names
from whimbrel.core.credentials.spelling import MAX_PASSWORD

ANNA = tuple(known_names("anna.kovac@example.org", "Anna Kovač"))


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("a", "at least 8 characters; this one has 1"),
        ("sieben7", "at least 8"),
        ("x" * (MAX_PASSWORD + 1), "at most 1024"),
        ("aaaaaaaaaa", "one character"),
        ("AaAaAaAaAa", "one character"),
        ("horsehorse", "one piece"),
        ("12121212", "one piece"),
        ("password", "most common"),
        ("Password123!", "most common"),
        ("P@ssw0rd", "most common"),
        ("ｐａｓｓｗｏｒｄ", "most common"),
        ("!!Willkommen2026", "most common"),
        ("12345678", "row of keys"),
        ("9876-5432-1", "row of keys"),
        ("qwertzuiop", "row of keys"),
        ("abcdefgh", "row of keys"),
        ("anna.kovac", "the name, the address or the domain"),
        ("ANNAKOVAC", "the name, the address or the domain"),
        ("annakovac2026!", "the name, the address or the domain"),
        ("anna.kovac@example.org", "the name, the address or the domain"),
        ("example.org", "the name, the address or the domain"),
        ("example-2026", "the name, the address or the domain"),
        ("Anna Kovač", "the name, the address or the domain"),
    ],
)
def test_a_password_that_is_tried_first_is_refused_and_said_why(password: str, words: str) -> None:
    assert words in PasswordPolicy().refusal(password, *ANNA)


@pytest.mark.parametrize(
    "password",
    ["hunter2 hunter2", "correct-horse-4711", "anna likes tea", "4711 8080", "Grüße aus Łódź", "k3fh-7pwm-x2aa"],
)
def test_others_are_taken_without_rules_of_composition(password: str) -> None:
    assert PasswordPolicy().refusal(password, *ANNA) == ""


def test_the_length_is_a_setting_and_the_other_rules_stand_without_it() -> None:
    assert PasswordPolicy(12).refusal("k3fh-7pwm") == "must have at least 12 characters; this one has 9"
    assert PasswordPolicy(1).refusal("k3") == ""
    assert "most common" in PasswordPolicy(1).refusal("admin")


def test_a_name_of_signs_alone_refuses_nothing() -> None:
    assert PasswordPolicy().refusal("47118080", "__", "") == ""


def test_a_domain_in_unicode_is_known_by_both_of_its_spellings() -> None:
    names = set(known_names("anna@bücher.example"))
    assert {"bücher.example", "xn--bcher-kva.example", "bücher"} <= names
