"""Messages whose files are not as they should be: bare line feeds, which clients never see, and files that cannot be
read, which cost themselves alone. Over the store on a disk."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.contract.backends import BACKENDS
from tests.unit.services.imapd.house import Client, House, Patient
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.mailbox import FolderRef

MIXED = (
    b"Subject: x\nContent-Type: multipart/mixed; boundary=b\r\n\n"
    b"--b\n\none\r\ntwo\n--b\nContent-Type: text/x-y\n\nz\n--b--\n"
)
CONTENTS = (MIXED, b"a: b\n\ntext", b"a: b\n\n", b"a: b\r\n\r\nno end", b"\n", b"a: b\r\n\nx\n" * 9000)
BINARY = (
    b"Content-Type: application/x-y\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\x80\n\r\n\n",
    b"Content-Type: application/x-y\r\ncontent-transfer-encoding:\r\n  BINARY\r\n\r\na\nb\n",
    b"Content-Type: application/x-y\r\n\r\n\0\n",
)
SECTIONS = (
    b"BODY.PEEK[]", b"BODY.PEEK[TEXT]", b"BODY.PEEK[]<0.5>", b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]", b"BINARY.PEEK[1]",
)  # fmt: skip


def run(tmp_path: Path, work: Callable[[House], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with BACKENDS["disk"](tmp_path) as backend, House() as house:
            house.use(backend)
            await work(house)

    asyncio.run(whole())


async def append(client: Client, *contents: bytes) -> None:
    for content in contents:
        await client.ask(b"APPEND INBOX {%d+}\r\n%b" % (len(content), content))


def octets(said: bytes) -> bytes:
    """Of the first literal."""
    match = re.search(rb"\{(\d+)\}\r\n", said)
    assert match, said
    return said[match.end() : match.end() + int(match[1])]


def file_of(tmp_path: Path, uid: int) -> Path:
    (path,) = tmp_path.rglob(f"#msgs/{uid:08x}.eml")
    return path


@pytest.mark.parametrize(
    "content", [MIXED, b"a: b\n\ntext", b"a: b\n\n", b"a: b\r\n\r\nno end", b"\n", b"a: b\r\n\nx\n" * 9000]
)
def test_a_message_with_bare_line_feeds_has_crlf_and_one_size_for_clients(tmp_path: Path, content: bytes) -> None:
    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)
        await append(client, b"a: b\r\n\r\n", content, b"a: b\r\n\r\n")
        await client.ask(b"SELECT INBOX")
        wanted = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert octets(await client.ask(b"FETCH 2 BODY.PEEK[]")) == wanted
        size = len(wanted)
        assert await client.ask(b"FETCH 2 RFC822.SIZE") == b"* 2 FETCH (RFC822.SIZE %d)\r\n" % size
        assert b"RFC822.SIZE %d " % size in await client.ask(b"FETCH 2 FULL")
        assert b"RFC822.SIZE %d " % size in await client.ask(b"FETCH 2 (RFC822.SIZE FLAGS)")
        assert b"SEARCH 2\r\n" in await client.ask(b"SEARCH 2 LARGER %d SMALLER %d" % (size - 1, size + 1))
        for start in (0, 1, 5, size // 2, size - 1):
            assert octets(await client.ask(b"FETCH 2 BODY.PEEK[]<%d.7>" % start)) == wanted[start : start + 7]
        text = octets(await client.ask(b"FETCH 2 BODY.PEEK[TEXT]")) if b"\r\n\r\n" in wanted else b""
        assert wanted.endswith(text)
        assert file_of(tmp_path, 2).read_bytes() == content  # Byte for byte.
        # The same after a copy, in a session that has the message no more, and from the file of an expunged message.
        await client.ask(b"CREATE x")
        await client.ask(b"COPY 2 x")
        other = await house.signed_in(b"SELECT INBOX", kind=Patient)
        await other.ask(b"STORE 2 +FLAGS.SILENT (\\Deleted)")
        await other.ask(b"EXPUNGE")
        assert octets(await client.ask(b"FETCH 2 (RFC822.SIZE BODY.PEEK[])")) == wanted
        await client.ask(b"SELECT x")
        assert octets(await client.ask(b"FETCH 1 (RFC822.SIZE BODY.PEEK[])")) == wanted

    run(tmp_path, work)


def test_parts_of_a_message_with_bare_line_feeds_lie_where_bodystructure_says(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)
        await append(client, MIXED)
        await client.ask(b"SELECT INBOX")
        said = await client.ask(b"FETCH 1 BODYSTRUCTURE")
        sizes = [int(size) for size in re.findall(rb'"7bit" (\d+)', said)]
        parts = [octets(await client.ask(b"FETCH 1 BODY.PEEK[%d]" % number)) for number in (1, 2)]
        assert parts == [b"one\r\ntwo", b"z"] and sizes == [8, 1]
        assert octets(await client.ask(b"FETCH 1 BINARY.PEEK[1]")) == b"one\r\ntwo"
        assert b"SEARCH 1\r\n" in await client.ask(b"SEARCH BODY two")

    run(tmp_path, work)


@pytest.mark.parametrize("content", BINARY)
def test_binary_data_is_not_converted(tmp_path: Path, content: bytes) -> None:
    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)
        await client.ask(b"APPEND INBOX ~{%d+}\r\n%b" % (len(content), content))
        await client.ask(b"SELECT INBOX")
        assert b"RFC822.SIZE %d)" % len(content) in await client.ask(b"FETCH 1 RFC822.SIZE")
        text = content.partition(b"\r\n\r\n")[2]
        assert octets(await client.ask(b"FETCH 1 BINARY.PEEK[1]")) == text
        assert b"BINARY.SIZE[1] %d" % len(text) in await client.ask(b"FETCH 1 BINARY.SIZE[1]")

    run(tmp_path, work)


def test_a_message_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)
        await append(client, *(b"Subject: %d\r\n\r\nword %d\r\n" % (n, n) for n in range(1, 7)))
        await client.ask(b"SELECT INBOX")
        broken = file_of(tmp_path, 4)
        broken.unlink()
        broken.mkdir()
        for section in (
            b"BODY.PEEK[]",
            b"BODY.PEEK[TEXT]",
            b"BODY.PEEK[]<0.5>",
            b"BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
            b"BINARY.PEEK[1]",
        ):
            said = await client.say(b"t UID FETCH 1:6 (%b)" % section)
            assert re.findall(rb"\* (\d) FETCH \(UID", said) == [b"1", b"2", b"3", b"5", b"6"], section
            assert said.endswith(b"t NO [UNAVAILABLE] Some of the messages cannot be read\r\n")
        assert await client.ask(b"SEARCH BODY word") == b"* SEARCH 1 2 3 5 6\r\n"
        assert await client.ask(b"SEARCH NOT BODY nothing") == b"* SEARCH 1 2 3 5 6\r\n"
        assert await client.ask(b"SEARCH SUBJECT 4") == b"* SEARCH 4\r\n"
        assert b"* 4 FETCH" in await client.ask(b"FETCH 1:6 (ENVELOPE RFC822.SIZE)")
        assert house.log.named("imap.unreadable")

    run(tmp_path, work)


def test_a_large_message_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)
        await append(client, *(b"Subject: %d\r\n\r\n" % n + b"word\r\n" * 20_000 for n in range(1, 4)))
        await client.ask(b"SELECT INBOX")
        broken = file_of(tmp_path, 2)
        broken.unlink()
        broken.mkdir()
        said = await client.say(b"t FETCH 1:3 (BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.5>)")
        assert re.findall(rb"\* (\d) FETCH", said) == [b"1", b"3"]
        assert said.endswith(b"t NO [UNAVAILABLE] Some of the messages cannot be read\r\n")

    run(tmp_path, work)


@pytest.mark.parametrize("lines", [20, 20_000])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("left", [0, 1, 20, -1])
def test_a_message_whose_file_was_cut_short_costs_itself_alone(
    tmp_path: Path, lines: int, end: bytes, left: int
) -> None:
    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)
        await append(client, *(b"Subject: %d" % n + 2 * end + (b"word" + end) * lines for n in range(1, 5)))
        await client.ask(b"SELECT INBOX")
        await client.ask(b"FETCH 1:* RFC822.SIZE")
        path = file_of(tmp_path, 3)
        os.truncate(path, left if left >= 0 else path.stat().st_size - 1)
        for section in SECTIONS:
            said = await client.say(b"t UID FETCH 1:* (%b)" % section)
            assert re.findall(rb"\* (\d) FETCH \(UID", said) == [b"1", b"2", b"4"], section
            assert said.endswith(b"t NO [UNAVAILABLE] Some of the messages cannot be read\r\n")
        assert house.log.named("imap.unreadable") and not house.log.named("imap.broken")

    run(tmp_path, work)


def test_a_message_that_is_cut_short_while_it_is_sent_ends_the_connection_and_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(house: House) -> None:
        monkeypatch.setattr("whimbrel.services.imapd.content.READ_AT_ONCE", 10_000)
        client = await house.signed_in(kind=Patient)
        await append(client, b"Subject: x\r\n\r\n" + b"word\r\n" * 200_000)
        await client.ask(b"SELECT INBOX")
        path, read = file_of(tmp_path, 1), DiskStore.content

        async def content(
            store: DiskStore, ref: FolderRef, uid: int, start: int = 0, length: int | None = None
        ) -> bytes | None:
            if start == 30_000:
                os.truncate(path, start)
            return await read(store, ref, uid, start, length)

        monkeypatch.setattr(DiskStore, "content", content)
        with pytest.raises(TimeoutError):  # Its end never comes.
            async with asyncio.timeout(5):
                await client.say(b"t FETCH 1 BODY.PEEK[]")
        assert client.wire.is_closing()
        (record,) = house.log.named("imap.broken")
        assert record["uid"] == 1 and "30000 octets" in str(record["detail"])

    run(tmp_path, work)


def test_status_size_is_no_less_than_the_sizes_of_the_messages_whatever_happens(tmp_path: Path) -> None:
    """RFC 8438 3"""

    async def work(house: House) -> None:
        client = await house.signed_in(kind=Patient)

        async def status(items: bytes) -> list[int]:
            said = await client.ask(b"STATUS INBOX (%b)" % items)
            return [int(number) for number in re.findall(rb" (\d+)", said.rpartition(b"(")[2])]

        async def sizes() -> int:
            said = await client.ask(b"UID FETCH 1:* RFC822.SIZE")
            return sum(int(size) for size in re.findall(rb"RFC822.SIZE (\d+)", said))

        assert await status(b"SIZE") == [0]
        await append(client, b"a: b\r\n\r\ntext\r\n")
        assert await status(b"SIZE") == [14]
        await client.ask(b"SELECT INBOX")
        await append(client, *CONTENTS, *BINARY)
        shown = (await status(b"SIZE"))[0]
        assert (
            await sizes() <= shown <= await sizes() + 2 * sum(content.count(b"\n") + 1 for content in BINARY + CONTENTS)
        )
        await append(client, b"a: b\n\ntext\n")  # Only this one is looked at.
        assert await status(b"SIZE") == [shown + 14]
        assert b"SIZE %d" % (shown + 14) in await client.ask(b'LIST "" INBOX RETURN (STATUS (SIZE))')
        await client.ask(b"UID STORE 1:3 +FLAGS.SILENT (\\Deleted)")
        size, deleted = await status(b"SIZE DELETED-STORAGE")
        assert size == shown + 14 and 0 < deleted < size
        await client.ask(b"EXPUNGE")
        assert await sizes() <= (await status(b"SIZE"))[0] <= size - deleted
        await append(client, b"a: b\r\n\r\nnew\r\n")
        assert await sizes() <= (await status(b"SIZE"))[0]
        await client.ask(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
        await client.ask(b"EXPUNGE")
        assert await status(b"SIZE DELETED-STORAGE") == [0, 0]

    run(tmp_path, work)
