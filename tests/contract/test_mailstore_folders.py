"""What every mail store must do with folders. RFC 9051 6.3.4-6.3.9, RFC 8474 4"""

import asyncio
import re

import pytest

from tests.contract.backends import Backend
from tests.contract.calls import (
    ANN,
    BOB,
    add,
    append,
    assert_counts_are_true,
    fill,
    flags,
    folder,
    inbox,
    mail,
    names,
    refused,
    status,
    texts,
)
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELETED, FLAGGED, INBOX, SEEN, Folder, Limit, SpecialUse, Usage
from whimbrel.core.uids import ALL

NONEXISTENT, ALREADYEXISTS, CANNOT, LIMIT = (
    Condition.NONEXISTENT,
    Condition.ALREADYEXISTS,
    Condition.CANNOT,
    Condition.LIMIT,
)

ODD_NAMES = [
    "Entwürfe", "日本語/受信箱", "Почта", "📬 Post", "👩‍👩‍👧", "الوارد", "Straße", "STRASSE", "strasse", "İstanbul",
    "a.b.c", ".hidden", "#news", "..", ".", "../up", "x/../y", "./z", "back\\slash", "a\\..\\b",
    "CON", "con", "NUL", "nul.txt", "aux/prn/com1", "COM1.log", "lpt9", "trailing.",
    "trailing ", "trailing", "trailing..",
    " leading", "leading", "  ", "Foo", "foo", "FOO", "Foo/bar", "foo/Bar", "FOO/BAR", "~",
    "~root", "-rf", "a:b", "a|b",
    '"quoted"', "'single'", "<tag>", "what?", "a;b", "$(id)", "`id`", "&amp;", "&AOk-", "{5}",
    "(x)", "[y]", "tab&", "=?x?=",
    "index.fld", "INDEX.FLD", "index.fld-wal", "index.bad", "account.fld", "account.seq",
    "search.fld", "flags.bak",
    "#msgs", "#deleted", "#lost", "#folder.xml", "Foo/#msgs", "Foo/index.fld", "#account.xml",
    "INBOX2", "INBOX.Sent",
    "INBOX/Sent", "x" * 255, "x" * 254 + "y", "y" * 200, "y" * 200 + "1", "y" * 200 + "2",
    "📬" * 255, "📬" * 254 + "📭",
    "ü" * 255, "0000002a.eml", "new", "cur", "tmp", "None", "0", "a\u200bb", "ab", "Å", "ﬁ", "fi", "a\u00a0b",
]  # fmt: skip


async def test_an_account_that_never_had_any_has_an_inbox(backend: Backend) -> None:
    (only,) = await backend.folders.list(ANN)
    assert only == Folder(only.ref, INBOX)
    assert only.ref.account == ANN
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", only.ref.mailbox)  # RFC 8474 4
    assert await backend.folders.usage(ANN) == Usage(0, 0)
    told = await status(backend, only.ref)
    assert (told.messages, told.uid_next, told.first_recent) == (0, 1, 1)
    assert told.highest_modseq >= 1
    assert (await backend.folders.list(ANN))[0].ref == only.ref
    assert (await inbox(backend, BOB)).mailbox != only.ref.mailbox


@pytest.mark.parametrize("spelt", ["INBOX", "inbox", "InBox", "INBOX/"])
async def test_inbox_is_found_in_any_case(backend: Backend, spelt: str) -> None:
    found = await backend.folders.find(ANN, spelt)
    assert found is not None and found.name == INBOX
    await refused(backend.folders.create(ANN, spelt), ALREADYEXISTS)


async def test_below_inbox_it_is_still_the_inbox(backend: Backend) -> None:
    made = await backend.folders.create(ANN, "inbox/Sub")
    assert made.name == "INBOX/Sub"
    assert await backend.folders.find(ANN, "iNbOx/Sub") == made
    assert await backend.folders.find(ANN, "INBOX/sub") is None


async def test_what_is_created_is_found_and_listed_in_order(backend: Backend) -> None:
    for name in ("beta", "Alpha", "INBOX/x", "alpha/two", "Gamma"):
        made = await backend.folders.create(ANN, name)
        assert made.name == name and made.selectable and not made.subscribed and made.special_use is None
        assert await backend.folders.find(ANN, name) == made
    listed = await names(backend)
    assert listed[0] == INBOX
    assert [name.casefold() for name in listed[1:]] == sorted(name.casefold() for name in listed[1:])
    assert set(listed) == {INBOX, "beta", "Alpha", "INBOX/x", "alpha", "alpha/two", "Gamma"}
    assert await names(backend, BOB) == [INBOX]


