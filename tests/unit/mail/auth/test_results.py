"""Authentication-Results: what is written can be read, and nobody breaks out of a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.mail.auth.results import Method, claiming, written
from whimbrel.mail.structure.header import fields

OURS = frozenset({"mx.example.test"})


def test_methods_are_written_in_order_each_on_a_line() -> None:
    made = written(
        "mx.example.test",
        [
            Method("spf", "pass", "", (("smtp.mailfrom", "a@b.test"),)),
            Method("dkim", "fail", 'the "body" was changed', (("header.d", "b.test"), ("header.s", ""))),
        ],
    )
    assert made == (
        b"Authentication-Results: mx.example.test;\r\n\tspf=pass smtp.mailfrom=a@b.test;\r\n"
        b'\tdkim=fail reason="the \\"body\\" was changed" header.d=b.test\r\n'
    )
    assert written("mx.example.test", []) == b"Authentication-Results: mx.example.test;\r\n\tnone\r\n"


@given(st.text(max_size=300))
def test_no_value_ends_the_field_or_begins_another(text: str) -> None:
    made = written("mx.example.test", [Method("spf", "fail", text, (("smtp.mailfrom", text), ("smtp.helo", "x.test")))])
    (field,) = fields(made)
    assert field.raw == made
    assert all(line.startswith((b"Authentication-Results:", b"\t", b" ")) for line in made.split(b"\r\n")[:-1])
    outside = made.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    assert b"".join(outside).count(b";") == 1


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        (b"Authentication-Results: mx.example.test; spf=pass\r\n", True),
        (b"Authentication-Results: mx.example.test.evil.test; spf=pass\r\n", False),
        (b"Authentication-Results: other.test (mx.example.test); spf=pass\r\n", False),
        (b"Authentication-Results: (mx.example.test) other.test; spf=pass\r\n", False),
        (b"Authentication-Results:mx.example.test;spf=pass\r\n", True),
        (b"Authentication-Results:\r\n MX.Example.TEST/1; spf=pass\r\n", False),
        (b'Authentication-Results: "mx.example.test\r\n', True),
        (b"Authentication-Results: " + b"(" * 50 + b")" * 50 + b"mx.example.test\r\n", True),
        (b"Authentication-Results:\r\n", False),
        (b"ARC-Authentication-Results: i=1; mx.example.test; spf=pass\r\n", False),
    ],
)
def test_fields_that_claim_to_be_ours_are_known(raw: bytes, ours: bool) -> None:
    assert bool(claiming(fields(raw + b"\r\n"), OURS)) is ours
