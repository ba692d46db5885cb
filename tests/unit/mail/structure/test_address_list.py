import sys

import pytest

from whimbrel.mail.structure.address_list import GROUP_END, MAX_ADDRESSES, Entry, entries, wire

BOB = Entry(b"Bob", None, b"bob", b"example.org")


def lone(mailbox: bytes, host: bytes, name: bytes | None = None, route: bytes | None = None) -> list[Entry]:
    return [Entry(name, route, mailbox, host)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"bob@example.org", lone(b"bob", b"example.org")),
        (b"Bob <bob@example.org>", [BOB]),
        (b'"Bob" <bob@example.org>', [BOB]),
        (b"bob@example.org (Bob)", [BOB]),
        (b'"B, \\"o\\" b" <bob@example.org>', lone(b"bob", b"example.org", b'B, "o" b')),
        (b"John Q.  Public <j@x>", lone(b"j", b"x", b"John Q. Public")),
        (b'"John Doe"@x', lone(b"John Doe", b"x")),
        (b"a . b @ x . y", lone(b"a.b", b"x.y")),
        (b"<@a,@b:c@d>", lone(b"c", b"d", None, b"@a,@b")),
        (b"a@[192.0.2.1]", lone(b"a", b"[192.0.2.1]")),
        (b"=?utf-8?q?B=C3=B6b?= <b@x>", lone(b"b", b"x", b"=?utf-8?q?B=C3=B6b?=")),
        (b"a@x, Bob <bob@example.org>", [*lone(b"a", b"x"), BOB]),
        (b"Pals:a@x,Bob <bob@example.org>;", [Entry(None, None, b"Pals", None), *lone(b"a", b"x"), BOB, GROUP_END]),
        (b"undisclosed-recipients:;", [Entry(None, None, b"undisclosed-recipients", None), GROUP_END]),
        (b"none: (nobody)", [Entry(None, None, b"none", None), GROUP_END]),
        (b"", []),
        (b" , ,", []),
        # Broken ones.
        (b"bob", lone(b"bob", b"MISSING_DOMAIN")),
        (b"Bob Builder", lone(b"MISSING_MAILBOX", b"MISSING_DOMAIN", b"Bob Builder")),
        (b"<>", lone(b"MISSING_MAILBOX", b"MISSING_DOMAIN")),
        (b"Bob <bob@example.org", [BOB]),
        (b"a@b <a@b>", lone(b"a", b"b", b"a@b")),
        (b"a@x b@y", [*lone(b"a", b"x"), *lone(b"b", b"y")]),
        (b"a@x rest, b@y", [*lone(b"a", b"x"), *lone(b"b", b"y")]),
        (b'"Bob <bob@example.org>', [BOB]),
        (b"\xe9 <a@b>", lone(b"a", b"b", b"\xe9")),
    ],
)
def test_address_lists_are_read(raw: bytes, expected: list[Entry]) -> None:
    assert entries(raw) == expected


