"""CHUNKING: content in pieces of a length told before, with no end to look for.

BINARYMIME is not offered: its content cannot be sent on to servers without it, nor has it lines.

A BDAT that is refused has its octets on the way already: they are read and dropped before the refusal is sent. One
whose length cannot be read, or is out of all measure, leaves no way of telling content from commands: the session ends.

Standards: RFC 3030 2 (BDAT), 4.2
"""

from typing import Final

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server_events import Chunk, Fault, ServerEvent
from whimbrel.protocols.smtp.state import Refusal, State

_MAX_DIGITS: Final = 18
_LOST: Final = Fault(Reply(421, "4.5.4", ("BDAT has a length and perhaps LAST",)))
_TOO_LONG: Final = Fault(Reply(421, "4.3.4", ("The chunk is longer than any message may be",)))


class Unwanted(Refusal):
    """A BDAT is refused once `size` octets have been read and dropped."""

    def __init__(self, size: int, text: str, *, counts: bool = True, enhanced: str = "5.5.1") -> None:
        super().__init__(503, enhanced, text, counts=counts)
        self.size = size


def _bdat(state: State, argument: str) -> ServerEvent:
    length, _, word = argument.partition(" ")
    if not (length.isascii() and length.isdigit()) or len(length) > _MAX_DIGITS or word.upper() not in ("", "LAST"):
        return _LOST
    size = int(length)
    if state.extended and state.mail and state.recipients:
        return Chunk(size, bool(word))
    if size > state.terms.max_size:
        return _TOO_LONG
    if not state.extended:
        raise Unwanted(size, "Send EHLO first")
    if not state.mail:
        raise Unwanted(size, "Send MAIL first", counts=False)  # RFC 3030 2: a chunk behind one that was refused.
    raise Unwanted(size, "No valid recipients", counts=False)


CHUNKING = Extension(offer=lambda terms: "CHUNKING", verbs={"BDAT": _bdat})
