"""A server with services and processes that only a test knows: each is its settings class and one line of a table.

python echo_server.py DIR             the supervisor
python echo_server.py DIR DESCRIPTOR  its zygote
"""

# ruff: noqa: E402 - the tree is on no path of the interpreter that the supervisor starts.

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "src"), str(Path(__file__).resolve().parents[2])]

from tests.unit.backends.net.toy import LineEngine, Toy
from whimbrel.app.house import House
from whimbrel.app.installation import Installation
from whimbrel.app.processes import PROCESSES
from whimbrel.app.processes.process import Process
from whimbrel.app.services import SERVICES, Service, Serving, settings_of, streams
from whimbrel.app.settings import MailServer
from whimbrel.app.supervisor import Supervisor
from whimbrel.app.zygote import Zygote
from whimbrel.backends.net.driver import Closed, TimedOut
from whimbrel.core.settings import assembled, setting
from whimbrel.core.values import HostPort
from whimbrel.services.session.services import ServiceSettings, Tls


class EchoService(ServiceSettings, tag="echo"):
    """Says each line again. RFC 862"""

    listen: tuple[HostPort, ...] = setting((HostPort("127.0.0.1:7"),), help="Addresses and ports.")
    tls: Tls = setting("none", help="TLS: none, by STARTTLS, or implicit.")


class EchoPacketsService(EchoService, tag="echo_packets"):
    """Sends each datagram back."""


class Echo:
    def engine(self, service: str) -> LineEngine:
        return LineEngine()

    async def session(self, connection: Toy, service: str) -> None:
        try:
            while True:
                await connection.send(await connection.next_event(30))
        except (Closed, TimedOut):
            pass
        finally:
            connection.end()


class Packets:
    """What serves datagrams."""

    connections = 0

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        self.pause()
        for sock in self._sockets:
            sock.close()
        self._sockets = list(sockets)
        for sock in self._sockets:
            sock.setblocking(False)
        self.resume()

    def pause(self) -> None:
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())

    def resume(self) -> None:
        for sock in self._sockets:
            asyncio.get_running_loop().add_reader(sock.fileno(), self._answer, sock)

    async def close(self, grace: float) -> None:
        self.listen(())

    @staticmethod
    def _answer(sock: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            data, address = sock.recvfrom(2048)
            sock.sendto(data, address)


def packets(_house: House, _name: str) -> Serving:
    return Packets()


@contextlib.asynccontextmanager
async def failing(_house: House) -> AsyncIterator[None]:
    raise RuntimeError("this process cannot be")
    yield


ALL = (*SERVICES, Service(EchoService, "mail", streams(lambda house: Echo(), b"no\r\n")),
       Service(EchoPacketsService, "mail", packets, datagrams=True))  # fmt: skip
KINDS = (*PROCESSES, Process(name="broken", slots=range(0xD0, 0xD2), topics=(), parts=(failing,), needed=False))

if TYPE_CHECKING:
    Root = MailServer
else:
    Root = assembled(MailServer, {"services": settings_of(ALL)})


class TestSupervisor(Supervisor):
    def _command(self, line: socket.socket) -> list[str]:
        return [sys.executable, os.path.abspath(__file__), str(self._directory), str(line.fileno())]


def main(arguments: list[str]) -> Any:
    directory = Path(arguments[0])
    if len(arguments) == 1:
        return TestSupervisor(directory).run()
    return Zygote(Installation(directory, Root), socket.socket(fileno=int(arguments[1])), ALL, KINDS).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
