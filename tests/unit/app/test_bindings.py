"""Which sockets give way to which, when services move."""

import os
import socket
from dataclasses import dataclass, field
from typing import cast

import pytest

from whimbrel.app.bindings import Bindings, Refusal, Supervisor
from whimbrel.app.holders import describe_holder, overlap
from whimbrel.app.place import Place
from whimbrel.app.services import SERVICES

SERVICE = {service.name: service for service in SERVICES}


@dataclass
class Machine:
    """The supervisor, as far as it binds: a port here is at any address."""

    others: set[Place] = field(default_factory=set)
    held: set[tuple[str, Place]] = field(default_factory=set)

    def bind(self, service: str, place: Place) -> socket.socket | Refusal:
        if any(at.port == place.port for at in self.others):
            return Refusal("the port is held by another")
        own = tuple(each for each in sorted(self.held) if each[1][1:] == place[1:])
        if own:
            return Refusal("the port is held by us", own)
        self.held.add((service, place))
        return socket.socket()


@dataclass
class Moves:
    """What the zygote does with a request, but for the workers."""

    machine: Machine
    bindings: Bindings = field(default_factory=lambda: Bindings(SERVICE))

    def to(self, **wanted: list[int]) -> dict[str, list[int]]:
        """The ports of each service after these were wanted."""
        places = {name: [Place("127.0.0.1", port) for port in ports] for name, ports in wanted.items()}
        supervisor = cast(Supervisor, self.machine)
        for name, at in places.items():
            self.bindings.bind(name, at, supervisor)
        ways = self.bindings.giving_way(places)
        for name, at in ways.items():
            self._drop(name, at)
        for name, at in places.items():
            self.bindings.bind(name, at, supervisor)
        for name, at in ways.items():
            self.bindings.take_back(name, at, supervisor)
        for name, at in places.items():
            self._drop(name, self.bindings.leaving(name, at))
        return {name: sorted(place.port for place in held) for name, held in self.bindings.sockets.items() if held}

    def _drop(self, name: str, addresses: list[Place]) -> None:
        self.bindings.drop(name, addresses)
        self.machine.held -= {(name, at) for at in addresses}


def test_a_service_leaves_a_place_only_for_all_that_it_is_to_have() -> None:
    moves = Moves(Machine({Place("127.0.0.1", 3)}))
    assert moves.to(imap=[1, 2]) == {"imap": [1, 2]}
    assert moves.to(imap=[2, 3]) == {"imap": [1, 2]}
    assert moves.to(imap=[4, 3]) == {"imap": [1, 2, 4]}
    moves.machine.others.clear()
    assert moves.to(imap=[4, 3]) == {"imap": [3, 4]}


def test_a_service_that_is_switched_off_leaves_all_its_places() -> None:
    moves = Moves(Machine({Place("127.0.0.1", 3)}))
    moves.to(imap=[1])
    assert moves.to(imap=[3]) == {"imap": [1]}
    assert moves.to(imap=[]) == {}


def test_services_change_places_in_a_ring() -> None:
    moves = Moves(Machine())
    moves.to(imap=[1], pop3=[2], smtp=[3])
    assert moves.to(imap=[2], pop3=[3], smtp=[1]) == {"imap": [2], "pop3": [3], "smtp": [1]}


def test_nobody_gives_way_who_has_no_place_to_go_to() -> None:
    moves = Moves(Machine({Place("127.0.0.1", 4)}))
    moves.to(imap=[1], pop3=[2], smtp=[3])
    assert moves.to(imap=[2], pop3=[3], smtp=[4]) == {"imap": [1], "pop3": [2], "smtp": [3]}
    assert moves.bindings.refused["smtp"][Place("127.0.0.1", 4)].own == ()


def test_a_service_that_stays_does_not_give_way_to_another() -> None:
    moves = Moves(Machine())
    moves.to(imap=[1], pop3=[2])
    assert moves.to(imap=[2]) == {"imap": [1], "pop3": [2]}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("*", "::1", True),
        ("::1", "0.0.0.0", False),
        ("::", "127.0.0.1", True),
        ("::1", "::2", False),
    ],
)
def test_addresses_overlap(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is expected


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="no /proc")
def test_the_holder_of_a_port_is_who_listens_at_that_address_and_not_we() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        assert f"(pid {os.getpid()}" in describe_holder("0.0.0.0", port)
        assert describe_holder("127.0.0.2", port) == ""
        assert describe_holder("127.0.0.1", port, ours=[os.fstat(sock.fileno()).st_ino]) == ""


def test_a_socket_for_datagrams_and_one_for_connections_do_not_stand_in_each_others_way() -> None:
    machine = Machine()
    bindings, places = Bindings(SERVICE), SERVICE["console"].places(SERVICE["console"].settings())
    assert [str(place) for place in places] == ["*:44337", "*:44337/udp"]
    bindings.bind("console", places, cast(Supervisor, machine))
    assert not bindings.refused["console"] and bindings.state()["bound"] == {"console": ["*:44337", "*:44337/udp"]}
    assert len(bindings.state()["services"]["console"]) == 1
    assert bindings.leaving("console", places[:1]) == places[1:]
    assert bindings.drop("console", places[1:]) == [["console", "*", 44337, True]]
