"""HTTP/1.1 of one connection as Hypercorn speaks it, but for upgrades: there are none.

A client that wants HTTP/2 says so in the handshake (ALPN). `Upgrade: h2c`, which Hypercorn would follow even within
TLS, was dropped from the standard, and we have nothing to say by WebSocket. An upgrade may be ignored:
the request is answered as if nothing had been said of it.

Standards: RFC 9110 7.8 (Upgrade), RFC 9113 3.1 and B (h2c is obsolete)
"""

import h11
from hypercorn.protocol.h11 import H11Protocol


class Http1(H11Protocol):
    @classmethod
    def instead_of(cls, made: H11Protocol) -> "Http1":
        """One that nothing has been heard by yet."""
        return cls(
            made.app, made.config, made.context, made.task_group, made.connection_state, made.ssl, made.client,
            made.server, made.send,
        )  # fmt: skip

    async def _check_protocol(self, event: h11.Request) -> None:
        """No other one is taken up in the middle of a connection."""

    async def _create_stream(self, request: h11.Request) -> None:
        kept = [(name, value) for name, value in request.headers if name not in (b"upgrade", b"http2-settings")]
        await super()._create_stream(
            h11.Request(method=request.method, target=request.target, headers=kept, http_version=request.http_version)
        )
