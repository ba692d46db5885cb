"""The table of the network services: one line each. Settings, sockets, processes, setup, demonstration and
documentation derive from it.

    Service(LdapService, "directory", streams(_ldap, refusal))

The settings class says name (its tag) and defaults; the process (`app/processes`) serves it; `start` begins to, in each
such process. What starts a service is loaded when it is first asked for: the command line needs the table alone.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from whimbrel.app.place import Place
from whimbrel.core.settings import assembled
from whimbrel.services.session.services import (
    ImapService,
    ImapsService,
    LmtpService,
    Pop3Service,
    Pop3sService,
    ServiceSettings,
    ServicesSettings,
    SmtpService,
    SubmissionService,
    SubmissionsService,
    may_connect,
)
from whimbrel.services.webd.settings import ConsoleService

if TYPE_CHECKING:
    import socket

    from whimbrel.app.house import House
    from whimbrel.core.engine import Engine


class Serving(Protocol):
    """One service in one process, from its start to its end."""

    @property
    def connections(self) -> int:
        """Those whose session is not over."""
        ...

    def listen(self, sockets: Sequence["socket.socket"]) -> None:
        """Listens on these from now on. Those before are closed when it returns, so that their ports are free; the
        sessions go on."""
        ...

    def pause(self) -> None:
        """Takes no new work while the loop is late."""
        ...

    def resume(self) -> None: ...

    async def close(self, grace: float) -> None:
        """Listens no more and ends the sessions: `grace` seconds for what they must finish."""
        ...


Start = Callable[["House", str], Serving]
"""Begins to serve the service of this name; it listens on nothing yet."""


@dataclass(frozen=True, slots=True)
class Service:
    settings: type[ServiceSettings]
    process: str
    """Its name in the table of processes."""
    start: Start
    datagrams: bool = False
    """Its sockets are UDP."""
    beside: Callable[[Any], bool] = lambda _settings: False
    """Whether its settings want a UDP socket beside each one for connections."""

    @property
    def name(self) -> str:
        return self.settings.tag

    def places(self, settings: ServiceSettings) -> list[Place]:
        """Where it listens when it is on."""
        places = [Place(at.host, at.port, self.datagrams) for at in settings.listen]
        if self.beside(settings):
            places += [place._replace(datagrams=True) for place in places]
        return places


class Front(Protocol):
    """What serves the connections of one protocol, for all its services in a process."""

    def engine(self, service: str) -> "Engine[Any, Any]":
        """For one connection."""
        ...

    def session(self, connection: Any, service: str) -> Coroutine[Any, Any, None]:
        """The whole life of one connection; with implicit TLS its handshake is done."""
        ...


def streams(make: Callable[["House"], Front], refusal: bytes) -> Start:
    """The start of a service over TCP; `make` is called once in a process for all its services. `refusal` is the line
    to a connection over the limit."""

    def start(house: "House", name: str) -> Serving:
        from whimbrel.backends.net.driver import Connection
        from whimbrel.backends.net.listener import Limits, Listener
        from whimbrel.backends.net.tracing import trace

        front = house.shared(make)

        def settings() -> ServiceSettings:
            return house.config.section(ServicesSettings).named(name)

        def limits() -> Limits:
            service = settings()
            return Limits(service.max_connections, service.max_connections_per_host)

        def implicit() -> bool:
            return settings().tls == "implicit"

        def connection() -> "Connection[Any, Any]":
            return Connection(front.engine(name))

        listener = Listener(
            name,
            limits,
            house.log,
            factory=connection,
            session=partial(front.session, service=name),
            refusal=refusal,
            implicit_tls=implicit,
            tls=house.tls.server_context,
            allowed=lambda ip: may_connect(house.config, settings(), ip),
            trace=lambda host: trace(name, host, house.log),
            tally=house.tally,
        )

        def changed(paths: frozenset[str]) -> None:
            if any(path.startswith("logs/debug") for path in paths):
                listener.retrace()

        house.config.subscribe(changed)
        return listener

    return start


def _smtp(house: "House") -> Front:
    from whimbrel.services.smtpd.server import SmtpServer

    return SmtpServer(
        reception=house.reception,
        directory=house.directory,
        config=house.config,
        sign_in=house.sign_in,
        log=house.log,
        clock=house.clock,
        ids=house.ids,
        tls=house.tls.server_context,
    )


def _imap(house: "House") -> Front:
    from whimbrel.services.imapd.server import ImapServer

    return ImapServer(
        folders=house.folders,
        messages=house.messages,
        changes=house.changes,
        spool=house.spool,
        commit=house.commit,
        pool=house.pool,
        space=house.space,
        quotas=house.quotas,
        config=house.config,
        sign_in=house.sign_in,
        log=house.log,
        clock=house.clock,
        ids=house.ids,
        tls=house.tls.server_context,
    )


def _pop3(house: "House") -> Front:
    from whimbrel.services.pop3d.server import Pop3Server

    return Pop3Server(
        folders=house.folders,
        messages=house.messages,
        counters=house.counters,
        config=house.config,
        sign_in=house.sign_in,
        log=house.log,
        clock=house.clock,
        ids=house.ids,
        tls=house.tls.server_context,
    )


def _console(house: "House", name: str) -> Serving:
    from whimbrel.services.webd.console import Console

    return Console(
        name,
        socket_path=house.places.console_socket,
        certificates=house.tls,
        server_context=house.tls.server_context,
        config=house.config,
        pool=house.pool,
        log=house.log,
        tally=house.tally,
        process=house.title,
        session_id=house.ids.session_id,
        installation=house.places.public_id,
    )


def load() -> None:
    """Loads what the services of the table need, for who forks the processes that serve them."""
    import whimbrel.backends.net.listener
    import whimbrel.services.imapd.server
    import whimbrel.services.pop3d.server
    import whimbrel.services.smtpd.server
    import whimbrel.services.webd.console  # noqa: F401


_SMTP: Final = streams(_smtp, b"421 4.3.2 Too many connections\r\n")
_IMAP: Final = streams(_imap, b"* BYE Too many connections\r\n")
_POP3: Final = streams(_pop3, b"-ERR [SYS/TEMP] Too many connections\r\n")

SERVICES: Final = (
    Service(SmtpService, "mail", _SMTP),
    Service(SubmissionService, "mail", _SMTP),
    Service(SubmissionsService, "mail", _SMTP),
    Service(LmtpService, "mail", _SMTP),
    Service(ImapService, "mail", _IMAP),
    Service(ImapsService, "mail", _IMAP),
    Service(Pop3Service, "mail", _POP3),
    Service(Pop3sService, "mail", _POP3),
    Service(ConsoleService, "web", _console, beside=lambda settings: bool(settings.http3)),
)


def settings_of(services: Sequence[Service]) -> type[ServicesSettings]:
    """The section `services` of the configuration."""
    return assembled(ServicesSettings, {service.name: service.settings for service in services})


if TYPE_CHECKING:
    AllServicesSettings = ServicesSettings
else:
    AllServicesSettings = settings_of(SERVICES)
