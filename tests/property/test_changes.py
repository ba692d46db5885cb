"""Whatever a message is made of, and whatever is changed in it: all other octets are those that came."""

import email
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.mail.writing.test_changes import changed, subject
from whimbrel.mail.structure import header, mime
from whimbrel.mail.writing.changes import AddText, Change, MarkSubject, Plan, RemoveFields, Survey, TakeOut, TooComplex

from .test_adapt import TREES, leaves, walk
from .test_mail import MAILS

MESSAGES = TREES | MAILS | TREES.map(lambda message: message.replace(b"\r\n", b"\n")) | st.binary(max_size=300)
CHANGES = st.sampled_from(
    [
        MarkSubject("**spam**"),
        MarkSubject("Müll"),
        RemoveFields(b"x"),
        RemoveFields(b"content-*"),
        AddText("-- \nfooter"),
        AddText("Füße"),
        TakeOut(0, "gone"),
        TakeOut(1, "gone"),
        TakeOut(3, "wég"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(MESSAGES, st.lists(CHANGES, max_size=4), st.integers(1, 50))
def test_pieces_of_any_size_give_the_same_message_and_nothing_raises(
    message: bytes, changes: list[Change], size: int
) -> None:
    try:
        assert changed(message, *changes, size=size) == changed(message, *changes)
    except TooComplex:
        pass


@settings(max_examples=400, deadline=None)
@given(MESSAGES, st.lists(CHANGES, max_size=4))
@example(b"!:\n\x00\nContent-:", [TakeOut(0, "gone")])
@example(b"!:\n\x00\nContent-:", [RemoveFields(b"content-*"), TakeOut(0, "gone")])
def test_edits_are_in_order_and_what_stands_between_them_stays(message: bytes, changes: list[Change]) -> None:
    plan, survey = Plan(changes, message, len(message)), Survey()
    try:
        survey.feed(message)
        survey.end()
    except TooComplex:
        return
    at, kept = 0, []
    for edit in plan.edits(survey):
        assert at <= edit.start <= edit.stop <= len(message)
        kept.append(message[at : edit.start])
        at = edit.stop
    kept.append(message[at:])
    after, place = changed(message, *changes), 0
    for piece in kept:
        place = after.index(piece, place) + len(piece)


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_all_leaves_are_there_behind_added_text(message: bytes) -> None:
    after = changed(message, AddText("footer"))
    was, became = leaves(email.message_from_bytes(message)), leaves(email.message_from_bytes(after))
    if after == message:
        return
    body = message[header.end(message) :].removesuffix(b"\r\n")
    assert after.count(b"footer\r\n") == message.count(b"footer\r\n") + 1
    if len(mime.parse(message).children) == 0 and len(mime.parse(after).children) == 0:
        assert body in after  # Extended.
        return
    contents = [content.strip() for _, content in became]
    for _, content in was:
        assert content.strip() in contents
    assert ("text/plain", b"footer") in [(kind, content.strip()) for kind, content in became]


@settings(max_examples=400, deadline=None)
@given(TREES, st.integers(0, 8))
def test_a_part_goes_with_all_that_is_in_it_and_the_others_stay(message: bytes, number: int) -> None:
    before = walk(mime.parse(message))
    if any((part.main, part.sub) == (b"message", b"global") or part.encoding for part in before):
        return  # What is encoded is not looked into here.
    after = walk(mime.parse(changed(message, TakeOut(number, "gone"))))
    if number >= len(before):
        assert len(after) == len(before)
        return
    assert len(after) == len(before) - len(walk(before[number])) + 1
    assert (after[number].main, after[number].sub) == (b"text", b"plain")


@pytest.mark.skipif("WHIMBREL_CORPUS" not in os.environ, reason="WHIMBREL_CORPUS is not set")
def test_real_mail_is_changed_exactly() -> None:
    count = 0
    for path in sorted(Path(os.environ["WHIMBREL_CORPUS"]).rglob("*")):
        if not path.is_file() or path.stat().st_size > 1 << 20:
            continue
        count += 1
        if count > 3000:
            break
        message = path.read_bytes()
        try:
            marked = changed(message, MarkSubject("**spam**"))
            added = changed(message, AddText("an added footer"))
        except TooComplex:
            continue
        assert subject(marked).startswith("**spam**"), path
        body = message[header.end(message) :]
        assert marked.endswith(body)
        assert body.rstrip(b"\r\n-") in added or b"multipart" in message.lower(), path
        assert changed(marked, MarkSubject("**spam**")) == marked, path
    assert count
