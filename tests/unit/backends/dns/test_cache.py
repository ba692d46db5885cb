"""The cache keeps answers for their TTL, within bounds of ours."""

import pytest

from whimbrel.backends.dns.cache import FAILURE_TTL, MAX_NEGATIVE_TTL, MAX_TTL, MIN_TTL, Answer, Cache

FOUND, NONE, GONE, FAILED = Answer(("192.0.2.1",)), Answer(), Answer(exists=False), Answer(failure="time-out")


@pytest.mark.parametrize(
    ("answer", "ttl", "kept"),
    [
        (FOUND, 300, 300),
        (FOUND, 0, MIN_TTL),
        (FOUND, 10**9, MAX_TTL),
        (NONE, 10**6, MAX_NEGATIVE_TTL),
        (GONE, 10**6, MAX_NEGATIVE_TTL),
        (GONE, 30, 30),
        (FAILED, 10**6, FAILURE_TTL),
    ],
)
def test_an_answer_lives_as_long_as_its_ttl_within_bounds(answer: Answer, ttl: float, kept: float) -> None:
    cache = Cache(lambda: 10)
    cache.put("a.test", "A", answer, ttl, now=1000.0)
    assert cache.get("a.test", "A", 1000.0 + kept - 0.01) == answer
    assert cache.get("a.test", "A", 1000.0 + kept) is None
    assert len(cache) == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(lambda: 2)
    cache.put("a", "A", FOUND, 60, 0)
    cache.put("b", "A", FOUND, 60, 0)
    cache.get("a", "A", 1)
    cache.put("c", "A", FOUND, 60, 0)
    assert [cache.get(name, "A", 1) for name in "abc"] == [FOUND, None, FOUND]


def test_types_of_one_name_are_apart() -> None:
    cache = Cache(lambda: 9)
    cache.put("a", "A", FOUND, 60, 0)
    assert cache.get("a", "AAAA", 0) is None
