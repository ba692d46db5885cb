"""TOP of a large message, however many lines are asked for, holds one piece of it at a time."""

import asyncio
from typing import Any, cast

import pytest

from whimbrel.core.mailbox import AccountId, FolderRef, MailboxId
from whimbrel.services.pop3d.maildrop import PIECE, READ_AHEAD_BYTES, Maildrop, NoSuchMessage

MESSAGE = b"Subject: x\r\n\r\n" + b"\r\n" * READ_AHEAD_BYTES


class Messages:
    """Only what is read; notes how much at once."""

    def __init__(self, content: bytes | None) -> None:
        self.content_, self.most = content, 0

    async def content(self, _ref: FolderRef, _uid: int, start: int = 0, length: int | None = None) -> bytes | None:
        assert length is not None
        self.most = max(self.most, length)
        return None if self.content_ is None else self.content_[start : start + length]


def drop(messages: Messages) -> Maildrop:
    ref = FolderRef(AccountId("a@example.test"), MailboxId("F" + "0" * 32))
    return Maildrop(cast(Any, messages), ref, 1, [(1, len(MESSAGE))])


async def read(maildrop: Maildrop, lines: int) -> list[bytes]:
    assert await maildrop.top(1, lines) is None
    return [piece async for piece in maildrop.top_pieces(1, lines)]


@pytest.mark.parametrize("lines", [0, 1, 200_000, 9_999_999_999])
def test_pieces_alone_are_read_and_all_lines_come(lines: int) -> None:
    messages = Messages(MESSAGE)
    pieces = asyncio.run(read(drop(messages), lines))
    assert b"".join(pieces) == MESSAGE[: 14 + 2 * lines]
    assert messages.most == PIECE and max(map(len, pieces)) <= PIECE


def test_a_message_that_has_gone_is_none() -> None:
    with pytest.raises(NoSuchMessage):
        asyncio.run(read(drop(Messages(None)), 1))
