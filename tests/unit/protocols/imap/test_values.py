"""Strings, names, sets, dates and bodies as bytes."""

import pytest

from whimbrel.core.mailbox import DELETED, SEEN
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import encode, utf7
from whimbrel.protocols.imap.body import plain_body
from whimbrel.protocols.imap.dates import date_time, read_date, read_date_time
from whimbrel.protocols.imap.sequence import SequenceSet, uid_set

NAMES = [
    ("INBOX", b"INBOX"),
    ("a&b", b"a&-b"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("😀", b"&2D3eAA-"),
    ("ÄÖ", b"&AMQA1g-"),
    ("", b""),
]


@pytest.mark.parametrize(("name", "wire"), NAMES)
def test_names_in_modified_utf7(name: str, wire: bytes) -> None:
    assert (utf7.encode(name), utf7.decode(wire)) == (wire, name)


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"abc", b"abc"), (b"a]", b"a]"), (b"", b'""'), (b"a b", b'"a b"'), (b'a"\\', b'"a\\"\\\\"'),
        (b"nil", b'"nil"'), (b"a%", b'"a%"'), (b"\xff", b"{1}\r\n\xff"), (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"x y" * 400, b"{1200}\r\n" + b"x y" * 400),
    ],
)  # fmt: skip
def test_astring_takes_the_shortest_safe_form(data: bytes, wire: bytes) -> None:
    assert encode.astring(data) == wire


def test_flags_and_keywords() -> None:
    assert encode.flag_list(SEEN | DELETED, "$a b", True) == b"(\\Deleted \\Seen \\Recent $a b)"
    assert encode.flag_list(0, "", False) == b"()"


def test_sets_in_any_order_with_star() -> None:
    assert SequenceSet(((5, 0), (3, 1))).resolve(9) == UidSet([(1, 3), (5, 9)])
    assert SequenceSet(((12, 0),)).resolve(9) == UidSet([(9, 12)])  # RFC 3501 6.4.8: always the last one too.
    assert not SequenceSet(((0, 0),)).resolve(0)
    assert SequenceSet(((1, 4),)).beyond(3) and not SequenceSet(((1, 0),)).beyond(3)
    assert SequenceSet(((0, 0),)).beyond(0)


def test_uid_sets_keep_the_order_given() -> None:
    assert uid_set((304, 319, 320, 321, 7)) == b"304,319:321,7"
    assert uid_set(()) == b""


def test_dates() -> None:
    assert read_date_time(b"17-Jul-1996 02:44:25 -0700") == 837596665
    assert date_time(837596665) == b"17-Jul-1996 09:44:25 +0000"
    assert date_time(1) == b" 1-Jan-1970 00:00:01 +0000"
    assert read_date_time(b" 1-jan-1970 00:00:01 +0000") == 1
    assert read_date_time(b"1-jan-1970 00:00:01 +0000") == 1
    assert read_date(b"2-Jan-1970") == 1
    for wrong in (b"", b"30-Feb-2020 00:00:00 +0000", b"  1-Jan-2020 00:00:00 +0000", b"01-Jan-2020 24:00:00 +0000"):
        with pytest.raises(ValueError, match=r"\w"):
            read_date_time(wrong)


BODIES = [
    (
        b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2 NIL NIL NIL NIL)',
        b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 10 2)',
    ),
    (
        b'(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL NIL NIL)("IMAGE" "PNG" ("NAME" "a\\") b") NIL NIL "BASE64" 9 NIL '
        b'("attachment" ("filename" {3}\r\n)( )) NIL) "MIXED" ("BOUNDARY" "x") NIL NIL)',
        b'(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)("IMAGE" "PNG" ("NAME" "a\\") b") NIL NIL "BASE64" 9) "MIXED")',
    ),
    (
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 99 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1 NIL NIL) 5 NIL NIL)',
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 99 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1) 5)',
    ),
]


@pytest.mark.parametrize(("structure", "body"), BODIES)
def test_body_is_bodystructure_without_its_extension_data(structure: bytes, body: bytes) -> None:
    assert plain_body(structure) == body
    assert plain_body(body) == body
