"""TLS contexts for a look at another server: any certificate is taken, one version may be asked for, and the chain that
was shown is kept.
"""

import ssl
import warnings
from collections.abc import Sequence
from typing import Final

from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.trust import peer_chain
from whimbrel.core.net import TlsPolicy

VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_ANY_CIPHER: Final = "ALL:@SECLEVEL=0"
"""What we would never use is looked for all the same."""


class ProbeContexts:
    """For one connection. `version` is the only one that is offered; empty: all."""

    def __init__(self, contexts: TlsContexts, version: str = "") -> None:
        self._contexts, self._version = contexts, version
        self.chain: Sequence[bytes] = ()
        """DER, the server's own first; there once TLS is."""

    def client_context(self, policy: TlsPolicy) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers(_ANY_CIPHER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Of old versions: they are not used, but looked for.
            oldest, newest = VERSIONS[self._version or "1.0"], VERSIONS[self._version or "1.3"]
            context.minimum_version, context.maximum_version = oldest, newest
        return context

    def verified(self, tls: object, server_name: str) -> bool:
        self.chain = peer_chain(tls)
        return self._contexts.verified(tls, server_name)
