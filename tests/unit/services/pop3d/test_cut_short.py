"""RETR of a message whose file holds less than it did: it is refused, and never passes for the whole."""

import asyncio
from typing import Any, cast

import pytest

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId, FolderRef, MailboxId
from whimbrel.protocols.pop3.octets import Added
from whimbrel.services.pop3d.maildrop import READ_AHEAD_BYTES, Maildrop

SMALL, LARGE = b"Subject: x\r\n\r\n" + b"line\r\n" * 9, b"Subject: x\r\n\r\n" + b"line\r\n" * READ_AHEAD_BYTES
BINARY = b"Content-Transfer-Encoding: binary\r\n\r\n" + b"\0\n" * READ_AHEAD_BYTES


class Messages:
    def __init__(self, *contents: bytes) -> None:
        self.contents_ = contents

    async def content(self, _ref: FolderRef, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        assert length is not None
        return self.contents_[uid - 1][start : start + length]

    async def contents(self, _ref: FolderRef, uids: list[int]) -> list[bytes]:
        return [self.contents_[uid - 1] for uid in uids]


def octets(content: bytes) -> int:
    count = Added()
    count.feed(content)
    return len(content) + count.octets + (0 if content.endswith(b"\n") else 2)


def drop(was: list[bytes], now: list[bytes]) -> Maildrop:
    ref = FolderRef(AccountId("a@example.test"), MailboxId("F" + "0" * 32))
    rows = [(number, octets(content)) for number, content in enumerate(was, 1)]
    return Maildrop(cast(Any, Messages(*now)), ref, 1, rows)


async def read(maildrop: Maildrop, number: int) -> bytes:
    at_hand = maildrop.at_hand(number)
    message = at_hand or await maildrop.small(number)
    if message is not None:
        return bytes(message.data)
    return b"".join([piece async for piece in maildrop.pieces(number)])


@pytest.mark.parametrize("content", [SMALL, SMALL[:-2], LARGE, LARGE[:-2], BINARY, BINARY + b"\0"])
def test_what_is_whole_is_sent(content: bytes) -> None:
    assert asyncio.run(read(drop([content], [content]), 1)) == content


@pytest.mark.parametrize("content", [SMALL, LARGE, BINARY])
@pytest.mark.parametrize("left", [0, 40, -7])
def test_what_is_cut_short_is_unavailable_before_any_of_it_is_sent(content: bytes, left: int) -> None:
    async def work() -> None:
        maildrop = drop([SMALL, content, SMALL], [SMALL, content[:left], SMALL])
        assert await read(maildrop, 1) == SMALL  # Those behind it are read ahead.
        with pytest.raises(MailboxError) as caught:
            await read(maildrop, 2)
        assert caught.value.condition is Condition.UNAVAILABLE
        assert await read(maildrop, 3) == SMALL

    asyncio.run(work())
