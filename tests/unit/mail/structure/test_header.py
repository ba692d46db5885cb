from whimbrel.mail.structure import header

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
