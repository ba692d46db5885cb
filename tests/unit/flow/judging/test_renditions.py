"""Equal changes make one copy; a message is never held whole for them."""

import asyncio

import pytest

from tests.support.fakes import MemoryLog
from tests.support.flow_fakes import HeldContent, MemorySpool, MemorySpoolWriter
from whimbrel.core.errors import MailError
from whimbrel.flow.judging.renditions import Renditions
from whimbrel.mail.writing.changes import AddField, AddText, Change, MarkSubject, TakeOut

MAIL = b"Subject: hello\r\n\r\nbody\r\n"
FLAG, MARK, FOOTER = AddField(b"X-Spam-Flag: YES\r\n"), MarkSubject("**spam**"), AddText("footer")
LONG = b"X: 1\r\n" * 60_000 + b"Subject: x\r\n\r\nbody"


def renditions(content: bytes = MAIL, spool: MemorySpool | None = None, log: MemoryLog | None = None) -> Renditions:
    return Renditions(HeldContent(content), spool or MemorySpool(), log or MemoryLog(), "q1")


def whole(made: Renditions, *changes: Change) -> bytes:
    async def read() -> bytes:
        copy = await made.of(changes)
        return copy[0] + await copy[1].read()

    return asyncio.run(read())


def test_fields_in_front_share_the_content_as_it_came() -> None:
    content = HeldContent(MAIL)
    made = Renditions(content, MemorySpool(), MemoryLog(), "q1")
    plain, flagged = asyncio.run(made.of(())), asyncio.run(made.of((FLAG,)))
    assert plain[1] is flagged[1] is content and flagged[0] == b"X-Spam-Flag: YES\r\n"


def test_equal_changes_make_one_copy_and_equal_edits_one_content() -> None:
    made = renditions()
    first, again = asyncio.run(made.of((FLAG, MARK))), asyncio.run(made.of((FLAG, MARK)))
    assert first is again
    other = asyncio.run(made.of((AddField(b"X-Other: 1\r\n"), MARK)))
    assert other[1] is first[1] and other[0] != first[0]
    assert whole(made, FLAG, MARK) == b"X-Spam-Flag: YES\r\nSubject: **spam** hello\r\n\r\nbody\r\n"
    assert whole(made, MARK, FOOTER) == b"Subject: **spam** hello\r\n\r\nbody\r\n\r\nfooter\r\n"


def test_what_was_made_is_closed_and_what_came_is_not() -> None:
    content = HeldContent(MAIL)
    made = Renditions(content, MemorySpool(), MemoryLog(), "q1")
    marked = asyncio.run(made.of((MARK,)))[1]
    made.close()
    assert isinstance(marked, HeldContent) and marked.closed and not content.closed


def test_large_content_is_read_and_written_in_pieces() -> None:
    largest = 0

    class Pieces(HeldContent):
        async def read(self, start: int = 0, length: int | None = None) -> bytes:
            nonlocal largest
            assert length is not None
            largest = max(largest, length)
            return await super().read(start, length)

    body = b"x" * 70 + b"\r\n"
    mail = b"Subject: hello\r\nContent-Type: text/html\r\n\r\n" + body * 20_000
    made = Renditions(Pieces(mail), MemorySpool(), MemoryLog(), "q1")
    copy = asyncio.run(made.of((FOOTER,)))
    assert largest <= 256 * 1024 and body * 20_000 in asyncio.run(HeldContent.read(copy[1]))  # type: ignore[arg-type]


def test_an_empty_message_can_be_changed() -> None:
    assert whole(renditions(b""), FLAG, MARK, FOOTER).startswith(b"X-Spam-Flag: YES\r\nSubject: **spam**\r\n")


def test_what_cannot_be_followed_keeps_its_octets_and_gets_fields_in_front() -> None:
    log = MemoryLog()
    assert whole(renditions(LONG, log=log), FLAG, MARK) == FLAG.raw + LONG
    assert log.named("message.unchanged")


def test_a_part_that_must_go_is_never_left_in_what_cannot_be_followed() -> None:
    with pytest.raises(MailError, match=r"554 5\.6\.0"):
        whole(renditions(LONG), TakeOut(1, "gone"))


def test_a_full_disk_leaves_nothing_behind() -> None:
    discarded = []

    class Full(MemorySpoolWriter):
        async def write(self, data: bytes) -> None:
            raise MailError(452, "4.3.1", "No space")

        def discard(self) -> None:
            discarded.append(self)

    class FullSpool(MemorySpool):
        def start(self) -> MemorySpoolWriter:
            return Full()

    with pytest.raises(MailError, match="452"):
        whole(renditions(spool=FullSpool()), MARK)
    assert len(discarded) == 1


def test_a_header_for_a_thousand_recipients_is_changed_too() -> None:
    head = b"To: " + b",\r\n ".join(b"someone-%d@example.test" % number for number in range(5000)) + b"\r\n"
    assert 64 * 1024 < len(head) < 256 * 1024
    assert whole(renditions(head + MAIL), MARK) == head + b"Subject: **spam** hello\r\n\r\nbody\r\n"
