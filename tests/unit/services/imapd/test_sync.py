"""COMPRESS over a session, the cost of a session, and bounds of what a client may ask to be told."""

import asyncio
import sys
import zlib
from array import array

import pytest

from tests.unit.services.imapd.house import House
from whimbrel.core.mailbox import AccountId, Delta, FolderRef, FolderStatus, MailboxId, Snapshot
from whimbrel.core.rows import MetaRow
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import PARTS
from whimbrel.protocols.imap.cursor import BadSyntax
from whimbrel.protocols.imap.grammar import Grammar, Reader
from whimbrel.protocols.imap.partial import Partial
from whimbrel.protocols.imap.sequence import SequenceSet
from whimbrel.services.imapd import fetch, notify
from whimbrel.services.imapd.resync import agreed, vanished
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.settings import ImapSettings
from whimbrel.services.imapd.shared_watch import Hints

GRAMMAR = Grammar.of(PARTS)


def view(*uids: int, count: int = 0, uid_next: int = 0) -> Selected:
    found = array("I", uids or range(1, count + 1))
    status = FolderStatus(1, uid_next or (found[-1] + 1 if found else 1), 9, len(found), 0, 0, 0, 1, 0)
    ref = FolderRef(AccountId("a@example.test"), MailboxId("m"))
    return Selected(ref, Snapshot(status, found, (), 0), Hints(), read_only=False)


def test_after_compress_both_sides_speak_deflate() -> None:
    async def scene() -> None:
        async with House() as house:
            client = await house.signed_in(b"SELECT INBOX")
            assert b"COMPRESS=DEFLATE" in await client.ask(b"CAPABILITY")
            assert await client.say(b"a COMPRESS LZW") == b"a BAD Compression algorithm not supported\r\n"
            # The answer to COMPRESS itself is plain. RFC 4978 3
            assert await client.say(b"a COMPRESS DEFLATE") == b"a OK Compression begins\r\n"
            pack, unpack = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)

            async def say(line: bytes) -> bytes:
                client.connection.data_received(pack.compress(line + b"\r\n") + pack.flush(zlib.Z_SYNC_FLUSH))
                return unpack.decompress(await client.read())

            assert await say(b"b NOOP") == b"b OK Noop completed\r\n"
            assert b"COMPRESS" not in await say(b"c CAPABILITY")
            assert await say(b"d COMPRESS DEFLATE") == b"d NO [COMPRESSIONACTIVE] Compression is active already\r\n"

    asyncio.run(scene())


@pytest.mark.parametrize("pipelined", [False, True])
def test_unauthenticate_ends_the_compression_with_its_answer(pipelined: bool) -> None:
    """RFC 8437 4.1: each side ends its stream, then speaks plain; 3: the next sign-in may follow at once."""

    async def scene() -> None:
        async with House() as house:
            client = await house.signed_in()
            await client.say(b"a COMPRESS DEFLATE")
            pack, unpack = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
            wire = pack.compress(b"b CAPABILITY\r\nc UNAUTHENTICATE\r\n") + pack.flush(zlib.Z_FINISH)
            next_line = b"d LOGIN alice secret\r\n"
            client.connection.data_received(wire + next_line if pipelined else wire)
            said = await client.read()
            packed = unpack.decompress(said)
            assert b" UNAUTHENTICATE" in packed and packed.endswith(b"c OK Signed out\r\n") and unpack.eof
            plain = unpack.unused_data
            if not pipelined:
                assert plain == b""
                client.connection.data_received(next_line)
                plain = await client.read()
            assert plain.startswith(b"d OK [CAPABILITY ") and b"COMPRESS=DEFLATE" in plain
            assert await client.say(b"e COMPRESS DEFLATE") == b"e OK Compression begins\r\n"

    asyncio.run(scene())


def test_unauthenticate_can_be_switched_off() -> None:
    """RFC 8437 8"""

    async def scene() -> None:
        async with House(ImapSettings(unauthenticate=False)) as house:
            client = await house.signed_in()
            assert b"UNAUTHENTICATE" not in await client.ask(b"CAPABILITY")
            assert await client.say(b"a UNAUTHENTICATE") == b"a BAD Unknown command\r\n"
            assert await client.ask(b"SELECT INBOX")

    asyncio.run(scene())


def test_a_bomb_within_a_session_costs_no_memory_and_one_refusal() -> None:
    async def scene() -> None:
        async with House() as house:
            client = await house.signed_in()
            await client.say(b"a COMPRESS DEFLATE")
            pack, unpack = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
            wire = pack.compress(b"x" * (8 << 20) + b"\r\nb NOOP\r\n") + pack.flush(zlib.Z_SYNC_FLUSH)
            client.connection.data_received(wire)
            said = b""
            for _ in range(100):
                said += unpack.decompress(await client.read())
                if b"b OK" in said:
                    break
            assert said == b"* BAD [TOOBIG] Line too long\r\nb OK Noop completed\r\n"

    asyncio.run(scene())


