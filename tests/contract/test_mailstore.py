"""What every mail store must do with messages: append, read, flag, expunge."""

import asyncio
import itertools
import re
import time

import pytest

from tests.contract.backends import Backend
from tests.contract.calls import (
    ANN,
    BOB,
    add,
    append,
    assert_counts_are_true,
    expunge,
    fill,
    flags,
    folder,
    inbox,
    item,
    mail,
    refused,
    status,
    texts,
)
from whimbrel.core import rows
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    MAX_KEYWORDS,
    SEEN,
    SYSTEM_FLAGS,
    AccountId,
    FlagChange,
    FlagOp,
    FolderRef,
    MailboxId,
)
from whimbrel.core.uids import ALL, UidSet
from whimbrel.mail.structure.lines import for_clients

NONEXISTENT, LIMIT = Condition.NONEXISTENT, Condition.LIMIT
BIG = b"".join(b"%07d " % n for n in range(655_360))  # 5 MiB in one line.

CONTENTS = {
    "crlf": mail(),
    "bare lf": b"Subject: x\n\nunix\nlines\n",
    "bare cr": b"Subject: x\r\rmac\r",
    "mixed line ends": b"A: 1\r\nB: 2\n\r\n\n\rx\r\n",
    "nul": b"Subject: \0\r\n\r\n\0\0a\0",
    "8-bit": b"Subject: caf\xc3\xa9 \xff\xfe\r\n\r\n" + bytes(range(256)),
    "no line end": b"Subject: x\r\n\r\nend",
    "header only": b"Subject: x\r\n",
    "no header": b"\r\nbody\r\n",
    "one byte": b"x",
    "mbox": b"From sue Mon Jan  1 00:00:00 2024\r\nSubject: x\r\n\r\n>From me\r\n",
    "dots": b"Subject: x\r\n\r\n.\r\n..\r\n.x\r\n",
    "empty lines": b"\r\n\r\n\r\n",
    "bom": b"\xef\xbb\xbfSubject: x\r\n\r\n",
    "long line": b"Subject: " + b"y" * 100_000 + b"\r\n\r\n" + b"z" * 300_000,
    "many parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 2000 + b"--b--\r\n",
    "big": BIG,
}


# Appending


async def test_appended_messages_get_ascending_uids_in_the_order_given(backend: Backend) -> None:
    ref = await inbox(backend)
    assert await fill(backend, ref, 5) == [1, 2, 3, 4, 5]
    assert await texts(backend, ref) == [mail(n) for n in range(1, 6)]
    assert (await status(backend, ref)).uid_next == 6


async def test_one_commit_fills_several_folders_of_several_accounts(backend: Backend) -> None:
    refs = [await inbox(backend), await folder(backend, "Work"), await inbox(backend, BOB)]
    order = [0, 1, 0, 2, 1, 0]
    done = await backend.commit.commit([item(backend, refs[at], mail(n)) for n, at in enumerate(order)])
    assert [one.uid for one in done if isinstance(one, Appended)] == [1, 1, 2, 1, 2, 3]
    for at, ref in enumerate(refs):
        assert await texts(backend, ref) == [mail(n) for n, where in enumerate(order) if where == at]
        validity = (await status(backend, ref)).uid_validity
        assert {one.uid_validity for one, where in zip(done, order, strict=True) if where == at} == {validity}  # type: ignore[union-attr]


