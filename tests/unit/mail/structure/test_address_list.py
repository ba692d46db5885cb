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


def test_the_wire_form_is_that_of_envelope() -> None:
    assert wire(b"Pals: a@x;") == b'((NIL NIL "Pals" NIL)(NIL NIL "a" "x")(NIL NIL NIL NIL))'
    assert wire(b"\xe9 <a@b>") == b'(({1}\r\n\xe9 NIL "a" "b"))'
    assert wire(b" ") == b"NIL"


def test_the_number_of_addresses_is_bounded() -> None:
    assert len(entries(b"a@b," * (MAX_ADDRESSES + 5))) == MAX_ADDRESSES
