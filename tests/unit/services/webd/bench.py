"""The application of the console's port without a network: requests in, answers out, control as an ASGI application on
a Unix socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.fakes import FakeConfig, InlinePool, MemoryLog
from whimbrel.core.net import ShownCertificate
from whimbrel.services.admin.local import serving
from whimbrel.services.console.cookie import cookie_name
from whimbrel.services.webd.application import Application
from whimbrel.services.webd.forward import CONNECTIONS, Forward
from whimbrel.services.webd.hosts import Hosts
from whimbrel.services.webd.pages import Pages
from whimbrel.services.webd.upstream import Upstream

INSTALLATION = "0a1b2c3d"
COOKIE = cookie_name(INSTALLATION, "localhost:44337")
FILES = ("/api/admin/user/import",)


class NoCertificates:
    trusted: frozenset[str] = frozenset()

    def shown(self, name: str) -> ShownCertificate | None:
        return None

    def names(self) -> Collection[str]:
        return ("mail.example.test", "*.example.org")

    def publicly_trusted(self, name: str) -> bool:
        return name in self.trusted


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    aborted: bool = False

    def __getitem__(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


class Client:
    """One request. Its body comes in the pieces that are given; then the client stays, or goes when told."""

    def __init__(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        pieces: Iterable[bytes] = (),
        *,
        host: str = "localhost:44337",
        version: str = "2",
        client: str = "192.0.2.7",
        ends: bool = True,
    ) -> None:
        path, _, query = target.partition("?")
        given = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        given += [(b"host", host.encode("latin-1"))] if host else []
        self.answer = Answer()
        self.scope: dict[str, Any] = {
            "type": "http", "method": method, "raw_path": path.encode("latin-1"), "query_string": query.encode(),
            "headers": given, "client": (client, 4711), "http_version": version, "state": {"abort": self._abort},
        }  # fmt: skip
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        body = list(pieces)
        for piece in body:
            self._incoming.put_nowait({"type": "http.request", "body": piece, "more_body": True})
        if ends:
            self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.reads = asyncio.Event()
        self.reads.set()
        self.heard = asyncio.Event()
        """Something of the body has come."""

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> dict[str, Any]:
        return await self._incoming.get()

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
        else:
            self.answer.body += message["body"]
            self.answer.ended = not message["more_body"]
            if message["body"]:
                self.heard.set()

    def _abort(self) -> None:
        self.answer.aborted = True
        self.leave()


class Bench:
    def __init__(self, folder: Path, built: Path | None = None) -> None:
        self.log, self.config = MemoryLog(), FakeConfig()
        self.socket = folder / "console.sock"
        self.certificates = NoCertificates()
        self.names: tuple[str, ...] = ()
        self.upstream = Upstream(self.socket, CONNECTIONS)
        self.forward = Forward(self.upstream, FILES, self.log, INSTALLATION)
        self.application = Application(
            Pages(built or folder / "nothing", InlinePool()),
            self.forward,
            self.upstream,
            Hosts(self.config, self.certificates, lambda: self.names),
            self.certificates,
            self.log,
        )

    async def ask(self, client: Client) -> Answer:
        async with asyncio.timeout(20):
            await self.application(client.scope, client.receive, client.send)
        return client.answer

    async def get(self, target: str, *headers: tuple[str, str], method: str = "GET", host: str = "localhost") -> Answer:
        return await self.ask(Client(method, target, headers, host=host))

    @contextlib.asynccontextmanager
    async def control(self, application: Any) -> AsyncIterator[None]:
        """`application` stands in for control while the block runs."""
        async with serving(application, self.socket, self.log):
            yield
        self.upstream.close()
