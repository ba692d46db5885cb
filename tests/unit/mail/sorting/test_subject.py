import pytest

from whimbrel.mail.sorting.identifiers import MAX_REFERENCES, identifiers, message_id, references
from whimbrel.mail.sorting.subject import base_subject, is_reply


@pytest.mark.parametrize(
    ("subject", "base", "reply"),
    [
        ("Hello", "Hello", False),
        ("Re: Hello", "Hello", True),
        ("RE:  re: Fwd : Hello (fwd) ", "Hello", True),
        ("[list] Hello", "Hello", False),
        ("Re: [list] Hello", "Hello", True),
        ("[list] Re[2]: Hello", "Hello", True),
        ("[list]", "[list]", False),
        ("[Fwd: Re: Hello]", "Hello", True),
        ("a\t b", "a b", False),
        ("Regarding", "Regarding", False),
        ("", "", False),
        ("Re:", "", True),
        ("[" * 900, "[" * 900, False),
    ],
)
def test_base_subject(subject: str, base: str, reply: bool) -> None:
    # RFC 5256 2.1
    assert (base_subject(subject), is_reply(subject)) == (base, reply)


def test_identifiers_are_taken_out_of_words_around_them() -> None:
    assert identifiers(b"<a@b>") == ["<a@b>"]
    assert identifiers(b"Your message of Monday <a@ b> and <c@d>") == ["<a@b>", "<c@d>"]
    assert identifiers(b"<>") == []


def test_very_many_references_keep_the_first_and_the_last() -> None:
    found = identifiers(b"".join(b"<%d@x>" % n for n in range(500)))
    assert len(found) == MAX_REFERENCES
    assert (found[0], found[1], found[-1]) == ("<0@x>", "<401@x>", "<499@x>")


def test_without_references_the_first_reply_id_counts() -> None:
    # RFC 5256 3
    assert references(None, b"<a@x> <b@x>") == ("<a@x>",)
    assert references(b"<r@x>", b"<a@x>") == ("<r@x>",)
    assert references(b"none", None) == ()


def test_a_message_id_without_brackets_counts_as_it_stands() -> None:
    assert message_id(b" 123@x ") == "123@x"
    assert message_id(b"<1@x> (c)") == "<1@x>"
    assert message_id(None) == ""
