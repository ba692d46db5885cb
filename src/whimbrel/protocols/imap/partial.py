"""PARTIAL: a page of what was asked for.

Standards: RFC 9394 3 (SEARCH), 3.3 (FETCH), 4 (formal syntax)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.grammar import Parameter, Part


@dataclass(frozen=True, slots=True)
class Partial(Parameter):
    """`first` and `last` count from 1, or both from the end, as the client wrote them: -1 is the last one."""

    first: int
    last: int

    def of(self, results: Sequence[int]) -> Sequence[int]:
        """The page of the ascending `results`."""
        low, high = sorted((self.first, self.last))
        if low > 0:
            return results[low - 1 : high]
        # RFC 9394 3.1: -1:-100 is the last hundred.
        return results[max(0, len(results) + low) : max(0, len(results) + high + 1)]

    def __bytes__(self) -> bytes:
        return b"%d:%d" % (self.first, self.last)


def partial_range(cursor: Cursor) -> Partial:
    """`1:100` or `-1:-100`, after a space."""
    cursor.space()
    negative = cursor.next_is(b"-")
    ends: list[int] = []
    for first in (True, False):
        if not first:
            cursor.expect(b":", "Expected a range such as 1:100 or -1:-100")
        if cursor.take(b"-") is not negative:
            raise BadSyntax("A range counts from the start or from the end")
        ends.append(cursor.number(least=1))
    return Partial(-ends[0], -ends[1]) if negative else Partial(*ends)


PART = Part(fetch_modifiers={b"PARTIAL": partial_range})
