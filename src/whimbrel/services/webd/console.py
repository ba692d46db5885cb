"""The service `console` in its process: the pages, the way to control, and the protocols that bring requests."""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import SOCK_DGRAM, socket
from typing import Final, Protocol, cast

import whimbrel
from whimbrel.backends.net.listener import Limits
from whimbrel.backends.net.meter import Meter
from whimbrel.core.config import ConfigStore
from whimbrel.core.log import Log
from whimbrel.core.net import OwnCertificates
from whimbrel.core.pool import Pool
from whimbrel.core.stats import NoTally, Tally
from whimbrel.services.admin.calls import FileText
from whimbrel.services.admin.table import all_calls
from whimbrel.services.session.services import ServicesSettings, may_connect
from whimbrel.services.webd.application import Application
from whimbrel.services.webd.forward import CONNECTIONS, Forward
from whimbrel.services.webd.hosts import Hosts
from whimbrel.services.webd.live import WebConnections
from whimbrel.services.webd.pages import Pages
from whimbrel.services.webd.quic import QuicEndpoint
from whimbrel.services.webd.quic_certificates import QuicCertificates
from whimbrel.services.webd.settings import ConsoleService
from whimbrel.services.webd.tcp import PROTOCOLS, TcpConnections
from whimbrel.services.webd.upstream import Upstream

BUILT: Final = Path(whimbrel.__file__).parent / "web" / "console"
"""Where the built console is among the files of the package."""
KNOWN_FOR: Final = 3600
"""Seconds for which browsers remember that there is HTTP/3."""


_NO_TALLY = NoTally()


class Certificates(OwnCertificates, Protocol):
    def offer(self, *protocols: str) -> None:
        """What ALPN may choose."""
        ...


class Console:
    """The port Serving."""

    def __init__(
        self,
        name: str,
        *,
        socket_path: Path,
        certificates: Certificates,
        server_context: Callable[[], ssl.SSLContext | None],
        config: ConfigStore,
        pool: Pool,
        log: Log,
        built: Path = BUILT,
        tally: Tally = _NO_TALLY,
        process: str = "",
        session_id: Callable[[], str] = lambda: "",
        installation: str = "",
    ) -> None:
        """`socket_path` is where control listens, `process` the name of ours, `session_id` makes ids of connections,
        `installation` is its public id."""
        self.clients = WebConnections(process, log)
        """Who is connected at this moment."""
        self._name, self._config = name, config
        self._upstream = Upstream(socket_path, CONNECTIONS)
        hosts = Hosts(config, certificates, lambda: self._settings.names)
        forward = Forward(self._upstream, file_paths(), log, installation)
        self._application = Application(
            Pages(built, pool), forward, self._upstream, hosts, certificates, log
        )  # fmt: skip
        certificates.offer(*PROTOCOLS)
        self._quic = QuicEndpoint(
            name,
            self._application,
            QuicCertificates(certificates),
            self._quic_limits,
            self._may_connect,
            log,
            self.clients,
            session_id,
        )
        self._tcp = TcpConnections(
            name, self._application, server_context, self._limits, self._may_connect, log,
            Meter(tally, name), self.clients, session_id,
        )  # fmt: skip

    def _may_connect(self, ip: str) -> bool:
        return may_connect(self._config, self._settings, ip)

    @property
    def connections(self) -> int:
        return self._tcp.connections + self._quic.connections

    def listen(self, sockets: Sequence[socket]) -> None:
        datagrams = [sock for sock in sockets if sock.type == SOCK_DGRAM]
        self._tcp.listen([sock for sock in sockets if sock.type != SOCK_DGRAM])
        self._quic.listen(datagrams)
        services = [f'h3=":{port}"; ma={KNOWN_FOR}' for port in dict.fromkeys(self._quic.ports)]
        self._application.alternative = ", ".join(services).encode()

    def pause(self) -> None:
        self._tcp.pause()
        self._quic.pause()

    def resume(self) -> None:
        self._tcp.resume()
        self._quic.resume()

    async def close(self, grace: float) -> None:
        await self._quic.close()
        await self._tcp.close(grace)
        self._upstream.close()

    @property
    def _settings(self) -> ConsoleService:
        return cast(ConsoleService, self._config.section(ServicesSettings).named(self._name))

    def _limits(self) -> Limits:
        return Limits(self._settings.max_connections, self._settings.max_connections_per_host)

    def _quic_limits(self) -> Limits:
        return Limits(self._settings.http3_connections, self._settings.max_connections_per_host)


def file_paths() -> frozenset[str]:
    """The paths of the admin calls that take a file."""
    return frozenset(
        call.path for call in all_calls() if any(parameter.kind is FileText for parameter in call.parameters)
    )
