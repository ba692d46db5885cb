"""Who needs a fact runs after who gives it; a table in which that cannot be is refused at the start, with names."""

import pytest

from tests.support.filters import filter_ports
from whimbrel.flow.assessment import EVERYBODY, OUTSIDERS, Fact, Peer, Stage
from whimbrel.flow.judging.filter import Filter, QuickFilter
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.order import OrderError, orders


class Spf(Fact):
    pass


class SpfPass(Spf):
    pass


class Tokens(Fact):
    pass


class Sample(Filter):
    stage = Stage.DATA

    def __init__(
        self,
        name: str,
        *,
        gives: type[Fact] | None = None,
        needs: type[Fact] | None = None,
        stage: Stage = Stage.DATA,
        peers: frozenset[Peer] = EVERYBODY,
    ) -> None:
        self.name, self.stage, self.peers = name, stage, peers  # type: ignore[misc]
        self.gives = frozenset({gives} if gives else ())  # type: ignore[misc]
        self.needs = frozenset({needs} if needs else ())  # type: ignore[misc]


class Quick(Sample, QuickFilter):
    pass


def order(*filters: Filter, stage: Stage = Stage.DATA) -> tuple[list[str], dict[str, list[str]]]:
    """The quick ones in order, and for each of the others whom it waits for."""
    made = orders(filters)[stage, Peer.OUTSIDER]
    names = [step.filter.name for step in made.steps]
    return [one.name for one in made.quick], {
        step.filter.name: [names[number] for number in step.after] for step in made.steps
    }


def test_independent_filters_wait_for_nobody() -> None:
    assert order(Sample("a"), Quick("b"), Sample("c"), Quick("d")) == (["b", "d"], {"a": [], "c": []})


def test_a_taker_waits_for_all_that_may_give() -> None:
    filters = (Sample("taker", needs=Spf), Sample("one", gives=Spf), Sample("two", gives=SpfPass), Sample("other"))
    _, steps = order(*filters)
    assert steps == {"one": [], "two": [], "other": [], "taker": ["one", "two"]}


def test_a_quick_taker_stays_quick_if_its_giver_is_and_waits_else() -> None:
    assert order(Quick("taker", needs=Spf), Quick("giver", gives=Spf)) == (["giver", "taker"], {})
    assert order(Quick("taker", needs=Spf), Sample("giver", gives=Spf)) == ([], {"giver": [], "taker": ["giver"]})


def test_what_an_earlier_stage_gave_is_there() -> None:
    filters = (Sample("giver", gives=Spf, stage=Stage.MAIL), Sample("taker", needs=Spf))
    assert order(*filters) == ([], {"taker": []})
    assert order(*filters, stage=Stage.MAIL) == ([], {"giver": []})


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([Sample("taker", needs=Spf)], "filter taker needs Spf, which no filter gives"),
        ([Sample("taker", needs=Spf, gives=Spf)], "filter taker needs Spf, which no filter gives"),
        (
            [Sample("taker", needs=Spf, stage=Stage.MAIL), Sample("giver", gives=Spf)],
            "filter taker needs Spf at stage mail, and giver gives it later",
        ),
        (
            [Sample("taker", needs=Spf), Sample("giver", gives=Spf, peers=OUTSIDERS)],
            "filter taker needs Spf for mail of lmtp, network, ourselves, user, and giver does not judge that",
        ),
        (
            [Sample("a", needs=Spf, gives=Tokens), Sample("b", needs=Tokens, gives=Spf), Sample("c")],
            "filters that need each other's facts, in a circle: a, b",
        ),
        ([Sample("a"), Sample("a"), Sample("b")], "filters with the same name: a"),
    ],
)
def test_a_table_that_cannot_work_is_refused_with_names(filters: list[Filter], words: str) -> None:
    with pytest.raises(OrderError) as error:
        orders(filters)
    assert str(error.value) == words


def test_the_table_of_filters_can_work_and_each_has_a_name_of_its_own() -> None:
    made = orders([kind(filter_ports()) for kind in FILTERS])
    waiting = {key for key, one in made.items() if one.steps}
    assert waiting == {(Stage.MAIL, Peer.OUTSIDER), (Stage.DATA, Peer.OUTSIDER)}  # No task for what users send.
