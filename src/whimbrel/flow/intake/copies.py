"""What is stored of a message: the content behind our fields, once for each set of edits.

Standards: RFC 5321 4.4 (Return-Path at final delivery only)
"""

from collections.abc import Awaitable, Callable

from whimbrel.core.address import ReversePath
from whimbrel.core.commit import Rendition, Spooled
from whimbrel.core.disposition import Changes
from whimbrel.mail.writing.trace import return_path

Edit = Callable[[Changes], Awaitable[tuple[bytes, Spooled]]]
"""The message with these edits: fields to put in front, and content. MailError"""


class Copies:
    """Of one message. Equal edits give the same content, so that the store writes it once."""

    __slots__ = ("_edit", "_local", "_remote", "_trace")

    def __init__(self, sender: ReversePath, trace: bytes, content: Spooled, edit: Edit | None = None) -> None:
        self._trace, self._edit = trace, edit
        self._remote = Rendition(trace, content)
        self._local = Rendition(return_path(sender) + trace, content)

    @property
    def size(self) -> int:
        """Of the copy in a mailbox, without edits."""
        return self._local.size

    async def local(self, changes: Changes = ()) -> Rendition:
        """For a mailbox. MailError: the copy cannot be made."""
        if not changes:
            return self._local
        fields, content = await self._edited(changes)
        return Rendition(self._local.prefix + fields, content)

    async def remote(self, changes: Changes = (), front: bytes = b"") -> Rendition:
        """For another server, or for the queue; `front` are fields before all others."""
        if not changes:
            return Rendition(front + self._trace, self._remote.content) if front else self._remote
        fields, content = await self._edited(changes)
        return Rendition(front + self._trace + fields, content)

    async def _edited(self, changes: Changes) -> tuple[bytes, Spooled]:
        if self._edit is None:
            raise RuntimeError("nobody edits this message")
        return await self._edit(changes)
