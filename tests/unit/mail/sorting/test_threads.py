"""Threads by the algorithms of RFC 5256."""

import pytest

from whimbrel.core.rows import SortRow
from whimbrel.mail.sorting.subject import base_subject, is_reply
from whimbrel.mail.sorting.threads import ordered_subject, references, refs


def row(uid: int, sent: int, subject: str, ident: str = "", refs: str = "") -> SortRow:
    base = base_subject(subject).casefold()
    reply = 1 if is_reply(subject) else 0
    return (uid, sent, 1, sent, "", "", "", "", "", base, reply, ident, "", refs, "")


def written(threads: object, rows: list[SortRow]) -> str:
    return threads.written({one[0]: one[0] for one in rows}).decode()  # type: ignore[attr-defined]


REFERENCES: list[tuple[str, list[SortRow], str]] = [
    ("no ids", [row(1, 1, "a"), row(2, 2, "b")], "(1)(2)"),
    ("a chain", [row(1, 1, "a", "<1>"), row(2, 2, "b", "<2>", "<1>"), row(3, 3, "c", "<3>", "<1> <2>")], "(1 2 3)"),
    ("siblings by date", [row(1, 1, "a", "<1>"), row(2, 5, "b", "<2>", "<1>"), row(3, 3, "c", "<3>", "<1>")],
     "(1 (3)(2))"),
    ("a missing parent with one child is nobody", [row(1, 1, "a", "<1>", "<0>")], "(1)"),
    ("a missing parent of two keeps them together",
     [row(1, 1, "a", "<1>", "<0>"), row(2, 2, "b", "<2>", "<0>")], "((1)(2))"),
    ("missing ones within go", [row(1, 1, "a", "<1>"), row(2, 2, "b", "<3>", "<1> <2>")], "(1 2)"),
    ("an id had twice counts for the first", [row(1, 1, "a", "<1>"), row(2, 2, "b", "<1>"),
     row(3, 3, "c", "<3>", "<1>")], "(1 3)(2)"),
    ("a loop is not made", [row(1, 1, "a", "<1>", "<2>"), row(2, 2, "b", "<2>", "<1>")], "(2 1)"),
    ("1.B: the link that others made goes even if that of the message itself would close a loop",
     [row(1, 3, "a", "<a>"), row(2, 2, "b", "<b>", "<a> <c>"), row(3, 1, "c", "<c>", "<b>")], "(3 2)(1)"),
    ("1.A: links that are there stay",
     [row(1, 1, "a", "<1>"), row(2, 2, "b", "<2>", "<1>"), row(3, 3, "c", "<3>", "<0> <2>")], "(1 2 3)"),
    ("1.A: a reference to itself within a list",
     [row(1, 1, "a", "<1>"), row(2, 2, "b", "<2>", "<1> <2>")], "(1)(2)"),
    ("1.B: without references a message is a root, whatever others said before",
     [row(1, 1, "a", "<1>", "<0> <2>"), row(2, 2, "b", "<2>")], "(2 1)"),
    ("3: a dummy below another is passed over",
     [row(1, 1, "a", "<1>", "<w> <x> <y>"), row(2, 2, "b", "<2>", "<w> <z>")], "((1)(2))"),
    ("5.C: a thread under a dummy takes the single message of its subject",
     [row(1, 1, "P", "<1>", "<x>"), row(2, 2, "Re: P", "<2>", "<x>"), row(3, 3, "P", "<3>")], "((1)(2)(3))"),
    ("5.C: an original takes all its replies",
     [row(1, 1, "Re: P", "<1>"), row(2, 2, "P", "<2>"), row(3, 3, "Re: P", "<3>")], "(2 (1)(3))"),
    ("6: children below are by date",
     [row(1, 1, "a", "<1>"), row(2, 9, "b", "<2>", "<1>"), row(3, 5, "c", "<3>", "<1>"), row(4, 7, "d", "<4>", "<3>")],
     "(1 (3 4)(2))"),
    ("itself as parent", [row(1, 1, "a", "<1>", "<1>")], "(1)"),
    ("what a message says of itself counts for more",
     [row(1, 1, "a", "<1>"), row(2, 2, "b", "<2>"), row(3, 3, "c", "<3>", "<1> <4>"), row(4, 4, "d", "<4>", "<2>")],
     "(1)(2 4 3)"),
    ("a reply joins its subject", [row(1, 1, "Plan", "<1>"), row(2, 2, "Re: plan", "<2>")], "(1 2)"),
    ("two of one subject become siblings", [row(1, 1, "Plan", "<1>"), row(2, 2, "Plan", "<2>")], "((1)(2))"),
    ("a reply before its original", [row(1, 1, "Re: Plan", "<1>"), row(2, 2, "Plan", "<2>")], "(2 1)"),
    ("two replies without original", [row(1, 1, "Re: Plan", "<1>"), row(2, 2, "Fwd: Plan", "<2>")], "((1)(2))"),
    ("dummies of one subject become one",
     [row(1, 1, "Re: P", "<1>", "<x>"), row(2, 2, "Re: P", "<2>", "<x>"), row(3, 3, "P", "<3>", "<y>"),
      row(4, 4, "P", "<4>", "<y>")], "((1)(2)(3)(4))"),
    ("empty subjects stay apart", [row(1, 1, "", "<1>"), row(2, 2, "Re:", "<2>")], "(1)(2)"),
    ("equal dates by number", [row(2, 1, "b", "<2>"), row(1, 1, "a", "<1>")], "(2)(1)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows", "wanted"), REFERENCES, ids=[case[0] for case in REFERENCES])
