"""Patterns of LIST."""

from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.services.imapd.patterns import MailboxPattern, Pattern


def slowly(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] in "*%":
        return slowly(pattern[1:], name) or (
            bool(name) and (pattern[0] == "*" or name[0] != "/") and slowly(pattern, name[1:])
        )
    return bool(name) and name[0] == pattern[0] and slowly(pattern[1:], name[1:])


@settings(max_examples=500)
@given(st.text("ab/*%", max_size=7), st.text("ab/", max_size=8))
def test_patterns_match_as_their_definition_says(pattern: str, name: str) -> None:
    assert Pattern(pattern).matches(name) == slowly(pattern, name)


def test_a_pattern_made_to_be_slow_is_not() -> None:
    assert not Pattern("%a*" * 200 + "b").matches("a" * 2000)


def test_inbox_has_no_case_and_others_do() -> None:
    assert MailboxPattern("inb%").matches("INBOX")
    assert MailboxPattern("Archive").matches("Archive")
    assert not MailboxPattern("archive").matches("Archive")
