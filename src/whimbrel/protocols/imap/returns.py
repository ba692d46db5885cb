"""What a search is to return, and the ESEARCH response.

Standards: RFC 4466 2.6.1 (RETURN), 2.6.2 (ESEARCH response), RFC 4731 (MIN, MAX, ALL, COUNT), RFC 5182 (SAVE),
RFC 9394 3 (PARTIAL); RFC 5267 3 (the same for SORT)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.encode import string
from whimbrel.protocols.imap.partial import Partial, partial_range
from whimbrel.protocols.imap.sequence import uid_set

_OPTIONS = frozenset({b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE"})


@dataclass(frozen=True, slots=True)
class Returns:
    """`options` are MIN, MAX, ALL, COUNT, SAVE; an empty RETURN () means ALL."""

    options: frozenset[bytes]
    window: Partial | None = None

    @property
    def silent(self) -> bool:
        """Only SAVE: there is no answer but the tagged one. RFC 5182 2.1"""
        return self.options == {b"SAVE"} and self.window is None

    def shown(self, results: Sequence[int]) -> Sequence[int]:
        """Which of `results` the answer is about, for SAVE (RFC 5182 2.4, RFC 9394 3.2) and for the highest MODSEQ."""
        if self.options & {b"ALL", b"COUNT"} or not (self.window or self.options & {b"MIN", b"MAX"}):
            return results
        some = set(self.window.of(results)) if self.window else set[int]()
        some.update(results[:1] if b"MIN" in self.options else (), results[-1:] if b"MAX" in self.options else ())
        return [result for result in results if result in some]


ALL = Returns(frozenset({b"ALL"}))


def optional_returns(cursor: Cursor) -> Returns | None:
    """`RETURN (...) ` if it is next, its space included."""
    if not cursor.keyword(b"RETURN"):
        return None
    cursor.expect(b"(", "Expected a list of return options")
    options: set[bytes] = set()
    window: Partial | None = None
    more = False
    for _ in cursor.items():
        more = True
        name = cursor.word("Expected a return option")
        if name == b"PARTIAL" and window is None:
            window = partial_range(cursor)
        elif name in _OPTIONS:
            options.add(name)
        else:
            raise BadSyntax("Unknown return option")
    if window and b"ALL" in options:
        raise BadSyntax("PARTIAL and ALL exclude each other")  # RFC 9394 3.1
    cursor.space()
    return Returns(frozenset(options), window) if more else ALL


def esearch(
    tag: bytes, results: Sequence[int], returns: Returns, *, uid: bool, modseq: int = 0, mailbox: bytes = b""
) -> bytes:
    """The response behind `* `. `results` is in the order of the results; `mailbox`: RFC 7377 2.1, what names it."""
    out = [b"ESEARCH (TAG %b%b)" % (string(tag), b" " + mailbox if mailbox else b"")]
    if uid:
        out.append(b"UID")
    options = returns.options
    if results:
        if b"MIN" in options:
            out.append(b"MIN %d" % results[0])
        if b"MAX" in options:
            out.append(b"MAX %d" % results[-1])
        if b"ALL" in options:
            out.append(b"ALL " + uid_set(results))
    if b"COUNT" in options:
        out.append(b"COUNT %d" % len(results))
    if returns.window:
        part = returns.window.of(results)
        out.append(b"PARTIAL (%b %b)" % (bytes(returns.window), uid_set(part) if part else b"NIL"))
    if modseq and results:
        out.append(b"MODSEQ %d" % modseq)
    return b" ".join(out)
