"""The services smtp, submission, submissions and lmtp: an engine and a session for each connection.

Standards: RFC 5321, RFC 6409 (submission), RFC 8314 3.3 (submissions), RFC 2033 (LMTP).
"""

import ssl
from collections.abc import Callable
from typing import Final

from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory
from whimbrel.core.log import Log
from whimbrel.flow.settings import SmtpSettings
from whimbrel.protocols.smtp.server import SmtpEngine
from whimbrel.protocols.smtp.state import Role
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.smtpd.content import SmtpConnection
from whimbrel.services.smtpd.door import Ports, Reception
from whimbrel.services.smtpd.session import SmtpSession

ROLES: Final = {
    "smtp": Role.SMTP,
    "submission": Role.SUBMISSION,
    "submissions": Role.SUBMISSION,
    "lmtp": Role.LMTP,
}


class SmtpServer:
    """One for all its services in a worker; holds no connection itself."""

    def __init__(
        self,
        *,
        reception: Reception,
        directory: Directory,
        config: ConfigStore,
        sign_in: Authenticator,
        log: Log,
        clock: Clock,
        ids: Ids,
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        """`tls` gives the context in use now, None if there is no certificate."""
        self._ports = Ports(reception, directory, config, sign_in, log, clock, ids, tls)

    def engine(self, service: str) -> SmtpEngine:
        """For one connection of the service called `service`."""
        return SmtpEngine(ROLES[service], int(self._ports.config.section(SmtpSettings).max_message_size))

    async def session(self, connection: SmtpConnection, service: str) -> None:
        """The whole life of one connection; with implicit TLS its handshake is done."""
        engine = connection.engine
        if not isinstance(engine, SmtpEngine):
            raise TypeError("the connection has another engine than ours")
        await SmtpSession(self._ports, connection, engine, service).run()
