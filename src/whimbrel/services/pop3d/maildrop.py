"""What one POP3 session sees: the INBOX as it was at sign-in, with what the session wants deleted.

No lock is held: messages that others expunge meanwhile are still read for a while, and what this session deletes is
marked and expunged only when it says QUIT (RFC 1939 6; 8 leaves locking to the server).

Standards: RFC 1939 4-7 (maildrop, UPDATE state, unique-ids)
"""

from collections.abc import AsyncIterator

from whimbrel.core.mailbox import DELETED, INBOX, SEEN, AccountId, FlagChange, FlagOp, FolderRef, Folders, Messages
from whimbrel.core.uids import ALL, UidSet
from whimbrel.protocols.pop3.octets import top
from whimbrel.services.pop3d.sizes import WireSizes

READ_AHEAD = 16
"""Messages read in one hop when a client fetches one after the other."""
READ_AHEAD_BYTES = 1 << 20
PIECE = 256 * 1024
"""A larger message is read and sent in pieces of this."""
TOP_FIRST = 32 * 1024


class NoSuchMessage(Exception):
    """The number is none of this maildrop, its message is marked as deleted, or it has gone."""


class Maildrop:
    """Message numbers begin at 1 and stay for the session."""

    def __init__(
        self, messages: Messages, sizes: WireSizes, ref: FolderRef, validity: int, stored: list[tuple[int, int]]
    ) -> None:
        """`stored`: (uid, size in the store), ascending."""
        self._messages, self._sizes, self._ref, self._validity = messages, sizes, ref, validity
        self._stored = stored
        self._wire: list[int] = []
        self._deleted: set[int] = set()
        self._fetched: set[int] = set()
        self._ahead: dict[int, bytes | None] = {}
        self._last = 0

    @classmethod
    async def open(cls, folders: Folders, messages: Messages, sizes: WireSizes, account: AccountId) -> "Maildrop":
        """MailboxError if the folder cannot be read now."""
        inbox = await folders.find(account, INBOX)
        if inbox is None:
            inbox = (await folders.list(account))[0]
        rows = await messages.parts(inbox.ref, ALL)
        validity = (await folders.status(inbox.ref)).uid_validity
        return cls(messages, sizes, inbox.ref, validity, [(uid, size) for uid, size, _ in rows])

    # Telling

    async def stat(self) -> tuple[int, int]:
        """Messages that are not deleted, and their octets."""
        sizes = await self._all_sizes()
        left = [size for number, size in enumerate(sizes, 1) if number not in self._deleted]
        return len(left), sum(left)

    async def size(self, number: int) -> int:
        self._check(number)
        return (await self._all_sizes())[number - 1]

    async def listing(self) -> bytes:
        """The scan listing of all that are not deleted."""
        sizes = await self._all_sizes()
        return b"".join([b"%d %d\r\n" % pair for pair in enumerate(sizes, 1) if pair[0] not in self._deleted])

    def unique_id(self, number: int) -> str:
        """Of UIDVALIDITY and UID: never given twice, the same after any rebuild that keeps UIDs."""
        self._check(number)
        return f"{self._validity:x}.{self._stored[number - 1][0]:x}"

    def unique_ids(self) -> bytes:
        head = b"%x." % self._validity
        lines = [
            b"%d %b%x\r\n" % (number, head, uid)
            for number, (uid, _) in enumerate(self._stored, 1)
            if number not in self._deleted
        ]
        return b"".join(lines)

    async def _all_sizes(self) -> list[int]:
        if not self._wire:
            self._wire = await self._sizes.of(self._ref, self._validity, self._stored)
        return self._wire

    def _check(self, number: int) -> None:
        if not 0 < number <= len(self._stored) or number in self._deleted:
            raise NoSuchMessage

    # Reading

    async def pieces(self, number: int) -> AsyncIterator[bytes]:
        """The message, as it is stored. NoSuchMessage before the first piece; EOFError if it goes amid them."""
        self._check(number)
        uid, size = self._stored[number - 1]
        if size <= READ_AHEAD_BYTES:
            content = await self._whole(number)
            if content is None:
                raise NoSuchMessage
            yield content
        else:
            at = 0
            while at < size:
                piece = await self._messages.content(self._ref, uid, at, PIECE)
                if not piece:
                    raise EOFError if at else NoSuchMessage
                yield piece
                at += len(piece)
        self._last = number
        self._fetched.add(number)

    async def _whole(self, number: int) -> bytes | None:
        if number in self._ahead:
            return self._ahead.pop(number)
        numbers, held = [number], self._stored[number - 1][1]
        if number == self._last + 1:
            for following in range(number + 1, min(number + READ_AHEAD, len(self._stored) + 1)):
                held += self._stored[following - 1][1]
                if held > READ_AHEAD_BYTES:
                    break
                if following not in self._deleted:
                    numbers.append(following)
        contents = await self._messages.contents(self._ref, [self._stored[each - 1][0] for each in numbers])
        self._ahead = dict(zip(numbers, contents, strict=True))
        return self._ahead.pop(number)

    async def top(self, number: int, lines: int) -> bytes:
        """The header and `lines` lines of the body; no more of the message is read than that needs, about."""
        self._check(number)
        uid, size = self._stored[number - 1]
        length = TOP_FIRST
        while True:
            data = await self._messages.content(self._ref, uid, 0, length)
            if data is None:
                raise NoSuchMessage
            found = top(data, lines, whole=len(data) < length or length >= size)
            if found is not None:
                return found
            length *= 8

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
        return UidSet.of(self._stored[number - 1][0] for number in sorted(numbers))
