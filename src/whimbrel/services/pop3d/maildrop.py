"""What one POP3 session sees: the INBOX as it was at sign-in, with what the session wants deleted.

No lock is held in the store: IMAP goes on beside it. Messages that others expunge meanwhile are still read for a
while, and what this session deletes is marked and expunged only when it says QUIT (RFC 1939 6).

Standards: RFC 1939 4-7 (maildrop, UPDATE state, unique-ids)
"""

from collections.abc import AsyncIterator

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELETED, INBOX, SEEN, AccountId, FlagChange, FlagOp, FolderRef, Folders, Messages
from whimbrel.core.uids import UidSet
from whimbrel.protocols.pop3.engine import Message
from whimbrel.protocols.pop3.octets import Added, Top, top

READ_AHEAD = 128
"""Messages read in one hop when a client fetches one after the other, if they are small."""
READ_AHEAD_BYTES = 512 * 1024
PIECE = 256 * 1024
"""A larger message is read and sent in pieces of this."""
TOP_FIRST = 32 * 1024


class NoSuchMessage(Exception):
    """The number is none of this maildrop, its message is marked as deleted, or it has gone."""


class Maildrop:
    """Message numbers begin at 1 and stay for the session."""

    def __init__(self, messages: Messages, ref: FolderRef, validity: int, rows: list[tuple[int, int]]) -> None:
        """`rows`: (uid, octets as they are sent), ascending."""
        self._messages, self._ref, self._validity = messages, ref, validity
        self._rows = rows
        self._deleted: set[int] = set()
        self._fetched: set[int] = set()
        self._ahead: dict[int, bytes | MailboxError | None] = {}
        self._last = 0

    @classmethod
    async def open(cls, folders: Folders, messages: Messages, account: AccountId) -> "Maildrop":
        """MailboxError if the folder cannot be read now."""
        inbox = await folders.find(account, INBOX)
        if inbox is None:
            inbox = (await folders.list(account))[0]
        rows = await messages.octets(inbox.ref)
        validity = (await folders.status(inbox.ref)).uid_validity
        return cls(messages, inbox.ref, validity, rows)

    # Telling

    def stat(self) -> tuple[int, int]:
        """Messages that are not deleted, and their octets."""
        octets = sum([size for _, size in self._rows]) - sum(self._rows[number - 1][1] for number in self._deleted)
        return len(self._rows) - len(self._deleted), octets

    def size(self, number: int) -> int:
        self._check(number)
        return self._rows[number - 1][1]

    def listing(self) -> bytes:
        """The scan listing of all that are not deleted."""
        deleted = self._deleted
        return b"".join(
            [b"%d %d\r\n" % (number, size) for number, (_, size) in enumerate(self._rows, 1) if number not in deleted]
        )

    def unique_id(self, number: int) -> str:
        """Of UIDVALIDITY and UID: never given twice, the same after any rebuild that keeps UIDs."""
        self._check(number)
        return f"{self._validity:x}.{self._rows[number - 1][0]:x}"

    def unique_ids(self) -> bytes:
        head = b"%x." % self._validity
        lines = [
            b"%d %b%x\r\n" % (number, head, uid)
            for number, (uid, _) in enumerate(self._rows, 1)
            if number not in self._deleted
        ]
        return b"".join(lines)

    def _check(self, number: int) -> None:
        if not 0 < number <= len(self._rows) or number in self._deleted:
            raise NoSuchMessage

    # Reading

    def at_hand(self, number: int) -> Message | None:
        """The message, if it was read ahead and is still there."""
        content = self._ahead.pop(number, None)
        if not isinstance(content, bytes) or number in self._deleted or self._cut_short(number, content):
            return None
        self._read(number)
        return self._message(number, content)

    async def small(self, number: int) -> Message | None:
        """The message, as it is stored; None if it is better sent in pieces. NoSuchMessage."""
        self._check(number)
        if self._rows[number - 1][1] > READ_AHEAD_BYTES:
            return None
        content = await self._whole(number)
        if content is None:
            raise NoSuchMessage
        if self._cut_short(number, content):
            raise _unreadable()
        self._read(number)
        return self._message(number, content)

    def _cut_short(self, number: int, content: bytes) -> bool:
        """It must not pass for the whole. Whether an end of line was added to its size does not matter."""
        size = self._rows[number - 1][1]
        if len(content) >= size - 2:
            return False
        count = Added()
        count.feed(content)
        return len(content) + count.octets < size - 2

    async def _whole_to_its_end(self, number: int) -> bool:
        """Of a large message, before the first of it is sent."""
        uid, size = self._rows[number - 1]
        last = await self._messages.content(self._ref, uid, size - 3, 1)
        if last is None or last:
            return True  # None: who reads it says so.
        # It has less than is sent of it: bare LFs among binary data, or it was cut short.
        count, at = Added(), 0
        while piece := await self._messages.content(self._ref, uid, at, PIECE):
            count.feed(piece)
            at += len(piece)
        return at + count.octets >= size - 2

    def _message(self, number: int, content: bytes) -> Message:
        # Its size as it is sent is that as it is stored: nothing is to be added, so no line end is missing or bare.
        return Message("Message follows", content, lines=len(content) == self._rows[number - 1][1])

    async def pieces(self, number: int) -> AsyncIterator[bytes]:
        """The message, as it is stored. NoSuchMessage before the first piece; EOFError if it goes amid them."""
        self._check(number)
        uid, size = self._rows[number - 1]
        if not await self._whole_to_its_end(number):
            raise _unreadable()
        count, at = Added(), 0
        while True:
            piece = await self._messages.content(self._ref, uid, at, PIECE)
            if piece is None:
                raise EOFError if at else NoSuchMessage
            count.feed(piece)
            at += len(piece)
            short = len(piece) < PIECE
            # Cut short, it must not pass for the whole. Whether an end of line was added to its size does not matter.
            if short and at + count.octets < size - 2:
                raise EOFError(f"it ends after {at} octets") if at > len(piece) else _unreadable()
            if piece:
                yield piece
            if short:
                break
        self._read(number)

    def _read(self, number: int) -> None:
        self._last = number
        self._fetched.add(number)

    async def _whole(self, number: int) -> bytes | None:
        if number in self._ahead:
            return self._taken(number)
        numbers, held = [number], self._rows[number - 1][1]
        if number == self._last + 1:
            for following in range(number + 1, min(number + READ_AHEAD, len(self._rows) + 1)):
                held += self._rows[following - 1][1]
                if held > READ_AHEAD_BYTES:
                    break
                if following not in self._deleted:
                    numbers.append(following)
        contents = await self._messages.contents(self._ref, [self._rows[each - 1][0] for each in numbers])
        self._ahead = dict(zip(numbers, contents, strict=True))
        return self._taken(number)

    def _taken(self, number: int) -> bytes | None:
        """MailboxError if it cannot be read; those that were read beside it can."""
        content = self._ahead.pop(number)
        if isinstance(content, MailboxError):
            raise content
        return content

    async def top(self, number: int, lines: int) -> bytes | None:
        """The header and `lines` lines of the body; no more of the message is read than that needs, about. None if it
        is better sent in pieces. NoSuchMessage."""
        self._check(number)
        uid, size = self._rows[number - 1]
        if size > READ_AHEAD_BYTES:
            return None
        length = TOP_FIRST
        while True:
            data = await self._messages.content(self._ref, uid, 0, length)
            if data is None:
                raise NoSuchMessage
            cut = top(data, lines, whole=len(data) < length or length >= size)
            if cut is not None:
                return cut
            length *= 8

    async def top_pieces(self, number: int, lines: int) -> AsyncIterator[bytes]:
        """The same of a large message. NoSuchMessage before the first piece; EOFError if it goes amid them."""
        self._check(number)
        uid, at, cut = self._rows[number - 1][0], 0, Top(lines)
        while not cut.done:
            piece = await self._messages.content(self._ref, uid, at, PIECE)
            if piece is None:
                raise EOFError if at else NoSuchMessage
            at += len(piece)
            yield cut.feed(piece)
            if len(piece) < PIECE:
                return

    # Deleting

    def delete(self, number: int) -> None:
        self._check(number)
        self._deleted.add(number)

    def reset(self) -> None:
        self._deleted.clear()

    async def update(self, *, mark_seen: bool) -> int:
        """RFC 1939 6: removes what is marked, durably. How many went; MailError if that cannot be done now."""
        gone = self._uids(self._deleted)
        removed = 0
        if gone:
            await self._messages.set_flags(self._ref, gone, FlagChange(FlagOp.ADD, DELETED))
            removed = len((await self._messages.expunge(self._ref, gone)).uids)
        read = self._uids(self._fetched - self._deleted)
        if read and mark_seen:
            await self._messages.set_flags(self._ref, read, FlagChange(FlagOp.ADD, SEEN))
        return removed

    def _uids(self, numbers: set[int]) -> UidSet:
        return UidSet.of(self._rows[number - 1][0] for number in sorted(numbers))


def _unreadable() -> MailboxError:
    return MailboxError(Condition.UNAVAILABLE, "The message cannot be read", detail="its file was cut short")
