"""Names on disk are safe on every file system and never collide with our own files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.backends.store.disk.names import on_disk
from whimbrel.backends.store.names import canonical
from whimbrel.core.errors import MailboxError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sent Items", "Sent Items"),
        ("Entwürfe", "Entwürfe"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("#msgs", "%23msgs"),
        ("a/b", "a%2Fb"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        ("index.fld", "%69ndex.fld"),
        ("Index.fld-wal", "%49ndex.fld-wal"),
        ("account.seq", "%61ccount.seq"),
        ("trailing.", "trailing%2E"),
        ("trailing ", "trailing%20"),
        ("a\x00b", "a%00b"),
    ],
)
def test_reserved_names_are_escaped(name: str, expected: str) -> None:
    assert on_disk(name) == expected


@given(st.text(min_size=1, max_size=400))
def test_any_name_becomes_one_safe_path_component(name: str) -> None:
    found = on_disk(name)
    assert found and "/" not in found and "\\" not in found and "\0" not in found
    assert not found.startswith((".", "#", " ")) and not found.endswith((".", " "))
    assert len(found.encode("utf-8", "surrogatepass")) <= 200


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a\tb", "a%", "a*b", "x/" * 40 + "y", "a" * 300])
def test_names_that_no_folder_can_have_are_refused(name: str) -> None:
    with pytest.raises(MailboxError):
        canonical(name)


def test_inbox_is_one_whatever_its_case_and_a_trailing_delimiter_is_dropped() -> None:
    assert (canonical("inbox"), canonical("InBox/x"), canonical("a/b/")) == ("INBOX", "INBOX/x", "a/b")
