"""Histograms of durations in buckets that grow by the square root of two: a percentile is known within a fifth.

Counts of buckets can be added up, over processes and over time, and what comes out is the histogram of all of it; of
percentiles nothing could be said together.
"""

import math
from collections.abc import Sequence
from typing import Final

FIRST: Final = 0.001
"""Seconds: the upper bound of the first bucket."""
BUCKETS: Final = 58
"""The last but one ends after three days; what took longer is in the last."""
_LAST: Final = FIRST * 2 ** ((BUCKETS - 2) / 2)


def bucket_of(seconds: float) -> int:
    """Returns the bucket that a duration belongs to; a negative one, of a clock that was set back, to the first."""
    if seconds <= FIRST:
        return 0
    if seconds > _LAST:
        return BUCKETS - 1
    return math.ceil(2 * math.log2(seconds / FIRST) - 1e-9)


def bound(bucket: int) -> float:
    """Returns the longest duration of a bucket, in seconds; infinity for the last."""
    return FIRST * 2 ** (bucket / 2) if bucket < BUCKETS - 1 else math.inf


def percentile(counts: Sequence[float], share: float) -> float | None:
    """Returns the duration within which `share` (0 to 1) of the counted lie; None: nothing was counted."""
    total = sum(counts)
    if total <= 0:
        return None
    wanted, below = share * total, 0.0
    for bucket, count in enumerate(counts):
        if count and below + count >= wanted:
            low = bound(bucket - 1) if bucket else 0.0
            high = bound(bucket) if bucket < BUCKETS - 1 else low * math.sqrt(2)
            return low + (high - low) * max(0.0, (wanted - below) / count)
        below += count
    return bound(BUCKETS - 2)
