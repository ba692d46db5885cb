r"""Which messages are \Recent in a session: a few ranges of UIDs, whatever their number.

Standards: RFC 3501 2.3.2
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Recent:
    """UIDs that this session alone was notified of first."""

    __slots__ = ("_ranges", "_view")

    def __init__(self, view: "array[int]") -> None:
        self._view = view
        self._ranges: tuple[tuple[int, int], ...] = ()

    def see(self, view: "array[int]") -> None:
        """The session's messages are `view` now."""
        self._view = view

    def add(self, first: int, last: int) -> None:
        """Messages from `first` to `last`, which are above all so far."""
        if last < first:
            return
        if self._ranges and self._ranges[-1][1] + 1 >= first:
            self._ranges = (*self._ranges[:-1], (self._ranges[-1][0], last))
        else:
            self._ranges = (*self._ranges, (first, last))

    def clear(self) -> None:
        self._ranges = ()

    def __contains__(self, uid: int) -> bool:
        return any(first <= uid <= last for first, last in self._ranges) if self._ranges else False

    def between(self, first: int, last: int) -> frozenset[int]:
        """Those of the messages from UID `first` to `last`."""
        uids: list[int] = []
        for start, end in self._places(first, last):
            uids += self._view[start:end]
        return frozenset(uids)

    def count(self, first: int, last: int) -> int:
        """How many of the messages from UID `first` to `last`."""
        return sum(end - start for start, end in self._places(first, last))

    def _places(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        view = self._view
        for low, high in self._ranges:
            start, end = bisect_left(view, max(low, first)), bisect_right(view, min(high, last))
            if start < end:
                yield start, end

    def __iter__(self) -> Iterator[int]:
        for first, last in self._ranges:
            yield from self._view[bisect_left(self._view, first) : bisect_right(self._view, last)]

    def __len__(self) -> int:
        view = self._view
        return sum(bisect_right(view, last) - bisect_left(view, first) for first, last in self._ranges)
