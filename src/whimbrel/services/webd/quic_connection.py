"""What aioquic's connection does otherwise here: the certificate by SNI, and a window that the application opens.

aioquic enlarges its windows as fast as data comes, so a client could fill our memory while control reads slowly. Here
the peer may send `WINDOW` octets beyond what was taken. This file alone knows aioquic's inside; `test_quic` notices
when that changes.

Standards: RFC 9000 4.1 (flow control), RFC 6066 3 (SNI)
"""

from collections.abc import Callable
from typing import Any, Final

from aioquic._buffer import Buffer
from aioquic.quic.connection import Limit, QuicConnection
from aioquic.quic.packet import QuicHeader, pull_quic_header
from aioquic.tls import pull_client_hello

from whimbrel.services.webd.quic_certificates import QuicCertificate

WINDOW: Final = 512 * 1024
"""Octets of all streams of a connection that may be on their way or wait here."""


ID: Final = 8
"""Octets of our connection ids."""


def header_of(data: bytes) -> QuicHeader:
    """Of a datagram's first packet. ValueError: there is none."""
    return pull_quic_header(Buffer(data=data), host_cid_length=ID)


class _Window(Limit):
    """The limit for a connection. aioquic doubles `value`; that is not done."""

    def __init__(self, limit: Limit) -> None:
        self.taken = 0
        super().__init__(limit.frame_type, limit.name, limit.value)

    @property
    def value(self) -> int:
        # In steps of half a window: each is a frame.
        step = WINDOW // 2
        return WINDOW + self.taken // step * step

    @value.setter
    def value(self, _value: int) -> None:
        pass


class ServerConnection(QuicConnection):
    def __init__(self, *, choose: Callable[[str], QuicCertificate | None], **options: Any) -> None:
        """`choose` gives the certificate for the name that a client asks for."""
        super().__init__(**options)
        self._choose = choose
        self._window = self._local_max_data = _Window(self._local_max_data)

    def take(self, octets: int) -> None:
        """So many octets of streams are done with: the peer may send as many more."""
        self._window.taken += octets

    def waiting(self, stream: int) -> int:
        """Octets of a stream of ours that the peer has not acknowledged yet."""
        known = self._streams.get(stream)
        return len(known.sender._buffer) if known is not None else 0

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        handle = self.tls._server_handle_hello

        def with_certificate(input_buf: Buffer, initial_buf: Buffer, handshake_buf: Buffer) -> None:
            at = input_buf.tell()
            chosen = self._choose(pull_client_hello(input_buf).server_name or "")
            input_buf.seek(at)
            if chosen is not None:
                self.tls.certificate, self.tls.certificate_chain = chosen.certificate, chosen.others
                self.tls.certificate_private_key = chosen.key
            handle(input_buf, initial_buf, handshake_buf)

        self.tls._server_handle_hello = with_certificate  # type: ignore[method-assign]
