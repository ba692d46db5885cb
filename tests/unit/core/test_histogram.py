"""Durations in buckets, and percentiles of them."""

import math

import pytest

from whimbrel.core.histogram import BUCKETS, FIRST, bound, bucket_of, percentile


def test_a_duration_lies_within_the_bounds_of_its_bucket() -> None:
    for seconds in (0.0005, 0.001, 0.0011, 0.0123, 0.5, 1.0, 59.9, 3600.0, 86_400.0, 200_000.0):
        bucket = bucket_of(seconds)
        assert seconds <= bound(bucket)
        assert bucket == 0 or seconds > bound(bucket - 1)


def test_every_bound_is_in_its_own_bucket() -> None:
    assert [bucket_of(bound(bucket)) for bucket in range(BUCKETS - 1)] == list(range(BUCKETS - 1))


@pytest.mark.parametrize(("seconds", "bucket"), [(-3600.0, 0), (0.0, 0), (1e12, BUCKETS - 1), (math.inf, BUCKETS - 1)])
def test_no_clock_makes_a_bucket_that_there_is_not(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_a_percentile_is_right_within_its_bucket() -> None:
    counts = [0] * BUCKETS
    for number in range(1, 1001):
        counts[bucket_of(number / 1000)] += 1
    for share in (0.05, 0.5, 0.95, 0.99):
        known = percentile(counts, share)
        assert known is not None and share / math.sqrt(2) <= known <= share * math.sqrt(2)
    assert percentile([0] * BUCKETS, 0.5) is None
    assert percentile([0] * (BUCKETS - 1) + [3], 0.5) == pytest.approx(bound(BUCKETS - 2), rel=0.5)
    assert (percentile([5] + [0] * (BUCKETS - 1), 0.95) or 0) <= FIRST
