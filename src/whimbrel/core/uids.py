"""Sets of message UIDs, kept as ranges: a set of a million neighbours costs as much as a set of two.

Standards: RFC 9051 9 (sequence-set, nz-number), 2.3.1.1 (UIDs have 32 bits).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

MAX_UID: Final = 0xFFFFFFFF


class UidSet:
    """An immutable, ordered set of UIDs. Ranges are sorted, disjoint and not adjacent."""

    __slots__ = ("_starts", "ranges")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """`ranges` are (first, last), both inclusive, in any order; they may overlap."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                if last > merged[-1][1]:
                    merged[-1] = (merged[-1][0], last)
            elif first <= last:
                merged.append((first, last))
        self.ranges: tuple[tuple[int, int], ...] = tuple(merged)
        self._starts = [first for first, _ in merged]

    @classmethod
    def of(cls, uids: Iterable[int]) -> "UidSet":
        """The set of `uids`, in any order; one pass when they ascend."""
        ranges: list[tuple[int, int]] = []
        start = end = -2
        for uid in uids:
            if uid == end + 1:
                end = uid
            else:
                if start >= 0:
                    ranges.append((start, end))
                start = end = uid
        if start >= 0:
            ranges.append((start, end))
        return cls(ranges)

    def __contains__(self, uid: int) -> bool:
        at = bisect_right(self._starts, uid) - 1
        return at >= 0 and uid <= self.ranges[at][1]

    def covers(self, first: int, last: int) -> bool:
        """All from `first` to `last` are in it."""
        at = bisect_right(self._starts, first) - 1
        return at >= 0 and last <= self.ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __and__(self, other: "UidSet") -> "UidSet":
        """The UIDs in both."""
        common: list[tuple[int, int]] = []
        mine, theirs = self.ranges, other.ranges
        i = j = 0
        while i < len(mine) and j < len(theirs):
            first, last = max(mine[i][0], theirs[j][0]), min(mine[i][1], theirs[j][1])
            if first <= last:
                common.append((first, last))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return UidSet(common)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UidSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __str__(self) -> str:
        """As a sequence-set: `1:5,7`."""
        return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in self.ranges)

    def __repr__(self) -> str:
        return f"UidSet({self})"

    def within(self, present: Sequence[int]) -> list[int]:
        """Those of the ascending `present` that are in this set: the set may be far larger than the folder."""
        inside: list[int] = []
        for first, last in self.ranges:
            low = bisect_right(present, first - 1)
            inside.extend(present[low : bisect_right(present, last, low)])
        return inside


ALL: Final = UidSet([(1, MAX_UID)])
