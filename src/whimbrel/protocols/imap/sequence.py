"""Sequence sets, and UIDs written as sets.

Standards: RFC 3501 9 (sequence-set, seq-number), RFC 4315 4 (uid-set)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.core.uids import UidSet

STAR = 0
"""Stands for `*`, the largest number in use."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """As the client wrote it: pairs in any order, `STAR` not yet known."""

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False
    """`$`: what the last SEARCH saved. RFC 5182"""

    def resolve(self, last: int) -> UidSet:
        """The numbers meant when `last` is the largest in use. `last` 0 (an empty mailbox): `*` alone means none."""
        resolved: list[tuple[int, int]] = []
        for first, second in self.ranges:
            low, high = first or last, second or last
            if low and high:
                resolved.append((low, high) if low <= high else (high, low))
        return UidSet(resolved)

    def beyond(self, count: int) -> bool:
        """Names a message number that is not there, `*` of an empty mailbox included. RFC 3501 9"""
        return not count or any(first > count or second > count for first, second in self.ranges)

    def __bytes__(self) -> bytes:
        return (
            b"$"
            if self.saved
            else b",".join(
                _number(first) if first == second else _number(first) + b":" + _number(second)
                for first, second in self.ranges
            )
        )


SAVED = SequenceSet((), saved=True)


def _number(value: int) -> bytes:
    return b"%d" % value if value else b"*"


def uid_set(uids: Sequence[int]) -> bytes:
    """UIDs in the order given, runs as ranges: both halves of COPYUID must match pairwise. RFC 4315 3"""
    out: list[bytes] = []
    start = end = -2
    for uid in uids:
        if uid == end + 1:
            end = uid
            continue
        if start >= 0:
            out.append(b"%d" % start if start == end else b"%d:%d" % (start, end))
        start = end = uid
    if start >= 0:
        out.append(b"%d" % start if start == end else b"%d:%d" % (start, end))
    return b",".join(out)
