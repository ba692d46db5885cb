"""Rows and values that a mail store keeps for SORT, PREVIEW, SAVEDATE, POP3, METADATA and LIST-STATUS."""

import pytest

from tests.contract.backends import Backend
from tests.contract.calls import ANN, BOB, add, append, expunge, fill, folder, inbox, mail, refused, status
from whimbrel.core.errors import Condition
from whimbrel.core.mailbox import FLAGGED, MAX_ANNOTATION, MAX_ANNOTATIONS, SEEN, SIGN, FolderRef, MailboxId
from whimbrel.core.rows import MetaRow
from whimbrel.core.uids import ALL, UidSet


async def test_sort_rows_hold_what_sort_and_thread_compare(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(
        backend,
        ref,
        b"From: =?utf-8?q?J=C3=BCrgen?= <Sales@Example.ORG>, x@y.test\r\nTo: Bob@Z.test\r\nCc: pals: a@b.test;\r\n"
        b"Subject: Re: [list] Fwd: The PLAN (fwd)\r\nMessage-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\n"
        b"References: <1@x> <2@x>\r\nDate: Tue, 24 Nov 2026 17:57:14 +0500\r\n\r\n",
        internal_date=1_000_000_000,
    )
    await append(backend, ref, b"Subject: Plain\r\n\r\nx", internal_date=1_000_000_001)
    first, second = await backend.messages.sort_rows(ref, ALL)
    assert first[1] == 1_000_000_000 and first[3] == 1_795_525_034  # 12:57:14 UTC.
    assert first[4:7] == ("sales", "bob", "pals")
    assert first[7:9] == ("jürgen", "bob@z.test")
    assert first[9:14] == ("the plan", 1, "<3@x>", "<2@x>", "<1@x> <2@x>")
    assert first[14] == (await backend.messages.meta(ref, UidSet.of([1])))[0][7]
    assert second[:4] == (2, 1_000_000_001, 19, 1_000_000_001)  # RFC 5256 2.2: without a Date field.
    assert second[4:13] == ("", "", "", "", "", "plain", 0, "", "")
    assert [row[0] for row in await backend.messages.sort_rows(ref, UidSet.of([2]))] == [2]


async def test_search_rows_end_with_ids_and_save_date(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 2)
    saved = dict(await backend.messages.save_dates(ref, ALL))
    meta = {row[0]: row[6:8] for row in await backend.messages.meta(ref, ALL)}
    for row in await backend.messages.search_rows(ref, ALL):
        assert row[6:8] == meta[row[0]] and row[15] == saved[row[0]]


async def test_signs_are_the_flags_in_order_unless_there_are_keywords(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 5)
    await add(backend, ref, [2], SEEN | FLAGGED)
    await add(backend, ref, [5], SEEN)
    await expunge(backend, ref, [3])
    plain, both, seen = (chr(SIGN + bits) for bits in (0, SEEN | FLAGGED, SEEN))
    assert await backend.messages.signs(ref, 1, 9) == plain + both + plain + seen
    assert await backend.messages.signs(ref, 2, 3) == both
    assert await backend.messages.signs(ref, 7, 9) == ""
    await add(backend, ref, [4], 0, "$Word")
    assert await backend.messages.signs(ref, 1, 9) is None
    assert await backend.messages.signs(ref, 5, 9) == seen


async def test_cells_are_those_of_the_rows(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 4)
    await expunge(backend, ref, [2])
    meta = {row[0]: row for row in await backend.messages.meta(ref, ALL)}
    names = ("bodystructure", "uid", "size", "envelope")
    rows = await backend.messages.cells(ref, UidSet([(1, 3)]), names)
    assert rows == [(uid, meta[uid][9], uid, meta[uid][5], meta[uid][8]) for uid in (1, 3)]
    assert await backend.messages.cells(ref, ALL, ("envelope",)) == [(uid, meta[uid][8]) for uid in (1, 3, 4)]


async def test_large_cells_come_in_several_goes(backend: Backend) -> None:
    ref = await inbox(backend)
    subject = "x" * 200_000
    for number in range(70):
        await append(backend, ref, b"Subject: %d %b\r\n\r\nx" % (number, subject.encode()))
    found: list[int] = []
    goes = 0
    while rows := await backend.messages.cells(ref, UidSet([(found[-1] + 1 if found else 1, 70)]), ("envelope",)):
        found += [row[0] for row in rows]
        goes += 1
        assert sum(len(row[1]) for row in rows if isinstance(row[1], bytes)) < 16_000_000
    assert found == list(range(1, 71))
    assert goes in (1, 5)  # A store in memory holds them anyway.


async def test_large_structures_come_in_several_goes_and_rows_without_them_in_one(backend: Backend) -> None:
    ref = await inbox(backend)
    for number in range(70):
        await append(backend, ref, b"Subject: %d %b\r\n\r\nx" % (number, b"x" * 200_000))
    whole: list[MetaRow] = []
    goes = 0
    while rows := await backend.messages.meta(ref, UidSet([(whole[-1][0] + 1 if whole else 1, 70)])):
        whole += rows
        goes += 1
        assert goes == 1 or sum(len(row[8]) + len(row[9]) for row in rows) < 5_000_000
    assert [row[0] for row in whole] == list(range(1, 71)) and goes in (1, 5)
    assert all(row[8] and row[9] for row in whole)
    plain = await backend.messages.meta(ref, ALL, structure=False)
    assert plain == [(*row[:8], b"", b"") for row in whole]


@pytest.mark.parametrize(
    ("holding", "found"),
    [
        ((("from", "sue"),), [1, 2, 3]),
        ((("from", "sue"), ("subject", "number 2")), [2]),
        ((("to", "j\u00fcrgen"),), [3]),
        ((("cc", "%"),), [3]),
        ((("bcc", "_"),), []),
        ((("subject", "number"), ("to", "\0")), []),
        ((("subject", "\ud800"),), []),
        ((("subject", "Number"),), []),  # What is compared is folded already.
    ],
)
async def test_search_rows_can_be_those_alone_that_hold_a_text(
    backend: Backend, holding: tuple[tuple[str, str], ...], found: list[int]
) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 2)
    await append(backend, ref, mail(3, header="To: =?utf-8?q?J=C3=BCrgen?= <j@x.test>\r\nCc: a%b@x.test\r\n"))
    rows = await backend.messages.search_rows(ref, ALL, holding)
    assert [row[0] for row in rows] == found
    assert rows == [row for row in await backend.messages.search_rows(ref, ALL) if row[0] in found]