def test_garbage_instead_of_deflate_ends_the_connection() -> None:
    async def scene() -> None:
        async with House() as house:
            client = await house.signed_in()
            await client.say(b"a COMPRESS DEFLATE")
            client.connection.data_received(b"\xff\xff\xff\xffa NOOP\r\n")
            await client.read()
            assert client.wire.closed

    asyncio.run(scene())


def test_a_session_costs_at_most_eight_bytes_a_message() -> None:
    small, large = (_cost(view(count=count)) for count in (1_000, 101_000))
    assert (large - small) / 100_000 <= 8


def _cost(session: Selected) -> int:
    return sum(sys.getsizeof(getattr(session, name)) for name in Selected.__slots__)


def test_many_expunged_messages_are_told_from_the_end_and_the_view_shrinks() -> None:
    seen = view(count=10)
    news, new = seen._apply(Delta(10, [], UidSet([(2, 3), (9, 9)]), complete=True), 11, expunge=True, flags=True)
    assert news == b"* 9 EXPUNGE\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n" and not new
    assert list(seen.uids) == [1, 4, 5, 6, 7, 8, 10] and not seen.pending


def test_below_the_floor_all_that_is_not_there_has_vanished() -> None:
    seen = view(2, 5, 6, uid_next=9)
    full = Delta(9, [], UidSet(), complete=False)
    assert str(vanished(seen, full, UidSet([(1, 100)]))) == "1,3:4,7:8"
    assert str(vanished(seen, full, UidSet([(4, 6)]))) == "4"


def test_message_numbers_that_still_fit_shorten_a_full_answer() -> None:
    seen = view(2, 5, 6, 9)
    numbers, uids = SequenceSet(((1, 1), (3, 4))), SequenceSet(((2, 2), (6, 7)))
    assert agreed(seen, numbers, uids) == 6
    assert agreed(seen, SequenceSet(((1, 0xFFFFFFFF),)), SequenceSet(((1, 0xFFFFFFFF),))) == 0


@pytest.mark.parametrize(
    ("first", "last", "page"),
    [(1, 2, [1, 2]), (2, 1, [1, 2]), (3, 9, [3, 4]), (9, 10, []), (-1, -1, [4]), (-1, -2, [3, 4]), (-3, -9, [1, 2])],
)
def test_a_page_counts_from_either_end(first: int, last: int, page: list[int]) -> None:
    assert Partial(first, last).of([1, 2, 3, 4]) == page


def test_notify_bounds_groups_and_mailboxes() -> None:
    def read(data: bytes) -> object:
        return GRAMMAR.commands[b"NOTIFY"].parse(Reader(data, GRAMMAR))

    group = b" (PERSONAL (MailboxName))"
    assert read(b" SET" + group * 64)
    with pytest.raises(BadSyntax, match="Too many groups"):
        read(b" SET" + group * 65)
    with pytest.raises(BadSyntax, match="Too many mailboxes"):
        read(b" SET (MAILBOXES (" + b" ".join(b"m%d" % n for n in range(1001)) + b") NONE)")


def test_more_mailboxes_than_can_be_watched_end_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with House() as house:
            client = await house.signed_in()
            before = len((await client.ask(b'LIST "" *')).splitlines())
            monkeypatch.setattr(notify, "MAX_WATCHED", before)
            assert await client.ask(b"NOTIFY SET (PERSONAL (MailboxName))") == b""
            other = await house.signed_in(b"CREATE more")
            assert await client.read() == b"* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch\r\n"
            await other.ask(b"CREATE evenmore")
            assert await client.read() == b""
            said = await client.say(b"a NOTIFY SET (PERSONAL (MailboxName))")
            assert said.startswith(b"a NO [NOTIFICATIONOVERFLOW]")

    asyncio.run(scene())


def test_hints_before_any_command_do_not_lengthen_a_silent_clients_time() -> None:
    """RFC 3501 5.4: only what the client says counts for the autologout."""

    async def scene() -> None:
        async with House() as house:
            client = await house.signed_in(b"NOTIFY SET (PERSONAL (MailboxName))")
            deadline = client.connection._deadline
            await asyncio.sleep(0)
            await house.store.create(AccountId("alice@example.test"), "one")
            assert await client.read() == b'* LIST (\\HasNoChildren) "/" one\r\n'
            assert client.connection._deadline == deadline

    asyncio.run(scene())


def test_a_client_that_waits_for_long_is_told_how_far_its_command_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9585 3"""

    async def scene() -> None:
        async with House() as house:
            for number in range(3):
                await house.deliver(b"Subject: %d\r\n\r\n" % number)
            client = await house.signed_in(b"SELECT INBOX")
            monkeypatch.setattr(fetch, "META_BATCH", 1)
            real = house.store.meta

            async def slow(ref: FolderRef, uids: UidSet, *, structure: bool) -> list[MetaRow]:
                house.clock.forward(6)
                return await real(ref, uids, structure=structure)

            monkeypatch.setattr(house.store, "meta", slow)
            said = await client.say(b"a1 FETCH 1:* (RFC822.SIZE INTERNALDATE)")
            assert said.splitlines()[2] == b'* OK [INPROGRESS ("a1" 2 3)] Still at it' and b"a1 OK" in said
            assert said.count(b"INPROGRESS") == 1

    asyncio.run(scene())
