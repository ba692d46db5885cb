"""The most frequent of more names than there is room for."""

import random

from whimbrel.backends.stats.sketch import LONGEST, Sketch, merged


def test_the_most_frequent_of_a_hundred_thousand_names_are_known_and_memory_is_bounded() -> None:
    chance, sketch = random.Random(7), Sketch(kept=50)
    sent = [f"rare{number}@example.test" for number in range(30_000)]
    for number in range(10):
        sent += [f"often{number}@example.test"] * (2000 - 100 * number)
    chance.shuffle(sent)
    for name in sent:
        sketch.add(name, octets=10)
        assert len(sketch.counts) <= 100
    top = sketch.top(10)
    assert {name for name, _, _ in top} == {f"often{number}@example.test" for number in range(10)}
    for name, times, _ in top:
        exact = sent.count(name)
        assert exact <= times <= exact + len(sent) / 50


def test_what_fits_is_exact_and_tables_add_up() -> None:
    one, two = Sketch(), Sketch()
    one.add("a", 100)
    one.add("a", 50)
    two.add("a", 1)
    two.add("b", 7)
    assert one.top() == [("a", 2, 150)]
    assert merged([one.counts, two.counts]).top() == [("a", 3, 151), ("b", 1, 7)]


def test_a_name_is_cut_to_what_a_table_holds() -> None:
    sketch = Sketch()
    sketch.add("x" * 10_000)
    assert [len(name) for name, _, _ in sketch.top()] == [LONGEST]