def test_references(name: str, rows: list[SortRow], wanted: str) -> None:
    assert written(references(rows), rows) == wanted


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ('<"01KF"@x>', "<01KF@x>"), ("<01KF@x>", '<"01KF"@x>'),
        (r'<"a\b"@x>', '<"ab"@x>'), (r'<"a\"b"@x>', r'<"a\"b"@x>')
    ],
)  # fmt: skip
def test_quotes_are_no_part_of_an_id(own: str, named: str) -> None:
    """RFC 5256 3: ids are compared in their normal form."""
    rows = [row(1, 1, "p", own), row(2, 2, "q", "<b@x>", f"<z@x> {named}")]
    assert written(references(rows), rows) == written(refs(rows), rows) == "(1 2)"


def test_ordered_subject_has_no_grandchildren() -> None:
    rows = [row(1, 5, "b"), row(2, 2, "Re: A"), row(3, 1, "a"), row(4, 3, "[x] fwd: a"), row(5, 6, "Re: b")]
    assert written(ordered_subject(rows), rows) == "(3 (2)(4))(1 5)"


def test_refs_ends_with_the_thread_that_has_the_newest_message() -> None:
    rows = [row(1, 1, "a", "<1>"), row(2, 2, "a", "<2>"), row(3, 9, "Re: a", "<3>", "<1>")]
    assert written(refs(rows), rows) == "(2)(1 3)"


def test_a_message_that_has_no_number_leaves_its_children() -> None:
    rows = [row(1, 1, "a", "<1>"), row(2, 2, "b", "<2>", "<1>"), row(3, 3, "c", "<3>", "<1>")]
    assert references(rows).written({1: 0, 2: 2, 3: 3}) == b"((2)(3))"


def test_a_thread_as_deep_as_the_mailbox_is_no_recursion() -> None:
    rows = [row(uid, uid, "x", f"<{uid}>", f"<{uid - 1}>") for uid in range(1, 20_001)]
    assert written(references(rows), rows) == "(" + " ".join(map(str, range(1, 20_001))) + ")"


def test_the_climb_for_loops_is_bounded() -> None:
    """A link that would need a longer climb is not made: the message becomes a thread of its own."""
    deep = [row(uid, uid, "x", f"<{uid}>", f"<{uid - 1}>") for uid in range(1, 3_001)]
    late = [row(9_000, 9_000, "", "<9000>", "<9001>"), row(9_001, 9_001, "", "<9001>", "<3000>")]
    assert written(references([*deep, *late]), [*deep, *late]).endswith(" 3000)(9001 9000)")
    near = [row(9_000, 9_000, "", "<9000>", "<9001>"), row(9_001, 9_001, "", "<9001>", "<500>")]
    assert written(references([*deep[:500], *near]), [*deep, *near]).endswith(" 500 9001 9000)")
