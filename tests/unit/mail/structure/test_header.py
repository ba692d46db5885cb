import pytest

from whimbrel.mail.scan import scan
from whimbrel.mail.structure import header
from whimbrel.mail.structure.outline import Outline
from whimbrel.mail.structure.parts import Structure
from whimbrel.mail.text.searchable import searchable

HEAD = b"Subject: one\r\n two\r\nFrom : a@b\r\nno colon\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def test_fields_keep_their_folding_and_line_ends() -> None:
    found = header.fields(HEAD + b"Body: x")
    assert [(one.name, one.raw) for one in found] == [
        (b"Subject", b"Subject: one\r\n two\r\n"),
        (b"From", b"From : a@b\r\n"),
        (b"", b"no colon\r\n"),
        (b"X-A", b"X-A: 1\r\n"),
        (b"x-a", b"x-a: 2\r\n"),
    ]
    assert found[0].value == b"one two"


def test_pick_gives_the_named_fields_in_any_case_and_an_empty_line() -> None:
    assert header.pick(HEAD, [b"x-A", b"SUBJECT", b"Absent"]) == b"Subject: one\r\n two\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
    assert header.pick(HEAD, [b"nothing"]) == b"\r\n"


def test_pick_inverted_gives_all_others() -> None:
    assert header.pick(HEAD, [b"x-a", b"subject"], invert=True) == b"From : a@b\r\nno colon\r\n\r\n"


def test_a_last_field_without_line_end_gets_one() -> None:
    assert header.pick(b"A: 1\r\nB: 2", [b"b"]) == b"B: 2\r\n\r\n"


def test_the_header_ends_at_the_first_empty_line_of_either_kind() -> None:
    for mail, stop in (
        (b"A: 1\r\n\r\nx\r\n\r\n", 8),
        (b"A: 1\n\nx\r\n\r\n", 6),
        (b"A: 1\n\r\nx\n\n", 7),
        (b"\r\nA: 1\r\n\r\n", 2),
        (b"\nbody", 1),
        (b"A: 1\r\n", 6),
        (b"A: 1\r\n \r\n\r\nx", 11),
        (b"", 0),
        (b"A: " + b"x" * 9000 + b"\n\nbody", 9005),
    ):
        assert header.end(mail) == stop, mail[:20]


def test_the_limit_ends_a_header_that_does_not_end() -> None:
    assert header.end(b"A: 1\r\n--b\r\n\r\n", 0, 6) == 6


def test_decode_unfolds_and_reads_encoded_words() -> None:
    assert header.decode(b" =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_noir?= x ") == "café noir x"


TEXT = b"This is the text.\r\nNote: it has a colon.\r\n\r\nThe end.\r\n"


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"From: a@b\r\nSubject: hi\r\n folded\r\n", TEXT),
        (b"Subject: hi\r\n", b"From Anna: hello\r\n\r\nFrom: quoted\r\n"),
        (b"From: a@b\r\nSubject: hi\r\n", b"text\r\n\r\nFrom: later\r\n"),
        (b"From: a@b\r\nTo: c@d\r\nSubject: hi\r\n", b"She wrote\r\nFrom: x\r\nTo: y\r\nSubject: z\r\n\r\nhi"),
        (b"From: a@b\n", b"one word\n"),
        (b"From: a@b\n", b"word"),
        (b"From alice Mon Jan  1 10:00:00 2024\nFrom: a@b\nSubject: hi\n", b"text\n"),
        (b"From: a@b\nSubject: hi\n", b"\xc3\x9cber: uns\n"),
        (b"", b"no header at all: none\n"),
    ],
)
def test_text_without_an_empty_line_before_it_is_text(head: bytes, text: bytes) -> None:
    mail = head + text
    assert header.body_start(mail, 0, header.end(mail)) == len(head)
    located = Structure.unpack(scan(mail).parts)
    span = located.locate("TEXT")
    assert span and mail[span.start : span.stop] == text
    assert scan(mail).preview.startswith(text.decode().split()[0])
    assert any(
        "text" in piece or text.decode().split()[0].casefold() in piece for piece in searchable(mail, headers=False)
    )
    outline = Outline()
    outline.feed(mail)
    outline.end()
    assert outline.entities[0].blank == outline.entities[0].runs[0].start == len(head)


@pytest.mark.parametrize(
    "head",
    [
        b"From: a@b\r\nSubject: long\r\nand not folded\r\nTo: c@d\r\nDate: x\r\n\r\n",
        b"From someone Mon Jan  1 10:00:00 2024\r\nFrom: a@b\r\n\r\n",
        b">From someone\nFrom: a@b\n\n",
        b"From : a@b\r\nX-Odd&Name: 1\r\n\r\n",
        b"Received: by x\nid 12;\nReceived: by y\nSubject: x\n\n",
        b"\r\n",
    ],
)
def test_a_broken_line_among_fields_does_not_end_the_header(head: bytes) -> None:
    mail = head + TEXT
    span = Structure.unpack(scan(mail).parts).locate("TEXT")
    assert span and mail[span.start :] == TEXT


def test_parts_without_an_empty_line_show_their_text() -> None:
    parts = b"--b\nContent-Type: text/plain\nHello there\n--b\nagain, no header\n--b--\n"
    mail = b"Content-Type: multipart/mixed; boundary=b\n\n" + parts
    root = Structure.unpack(scan(mail).parts).root
    assert [mail[child.text : child.end] for child in root.children] == [b"Hello there", b"again, no header"]
    outline = Outline()
    for at in range(len(mail)):
        outline.feed(mail[at : at + 1])
    outline.end()
    runs = [mail[run.start : run.stop] for entity in outline.entities for run in entity.runs]
    assert b"Hello there" in runs and b"again, no header" in runs


def test_a_header_that_never_ends_costs_no_more_than_so_many_lines() -> None:
    mail = b"a\n" * 5_000_000
    assert header.body_start(mail, 0, len(mail)) == 0
    mail = b"a: b\n" * 2_000_000
    assert header.body_start(mail, 0, len(mail)) == len(mail)
