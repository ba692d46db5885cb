"""UidSet: the cases that a person would try. The rules for all sets are in tests/property/test_uids.py."""

from whimbrel.core.uids import ALL, MAX_UID, UidSet


def test_neighbours_and_overlaps_become_one_range() -> None:
    assert UidSet([(5, 7), (1, 2), (3, 3), (6, 9)]).ranges == ((1, 3), (5, 9))


def test_a_range_that_ends_before_it_begins_is_empty() -> None:
    assert UidSet([(5, 3)]).ranges == () and not UidSet([(5, 3)])


def test_text_is_that_of_a_sequence_set() -> None:
    assert str(UidSet([(1, 5), (7, 7), (9, 10)])) == "1:5,7,9:10"
    assert repr(UidSet([(1, 2)])) == "UidSet(1:2)" and str(UidSet()) == ""


def test_all_has_every_uid_and_not_zero() -> None:
    assert 1 in ALL and MAX_UID in ALL and 0 not in ALL and MAX_UID + 1 not in ALL
    assert len(ALL) == MAX_UID
    assert ALL.within([3, 900, MAX_UID]) == [3, 900, MAX_UID]


def test_of_takes_an_ascending_run_in_one_range() -> None:
    assert UidSet.of(range(1, 1_000_001)).ranges == ((1, 1_000_000),)
    assert UidSet.of([3, 2, 2, 1]).ranges == ((1, 3),)


def test_it_equals_only_its_like() -> None:
    assert UidSet.of([1]) == UidSet([(1, 1)]) and UidSet.of([1]) != {1}
    assert len({UidSet.of([1, 2]), UidSet([(1, 2)]), UidSet()}) == 2
