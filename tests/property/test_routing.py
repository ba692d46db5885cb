"""Routing of any graph of aliases and forwardings ends, with each mailbox once."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import FakeDirectory, address
from whimbrel.core.errors import MailError
from whimbrel.flow.routing.router import Router

NAMES = [f"n{n}" for n in range(8)]
MEMBERS = st.lists(st.sampled_from([*NAMES, "nobody", "away"]), max_size=4)


def full(name: str) -> str:
    return "away@remote.test" if name == "away" else f"{name}@example.test"


@given(st.dictionaries(st.sampled_from(NAMES), st.tuples(st.sampled_from("uak"), MEMBERS)), st.sampled_from(NAMES))
def test_every_graph_ends_and_agrees_with_reachability(graph: dict[str, tuple[str, list[str]]], start: str) -> None:
    directory = FakeDirectory()
    for name, (kind, members) in graph.items():
        others = tuple(full(member) for member in members)
        if kind == "a":
            directory.alias(full(name), *others)
        else:
            directory.user(full(name), forward_to=others, keep_copy=kind == "k")
    boxes: set[str] = set()
    away = False
    waiting, seen = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name == "away":
            away = True
        elif name in graph:
            kind, members = graph[name]
            if kind != "a" and (not members or kind == "k" or name in members):
                boxes.add(full(name))
            waiting += members
    try:
        expansion = asyncio.run(Router(directory, FakeConfig()).route(address(full(start)), ""))
    except MailError as error:
        assert not boxes and not away
        assert error.code in (550, 554)
        return
    assert sorted(str(one.account.address) for one in expansion.local) == sorted(boxes)
    assert bool(expansion.remote) == away and len(expansion.remote) <= 1


@given(st.text(min_size=1, max_size=30), st.sampled_from(["example.test", "remote.test", "[192.0.2.1]"]))
def test_no_local_part_brings_anything_but_a_route_or_a_refusal(local: str, domain: str) -> None:
    from whimbrel.core.address import Address

    try:
        recipient = Address(local, domain)
    except ValueError:
        return
    directory = FakeDirectory()
    directory.user("alice@example.test")
    try:
        expansion = asyncio.run(Router(directory, FakeConfig()).route(recipient, "192.0.2.25"))
    except MailError:
        return
    # Whatever the local part looks like, an address of ours never leads to another server.
    assert expansion.relayed == (domain != "example.test")
    assert not (domain == "example.test" and expansion.remote)
