"""FETCH of all messages holds a bounded piece of them, however large they are and however slowly they are read."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.unit.services.imapd.house import Client, House
from whimbrel.core.mailbox import FolderRef
from whimbrel.core.rows import FlagRow, MetaRow
from whimbrel.core.uids import UidSet
from whimbrel.services.imapd import content, fetch, selected

MESSAGES = 7


def run(test: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        async with House() as house:
            for number in range(1, MESSAGES + 1):
                await house.deliver(b"Subject: %d %b\r\n\r\nbody\r\n" % (number, b"x" * 80_000))
            await test(house)

    asyncio.run(main())


def stopping(house: House, monkeypatch: pytest.MonkeyPatch, most: int = 2) -> list[list[int]]:
    """The store hands out `most` rows with ENVELOPE at once; the UIDs of each go."""
    real, goes = house.store.meta, list[list[int]]()

    async def meta(ref: FolderRef, uids: UidSet, *, structure: bool = True) -> list[MetaRow]:
        rows = (await real(ref, uids, structure=structure))[: most if structure else None]
        goes.append([row[0] for row in rows])
        return rows

    monkeypatch.setattr(house.store, "meta", meta)
    return goes


@contextlib.contextmanager
def not_reading(client: Client) -> Iterator[None]:
    """After the first octets that it is sent."""
    with pytest.MonkeyPatch.context() as patch:
        write = client.wire.write

        def first(data: bytes) -> None:
            write(data)
            client.connection.pause_writing()

        patch.setattr(client.wire, "write", first)
        yield
    client.connection.resume_writing()


def test_large_rows_are_asked_for_again_until_all_are_answered_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        await client.ask(b"UID STORE 4 +FLAGS (\\Deleted)")
        await client.ask(b"UID EXPUNGE 4")
        goes = stopping(house, monkeypatch)
        said = await client.ask(b"FETCH 1:* (FLAGS ENVELOPE PREVIEW BODY.PEEK[TEXT])")
        assert goes == [[1, 2], [3, 5], [6, 7]]
        numbers = [int(line.split()[1]) for line in said.splitlines() if line.startswith(b"* ")]
        assert numbers == [1, 2, 3, 4, 5, 6]
        assert said.count(b'PREVIEW "body"') == said.count(b"BODY[TEXT] {6}\r\nbody\r\n)\r\n") == 6
        goes.clear()
        await client.ask(b"FETCH 1:* (FLAGS BODY.PEEK[TEXT])")
        assert goes == [[1, 2, 3, 5, 6, 7]]

    run(test)


def test_nothing_more_is_asked_for_while_the_client_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        goes = stopping(house, monkeypatch)
        with not_reading(client):
            held = await client.say(b"t FETCH 1:* (FLAGS ENVELOPE)")
            assert goes == [[1, 2]] and held.count(b"ENVELOPE") == 2
        rest = await client.read()
        assert rest.count(b"ENVELOPE") == MESSAGES - 2 and b"t OK" in rest

    run(test)


@pytest.mark.parametrize("items", [b"UID FLAGS", b"FLAGS INTERNALDATE"])
def test_many_long_keywords_make_smaller_pieces(monkeypatch: pytest.MonkeyPatch, items: bytes) -> None:
    """RFC 3501 2.3.2: a client may make 256 keywords of 255 characters, and give them to every message."""

    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        words = b" ".join(b"%d%b" % (number, b"k" * 200) for number in range(5))
        await client.ask(b"STORE 1:* +FLAGS.SILENT (%b)" % words)
        before = await client.ask(b"FETCH 1:* (%b)" % items)
        asked: list[int] = []
        flags, meta = house.store.flags, house.store.meta

        async def counted_flags(ref: FolderRef, uids: UidSet) -> list[FlagRow]:
            asked.append(len(uids))
            return await flags(ref, uids)

        async def counted_meta(ref: FolderRef, uids: UidSet, *, structure: bool = True) -> list[MetaRow]:
            asked.append(len(uids))
            return await meta(ref, uids, structure=structure)

        monkeypatch.setattr(house.store, "flags", counted_flags)
        monkeypatch.setattr(house.store, "meta", counted_meta)
        monkeypatch.setattr(selected, "MAX_KEYWORD_TEXT", 3_100)
        assert await client.ask(b"FETCH 1:* (%b)" % items) == before
        assert asked == [3, 3, 1]

    run(test)


def test_bodies_come_in_pieces_and_a_large_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        mails = [b"a" * 300, b"b" * 300, b"c\0" * 1_000, b"d" * 300, b"e" * 900, b"", b"f" * 300]
        for mail in mails:
            await house.deliver(mail)
        client = await house.signed_in(b"SELECT INBOX")
        monkeypatch.setattr(content, "SMALL", 1_500)
        monkeypatch.setattr(content, "BODIES_AT_ONCE", 1_000)
        real, goes = house.store.contents, list[int]()

        async def contents(ref: FolderRef, uids: list[int]) -> list[bytes | None]:
            goes.append(len(uids))
            return await real(ref, uids)

        monkeypatch.setattr(house.store, "contents", contents)
        said = await client.ask(b"FETCH %d:* BODY.PEEK[]" % (MESSAGES + 1))
        assert goes == [2, 1, 2, 1]
        assert said == b"".join(
            b"* %d FETCH (BODY[] {%d}\r\n%b)\r\n" % (number, len(mail), mail.replace(b"\0", b"\x80"))
            for number, mail in enumerate(mails, MESSAGES + 1)
        )

    run(test)


def test_only_what_is_about_to_be_sent_is_marked_as_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        monkeypatch.setattr(fetch, "SEEN_BATCH", 3)
        with not_reading(client):
            said = await client.say(b"t FETCH 1:* BODY[]")
            other = await house.signed_in(b"EXAMINE INBOX")
            assert (await other.ask(b"SEARCH SEEN")).startswith(b"* SEARCH 1 2 3\r\n")
        said += await client.read()
        assert said.count(b"FLAGS (\\Seen") == MESSAGES

    run(test)
