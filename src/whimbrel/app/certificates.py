"""What a process shows of its certificates: a file that cannot be used is logged, and nothing is shown in its place."""

import ssl
from collections.abc import Callable, Collection
from typing import TypeVar

from whimbrel.backends.logs.journal import FileLog
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.core.net import ShownCertificate

T = TypeVar("T")


class Certificates:
    """TlsCertificates, over the contexts of one process."""

    def __init__(self, contexts: TlsContexts, log: FileLog) -> None:
        self._contexts, self._log = contexts, log
        self.ensure_certificate, self.offer = contexts.ensure_certificate, contexts.offer

    def server_context(self) -> ssl.SSLContext | None:
        return self._asked(self._contexts.server_context, None)

    def shown(self, name: str) -> ShownCertificate | None:
        return self._asked(lambda: self._contexts.shown(name), None)

    def names(self) -> Collection[str]:
        return self._asked(self._contexts.names, frozenset())

    def publicly_trusted(self, name: str) -> bool:
        return self._asked(lambda: self._contexts.publicly_trusted(name), False)

    def _asked(self, ask: Callable[[], T], otherwise: T) -> T:
        try:
            return ask()
        except (OSError, ValueError) as error:
            self._log.error("tls.certificate-unusable", reason=str(error))
            return otherwise
