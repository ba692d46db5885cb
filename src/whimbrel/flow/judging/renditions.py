"""The copies of a message with what was changed in them: equal changes make one copy, and what is equal is one file.

The content is read and written in pieces; a copy in which only fields were added in front shares the content as it
came.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from whimbrel.core.disposition import Changes
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.spool import Spool, Spooled
from whimbrel.flow.transaction import HEAD
from whimbrel.mail.structure import header
from whimbrel.mail.structure.outline import MAX_HEADER
from whimbrel.mail.writing.changes import Change, Plan, Survey, TakeOut, TooComplex
from whimbrel.mail.writing.edit import Edit, Rewriter

_PIECE: Final = 256 * 1024


class Renditions:
    """Of one message. `close` frees what was made, when all of it is stored."""

    def __init__(self, content: Spooled, spool: Spool, log: Log, queue_id: str) -> None:
        self._content, self._spool = content, spool
        self._log, self._queue_id = log, queue_id
        self._copies: dict[Changes, tuple[bytes, Spooled]] = {(): (b"", content)}
        self._edited: dict[tuple[Edit, ...], Spooled] = {}
        self._survey: Survey | None = None

    async def of(self, changes: Changes) -> tuple[bytes, Spooled]:
        """The message with these changes: fields to put in front of the content, behind our Received field, and the
        content. MailError 452: the disk is full; 554: a part must be taken out of a message that cannot be followed."""
        copy = self._copies.get(changes)
        if copy is None:
            wanted = [change for change in changes if isinstance(change, Change)]
            copy = self._copies[changes] = await self._make(wanted)
        return copy

    def close(self) -> None:
        for content in self._edited.values():
            content.close()
        self._edited.clear()

    async def _make(self, changes: Sequence[Change]) -> tuple[bytes, Spooled]:
        head = await self._head()
        try:
            plan = Plan(changes, head, self._content.size)
            edits = plan.edits(await self._surveyed() if plan.whole else None)
        except TooComplex as error:
            if any(isinstance(change, TakeOut) for change in changes):
                raise MailError(
                    554, "5.6.0", "A part must be taken out of this message, which is not understood", detail=str(error)
                ) from None
            self._log.warning("message.unchanged", queue_id=self._queue_id, status=str(error))
            return Plan([change for change in changes if change.in_front], head, len(head)).front, self._content
        return plan.front, await self._rewritten(tuple(edits)) if edits else self._content

    async def _head(self) -> bytes:
        """The first octets, with the whole header if it is not longer than what anybody reads."""
        head = self._content.head
        if len(head) < self._content.size and header.end(head) == len(head):
            return await self._content.read(0, min(self._content.size, MAX_HEADER))
        return head[:HEAD] if len(head) > HEAD and header.end(head[:HEAD]) < HEAD else head

    async def _surveyed(self) -> Survey:
        if self._survey is None:
            survey = Survey()
            async for piece in self._pieces():
                survey.feed(piece)
            survey.end()
            self._survey = survey
        return self._survey

    async def _rewritten(self, edits: tuple[Edit, ...]) -> Spooled:
        content = self._edited.get(edits)
        if content is not None:
            return content
        rewriter, writer = Rewriter(edits), self._spool.start()
        try:
            async for piece in self._pieces():
                if changed := rewriter.feed(piece):
                    await writer.write(changed)
            content = self._edited[edits] = await writer.finish()
        except BaseException:
            writer.discard()
            raise
        return content

    async def _pieces(self) -> AsyncIterator[bytes]:
        """At least one."""
        size = self._content.size
        for start in range(0, size or 1, _PIECE):
            yield await self._content.read(start, min(_PIECE, size - start))
