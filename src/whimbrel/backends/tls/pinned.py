"""TLS contexts for one connection to a server whose certificate is compared with a fingerprint: the handshake takes any
certificate, and whoever opened the connection looks at what was shown before anything is sent.
"""

import hashlib
import ssl

from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.trust import peer_chain
from whimbrel.core.net import TlsPolicy


class PinnedContexts:
    """For one connection."""

    def __init__(self, contexts: TlsContexts) -> None:
        self._contexts = contexts
        self.certificate = b""
        """DER, as the server showed it; there once TLS is."""

    def client_context(self, policy: TlsPolicy) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def verified(self, tls: object, server_name: str) -> bool:
        """Whether an authority vouches for it."""
        chain = peer_chain(tls)
        self.certificate = chain[0] if chain else b""
        return self._contexts.verified(tls, server_name)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, 64 hex digits; empty: none was shown."""
        return hashlib.sha256(self.certificate).hexdigest() if self.certificate else ""
