"""The sockets of the services as the zygote holds them: what it forks workers with and hands to those that run."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whimbrel.app import channel
from whimbrel.app.services import Service

Address = tuple[str, int]


@dataclass(slots=True)
class Bindings:
    """By service and address; `refused` says why one is missing."""

    services: Mapping[str, Service]
    sockets: dict[str, dict[Address, socket.socket]] = field(default_factory=dict)
    refused: dict[str, dict[Address, str]] = field(default_factory=dict)

    def of(self, name: str) -> list[socket.socket]:
        return list(self.sockets.get(name, {}).values())

    def unwanted(self, name: str, wanted: Sequence[Address]) -> list[Address]:
        return [address for address in self.sockets.get(name, {}) if address not in wanted]

    def drop(self, name: str, addresses: Sequence[Address]) -> list[list[object]]:
        """Closes ours; the keys that the supervisor is to release."""
        keys: list[list[object]] = []
        for address in addresses:
            self.sockets[name].pop(address).close()
            keys.append([name, *address, self.services[name].datagrams])
        return keys

    def bind(self, name: str, wanted: Sequence[Address], supervisor: "Supervisor") -> bool:
        """Binds what is missing. True: something was bound."""
        held = self.sockets.setdefault(name, {})
        before, refused = len(held), dict[Address, str]()
        for address in wanted:
            if address in held:
                continue
            answer = supervisor.bind(name, *address, datagrams=self.services[name].datagrams)
            if isinstance(answer, str):
                refused[address] = answer
            else:
                held[address] = answer
        self.refused[name] = refused
        return len(held) > before

    def state(self) -> dict[str, Any]:
        """For ready.json: names of the sockets, the addresses as they are configured, and what was refused."""
        return {
            "services": {
                name: [list(sock.getsockname()[:2]) for sock in held.values()]
                for name, held in self.sockets.items()
                if held
            },
            "bound": {name: [shown(*address) for address in held] for name, held in self.sockets.items() if held},
            "refused": [
                {"service": name, "address": shown(*address), "error": error}
                for name, refused in self.refused.items()
                for address, error in refused.items()
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

    def bind(self, service: str, host: str, port: int, *, datagrams: bool) -> socket.socket | str:
        """The socket, or why there is none."""
        self.send({"do": "bind", "service": service, "host": host, "port": port, "datagrams": datagrams})
        while (received := channel.receive(self.line)) is not None:
            message, sockets = received
            if message.get("do") != "bound":
                self.heard.append(message)
            elif sockets:
                return sockets[0]
            else:
                return str(message.get("error", ""))
        return "the supervisor has gone"


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
