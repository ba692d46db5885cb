"""The order in which the filters of a stage run: a filter runs after those that give the facts it needs.

The order is made once at the start. A fact that nobody gives, or filters that wait for each other, are a mistake of who
wrote the table of filters: OrderError names them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.flow.assessment import EVERYBODY, Fact, Peer, Stage
from whimbrel.flow.judging.filter import Filter, QuickFilter


class OrderError(ValueError):
    """The table of filters cannot be used."""


@dataclass(frozen=True, slots=True)
class Step:
    """A filter that waits for an answer or another filter; it begins when the steps `after` (by number) have ended."""

    filter: Filter
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Of one stage for the mail of one kind of peer: the `quick` ones one by one, then all `steps` as they can."""

    quick: tuple[QuickFilter, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*(filter.name for filter in self.quick), *(step.filter.name for step in self.steps))


def orders(filters: Sequence[Filter]) -> dict[tuple[Stage, Peer], Order]:
    """For each stage and peer; of what does not depend on each other, `filters` is the order. OrderError"""
    names = [filter.name for filter in filters]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OrderError(f"filters with the same name: {', '.join(twice)}")
    sequence = _sequence(filters)
    return {(stage, peer): _order(sequence, stage, peer) for stage in Stage for peer in EVERYBODY}


_STAGES = list(Stage)


def _givers(filters: Sequence[Filter], taker: Filter) -> list[Filter]:
    """Who gives something that `taker` needs, at its stage or before. OrderError if somebody is missing."""
    givers: list[Filter] = []
    before = _STAGES.index(taker.stage)
    for need in taker.needs:
        able = [
            giver for giver in filters if giver is not taker and any(issubclass(fact, need) for fact in giver.gives)
        ]
        in_time = [giver for giver in able if _STAGES.index(giver.stage) <= before]
        missing = taker.peers - {peer for giver in in_time for peer in giver.peers}
        if missing:
            raise OrderError(_missing(taker, need, able, missing))
        givers += in_time
    return givers


def _missing(taker: Filter, need: type[Fact], able: list[Filter], peers: frozenset[Peer]) -> str:
    what = f"filter {taker.name} needs {need.__name__}"
    if not able:
        return f"{what}, which no filter gives"
    names = ", ".join(giver.name for giver in able)
    if all(_STAGES.index(giver.stage) > _STAGES.index(taker.stage) for giver in able):
        return f"{what} at stage {taker.stage.value}, and {names} gives it later"
    return f"{what} for mail of {', '.join(sorted(peer.value for peer in peers))}, and {names} does not judge that"


def _sequence(filters: Sequence[Filter]) -> list[tuple[Filter, list[Filter]]]:
    """Each filter behind its givers, with those of its stage. OrderError if they wait for each other."""
    waiting = {
        id(filter): (filter, [giver for giver in _givers(filters, filter) if giver.stage is filter.stage])
        for filter in filters
    }
    done: dict[int, tuple[Filter, list[Filter]]] = {}
    while waiting:
        ready = [key for key, (_, givers) in waiting.items() if all(id(giver) in done for giver in givers)]
        if not ready:
            names = ", ".join(filter.name for filter, _ in waiting.values())
            raise OrderError(f"filters that need each other's facts, in a circle: {names}")
        for key in ready:
            done[key] = waiting.pop(key)
    return list(done.values())


def _order(sequence: Sequence[tuple[Filter, list[Filter]]], stage: Stage, peer: Peer) -> Order:
    quick: list[QuickFilter] = []
    steps: list[Step] = []
    places: dict[int, int] = {}
    for filter, givers in sequence:
        if filter.stage is not stage or peer not in filter.peers:
            continue
        after = tuple(places[id(giver)] for giver in givers if id(giver) in places)
        if isinstance(filter, QuickFilter) and not after:
            quick.append(filter)
        else:
            places[id(filter)] = len(steps)
            steps.append(Step(filter, after))
    return Order(tuple(quick), tuple(steps))
