"""What is sent of a message, as one server takes it.

Most messages are sent as they are. Where a server does not offer 8BITMIME, octets above 127 are converted; lines that
no server need take are healed for all. What cannot be converted is not sent there (5.6.3). Content that is not small is
read once more than it is sent, to look at it: only when a server has answered.

Standards: RFC 6152 3 (8BITMIME), RFC 5321 4.5.3.1.6 (lines), RFC 6531 3.1 (8) (SMTPUTF8 includes 8BITMIME),
RFC 1870 6.1 (SIZE), RFC 3463 3.7 (X.6.3)
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial

from whimbrel.flow.delivery.conversation import Declined, Letter
from whimbrel.mail.auth.dkim.signing import leading
from whimbrel.mail.structure.octets import Octets, plain
from whimbrel.mail.structure.outline import Outline, TooComplex
from whimbrel.mail.writing.convert import Unconvertible, edits
from whimbrel.mail.writing.edit import Edit, Rewriter
from whimbrel.protocols.smtp.extensions import Extensions
from whimbrel.protocols.smtp.reply import Reply

Pieces = Callable[[], AsyncIterator[bytes]]
"""Reads the content from its beginning."""


class Content:
    """Of one message, for one attempt. What `pieces` raises comes out of `fit` too."""

    __slots__ = ("_letter", "_octets", "_pieces", "_plain")

    def __init__(self, letter: Letter, pieces: Pieces) -> None:
        self._letter, self._pieces = letter, pieces
        self._plain = letter.whole is not None and plain(letter.whole)
        self._octets: Octets | None = None

    async def fit(self, known: Extensions) -> tuple[Letter, Pieces]:
        """What is sent to a server with these extensions. Declined if it must not have the message."""
        if self._plain:
            return self._letter, self._pieces
        octets = self._octets or await self._look()
        letter, keywords = self._letter, known.keywords
        eight_bit = "8BITMIME" in keywords or (letter.options.utf8 and "SMTPUTF8" in keywords)
        if not octets.long_line and (eight_bit or not octets.eight_bit):
            return letter, self._pieces
        options, seven_bit = letter.options, octets.eight_bit and not eight_bit
        if options.size > known.size > 0 or (options.utf8 and "SMTPUTF8" not in keywords):
            return letter, self._pieces  # It is refused before any content is sent.
        try:
            changes = edits(await self._outline(), seven_bit=seven_bit)
        except (Unconvertible, TooComplex) as error:
            if not seven_bit:
                return letter, self._pieces
            why = f"The server does not take 8-bit content, which this message has and must keep: {error}"
            raise Declined(Reply(554, "5.6.3", (why,))) from None
        if seven_bit and options.seven_bit:
            changes = [Edit(0, await self._signatures(), options.seven_bit.encode()), *changes]
        if not changes:
            return letter, self._pieces
        whole = None if letter.whole is None else Rewriter(changes).feed(letter.whole)
        # The size of large content is known only when it has been sent; then none is told.
        options = replace(options, size=0 if whole is None else len(whole), body_8bit=options.body_8bit and eight_bit)
        return replace(letter, options=options, whole=whole), partial(_rewritten, self._pieces, changes)

    async def _signatures(self) -> int:
        """Octets of ours in front, which were made over the form that is not sent here."""
        async for piece in self._all():
            return leading(piece)
        return 0

    async def _look(self) -> Octets:
        octets, options = Octets(), self._letter.options
        async for piece in self._all():
            octets.feed(piece)
        octets.end()
        if octets.eight_bit and not options.body_8bit:
            self._letter = replace(self._letter, options=replace(options, body_8bit=True))
        self._octets = octets
        return octets

    async def _outline(self) -> Outline:
        outline = Outline()
        async for piece in self._all():
            outline.feed(piece)
        outline.end()
        return outline

    async def _all(self) -> AsyncIterator[bytes]:
        if self._letter.whole is not None:
            yield self._letter.whole
        else:
            async for piece in self._pieces():
                yield piece


async def _rewritten(pieces: Pieces, changes: Sequence[Edit]) -> AsyncIterator[bytes]:
    rewriter = Rewriter(changes)
    async for piece in pieces():
        if changed := rewriter.feed(piece):
            yield changed
