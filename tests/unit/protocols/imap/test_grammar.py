"""Each command in the forms clients send, and in forms that are none."""

import pytest

from tests.unit.protocols.imap.engines import refused, understood
from whimbrel.core.mailbox import FlagChange, FlagOp
from whimbrel.protocols.imap import basic, fetch, folders, listing, search, select, store
from whimbrel.protocols.imap.engine import Status
from whimbrel.protocols.imap.fetch import BodySection
from whimbrel.protocols.imap.grammar import Arguments, State
from whimbrel.protocols.imap.search import Clock
from whimbrel.protocols.imap.sequence import SequenceSet

ONE = SequenceSet(((1, 1),))

UNDERSTOOD: list[tuple[bytes, Arguments]] = [
    (b"capability", basic.Capability()),
    (b"NOOP ", basic.Noop()),
    (b"ID NIL", basic.Id(())),
    (b'ID ("name" "x" "os" NIL)', basic.Id(((b"name", b"x"),))),
    (b"ENABLE condstore X-Y", basic.Enable((b"CONDSTORE", b"X-Y"))),
    (b"CREATE &AOQ-/x", folders.Create("\u00e4/x")),
    (b"CREATE x (USE (\\Drafts \\sent))", folders.Create("x", ("Drafts", "sent"))),
    (b'DELETE "a b"', folders.Delete("a b")),
    (b"RENAME a {3+}\r\nb c", folders.Rename("a", "b c")),
    (b"SUBSCRIBE a]", folders.Subscribe("a]", subscribed=True)),
    (b"UNSUBSCRIBE a", folders.Subscribe("a", subscribed=False)),
    (b'LIST "" ""', listing.List("", ("",))),
    (b'LIST "" %', listing.List("", ("%",))),
    (b'LIST a/ "*"', listing.List("a/", ("*",))),
    (b'LSUB "" *', listing.Lsub("", "*")),
    (b"STATUS x (messages UNSEEN MESSAGES)", folders.Status("x", (b"MESSAGES", b"UNSEEN"))),
    (b"SELECT inbox", select.Select("inbox", read_only=False)),
    (b'EXAMINE "x"', select.Select("x", read_only=True)),
    (b"CLOSE", select.Close(expunge=True)),
    (b"UNSELECT", select.Close(expunge=False)),
    (b"FETCH 1 FLAGS", fetch.Fetch(ONE, (fetch.FLAGS,), uid=False)),
    (b"UID FETCH 1 (UID FLAGS UID)", fetch.Fetch(ONE, (fetch.UID, fetch.FLAGS), uid=True)),
    (b"FETCH 1 fast", fetch.Fetch(ONE, (fetch.FLAGS, fetch.INTERNALDATE, fetch.SIZE), uid=False)),
    (b"FETCH 1 BODY", fetch.Fetch(ONE, (fetch.BODY,), uid=False)),
    (b"FETCH 1 BODY[]", fetch.Fetch(ONE, (BodySection(label=b"BODY[]"),), uid=False)),
    (
        b"FETCH 1 BODY.PEEK[1.2.mime]<5.10>",
        fetch.Fetch(
            ONE, (BodySection("1.2", "MIME", peek=True, partial=(5, 10), label=b"BODY[1.2.MIME]<5>"),), uid=False
        ),
    ),
    (
        b'FETCH 1 (BODY[header.fields.not ("To" {2+}\r\ncc)])',
        fetch.Fetch(
            ONE,
            (BodySection("", "HEADER.FIELDS.NOT", (b"To", b"cc"), label=b"BODY[HEADER.FIELDS.NOT (To cc)]"),),
            uid=False,
        ),
    ),
    (b"STORE 1 +FLAGS (\\seen a)", store.Store(ONE, FlagChange(FlagOp.ADD, 1, frozenset("a")), False, False)),
    (b"UID STORE 1 flags.silent \\Deleted", store.Store(ONE, FlagChange(FlagOp.REPLACE, 8), True, True)),
    (b"STORE 1 -FLAGS ()", store.Store(ONE, FlagChange(FlagOp.REMOVE), False, False)),
    (b"EXPUNGE", store.Expunge()),
    (b"UID EXPUNGE 1", store.Expunge(ONE)),
    (b"COPY 1 x", store.Copy(ONE, "x", uid=False, move=False)),
    (b"UID MOVE 1 x", store.Copy(ONE, "x", uid=True, move=True)),
    (b"SEARCH ALL", search.Search(search.All(), uid=False)),
    (b"UID SEARCH 2:* UNSEEN", search.Search(
        search.And((search.Numbers(SequenceSet(((2, 0),)), uid=False), search.Flagged(1, wanted=False))), uid=True)),
    (b"SEARCH CHARSET utf-8 TEXT {2+}\r\n\xc3\x84", search.Search(search.Content("\u00e4", header=True), uid=False)),
    (b"SEARCH OR (FROM a NOT SEEN) LARGER 7", search.Search(
        search.Or(
            search.And((search.Field("from", "a"), search.Not(search.Flagged(1, wanted=True)))),
            search.Sized(7, larger=True),
        ), uid=False)),
    (b"SEARCH SENTSINCE 1-Feb-1994 ON \"2-Jan-1970\"", search.Search(
        search.And((
            search.Dated(search.Order.SINCE, 8797, Clock.SENT), search.Dated(search.Order.ON, 1, Clock.INTERNAL),
        )),
        uid=False)),
    (b'SEARCH HEADER X-Y "" UNKEYWORD $a', search.Search(
        search.And((search.Field("x-y", ""), search.Keyword("$a", wanted=False))), uid=False)),
]  # fmt: skip