async def test_missing_levels_above_are_made(backend: Backend) -> None:
    await backend.folders.create(ANN, "a/b/c")
    assert await names(backend) == [INBOX, "a", "a/b", "a/b/c"]
    assert all(each.selectable for each in await backend.folders.list(ANN))
    assert await append(backend, (await backend.folders.find(ANN, "a/b")).ref) == 1  # type: ignore[union-attr]


async def test_a_trailing_delimiter_is_not_part_of_the_name(backend: Backend) -> None:
    assert (await backend.folders.create(ANN, "work/")).name == "work"
    assert (await backend.folders.find(ANN, "work/")) is not None
    await refused(backend.folders.create(ANN, "work"), ALREADYEXISTS)


async def test_a_name_exists_once(backend: Backend) -> None:
    await backend.folders.create(ANN, "a/b")
    for name in ("a", "a/b"):
        await refused(backend.folders.create(ANN, name), ALREADYEXISTS)
    made = await asyncio.gather(*(backend.folders.create(ANN, "race/x") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, Folder) for one in made) == 1
    assert all(one.condition is ALREADYEXISTS for one in made if isinstance(one, MailboxError))
    assert (await names(backend)).count("race/x") == 1


@pytest.mark.parametrize("use", SpecialUse)
async def test_a_special_use_is_kept(backend: Backend, use: SpecialUse) -> None:
    made = await backend.folders.create(ANN, "x/Special", use)
    assert made.special_use is use
    assert await backend.folders.find(ANN, "x/Special") == made
    assert {each.special_use for each in await backend.folders.list(ANN) if each.name != "x/Special"} == {None}
    await backend.folders.rename(ANN, "x/Special", "Other")
    found = await backend.folders.find(ANN, "Other")
    assert found is not None and found.special_use is use


async def test_names_people_use_are_all_different_folders(backend: Backend) -> None:
    """Whatever the file system makes of case, dots, length and reserved words."""
    refs = {}
    for name in ODD_NAMES:
        found = await backend.folders.find(ANN, name)  # Some were made as the level above another.
        refs[name] = found.ref if found else await folder(backend, name)
    listed = {each.name: each.ref for each in await backend.folders.list(ANN)}
    assert all(listed.get(name) == refs[name] for name in ODD_NAMES)
    assert len(set(refs.values())) == len(set(ODD_NAMES))
    for number, name in enumerate(ODD_NAMES):
        assert await append(backend, refs[name], mail(number)) == 1, name
    for number, name in enumerate(ODD_NAMES):
        assert await texts(backend, refs[name]) == [mail(number)], name


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_name_can_be_renamed_filled_and_deleted(backend: Backend, name: str) -> None:
    ref = await folder(backend, "plain/inner")
    await backend.folders.rename(ANN, "plain", name)
    assert {name, f"{name}/inner"} <= set(await names(backend))
    await append(backend, ref)
    assert await texts(backend, ref) == [mail()]
    await backend.folders.rename(ANN, name, "plain2")
    assert "plain2/inner" in await names(backend) and name not in await names(backend)
    assert await texts(backend, ref) == [mail()]
    again = await folder(backend, name)
    await append(backend, again)
    await backend.folders.delete(ANN, name)
    assert await backend.folders.find(ANN, name) is None


async def test_composed_and_decomposed_letters_are_one_name(backend: Backend) -> None:
    """RFC 9051 5.1 leaves Net-Unicode (NFC) names; macOS clients send decomposed ones."""
    made = await backend.folders.create(ANN, "cafe\u0301")
    assert made.name == "café"
    assert await backend.folders.find(ANN, "café") == made
    await refused(backend.folders.create(ANN, "café"), ALREADYEXISTS)


