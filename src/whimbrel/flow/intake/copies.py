"""What is stored of a message: the content behind our fields, once for each set of edits.

Standards: RFC 5321 4.4 (Return-Path at final delivery only)
"""

from collections.abc import Awaitable, Callable

from whimbrel.core.address import ReversePath
from whimbrel.core.commit import Rendition
from whimbrel.core.disposition import Changes
from whimbrel.core.spool import Spooled
from whimbrel.mail.writing.trace import return_path

Edit = Callable[[Changes], Awaitable[tuple[bytes, Spooled]]]
"""The message with these edits: fields to put in front, and content. MailError"""


class Copies:
    """Of one message. Equal edits give the same content, so that the store writes it once."""

    __slots__ = ("_before", "_behind", "_edit", "_local", "_path", "_remote")

    def __init__(
        self, sender: ReversePath, before: bytes, behind: bytes, content: Spooled, edit: Edit | None = None
    ) -> None:
        """Fields of edits stand between `before` and `behind`."""
        self._before, self._behind, self._edit = before, behind, edit
        self._path = return_path(sender)
        self._remote = Rendition(before + behind, content)
        self._local = Rendition(self._path + before + behind, content)

    @property
    def size(self) -> int:
        """Of the copy in a mailbox, without edits."""
        return self._local.size

    async def local(self, changes: Changes = ()) -> Rendition:
        """For a mailbox. MailError: the copy cannot be made."""
        if not changes:
            return self._local
        fields, content = await self._edited(changes)
        return Rendition(self._path + self._before + fields + self._behind, content)

    async def remote(self, changes: Changes = (), front: bytes = b"") -> Rendition:
        """For another server, or for the queue; `front` are fields before all others."""
        if not changes:
            return Rendition(front + self._remote.prefix, self._remote.content) if front else self._remote
        fields, content = await self._edited(changes)
        return Rendition(front + self._before + fields + self._behind, content)

    async def _edited(self, changes: Changes) -> tuple[bytes, Spooled]:
        if self._edit is None:
            raise RuntimeError("nobody edits this message")
        return await self._edit(changes)