@pytest.mark.parametrize(("line", "arguments"), UNDERSTOOD, ids=lambda value: repr(value)[:50])
def test_understood(line: bytes, arguments: Arguments) -> None:
    assert understood(b"a " + line) == arguments


@pytest.mark.parametrize(
    "line",
    [
        b"a", b"a NOOP x", b"a UID", b"a UID NOOP", b"a SELECT", b'a SELECT "x', b"a SELECT {x}",
        b"a STATUS x ()", b"a STATUS x (FOO)", b"a LIST x", b"a FETCH 0 FLAGS", b"a FETCH 1,, FLAGS",
        b"a FETCH 4294967296 FLAGS", b"a FETCH 1:2:3 FLAGS", b"a FETCH 1 ()", b"a FETCH 1 FOO", b"a FETCH 1 BODY[FOO]",
        b"a FETCH 1 BODY[MIME]", b"a FETCH 1 BODY[0]", b"a FETCH 1 BODY[1", b"a FETCH 1 BODY[]<1>",
        b"a FETCH 1 BODY[]<1.0>", b"a FETCH 1 BODY[HEADER.FIELDS ()]", b"a FETCH 1 BODY.PEEK", b"a FETCH 1 (FLAGS",
        b"a FETCH 1 BODY[" + b"1." * 100 + b"1]", b"a STORE 1 FLAGS", b"a STORE 1 FLAGS (\\",
        b"a STORE 1 XFLAGS (a)", b"a STORE 1 FLAGS (a", b"a SEARCH", b"a SEARCH (ALL",
        b"a SEARCH NOT", b"a SEARCH OR ALL", b"a SEARCH FOO", b"a SEARCH ON 31-Feb-2020", b"a SEARCH ON 1-Foo-2020",
        b"a SEARCH " + b"NOT " * 200 + b"ALL", b"a SEARCH " + b"(" * 200 + b"ALL" + b")" * 200,
        b"a SEARCH TEXT {1+}\r\n\xff", b"a SEARCH ALL" + b" ALL" * 5000, b"a ENABLE", b"a SELECT {1+}\r\n\0",
        b"a STORE 1 FLAGS (" + b"a " * 300 + b"a)", b"a ID (" + b'"a" "b" ' * 40 + b'"a" "b")',
    ],
)  # fmt: skip
def test_bad(line: bytes) -> None:
    assert refused(line).status is Status.BAD


def test_bad_before_sign_in() -> None:
    for line in (b"a LOGIN x", b"a LOGIN {1+}\r\n\xff x", b"a AUTHENTICATE", b"a AUTHENTICATE PLAIN !"):
        assert refused(line, State.NOT_AUTHENTICATED).status is Status.BAD


def test_a_charset_we_do_not_have_is_named_in_the_refusal() -> None:
    answer = refused(b"a SEARCH CHARSET KOI8-R TEXT {3+}\r\nabc")
    assert (answer.status, answer.code) == (Status.NO, b"BADCHARSET (US-ASCII UTF-8)")


@pytest.mark.parametrize("name", [b"&", b"&AOQ", b"&Jjo!", b"&Jjo-&Jjo-", b"&AGE-", b'"\xc3\xa4"', b"&AAo-", b"&2AA-"])
def test_a_mailbox_name_that_is_not_modified_utf7_cannot_be(name: bytes) -> None:
    answer = refused(b"a SELECT " + name)
    assert (answer.status, answer.code) == (Status.NO, b"CANNOT")


def test_a_bad_command_is_not_repeated_to_whoever_reads_the_answer() -> None:
    assert "hunter2" not in refused(b"a LOGIN x hunter2 y", State.NOT_AUTHENTICATED).text


def test_only_uid_commands_let_numbers_move() -> None:
    assert understood(b"a FETCH 1 FLAGS").holds_numbers
    assert understood(b"a STORE 1 FLAGS x").holds_numbers
    assert understood(b"a SEARCH ALL").holds_numbers
    for line in (b"UID FETCH 1 FLAGS", b"UID STORE 1 FLAGS x", b"UID SEARCH ALL", b"NOOP", b"COPY 1 x", b"EXPUNGE"):
        assert not understood(b"a " + line).holds_numbers