BAD_NAMES = [
    "", "/", "//", "/a", "a//b", "a//", "a\0b", "a\nb", "a\r\nb", "\x1b[0m", "\x7f", "a\u0085b", "a\u2028b", "a\u2029b",
    "\ud800", "a\udfffb", "a*", "%", "a/%/b", "x" * 256, "ok/" + "x" * 256, "x" * 100_000, "a/" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
async def test_names_that_no_folder_can_have_are_refused_everywhere(backend: Backend, name: str) -> None:
    await folder(backend, "real")
    await refused(backend.folders.create(ANN, name), CANNOT, LIMIT)
    await refused(backend.folders.rename(ANN, "real", name), CANNOT, LIMIT)
    await refused(backend.folders.rename(ANN, INBOX, name), CANNOT, LIMIT)
    await refused(backend.folders.rename(ANN, name, "else"), CANNOT, LIMIT, NONEXISTENT)
    await refused(backend.folders.delete(ANN, name), CANNOT, LIMIT, NONEXISTENT)
    assert await backend.folders.find(ANN, name) is None
    assert await names(backend) == [INBOX, "real"]


async def test_folders_go_32_levels_deep_and_no_deeper(backend: Backend) -> None:
    deep = "/".join(f"L{n}" for n in range(32))
    ref = await folder(backend, deep)
    await append(backend, ref)
    await refused(backend.folders.create(ANN, deep + "/x"), LIMIT)
    assert await backend.folders.find(ANN, deep + "/x") is None
    await backend.folders.create(ANN, "one/two")
    await refused(backend.folders.rename(ANN, "one", deep), ALREADYEXISTS)
    before = await names(backend)
    await refused(
        backend.folders.rename(ANN, "one", deep.rpartition("/")[0] + "/x"), LIMIT
    )  # one/two would be the 33rd.
    await refused(backend.folders.rename(ANN, "L0", "top/L0"), LIMIT)
    assert await names(backend) == before
    assert await texts(backend, ref) == [mail()]


@pytest.mark.parametrize("letter", ["x", "ü", "📬"])
async def test_a_tree_too_long_for_the_disk_is_kept_or_refused_but_never_half(backend: Backend, letter: str) -> None:
    name = "/".join([letter * 250] * 32)
    try:
        ref = await folder(backend, name)
    except MailboxError as error:
        assert error.condition in (CANNOT, LIMIT)
        assert await backend.folders.find(ANN, name) is None
    else:
        await append(backend, ref)
        assert await texts(backend, ref) == [mail()]
    await append(backend, await inbox(backend))
    for each in await backend.folders.list(ANN):
        await status(backend, each.ref)
    await folder(backend, "short")


# Deleting


async def test_a_deleted_folder_is_gone_with_its_messages(backend: Backend) -> None:
    ref = await folder(backend, "Work")
    await fill(backend, ref, 3)
    await append(backend, await inbox(backend))
    await backend.folders.delete(ANN, "Work")
    assert await names(backend) == [INBOX]
    assert await backend.folders.find(ANN, "Work") is None
    assert await backend.folders.usage(ANN) == Usage(len(mail()), 1)
    await refused(backend.folders.status(ref), NONEXISTENT)
    await refused(backend.messages.snapshot(ref), NONEXISTENT)
    await refused(backend.messages.content(ref, 1), NONEXISTENT)
    await refused(backend.folders.delete(ANN, "Work"), NONEXISTENT)


async def test_a_folder_made_again_is_another_one(backend: Backend) -> None:
    """RFC 9051 6.3.5: its UIDs may not be taken for the old ones; RFC 8474 4: another MAILBOXID."""
    first = await folder(backend, "Work")
    await fill(backend, first, 2)
    validity = (await status(backend, first)).uid_validity
    for _ in range(3):
        await backend.folders.delete(ANN, "Work")
        again = await folder(backend, "Work")
        assert again != first
        told = await status(backend, again)
        assert told.uid_validity > validity and told.messages == 0
        await refused(backend.folders.status(first), NONEXISTENT)
        first, validity = again, told.uid_validity


async def test_a_folder_with_others_below_stays_as_a_level(backend: Backend) -> None:
    ref, below = await folder(backend, "a"), await folder(backend, "a/b")
    await fill(backend, ref, 2)
    await append(backend, below)
    validity = (await status(backend, ref)).uid_validity
    await backend.folders.delete(ANN, "a")
    level = await backend.folders.find(ANN, "a")
    assert level is not None and not level.selectable
    assert await names(backend) == [INBOX, "a", "a/b"]
    assert await texts(backend, below) == [mail()]
    assert (await backend.folders.usage(ANN)).messages == 1
    for gone in {ref, level.ref}:
        await refused(backend.folders.status(gone), NONEXISTENT)
        await refused(backend.messages.snapshot(gone), NONEXISTENT)
    await refused(backend.folders.delete(ANN, "a"), CANNOT)  # RFC 9051 6.3.5
    again = await backend.folders.create(ANN, "a")
    assert again.selectable and again.ref != ref
    told = await status(backend, again.ref)
    assert told.messages == 0 and told.uid_validity > validity
    assert await texts(backend, below) == [mail()]


async def test_a_level_can_be_renamed_and_deleted_once_nothing_is_below(backend: Backend) -> None:
    await folder(backend, "a/b")
    await backend.folders.delete(ANN, "a")
    await backend.folders.rename(ANN, "a", "z")
    level = await backend.folders.find(ANN, "z")
    assert level is not None and not level.selectable
    await refused(backend.folders.rename(ANN, "INBOX", "z"), ALREADYEXISTS)
    await backend.folders.delete(ANN, "z/b")
    if await backend.folders.find(ANN, "z") is not None:  # It may have gone by itself.
        await backend.folders.delete(ANN, "z")
    assert await names(backend) == [INBOX]


@pytest.mark.parametrize("spelt", ["INBOX", "inbox"])
async def test_inbox_is_never_deleted(backend: Backend, spelt: str) -> None:
    ref = await inbox(backend)
    await append(backend, ref)
    await refused(backend.folders.delete(ANN, spelt), CANNOT)
    assert await texts(backend, ref) == [mail()]


async def test_deleting_by_prefix_takes_only_the_folder_named(backend: Backend) -> None:
    for name in ("a", "ab", "a b", "a.b"):
        await folder(backend, name)
    await backend.folders.delete(ANN, "a")
    assert set(await names(backend)) == {INBOX, "ab", "a b", "a.b"}


# Renaming


async def test_a_renamed_folder_keeps_all_but_its_name(backend: Backend) -> None:
    ref = await folder(backend, "Work")
    await fill(backend, ref, 3)
    await add(backend, ref, [2], SEEN | FLAGGED, "key")
    before, rows = await status(backend, ref), await backend.messages.meta(ref, ALL)
    await backend.folders.rename(ANN, "Work", "Play")
    found = await backend.folders.find(ANN, "Play")
    assert found is not None and found.ref == ref
    assert await backend.folders.find(ANN, "Work") is None
    assert await status(backend, ref) == before
    assert await backend.messages.meta(ref, ALL) == rows
    assert await texts(backend, ref) == [mail(1), mail(2), mail(3)]
    assert await append(backend, ref) == 4


async def test_what_is_below_goes_with_it(backend: Backend) -> None:
    refs = {name: await folder(backend, name) for name in ("a", "a/b", "a/b/c", "a/d", "ab", "ab/b")}
    for number, ref in enumerate(refs.values()):
        await append(backend, ref, mail(number))
    await backend.folders.rename(ANN, "a", "new/top")
    now = {each.ref: each.name for each in await backend.folders.list(ANN)}
    assert [now[ref] for ref in refs.values()] == ["new/top", "new/top/b", "new/top/b/c", "new/top/d", "ab", "ab/b"]
    assert "new" in now.values() and "a" not in now.values()
    for number, ref in enumerate(refs.values()):
        assert await texts(backend, ref) == [mail(number)]
        assert await append(backend, ref) == 2


async def test_a_folder_moves_up_out_of_another(backend: Backend) -> None:
    ref = await folder(backend, "a/b/c")
    await append(backend, ref)
    await backend.folders.rename(ANN, "a/b/c", "c")
    await backend.folders.rename(ANN, "a", "c/a")
    assert set(await names(backend)) == {INBOX, "c", "c/a", "c/a/b"}
    assert await texts(backend, ref) == [mail()]


async def test_only_the_case_of_a_name_can_change(backend: Backend) -> None:
    ref, below = await folder(backend, "work"), await folder(backend, "work/x")
    await append(backend, ref)
    await backend.folders.rename(ANN, "work", "Work")
    assert set(await names(backend)) == {INBOX, "Work", "Work/x"}
    assert await texts(backend, ref) == [mail()]
    assert await append(backend, below) == 1


async def test_two_folders_change_names(backend: Backend) -> None:
    one, two = await folder(backend, "one"), await folder(backend, "two")
    await append(backend, one, mail(1))
    await append(backend, two, mail(2))
    for old, new in (("one", "x"), ("two", "one"), ("x", "two")):
        await backend.folders.rename(ANN, old, new)
    assert await texts(backend, (await backend.folders.find(ANN, "one")).ref) == [mail(2)]  # type: ignore[union-attr]
    assert await texts(backend, (await backend.folders.find(ANN, "two")).ref) == [mail(1)]  # type: ignore[union-attr]
    assert (one, two) == ((await backend.folders.find(ANN, "two")).ref, (await backend.folders.find(ANN, "one")).ref)  # type: ignore[union-attr]


async def test_renames_that_cannot_be_are_refused_and_change_nothing(backend: Backend) -> None:
    await folder(backend, "a/b")
    await folder(backend, "c")
    before = await names(backend)
    await refused(backend.folders.rename(ANN, "never", "x"), NONEXISTENT)
    await refused(backend.folders.rename(ANN, "a", "c"), ALREADYEXISTS)
    await refused(backend.folders.rename(ANN, "a", "a"), ALREADYEXISTS)
    await refused(backend.folders.rename(ANN, "a", "a/b"), ALREADYEXISTS, CANNOT)
    await refused(backend.folders.rename(ANN, "a", "a/b/x"), CANNOT)
    await refused(backend.folders.rename(ANN, "a", "a/x/y"), CANNOT)
    for spelt in ("INBOX", "inbox"):
        await refused(backend.folders.rename(ANN, "a", spelt), ALREADYEXISTS)
        await refused(backend.folders.rename(ANN, spelt, "c"), ALREADYEXISTS)
    assert await names(backend) == before


async def test_renaming_inbox_moves_its_messages_and_leaves_it(backend: Backend) -> None:
    """RFC 9051 6.3.6"""
    ref, below = await inbox(backend), await folder(backend, "INBOX/below")
    await fill(backend, ref, 3)
    await add(backend, ref, [2], SEEN | DELETED, "key")
    await append(backend, below)
    rows = await backend.messages.meta(ref, ALL)
    before = await status(backend, ref)
    await backend.folders.rename(ANN, "inbox", "old/mail")
    target = await backend.folders.find(ANN, "old/mail")
    assert target is not None and target.ref != ref
    moved = await backend.messages.meta(target.ref, ALL)
    assert [(*row[1:3], *row[4:]) for row in moved] == [(*row[1:3], *row[4:]) for row in rows]
    assert await texts(backend, target.ref) == [mail(1), mail(2), mail(3)]
    assert await inbox(backend) == ref
    after = await status(backend, ref)
    assert (after.messages, after.uid_next, after.uid_validity) == (0, before.uid_next, before.uid_validity)
    assert list((await backend.messages.changes(ref, before.highest_modseq)).expunged) == [1, 2, 3]
    assert set(await names(backend)) == {INBOX, "INBOX/below", "old", "old/mail"}
    assert await texts(backend, below) == [mail()]
    assert await append(backend, ref) == 4


async def test_an_empty_inbox_can_be_renamed_and_go_below_itself(backend: Backend) -> None:
    await backend.folders.rename(ANN, INBOX, "INBOX/empty")
    assert await names(backend) == [INBOX, "INBOX/empty"]
    assert (await backend.folders.usage(ANN)).messages == 0


async def test_messages_come_and_go_while_their_folder_is_renamed(backend: Backend) -> None:
    ref = await folder(backend, "a/b")

    async def rename() -> None:
        for number in range(10):
            await backend.folders.rename(ANN, f"a{number or ''}", f"a{number + 1}")

    await asyncio.gather(rename(), *(append(backend, ref, mail(n)) for n in range(30)))
    assert len(await texts(backend, ref)) == 30 and None not in await texts(backend, ref)
    assert set(await names(backend)) == {INBOX, "a10", "a10/b"}


# Subscriptions


async def test_subscriptions_are_names_whether_the_folder_exists_or_not(backend: Backend) -> None:
    """RFC 9051 6.3.7, 6.3.9"""
    await folder(backend, "real")
    for name in ("real", "dream/far", "inbox", "Ünï"):
        await backend.folders.subscribe(ANN, name, subscribed=True)
        await backend.folders.subscribe(ANN, name, subscribed=True)
    assert sorted(await backend.folders.subscriptions(ANN)) == ["INBOX", "dream/far", "real", "Ünï"]
    assert await names(backend) == [INBOX, "real"]
    assert all(each.subscribed for each in await backend.folders.list(ANN))
    made = await backend.folders.create(ANN, "dream/far")
    assert made.subscribed
    assert not (await backend.folders.find(ANN, "dream")).subscribed  # type: ignore[union-attr]
    assert list(await backend.folders.subscriptions(BOB)) == []


async def test_deleting_or_renaming_a_folder_leaves_the_subscription(backend: Backend) -> None:
    """RFC 9051 6.3.9: a name is never removed by the server itself."""
    for name in ("a", "b"):
        await folder(backend, name)
        await backend.folders.subscribe(ANN, name, subscribed=True)
    await backend.folders.delete(ANN, "a")
    await backend.folders.rename(ANN, "b", "c")
    assert {"a", "b"} <= set(await backend.folders.subscriptions(ANN))
    await backend.folders.subscribe(ANN, "a", subscribed=False)
    assert "a" not in await backend.folders.subscriptions(ANN)
    await backend.folders.subscribe(ANN, "never", subscribed=False)


@pytest.mark.parametrize("name", ["", "a\r\nb", "a\0", "x" * 100_000])
async def test_nobody_subscribes_to_a_name_that_cannot_be(backend: Backend, name: str) -> None:
    await refused(backend.folders.subscribe(ANN, name, subscribed=True), CANNOT)
    assert list(await backend.folders.subscriptions(ANN)) == []


# The account


async def test_usage_is_the_sum_of_all_folders(backend: Backend) -> None:
    one, two = await inbox(backend), await folder(backend, "a/b")
    await append(backend, one, b"12345")
    await append(backend, two, b"1234567890")
    await append(backend, await inbox(backend, BOB), b"x")
    assert await backend.folders.usage(ANN) == Usage(15, 2)
    await backend.messages.copy(two, ALL, one)
    assert await backend.folders.usage(ANN) == Usage(25, 3)
    await backend.folders.delete(ANN, "a/b")
    assert await backend.folders.usage(ANN) == Usage(15, 2)


@pytest.mark.parametrize("together", [False, True])
async def test_however_many_come_at_once_no_more_is_taken_than_the_limit(backend: Backend, together: bool) -> None:
    """In one commit, or in many that run at the same time; in two folders by turns; octets and messages."""
    refs = [await inbox(backend), await folder(backend, "Work")]
    await append(backend, refs[1], b"12345")
    for limit in (Limit(35, 0), Limit(0, 6)):
        work = [
            Append(refs[number % 2], Rendition(b"", backend.spool.hold(b"x" * 10)), limit=limit) for number in range(8)
        ]
        if together:
            answers = list(await backend.commit.commit(work))
        else:
            answers = [one[0] for one in await asyncio.gather(*(backend.commit.commit([item]) for item in work))]
        stored = [one for one in answers if isinstance(one, Appended)]
        assert [one.condition for one in answers if isinstance(one, MailboxError)] == [Condition.OVERQUOTA] * (
            8 - len(stored)
        )
    assert await backend.folders.usage(ANN) == Usage(5 + 50, 6)
    await assert_counts_are_true(backend)


async def test_a_removed_account_is_empty_and_another_if_it_comes_back(backend: Backend) -> None:
    ref, work = await inbox(backend), await folder(backend, "Work")
    await append(backend, ref)
    await append(backend, await inbox(backend, BOB))
    await backend.folders.subscribe(ANN, "Work", subscribed=True)
    await backend.mailboxes.put_aside(ANN, "a", "")
    assert await backend.folders.usage(ANN) == Usage(0, 0)
    again = await inbox(backend)
    assert again != ref
    for gone in (ref, work):
        await refused(backend.messages.snapshot(gone), NONEXISTENT)
    assert await names(backend) == [INBOX]
    assert list(await backend.folders.subscriptions(ANN)) == []
    assert await append(backend, again) == 1
    assert (await backend.folders.usage(BOB)).messages == 1
    await backend.mailboxes.put_aside(ANN, "b", "")  # A second time under the same name.
    assert await backend.folders.usage(ANN) == Usage(0, 0)


async def test_status_of_many_folders_is_of_each(backend: Backend) -> None:
    refs = [await folder(backend, f"f{n}") for n in range(60)]
    await asyncio.gather(*(fill(backend, ref, n % 4) for n, ref in enumerate(refs)))
    assert [(await status(backend, ref)).messages for ref in refs] == [n % 4 for n in range(60)]
    assert await flags(backend, refs[2]) == {1: (0, ""), 2: (0, "")}
    await assert_counts_are_true(backend)
