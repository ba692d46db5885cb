"""UidSet is a set, whatever the ranges it was made of."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from whimbrel.core.uids import MAX_UID, UidSet

numbers = st.integers(1, 60)
ranges = st.lists(st.tuples(numbers, numbers))


def members(pairs: list[tuple[int, int]]) -> set[int]:
    return {uid for first, last in pairs for uid in range(first, last + 1)}


@given(ranges)
def test_it_holds_what_its_ranges_hold(pairs: list[tuple[int, int]]) -> None:
    uids, want = UidSet(pairs), members(pairs)
    assert list(uids) == sorted(want)
    assert len(uids) == len(want) and bool(uids) == bool(want)
    assert all((uid in uids) == (uid in want) for uid in range(62))


@given(ranges)
def test_its_ranges_are_sorted_disjoint_and_not_adjacent(pairs: list[tuple[int, int]]) -> None:
    found = UidSet(pairs).ranges
    assert all(first <= last for first, last in found)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(found))


@given(ranges, ranges)
def test_equal_sets_are_equal_however_they_were_made(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    one, two = UidSet(a), UidSet(b)
    assert (one == two) == (members(a) == members(b))
    if one == two:
        assert hash(one) == hash(two) and str(one) == str(two)
    assert UidSet.of(members(a)) == one


@given(st.lists(numbers))
def test_of_takes_uids_in_any_order(uids: list[int]) -> None:
    assert list(UidSet.of(uids)) == sorted(set(uids))


@given(ranges, st.sets(st.integers(1, 80)))
def test_within_picks_those_present(pairs: list[tuple[int, int]], present: set[int]) -> None:
    assert UidSet(pairs).within(sorted(present)) == sorted(present & members(pairs))


@given(ranges)
def test_its_text_is_a_sequence_set_of_the_same_uids(pairs: list[tuple[int, int]]) -> None:
    uids = UidSet(pairs)
    text = str(uids)
    if not uids:
        assert text == ""
        return
    assert re.fullmatch(r"\d+(:\d+)?(,\d+(:\d+)?)*", text)
    read = [part.split(":") for part in text.split(",")]
    assert UidSet((int(part[0]), int(part[-1])) for part in read) == uids


@given(st.integers(1, MAX_UID), st.integers(1, MAX_UID), st.integers(1, MAX_UID))
def test_a_huge_set_costs_nothing(a: int, b: int, uid: int) -> None:
    first, last = min(a, b), max(a, b)
    uids = UidSet([(first, last)])
    assert len(uids) == last - first + 1
    assert (uid in uids) == (first <= uid <= last)
    assert uids.within([uid]) == ([uid] if first <= uid <= last else [])