async def test_many_contents_are_those_of_each(backend: Backend) -> None:
    ref = await inbox(backend)
    sizes = [1, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 100_000, 3 << 20]
    for number, size in enumerate(sizes):
        await append(backend, ref, bytes([65 + number]) * size)
    await expunge(backend, ref, [2])
    uids = [6, 5, 4, 3, 2, 1, 9]
    found = await backend.messages.contents(ref, uids)
    assert [content and len(content) for content in found] == [sizes[uid - 1] for uid in uids[:-1]] + [None]
    assert [content and content[:1] for content in found] == [b"F", b"E", b"D", b"C", b"B", b"A", None]


async def test_a_preview_is_text_of_the_body(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref, mail(1, body=b"First words.\r\n"))
    await append(backend, ref, mail(2, body=b""))
    assert await backend.messages.previews(ref, ALL) == [(1, "First words."), (2, "")]
    assert await backend.messages.previews(ref, UidSet.of([2, 9])) == [(2, "")]


async def test_the_save_date_of_a_copy_is_its_own(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await append(backend, ref, internal_date=5)
    await backend.messages.copy(ref, ALL, work)
    ((_, saved),) = await backend.messages.save_dates(work, ALL)
    assert saved > 1_000_000_000  # RFC 8514: when it was saved here, not its internal date.
    assert (await backend.messages.meta(work, ALL))[0][4] == 5


@pytest.mark.parametrize(
    ("content", "octets"),
    [
        (b"a\r\nb\r\n", 6),
        (b"a\nb\n", 6),
        (b"a\r\nb\nc\r\n", 9),
        (b"a", 3),
        (b"a\r", 4),
        (b"\n\n\n", 6),
        (b"a\rb\r\n", 5),
    ],
)
async def test_octets_are_counted_as_pop3_sends_them(backend: Backend, content: bytes, octets: int) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await append(backend, ref, content)
    await backend.messages.copy(ref, ALL, work)
    assert await backend.messages.octets(ref) == await backend.messages.octets(work) == [(1, octets)]


async def test_statuses_are_those_of_all_selectable_folders(backend: Backend) -> None:
    refs = [await inbox(backend), await folder(backend, "a"), await folder(backend, "a/b"), await folder(backend, "c")]
    await fill(backend, refs[0], 3)
    await fill(backend, refs[2], 2)
    await backend.folders.delete(ANN, "a")
    found = await backend.folders.statuses(ANN)
    assert set(found) == {refs[0].mailbox, refs[2].mailbox, refs[3].mailbox}
    for mailbox, told in found.items():
        assert told == await status(backend, FolderRef(ANN, mailbox))
    assert list(await backend.folders.statuses(BOB)) == [(await inbox(backend, BOB)).mailbox]


async def test_expunge_takes_unmarked_messages_when_told_so(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    assert not (await backend.messages.expunge(ref, ALL)).uids
    assert list((await backend.messages.expunge(ref, UidSet.of([2, 7]), marked=False)).uids) == [2]


VALUES = {"/private/comment": b"plain text", "/shared/x": b"\0\xff\r\n ", "/private/e": b"", "/private/u": "ü".encode()}


async def test_annotations_are_kept_as_they_are_for_folders_and_the_account(backend: Backend) -> None:
    ref = await folder(backend, "Work")
    for mailbox in (ref.mailbox, None):
        assert await backend.folders.annotations(ANN, mailbox) == {}
        await backend.folders.annotate(ANN, mailbox, dict(VALUES))
        assert await backend.folders.annotations(ANN, mailbox) == VALUES
        await backend.folders.annotate(ANN, mailbox, {"/shared/x": None, "/private/comment": b"new", "/none": None})
        found = await backend.folders.annotations(ANN, mailbox)
        assert found == {"/private/comment": b"new", "/private/e": b"", "/private/u": "ü".encode()}
    await backend.folders.rename(ANN, "Work", "Play")
    await backend.folders.subscribe(ANN, "Play", subscribed=True)
    for mailbox in (ref.mailbox, None):
        assert (await backend.folders.annotations(ANN, mailbox))["/private/comment"] == b"new"
    assert await backend.folders.annotations(BOB, None) == {}
    await refused(backend.folders.annotations(ANN, MailboxId("F" + "0" * 32)), Condition.NONEXISTENT)


async def test_annotations_are_bounded_and_a_refusal_changes_nothing(backend: Backend) -> None:
    ref = await inbox(backend)
    await backend.folders.annotate(ANN, ref.mailbox, {f"/private/{n}": b"x" for n in range(MAX_ANNOTATIONS)})
    more = {"/private/more": b"x", "/private/0": b"y"}
    await refused(backend.folders.annotate(ANN, ref.mailbox, more), Condition.LIMIT)
    large = {"/private/0": b"x" * (MAX_ANNOTATION + 1)}
    await refused(backend.folders.annotate(ANN, ref.mailbox, large), Condition.OVERQUOTA)
    for name in ("", "/private/\0", "/" + "x" * 300):
        await refused(backend.folders.annotate(ANN, ref.mailbox, {name: b"x"}), Condition.CANNOT)
    found = await backend.folders.annotations(ANN, ref.mailbox)
    assert len(found) == MAX_ANNOTATIONS and set(found.values()) == {b"x"}
    await backend.folders.annotate(ANN, ref.mailbox, {"/private/0": None, "/private/more": b"x" * MAX_ANNOTATION})
    assert len(await backend.folders.annotations(ANN, ref.mailbox)) == MAX_ANNOTATIONS


async def test_annotations_survive_a_restart(durable: Backend) -> None:
    ref = await folder(durable, "Work")
    await durable.folders.annotate(ANN, ref.mailbox, dict(VALUES))
    await durable.folders.annotate(ANN, None, dict(VALUES))
    assert durable.reopen is not None
    again = await durable.reopen()
    assert await again.folders.annotations(ANN, ref.mailbox) == await again.folders.annotations(ANN, None) == VALUES
