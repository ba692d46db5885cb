"""The sockets of the services as the zygote holds them: what it forks workers with and hands to those that run."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whimbrel.app import channel
from whimbrel.app.place import Place
from whimbrel.app.services import Service


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an address could not be had."""

    text: str
    own: tuple[tuple[str, Place], ...] = ()
    """Service and address of our own sockets, if these alone are in the way."""


@dataclass(slots=True)
class Bindings:
    """By service and address; `refused` says why one is missing."""

    services: Mapping[str, Service]
    sockets: dict[str, dict[Place, socket.socket]] = field(default_factory=dict)
    refused: dict[str, dict[Place, Refusal]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    """Services whose workers do not have all sockets yet."""

    def of(self, name: str) -> list[socket.socket]:
        return list(self.sockets.get(name, {}).values())

    def leaving(self, name: str, wanted: Sequence[Place]) -> list[Place]:
        """What is not wanted any more. A service stays where it was until it has all that it is to have instead."""
        return [] if self.refused.get(name) else self._unwanted(name, wanted)

    def giving_way(self, wanted: Mapping[str, Sequence[Place]]) -> dict[str, list[Place]]:
        """What is not wanted any more and alone keeps us from what is wanted: one service takes the place of another,
        or another address of the same port. Nothing of a service that would then have no place to go to."""
        moving = set(wanted)
        while True:
            unwanted = {(name, at) for name in moving for at in self._unwanted(name, wanted[name])}
            stuck = {
                name
                for name in moving
                if any(not each.own or not unwanted.issuperset(each.own) for each in self.refused[name].values())
            }
            if not stuck:
                break
            moving -= stuck
        way = {own for name in moving for each in self.refused[name].values() for own in each.own}
        return {name: [at for service, at in way if service == name] for name in {service for service, _ in way}}

    def drop(self, name: str, addresses: Sequence[Place]) -> list[list[object]]:
        """Closes ours; the keys that the supervisor is to release."""
        keys: list[list[object]] = []
        for address in addresses:
            self.sockets[name].pop(address).close()
            keys.append([name, *address])
        return keys

    def bind(self, name: str, wanted: Sequence[Place], supervisor: "Supervisor") -> None:
        """Binds what is missing."""
        held, refused = self.sockets.setdefault(name, {}), dict[Place, Refusal]()
        for address in wanted:
            if address in held:
                continue
            answer = supervisor.bind(name, address)
            if isinstance(answer, Refusal):
                refused[address] = answer
            else:
                held[address] = answer
                self.fresh.add(name)
        self.refused[name] = refused

    def take_back(self, name: str, addresses: Sequence[Place], supervisor: "Supervisor") -> None:
        """What gave way for nothing, or was held by a former zygote: only while something wanted is refused."""
        if refused := self.refused.get(name):
            self.bind(name, addresses, supervisor)
            self.refused[name] = refused

    def _unwanted(self, name: str, wanted: Sequence[Place]) -> list[Place]:
        return [address for address in self.sockets.get(name, {}) if address not in wanted]

    def state(self) -> dict[str, Any]:
        """For ready.json: names of the sockets, the places as they are configured, and what was refused. Sockets that
        stand beside others are told by their places alone."""
        return {
            "services": {
                name: [
                    list(sock.getsockname()[:2])
                    for place, sock in held.items()
                    if place.datagrams == self.services[name].datagrams
                ]
                for name, held in self.sockets.items()
                if held
            },
            "bound": {name: [str(place) for place in held] for name, held in self.sockets.items() if held},
            "refused": [
                {"service": name, "address": str(address), "error": refusal.text}
                for name, refused in self.refused.items()
                for address, refusal in refused.items()
            ],
        }

    def close(self) -> None:
        for held in self.sockets.values():
            for sock in held.values():
                sock.close()
        self.sockets.clear()


class Supervisor:
    """The zygote's end of the channel to its supervisor."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.heard: list[dict[str, Any]] = []
        """What came while an answer was awaited."""

    def send(self, message: dict[str, Any]) -> None:
        channel.send(self.line, message)

    def receive(self) -> dict[str, Any] | None:
        """The next message. None: it has gone."""
        if self.heard:
            return self.heard.pop(0)
        received = channel.receive(self.line)
        return None if received is None else received[0]

    def bind(self, service: str, place: Place) -> socket.socket | Refusal:
        """The socket, or why there is none."""
        self.send({"do": "bind", "service": service, **place._asdict()})
        while (received := channel.receive(self.line)) is not None:
            message, sockets = received
            if message.get("do") != "bound":
                self.heard.append(message)
            elif sockets:
                return sockets[0]
            else:
                own = tuple((str(name), Place(*place)) for name, *place in message.get("own", ()))
                return Refusal(str(message.get("error", "")), own)
        return Refusal("the supervisor has gone")
