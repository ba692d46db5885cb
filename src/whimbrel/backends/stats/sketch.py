"""The names that come most often, of any number of names, in bounded memory.

Space-saving: of a table that is full the rarest go, and a name that comes new begins where the rarest ended, so no
count is ever too low, and none is too high by more than that.

Standards: Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams (2005)
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

KEPT: Final = 256
"""Names that stay when a table is full; it holds twice as many, so that making room costs little on the whole."""
LONGEST: Final = 254
"""Characters of a name."""

Counts = tuple[int, int]
"""How often, and how many octets."""


class Sketch:
    """Counts of names."""

    __slots__ = ("_counts", "_floor", "_kept")

    def __init__(self, counts: Mapping[str, Counts] = {}, kept: int = KEPT) -> None:
        self._kept, self._floor = kept, 0
        self._counts = dict(counts)
        self._make_room()

    def add(self, name: str, octets: int = 0, times: int = 1) -> None:
        counts = self._counts
        before = counts.get(name)
        if before is not None:
            counts[name] = before[0] + times, before[1] + octets
            return
        counts[name[:LONGEST]] = self._floor + times, octets
        if len(counts) > 2 * self._kept:
            self._make_room()

    def merge(self, counts: Mapping[str, Counts]) -> None:
        for name, (times, octets) in counts.items():
            self.add(name, octets, times)

    def top(self, number: int = KEPT) -> list[tuple[str, int, int]]:
        """Returns name, times and octets, the most frequent first."""
        chosen = heapq.nsmallest(number, self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        return [(name, times, octets) for name, (times, octets) in chosen]

    @property
    def counts(self) -> Mapping[str, Counts]:
        return self._counts

    def _make_room(self) -> None:
        if len(self._counts) <= 2 * self._kept:
            return
        chosen = self.top(self._kept)
        kept = {name for name, _, _ in chosen}
        self._floor = max(counts[0] for name, counts in self._counts.items() if name not in kept)
        self._counts = {name: (times, octets) for name, times, octets in chosen}


def merged(tables: Iterable[Mapping[str, Counts]]) -> Sketch:
    """Returns one table of many."""
    sketch = Sketch()
    for table in tables:
        sketch.merge(table)
    return sketch