@pytest.mark.parametrize(
    ("front", "name"),
    [
        (b"Anna [Ext]", b"Anna [Ext]"),
        (b"[Ext] Anna", b"[Ext] Anna"),
        (b"Anna @ Example", b"Anna @ Example"),
        (b"anna@example.com", b"anna@example.com"),
        (b"Anna (Sales", b"Anna (Sales"),
        (b"Anna Sales)", b"Anna Sales)"),
        (b"Anna (Sales)", b"Anna"),
        (b"(Anna)", None),
        (b"Anna (a (b) c", b"Anna (a c"),
        (b'Anna "Annie', b"Anna Annie"),
        (b'Anna "A, B" [Ext]', b"Anna A, B [Ext]"),
        (b'"Anna \\"X\\"" [Ext]', b'Anna "X" [Ext]'),
        (b"Anna \\ Beta", b"Anna \\ Beta"),
        (b"Anna > Beta", b"Anna > Beta"),
        (b"Anna < Beta", b"Anna < Beta"),
        (b"Anna <old@example.com>", b"Anna <old@example.com>"),
        (b"Anna <>", b"Anna <>"),
        (b"<", b"<"),
        (b"Anna [", b"Anna ["),
        (b"Anna | Beta / Gamma & Co.", b"Anna | Beta / Gamma & Co."),
        (b"Dr. Anna, [Ext]"[4:8], b"Anna"),
        (b"=?utf-8?Q?Anna,_[Ext]_(x?=", b"=?utf-8?Q?Anna,_[Ext]_(x?="),
        (b"=?utf-8?Q?Anna <x@y>?=", b"=?utf-8?Q?Anna <x@y>?="),
        (b"=?iso_8859-1:1987?Q?Anna?=", b"=?iso_8859-1:1987?Q?Anna?="),
        (b"=?utf-8?Q?Anna", b"=?utf-8?Q?Anna"),
        (b"=?utf-8?Q?An?= [=?utf-8?Q?na?=]", b"=?utf-8?Q?An?= [=?utf-8?Q?na?=]"),
        (b'\x1b$B8!,"<(@\x1b(B', b'\x1b$B8!,"<(@\x1b(B'),
        (b"\x1b$B8!", b"\x1b$B8!"),
        (b"\xe9 [\xe9]", b"\xe9 [\xe9]"),
        (b"\x01 \x7f", b"\x01 \x7f"),
        (b"", None),
    ],
)
@pytest.mark.parametrize("behind", [b"", b" ", b" [Ext]", b" (Ext)", b" junk"])
def test_what_stands_in_angle_brackets_is_the_address_whatever_is_around_it(
    front: bytes, name: bytes | None, behind: bytes
) -> None:
    if name is None and behind == b" (Ext)":
        name = b"Ext"
    assert entries(front + b" <anna@example.com>" + behind) == lone(b"anna", b"example.com", name)
    both = entries(front + b" <anna@example.com>" + behind + b", Bob <bob@example.org>")
    if b"Annie" not in front:  # There the quote of the first is closed by nobody.
        assert both == [*lone(b"anna", b"example.com", name), BOB]


@pytest.mark.parametrize(
    ("inside", "mailbox", "host"),
    [
        (b"mailto:anna@example.com", b"anna", b"example.com"),
        (b" anna@example.com ", b"anna", b"example.com"),
        (b"anna (at) @ example.com", b"anna", b"example.com"),
        (b'"a>b"@example.com', b"a>b", b"example.com"),
        (b"anna smith@example.com", b"anna smith", b"example.com"),
        (b"an[na@example.com", b"an[na", b"example.com"),
        (b"anna..b.@docomo.example", b"anna..b.", b"docomo.example"),
        (b"anna@b@example.com", b"anna@b", b"example.com"),
        (b"anna@example.com;", b"anna", b"example.com"),
        (b"anna", b"anna", b"MISSING_DOMAIN"),
    ],
)
def test_what_is_no_address_by_the_letter_is_taken_apart_at_its_last_at_sign(
    inside: bytes, mailbox: bytes, host: bytes
) -> None:
    assert entries(b"Anna <" + inside + b">") == lone(mailbox, host, b"Anna")


def test_broken_fields_cost_linear_time() -> None:
    def steps(value: bytes) -> int:
        count = 0

        def trace(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(trace)
        try:
            entries(value)
        finally:
            sys.setprofile(None)
        return count

    for piece in (b"a [", b'a "', b"a (", b"a ()", b"<", b"a <b", b"<>", b"a@b ", b"a@b [", b"=?a?q?", b"\x1b$B", b"a:",
                  b"a;", b",[", b"a <b> ", b"\\\"", b"(\\)", b'"\\\\"', b"[ <a@b>,"):  # fmt: skip
        small, large = steps(piece * 500), steps(piece * 4000)
        assert large < 12 * small, piece


def test_the_wire_form_is_that_of_envelope() -> None:
    assert wire(b"Pals: a@x;") == b'((NIL NIL "Pals" NIL)(NIL NIL "a" "x")(NIL NIL NIL NIL))'
    assert wire(b"\xe9 <a@b>") == b'(({1}\r\n\xe9 NIL "a" "b"))'
    assert wire(b" ") == b"NIL"


def test_the_number_of_addresses_is_bounded() -> None:
    assert len(entries(b"a@b," * (MAX_ADDRESSES + 5))) == MAX_ADDRESSES