async def test_one_that_fails_leaves_the_others_stored(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    gone = await folder(backend, "Gone")
    await backend.folders.delete(ANN, "Gone")
    never = FolderRef(ANN, MailboxId("F" + "0" * 32))
    words = frozenset(f"k{n}" for n in range(MAX_KEYWORDS + 1))
    done = await backend.commit.commit(
        [
            item(backend, ref, mail(1)),
            item(backend, gone, mail(2)),
            item(backend, ref, mail(3)),
            item(backend, never, mail(4)),
            item(backend, work, mail(5)),
            item(backend, work, mail(6), keywords=words),
            item(backend, work, mail(7)),
            item(backend, ref, mail(8)),
        ]
    )
    problems = [one.condition if isinstance(one, MailboxError) else None for one in done]
    assert problems == [None, NONEXISTENT, None, NONEXISTENT, None, LIMIT, None, None]
    assert await texts(backend, ref) == [mail(1), mail(3), mail(8)]
    assert await texts(backend, work) == [mail(5), mail(7)]
    mine, works = list(await flags(backend, ref)), list(await flags(backend, work))
    assert [one.uid for one in done if isinstance(one, Appended)] == [*mine[:2], *works, mine[2]]


async def test_an_empty_commit_is_nothing(backend: Backend) -> None:
    assert list(await backend.commit.commit([])) == []


@pytest.mark.parametrize("name", CONTENTS)
async def test_every_message_comes_out_as_it_went_in_but_for_bare_line_feeds(backend: Backend, name: str) -> None:
    ref, content = await inbox(backend), CONTENTS[name]
    uid = await append(backend, ref, content)
    content = for_clients(content)
    assert await backend.messages.content(ref, uid) == content
    assert await backend.messages.contents(ref, [uid]) == [content]
    (meta,) = await backend.messages.meta(ref, ALL)
    assert meta[5] == len(content)
    assert meta[8].startswith(b"(") and meta[9].startswith(b"(")
    assert (await status(backend, ref)).size <= len(content)
    (parts,) = await backend.messages.parts(ref, ALL)
    assert parts[:2] == (uid, len(content))
    assert (await backend.messages.search_rows(ref, ALL))[0][5] == len(content)


async def test_recipients_with_one_content_and_other_prefixes_each_get_theirs(backend: Backend) -> None:
    content = backend.spool.hold(mail())
    refs = [await inbox(backend, ANN), await inbox(backend, BOB), await folder(backend, "Copy")]
    prefixes = [b"Delivered-To: ann\r\n", b"Delivered-To: bob\r\n", b"Delivered-To: ann\r\n"]
    work = [Append(ref, Rendition(prefix, content)) for ref, prefix in zip(refs, prefixes, strict=True)]
    assert all(isinstance(one, Appended) for one in await backend.commit.commit(work))
    content.close()
    content.close()
    for ref, prefix in zip(refs, prefixes, strict=True):
        assert await texts(backend, ref) == [prefix + mail()]
        assert (await status(backend, ref)).size == len(prefix + mail())
    ids = [(await backend.messages.meta(ref, ALL))[0][6] for ref in refs]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize("prefix", [b"", b"Return-Path: <>\r\n"])
async def test_content_spooled_in_pieces_is_stored_whole(backend: Backend, prefix: bytes) -> None:
    writer = backend.spool.start()
    for start in range(0, len(BIG), 100_003):
        await writer.write(BIG[start : start + 100_003])
    content = await writer.finish()
    assert content.size == len(BIG)
    assert len(content.head) >= 65536 and BIG.startswith(content.head)
    assert await content.read(1_000_000, 10) == BIG[1_000_000:1_000_010]
    assert await content.read(len(BIG) - 3) == BIG[-3:]
    assert await content.read(len(BIG)) == b""
    refs = [await inbox(backend), await inbox(backend, BOB)]
    done = await backend.commit.commit([Append(ref, Rendition(prefix, content)) for ref in refs])
    assert all(isinstance(one, Appended) for one in done)
    content.close()
    for ref in refs:
        assert await texts(backend, ref) == [prefix + BIG]


async def test_discarded_content_is_nowhere(backend: Backend) -> None:
    writer = backend.spool.start()
    await writer.write(BIG)
    writer.discard()
    nothing = await backend.spool.start().finish()
    assert (nothing.size, nothing.head, await nothing.read()) == (0, b"", b"")
    nothing.close()


async def test_flags_keywords_and_date_are_those_given(backend: Backend) -> None:
    ref = await inbox(backend)
    words = frozenset({"$Forwarded", "zeta", "Alpha"})
    uid = await append(backend, ref, flags=SEEN | DRAFT, keywords=words, internal_date=1_234_567_890)
    (row,) = await backend.messages.meta(ref, ALL)
    assert row[:3] == (uid, SEEN | DRAFT, "$Forwarded Alpha zeta")
    assert row[4] == 1_234_567_890
    assert (await backend.messages.flags(ref, ALL))[0][:3] == row[:3]
    assert (await backend.messages.search_rows(ref, ALL))[0][:5] == row[:5]


@pytest.mark.parametrize("date", [0, 1, 2**31 - 1, 2**31, 4_102_444_800])
async def test_internal_date_has_no_bounds_in_our_time(backend: Backend, date: int) -> None:
    ref = await inbox(backend)
    await append(backend, ref, internal_date=date)
    assert (await backend.messages.meta(ref, ALL))[0][4] == date


async def test_internal_date_is_now_unless_given(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref)
    assert abs((await backend.messages.meta(ref, ALL))[0][4] - time.time()) < 100


async def test_flags_we_do_not_know_are_dropped(backend: Backend) -> None:
    ref = await inbox(backend)
    uid = await append(backend, ref, flags=SEEN | 32 | 1 << 20)
    await add(backend, ref, [uid], FLAGGED | 64)
    assert await flags(backend, ref) == {uid: (SEEN | FLAGGED, "")}


async def test_one_delivery_is_made_once(backend: Backend) -> None:
    ref, other = await inbox(backend), await folder(backend, "Other")

    async def deliver(to: FolderRef, queue_id: str, recipient: str) -> int:
        return await append(backend, to, queue_id=queue_id, recipient=recipient)

    first = await deliver(ref, "q1", "ann@example.test")
    assert first > 0
    assert await deliver(ref, "q1", "ann@example.test") == 0
    assert await deliver(ref, "q1", "sales@example.test") > first
    assert await deliver(ref, "q2", "ann@example.test") > first
    assert await deliver(other, "q1", "ann@example.test") > 0
    assert (await status(backend, ref)).messages == 3
    await expunge(backend, ref, [first])
    assert await deliver(ref, "q1", "ann@example.test") == 0
    modseq = (await status(backend, ref)).highest_modseq
    assert await deliver(ref, "q2", "ann@example.test") == 0
    assert (await status(backend, ref)).highest_modseq == modseq


async def test_one_delivery_twice_in_one_commit_is_made_once(backend: Backend) -> None:
    ref = await inbox(backend)
    twice = item(backend, ref, mail(), queue_id="q", recipient="ann@example.test")
    done = await backend.commit.commit([twice, twice])
    assert [one.uid for one in done if isinstance(one, Appended)] == [1, 0]
    validity = (await status(backend, ref)).uid_validity
    assert [one.uid_validity for one in done if isinstance(one, Appended)] == [validity, validity]


async def test_appends_without_a_queue_id_are_never_taken_for_the_same(backend: Backend) -> None:
    ref = await inbox(backend)
    assert [await append(backend, ref, recipient="ann@example.test") for _ in range(3)] == [1, 2, 3]


async def test_appends_at_the_same_moment_share_no_uid_and_no_modseq_is_lost(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    since = (await status(backend, ref)).highest_modseq
    await asyncio.gather(*(fill(backend, (ref, work)[n % 2], 5, first=n * 5) for n in range(40)))
    for each in (ref, work):
        assert sorted(await flags(backend, each)) == list(range(1, 101))
        numbers = [int(re.search(rb"<(\d+)@", text or b"")[1]) for text in await texts(backend, each)]  # type: ignore[index]
        assert len(set(numbers)) == 100
        assert all(b == a + 1 for a, b in itertools.pairwise(numbers) if b % 5)  # Each commit in order.
    delta = await backend.messages.changes(ref, since)
    assert delta.complete and len(delta.rows) == 100


async def test_ids_are_equal_for_equal_content_and_stay(backend: Backend) -> None:
    ref, other = await inbox(backend), await inbox(backend, BOB)
    for to, number in ((ref, 1), (ref, 2), (ref, 1), (other, 1)):
        await append(backend, to, mail(number))
    ids = [row[6] for to in (ref, other) for row in await backend.messages.meta(to, ALL)]
    assert ids[0] == ids[2] == ids[3] != ids[1]
    await add(backend, ref, [1, 2, 3], SEEN)
    assert [row[6] for row in await backend.messages.meta(ref, ALL)] == ids[:3]
    for value in ids:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", value)  # RFC 8474 4


async def test_a_reply_is_in_the_thread_of_what_it_answers(backend: Backend) -> None:
    ref = await inbox(backend)
    for number, header in (
        ("root", ""),
        ("a", "In-Reply-To: <root@example.test>\r\nReferences: <root@example.test>\r\n"),
        ("b", "In-Reply-To: <a@example.test>\r\nReferences: <root@example.test>\r\n <a@example.test>\r\n"),
        ("c", "In-Reply-To: <root@example.test>\r\n"),
        ("other", ""),
    ):
        await append(backend, ref, mail(number, header=header))
    threads = [row[7] for row in await backend.messages.meta(ref, ALL)]
    assert len(set(threads[:4])) == 1 and threads[4] != threads[0]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,255}", value) for value in threads)


async def test_messages_without_a_message_id_are_not_one_thread(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref, b"Subject: a\r\n\r\n")
    await append(backend, ref, b"Subject: b\r\n\r\n")
    assert len({row[7] for row in await backend.messages.meta(ref, ALL)}) == 2


async def test_search_rows_hold_the_decoded_folded_header(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(
        backend,
        ref,
        b"From: =?utf-8?q?S=C3=9CE?= <Sue@Example.ORG>\r\nTo: a@b.test\r\nCc: c@d.test\r\nSubject: HELLO\r\n World\r\n"
        b"Message-ID: <x@y>\r\nDate: Tue, 24 Nov 2026 17:57:14 +0500\r\n\r\n",
    )
    (row,) = await backend.messages.search_rows(ref, ALL)
    assert row[rows.SENT] == 1_795_543_034  # 17:57:14 there, whatever the zone.
    assert "süe" in row[rows.FROM] and "sue@example.org" in row[rows.FROM]
    assert "a@b.test" in row[rows.TO] and "c@d.test" in row[rows.CC] and row[rows.BCC] == ""
    assert row[rows.SUBJECT] == "hello world"
    assert row[rows.MESSAGE_ID].strip("<>") == "x@y"


# Reading


async def test_content_is_read_by_range(backend: Backend) -> None:
    ref = await inbox(backend)
    uid = await append(backend, ref, BIG, prefix=b"X-Prefix: 1\r\n")
    whole = b"X-Prefix: 1\r\n" + BIG
    for start, length in ((0, 1), (5, 20), (0, 65536), (65530, 100_000), (len(whole) - 5, 100), (len(whole) - 5, None)):
        end = None if length is None else start + length
        assert await backend.messages.content(ref, uid, start, length) == whole[start:end], (start, length)
    assert await backend.messages.content(ref, uid, len(whole)) == b""
    assert await backend.messages.content(ref, uid, len(whole) + 1000, 10) == b""
    assert await backend.messages.content(ref, uid, 10, 0) == b""


async def test_contents_are_in_the_order_asked_and_none_where_there_is_none(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    got = await backend.messages.contents(ref, [3, 99, 1, 3, 0, 2])
    assert got == [mail(3), None, mail(1), mail(3), None, mail(2)]
    assert await backend.messages.contents(ref, []) == []
    assert await backend.messages.content(ref, 99) is None
    assert await backend.messages.content(ref, 99, 5, 5) is None


async def test_reading_changes_nothing(backend: Backend) -> None:
    ref = await inbox(backend)
    uid = await append(backend, ref)
    before = await status(backend, ref)
    await texts(backend, ref)
    await backend.messages.meta(ref, ALL)
    assert await status(backend, ref) == before
    assert (await flags(backend, ref))[uid] == (0, "")


async def test_any_set_of_uids_gives_its_messages_in_ascending_order(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 250)
    await expunge(backend, ref, range(100, 120))
    present = [uid for uid in range(1, 251) if not 100 <= uid < 120]
    for uids in (
        ALL,
        UidSet(),
        UidSet([(240, 2**32 - 1)]),
        UidSet([(105, 110)]),
        UidSet([(5, 5), (90, 130)]),
        UidSet.of(range(1, 251, 2)),  # 125 ranges
        UidSet([(1000, 2000)]),
    ):
        want = uids.within(present)
        for read in (
            backend.messages.flags,
            backend.messages.meta,
            backend.messages.search_rows,
            backend.messages.parts,
        ):
            assert [row[0] for row in await read(ref, uids)] == want, (read, uids)


# Flags


async def test_flags_are_added_removed_and_replaced(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref, flags=SEEN, keywords=frozenset({"old"}))

    async def change(op: FlagOp, bits: int, *words: str) -> tuple[int, str]:
        stored = await backend.messages.set_flags(ref, ALL, FlagChange(op, bits, frozenset(words)))
        (row,) = stored.rows
        assert row == (await backend.messages.flags(ref, ALL))[0]
        assert stored.highest_modseq == (await status(backend, ref)).highest_modseq
        assert list(stored.modified) == []
        return row[1], row[2]

    assert await change(FlagOp.ADD, FLAGGED, "new") == (SEEN | FLAGGED, "new old")
    assert await change(FlagOp.REMOVE, SEEN | DRAFT, "old", "never") == (FLAGGED, "new")
    assert await change(FlagOp.REPLACE, ANSWERED, "b", "a") == (ANSWERED, "a b")
    assert await change(FlagOp.ADD, 0) == (ANSWERED, "a b")
    assert await change(FlagOp.ADD, SYSTEM_FLAGS) == (SYSTEM_FLAGS, "a b")
    assert await change(FlagOp.REPLACE, 0) == (0, "")


async def test_set_flags_tells_all_rows_and_which_of_them_changed(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 5)
    await add(backend, ref, [2, 4], SEEN)
    before = {row[0]: row[3] for row in await backend.messages.flags(ref, ALL)}
    top = (await status(backend, ref)).highest_modseq
    stored = await backend.messages.set_flags(ref, UidSet([(2, 5), (9, 99)]), FlagChange(FlagOp.ADD, SEEN))
    assert [row[0] for row in stored.rows] == [2, 3, 4, 5]
    assert list(stored.changed) == [3, 5]
    after = {row[0]: row[3] for row in await backend.messages.flags(ref, ALL)}
    assert {uid for uid in after if after[uid] != before[uid]} == {3, 5}
    assert after[3] > top and after[5] > top
    assert stored.highest_modseq == max(after.values()) == (await status(backend, ref)).highest_modseq
    again = await backend.messages.set_flags(ref, ALL, FlagChange(FlagOp.ADD, SEEN))
    assert [row[0] for row in again.rows] == [1, 2, 3, 4, 5] and list(again.changed) == [1]


async def test_setting_what_is_set_changes_no_modseq(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref, flags=SEEN, keywords=frozenset({"b", "a"}))
    before = await status(backend, ref)
    for change in (
        FlagChange(FlagOp.ADD, SEEN, frozenset({"a"})),
        FlagChange(FlagOp.REMOVE, DELETED, frozenset({"c"})),
        FlagChange(FlagOp.REPLACE, SEEN, frozenset({"a", "b"})),
        FlagChange(FlagOp.ADD),
    ):
        stored = await backend.messages.set_flags(ref, ALL, change)
        assert not stored.changed and len(stored.rows) == 1
    assert await status(backend, ref) == before


async def test_unchanged_since_refuses_what_changed_later(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    then = (await status(backend, ref)).highest_modseq
    await add(backend, ref, [2], FLAGGED)
    stored = await backend.messages.set_flags(ref, UidSet([(1, 9)]), FlagChange(FlagOp.ADD, SEEN), then)
    assert list(stored.modified) == [2] and list(stored.changed) == [1, 3]
    assert [row[0] for row in stored.rows] == [1, 3]
    assert await flags(backend, ref) == {1: (SEEN, ""), 2: (FLAGGED, ""), 3: (SEEN, "")}
    now = (await status(backend, ref)).highest_modseq
    stored = await backend.messages.set_flags(ref, ALL, FlagChange(FlagOp.ADD, ANSWERED), now)
    assert list(stored.changed) == [1, 2, 3]
    stored = await backend.messages.set_flags(ref, ALL, FlagChange(FlagOp.ADD, DRAFT), 0)
    assert list(stored.modified) == [1, 2, 3] and stored.rows == []


async def test_flags_set_at_the_same_moment_are_all_kept(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 20)
    await asyncio.gather(
        *(
            add(backend, ref, range(n, 21), bits, word)
            for n in range(1, 11)
            for bits, word in ((SEEN, "x"), (FLAGGED, f"w{n}"))
        )
    )
    assert {bits for bits, _ in (await flags(backend, ref)).values()} == {SEEN | FLAGGED}
    assert set((await flags(backend, ref))[20][1].split()) == {"x", *(f"w{n}" for n in range(1, 11))}


async def test_keywords_keep_their_case_and_go_with_their_last_message(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 2)
    await add(backend, ref, [1, 2], 0, "$MDNSent", "lower")
    await add(backend, ref, [2], 0, "Zed")
    assert set((await backend.messages.snapshot(ref)).keywords) == {"$MDNSent", "lower", "Zed"}
    await expunge(backend, ref, [2])
    assert set((await backend.messages.snapshot(ref)).keywords) == {"$MDNSent", "lower"}


async def test_a_folder_has_so_many_keywords_and_no_more(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 2)
    await add(backend, ref, [1], 0, *(f"k{n}" for n in range(MAX_KEYWORDS)))
    before = await status(backend, ref)
    more = FlagChange(FlagOp.ADD, SEEN, frozenset({"one-more"}))
    await refused(backend.messages.set_flags(ref, UidSet.of([2]), more), LIMIT)
    await refused(append_with(backend, ref, "another"), LIMIT)
    assert await status(backend, ref) == before
    assert (await flags(backend, ref))[2] == (0, "")
    await add(backend, ref, [2], 0, "k7")
    await backend.messages.set_flags(ref, UidSet.of([1]), FlagChange(FlagOp.REPLACE, 0))
    await add(backend, ref, [2], 0, "one-more")
    assert (await flags(backend, ref))[2] == (0, "k7 one-more")


async def append_with(backend: Backend, ref: FolderRef, word: str) -> None:
    (done,) = await backend.commit.commit([item(backend, ref, mail(), keywords=frozenset({word}))])
    assert isinstance(done, Exception)
    raise done


# Expunging


async def test_only_deleted_messages_of_those_named_are_expunged(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 6)
    await add(backend, ref, [2, 3, 5], DELETED)
    top = (await status(backend, ref)).highest_modseq
    gone = await backend.messages.expunge(ref, UidSet([(1, 4), (50, 60)]))
    assert list(gone.uids) == [2, 3]
    assert gone.highest_modseq == (await status(backend, ref)).highest_modseq > top
    assert list(await flags(backend, ref)) == [1, 4, 5, 6]
    assert list((await backend.messages.expunge(ref, ALL)).uids) == [5]
    before = await status(backend, ref)
    assert not (await backend.messages.expunge(ref, ALL)).uids
    assert await status(backend, ref) == before


async def test_an_expunged_message_is_still_read_but_never_listed(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    await expunge(backend, ref, [2])
    assert await backend.messages.content(ref, 2) == mail(2)
    assert await backend.messages.content(ref, 2, 3, 4) == mail(2)[3:7]
    assert await backend.messages.contents(ref, [1, 2, 3]) == [mail(1), mail(2), mail(3)]
    for read in (backend.messages.flags, backend.messages.meta, backend.messages.search_rows, backend.messages.parts):
        assert [row[0] for row in await read(ref, ALL)] == [1, 3]
    stored = await backend.messages.set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.ADD, SEEN))
    assert (stored.rows, list(stored.changed), list(stored.modified)) == ([], [], [])
    assert list((await backend.messages.expunge(ref, UidSet.of([2]))).uids) == []


async def test_a_uid_is_never_given_twice(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 3)
    await expunge(backend, ref, [2, 3])
    assert (await status(backend, ref)).uid_next == 4
    assert await append(backend, ref) == 4
    await expunge(backend, ref, [1, 4])
    assert (await status(backend, ref)).messages == 0
    assert await append(backend, ref) == 5


async def test_one_content_expunged_here_is_still_there(backend: Backend) -> None:
    """Copies may share a file; losing one loses nothing else."""
    ref, other = await inbox(backend), await inbox(backend, BOB)
    content = backend.spool.hold(mail())
    rendition = Rendition(b"", content)
    await backend.commit.commit([Append(ref, rendition), Append(other, rendition), Append(ref, rendition)])
    content.close()
    await expunge(backend, ref, [1])
    assert await texts(backend, ref) == [mail()]
    assert await texts(backend, other) == [mail()]


async def test_expunging_from_two_sides_tells_each_uid_once(backend: Backend) -> None:
    ref = await inbox(backend)
    await fill(backend, ref, 50)
    await add(backend, ref, range(1, 51), DELETED)
    told = await asyncio.gather(*(backend.messages.expunge(ref, ALL) for _ in range(5)))
    assert sorted(uid for one in told for uid in one.uids) == list(range(1, 51))


# Accounts


async def test_accounts_with_unlike_names_never_mix(backend: Backend) -> None:
    accounts = [
        AccountId(f"{local}@{domain}")
        for local in (
            "ann",
            "a/b",
            "a_b",
            "a%2fb",
            "..",
            ".",
            "con",
            "o'brien",
            "ann.",
            "#public",
            'x"y',
            "jörg",
            "a\\b",
        )
        for domain in ("example.test", "example.org")
    ]
    for number, account in enumerate(accounts):
        await append(backend, await inbox(backend, account), mail(number))
    for number, account in enumerate(accounts):
        assert await texts(backend, await inbox(backend, account)) == [mail(number)], account
        assert (await backend.folders.usage(account)).messages == 1
    await assert_counts_are_true(backend, accounts)


async def test_a_reference_opens_nothing_in_another_account(backend: Backend) -> None:
    ref = await inbox(backend)
    await append(backend, ref)
    await inbox(backend, BOB)
    await refused(backend.messages.snapshot(FolderRef(BOB, ref.mailbox)), NONEXISTENT)


@pytest.mark.parametrize("mailbox", ["", "x", "F0", "../../etc", "F" + "f" * 32, "F" + "é" * 32, "INBOX", "a\0b"])
async def test_a_reference_that_was_never_given_opens_nothing(backend: Backend, mailbox: str) -> None:
    mine, ref = await inbox(backend), FolderRef(ANN, MailboxId(mailbox))
    await append(backend, mine)
    messages, add_seen = backend.messages, FlagChange(FlagOp.ADD, SEEN)
    for call in (
        backend.folders.status(ref),
        messages.snapshot(ref),
        messages.changes(ref, 0),
        messages.flags(ref, ALL),
        messages.meta(ref, ALL),
        messages.search_rows(ref, ALL),
        messages.parts(ref, ALL),
        messages.content(ref, 1),
        messages.contents(ref, [1]),
        messages.set_flags(ref, ALL, add_seen),
        messages.expunge(ref, ALL),
        messages.copy(ref, ALL, mine),
        messages.copy(mine, ALL, ref),
        messages.move(ref, ALL, mine),
        messages.move(mine, ALL, ref),
    ):
        await refused(call, NONEXISTENT)
    assert await texts(backend, mine) == [mail()]
