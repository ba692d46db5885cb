"""Addresses and domains cannot be built wrong. RFC 5321 4.1.2, 4.1.3, 4.5.3.1; RFC 6531"""

import pytest

from whimbrel.core.address import Address, Domain, as_recorded, folded, path_text, unquoted


@pytest.mark.parametrize(
    ("text", "local", "domain", "shown"),
    [
        ("a@example.org", "a", "example.org", "a@example.org"),
        ("A.B+c@Example.ORG", "A.B+c", "example.org", "A.B+c@example.org"),
        ("a@example.org.", "a", "example.org", "a@example.org"),
        ('"a b"@example.org', "a b", "example.org", '"a b"@example.org'),
        ('"a@b"@example.org', "a@b", "example.org", '"a@b"@example.org'),
        (
            r'"a\"b\\c"@example.org',
            r"a\"b\\c".replace("\\\\", "\\").replace('\\"', '"'),
            "example.org",
            r'"a\"b\\c"@example.org',
        ),
        ('"ab"@example.org', "ab", "example.org", "ab@example.org"),
        ('".a."@example.org', ".a.", "example.org", '".a."@example.org'),
        ("jörg@exämple.de", "jörg", "xn--exmple-cua.de", "jörg@xn--exmple-cua.de"),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ("a@[ipv6:::1]", "a", "[IPv6:::1]", "a@[IPv6:::1]"),
        ("!#$%&'*+/=?^_`{|}~-@x", "!#$%&'*+/=?^_`{|}~-", "x", "!#$%&'*+/=?^_`{|}~-@x"),
        ("a" * 64 + "@x", "a" * 64, "x", "a" * 64 + "@x"),
    ],
)
def test_good_addresses_are_read_and_written(text: str, local: str, domain: str, shown: str) -> None:
    address = Address.parse(text)
    assert (address.local, address.domain, str(address)) == (local, domain, shown)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@", "a@", "@x", "a@@x", "a b@x", ".@x", "..@x", "a..\"@x", '"a@x', 'a"b@x', '"a"b@x', "a@x y", "a@-x",
        "a@x-", "a@x..y", "a@.x", "a@x_!", "<a@x>", "a\r\nb@x", '"a\nb"@x', '"a\0"@x', "a\x7f@x", '"\x01"@x',
        "a" * 65 + "@x", "ü" * 33 + "@x", "a@" + "x" * 64, "a@" + "x." * 128 + "org", "a@[192.0.2.256]", "a@[192.0.2]",
        "a@[IPv6:xyz]", "a@[2001:db8::1]", "a@[192.0.2.1", "a@[]", "a@[x]", '""@x', "a@" + "ü" * 64,
    ],
)  # fmt: skip
def test_bad_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(text)


@pytest.mark.parametrize("local", ["ab..cd.", ".a", "a.", "a..b", "..a.."])
def test_dots_where_the_grammar_has_none_are_quoted_and_one_address_with_the_quoted_form(local: str) -> None:
    bare, quoted = Address.parse(f"{local}@docomo.example"), Address.parse(f'"{local}"@docomo.example')
    assert bare == quoted and bare.key == quoted.key
    assert str(bare) == f'"{local}"@docomo.example'
    assert folded(f"{local}@docomo.example") == folded(f'"{local}"@Docomo.Example') == bare.key
    assert as_recorded(f"{local}@docomo.example") == as_recorded(f'"{local}"@docomo.example') == str(bare)


def test_look_ups_take_every_spelling() -> None:
    for text in ('"john doe"@remote.example', "john doe@remote.example"):
        assert as_recorded(text) == '"john doe"@remote.example'
        assert folded(text) == "john doe@remote.example"
    assert as_recorded('"ann"@Example.org') == "ann@example.org"
    assert unquoted('"ann"@example.org') == "ann@example.org"
    for text in ('"ann@x', "@x.example", "ann", "Ann@x.example", 'doe"@x.example', "<a b>@x.example"):
        assert as_recorded(text) == unquoted(text) == text


def test_the_constructor_checks_too() -> None:
    for local, domain in (("", "x"), ("a", ""), ("a\r\n", "x"), ("a", "x y"), ("a" * 65, "x")):
        with pytest.raises(ValueError):
            Address(local, domain)


def test_the_key_ignores_case_and_equality_does_not() -> None:
    one, two = Address.parse("Ann@Example.org"), Address.parse("ann@example.org")
    assert one != two and one.key == two.key == "ann@example.org"
    assert Address.parse("STRASSE@x").key == Address.parse("straße@x").key


def test_smtputf8_is_needed_for_the_local_part_alone() -> None:
    assert Address.parse("ann@exämple.de").ascii
    assert not Address.parse("jörg@example.de").ascii


def test_domains_are_lower_case_and_a_labels() -> None:
    assert Domain("EXAMPLE.Org.") == "example.org"
    assert Domain("exämple.de") == "xn--exmple-cua.de"
    assert Domain(Domain("a.b")) == "a.b"
    long = ".".join(["a" * 60] * 5)
    for bad in ("", ".", "a b", "a/b", "-a", "a-", "a..b", "a" * 64, long, "a\0", "a\nb", "ü" * 64):
        with pytest.raises(ValueError):
            Domain(bad)


def test_paths_are_written_with_brackets() -> None:
    assert path_text(Address.parse("a@x")) == "<a@x>"
    assert path_text(None) == "<>"


@pytest.mark.parametrize(
    "text", ["a@example.org ", " a@example.org", "a@ example.org", "a@example.org\r\n", "a@example.org\n"]
)
def test_white_space_around_an_address_is_not_passed_over(text: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(text)
