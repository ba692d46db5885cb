"""FETCH responses with flags are the same whichever of the quick ways makes them."""

import asyncio
import itertools
import random
import re

import pytest

from tests.unit.services.imapd.house import House
from whimbrel.core.mailbox import ANSWERED, DELETED, FLAGGED, SEEN
from whimbrel.core.rows import FlagRow
from whimbrel.protocols.imap.encode import flag_text
from whimbrel.protocols.imap.flaglines import flag_lines
from whimbrel.services.imapd import fetch as service


def slowly(rows: list[FlagRow], numbers: list[int], recent: set[int], *, uid: bool, flags: bool, modseq: bool) -> bytes:
    out = []
    for number, (name, bits, words, changed) in zip(numbers, rows, strict=True):
        items = [f"UID {name}"] if uid else []
        items += [f"FLAGS ({flag_text(bits, words, name in recent)})"] if flags else []
        items += [f"MODSEQ ({changed})"] if modseq else []
        if number:
            out.append(f"* {number} FETCH ({' '.join(items)})\r\n")
    return "".join(out).encode("ascii", "replace")


@pytest.mark.parametrize(("uid", "flags", "modseq"), [*itertools.product([True, False], repeat=3)][:-1])
@pytest.mark.parametrize("kind", ["plain", "keywords", "recent", "holes"])
def test_lines_are_what_they_would_be_one_by_one(kind: str, uid: bool, flags: bool, modseq: bool) -> None:
    chance = random.Random(kind)
    rows: list[FlagRow] = [
        (n * 3, chance.randrange(32), chance.choice(["", "$a", "$a é"]) if kind == "keywords" else "", 10**15 + n)
        for n in range(1, 60)
    ]
    recent = {row[0] for row in rows[20:40]} if kind == "recent" else set()
    numbers = [0 if kind == "holes" and n % 7 == 0 else n for n in range(1, 60)]
    found = flag_lines(rows, numbers, "FETCH", recent, uid=uid, flags=flags, modseq=modseq)
    assert found == slowly(rows, numbers, recent, uid=uid, flags=flags, modseq=modseq)
    if flags and modseq:
        ahead = flag_lines(rows, numbers, "FETCH", recent, uid=uid, flags=True, modseq=True, ahead=True)
        assert re.sub(rb"(MODSEQ \(\d+\)) (FLAGS \([^)]*\))", rb"\2 \1", ahead) == found != ahead
    assert flag_lines([], [], "FETCH", (), uid=uid, flags=flags, modseq=modseq) == b""


@pytest.mark.parametrize("batch", [3, 4, 100])
def test_flags_of_all_are_those_of_each(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    r"""All alike, some with keywords, some \Recent, some gone: whatever way is taken for a batch."""

    async def run() -> None:
        async with House() as house:
            for n in range(4):
                await house.deliver(b"Subject: %d\r\n\r\n" % n)
            first = await house.signed_in(b"SELECT INBOX")
            for n in range(6):
                await house.deliver(b"Subject: %d\r\n\r\n" % n)
            client = await house.signed_in(b"SELECT INBOX")
            for command in (
                b"NOOP", b"STORE 1:3 +FLAGS (\\Seen)", b"STORE 5 +FLAGS ($Word)", b"STORE 1:* +FLAGS (\\Answered)",
                b"STORE 5 -FLAGS ($Word)", b"STORE 2 +FLAGS (\\Deleted)", b"EXPUNGE",
            ):  # fmt: skip
                await client.ask(command)
                count = 10 - (command == b"EXPUNGE")
                each = b"".join([await client.ask(b"FETCH %d (FLAGS)" % n) for n in range(1, count + 1)])
                assert await client.ask(b"FETCH 1:* (FLAGS)") == each
                assert await client.ask(b"FETCH 2:%d FLAGS" % count) == each.partition(b"\r\n")[2]
                await first.ask(b"NOOP")
                recent = b"".join([await first.ask(b"FETCH %d (FLAGS)" % n) for n in range(1, 5)])
                assert recent.count(b"\\Recent") == 4 - (command == b"EXPUNGE")
                assert (await first.ask(b"FETCH 1:* FLAGS")).startswith(recent[:20])
            assert each.count(b"\\Recent") == 6 and each.count(b"\r\n") == 9

    monkeypatch.setattr(service, "FLAG_BATCH", batch)
    asyncio.run(run())


def test_a_message_that_is_gone_but_still_shown_is_served() -> None:
    async def run() -> None:
        async with House() as house:
            for n in range(4):
                await house.deliver(b"Subject: %d\r\n\r\n" % n)
            client, other = await house.signed_in(b"SELECT INBOX"), await house.signed_in(b"SELECT INBOX")
            await other.ask(b"STORE 2 +FLAGS (\\Deleted)")
            await other.ask(b"EXPUNGE")
            for words in (b"(FLAGS)", b"(ENVELOPE)", b"(UID RFC822.SIZE BODYSTRUCTURE)"):
                said = await client.ask(b"FETCH 1:* " + words)
                assert b"* 1 FETCH" in said and b"* 2 FETCH" in said and b"* 4 FETCH" in said

    asyncio.run(run())


def test_the_counters_follow_each_kind_of_change() -> None:
    async def run() -> None:
        async with House() as house:
            for n in range(5):
                await house.deliver(b"Subject: %d\r\n\r\n" % n, flags=(SEEN, DELETED, FLAGGED, SEEN | ANSWERED, 0)[n])
            client = await house.signed_in(b"SELECT INBOX")
            for change, unseen in ((b"+FLAGS (\\Seen \\Flagged)", 0), (b"-FLAGS (\\Seen)", 5), (b"FLAGS (\\Seen)", 0)):
                await client.ask(b"STORE 1:* " + change)
                assert b"(UNSEEN %d)" % unseen in await client.ask(b"STATUS INBOX (UNSEEN)")

    asyncio.run(run())
