"""HTTP/3 over UDP: which datagrams belong to which connection, and who gets one.

A client proves its address (Retry) before it costs anything; connections are counted, in all and for each address. What
cannot be read is dropped without a word.

Standards: RFC 9000 (QUIC), 8.1.2 (address validation), 6 (version negotiation), RFC 9114 (HTTP/3)
"""

import asyncio
import contextlib
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from aioquic.h3.connection import H3_ALPN, ErrorCode
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE, QuicConfiguration
from aioquic.quic.events import ConnectionIdIssued, ConnectionIdRetired, ConnectionTerminated, HandshakeCompleted
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from whimbrel.backends.net.listener import Limits
from whimbrel.backends.net.names import host_and_port
from whimbrel.core.log import Log
from whimbrel.services.webd.http3 import App, Http3Connection
from whimbrel.services.webd.live import WebConnection, WebConnections
from whimbrel.services.webd.quic_certificates import QuicCertificate, QuicCertificates
from whimbrel.services.webd.quic_connection import ID, WINDOW, ServerConnection, header_of

IDLE: Final = 30.0
"""Seconds after the last datagram of a client, and after its last request, when its connection ends."""
HANDSHAKE_WITHIN: Final = 10.0
PING: Final = 12.0
"""Seconds between two questions whether a client with a request under way is still there."""
_AT_ONCE: Final = 32
"""Datagrams that are read for one readiness of a socket: others want their turn."""
_LARGEST: Final = 65536


class QuicEndpoint:
    """All connections of one service in one process."""

    def __init__(
        self,
        name: str,
        application: App,
        certificates: QuicCertificates,
        limits: Callable[[], Limits],
        allowed: Callable[[str], bool],
        log: Log,
        connections: WebConnections | None = None,
        session_id: Callable[[], str] = lambda: "",
    ) -> None:
        """As for TCP (`tcp.py`)."""
        self._live, self._session_id = connections or WebConnections("", log), session_id
        self._name, self._application, self._certificates = name, application, certificates
        self._limits, self._allowed, self._log = limits, allowed, log
        self._retry = QuicRetryTokenHandler()
        self._sockets: list[socket.socket] = []
        self._by_id: dict[bytes, _Session] = {}
        self._sessions: dict[_Session, str] = {}
        self._hosts: Counter[str] = Counter()
        self._ending: set[asyncio.Task[None]] = set()
        self._late = False

    @property
    def connections(self) -> int:
        return len(self._sessions)

    @property
    def ports(self) -> list[int]:
        return [int(sock.getsockname()[1]) for sock in self._sockets]

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Connections go on where their address is among these."""
        loop = asyncio.get_running_loop()
        fresh = {sock.getsockname()[:2]: sock for sock in sockets}
        for session in list(self._sessions):
            if (sock := fresh.get(session.sock.getsockname()[:2])) is not None:
                session.sock = sock
            else:
                session.close()
        for sock in self._sockets:
            loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets = list(sockets)
        for sock in self._sockets:
            sock.setblocking(False)
            loop.add_reader(sock.fileno(), self._readable, sock)

    def pause(self) -> None:
        """Takes no new connections; those that are there go on."""
        self._late = True

    def resume(self) -> None:
        self._late = False

    async def close(self) -> None:
        self.listen(())
        if self._ending:
            await asyncio.wait(self._ending)

    # Datagrams

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, address = sock.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # An ICMP message about what was sent.
            try:
                self._datagram(sock, data, address)
            except Exception as error:  # noqa: BLE001 - whatever a stranger sent: the others must not hear of it.
                self._log.debug("web.broken", sender_host=host_and_port(address)[0], reason=repr(error))

    def _datagram(self, sock: socket.socket, data: bytes, address: Any) -> None:
        try:
            header = header_of(data)
        except ValueError:
            return
        session = self._by_id.get(header.destination_cid)
        if session is not None:
            session.datagram(data, address)
        elif len(data) >= SMALLEST_MAX_DATAGRAM_SIZE:  # What a client begins with; no answer is larger. RFC 9000 14.1
            self._first_datagram(sock, header, data, address)

    def _first_datagram(self, sock: socket.socket, header: QuicHeader, data: bytes, address: Any) -> None:
        version, versions = header.version, QuicConfiguration().supported_versions
        if version is not None and version not in versions:
            if header.packet_type != QuicPacketType.VERSION_NEGOTIATION:
                answer = encode_quic_version_negotiation(
                    source_cid=header.destination_cid, destination_cid=header.source_cid, supported_versions=versions
                )
                _send(sock, answer, address)
            return
        host = host_and_port(address)[0]
        if header.packet_type != QuicPacketType.INITIAL or version is None or self._late or not self._may(host):
            return
        now = asyncio.get_running_loop().time()
        if not header.token:
            own = os.urandom(ID)
            token = self._retry.create_token(
                address=address,
                original_destination_connection_id=header.destination_cid,
                retry_source_connection_id=own,
                now=now,
            )
            retry = encode_quic_retry(
                version=version,
                source_cid=own,
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=token,
            )
            _send(sock, retry, address)
            return
        try:
            original = self._retry.validate_token(
                address=address, destination_cid=header.destination_cid, token=header.token, now=now
            )
        except ValueError:
            return
        if (default := self._choose("")) is None:
            self._log.error("server.no_certificate", service=self._name)
            return
        self._begin(sock, header.destination_cid, original, host, address, default).datagram(data, address)

    def _may(self, host: str) -> bool:
        limits = self._limits()
        if not self._allowed(host):
            return False
        if len(self._sessions) >= limits.connections or self._hosts[host] >= limits.per_host:
            self._log.warning("connection.limit", service=self._name, sender_host=host, connections=len(self._sessions))
            return False
        return True

    # Connections

    def _begin(
        self, sock: socket.socket, own: bytes, original: bytes, host: str, address: Any, default: QuicCertificate
    ) -> "_Session":
        quic = ServerConnection(
            choose=self._choose,
            configuration=_configuration(default),
            original_destination_connection_id=original,
            retry_source_connection_id=own,
        )
        session = _Session(self, sock, quic, host_and_port(address))
        self._sessions[session] = host
        self._hosts[host] += 1
        for each in (own, quic.host_cid):
            self.know(each, session)
        return session

    def _choose(self, name: str) -> QuicCertificate | None:
        return self._certificates.of(name)

    def know(self, connection_id: bytes, session: "_Session") -> None:
        self._by_id[connection_id] = session
        session.ids.add(connection_id)

    def forget(self, connection_id: bytes, session: "_Session") -> None:
        session.ids.discard(connection_id)
        self._by_id.pop(connection_id, None)

    def over(self, session: "_Session", tasks: Sequence["asyncio.Task[None]"]) -> None:
        """It is over; `tasks` end now."""
        host = self._sessions.pop(session, None)
        if host is None:
            return
        if session.live is not None:
            self._live.remove(session.live)
        for each in list(session.ids):
            self.forget(each, session)
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]
        for task in tasks:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def http3(
        self, quic: ServerConnection, client: tuple[str, int], flush: Callable[[], None], live: WebConnection
    ) -> Http3Connection:
        self._live.add(live)
        return Http3Connection(quic, self._application, client, flush, live)

    def living(self, client: tuple[str, int], end: Callable[[], object]) -> WebConnection:
        """A connection as it is listed. QUIC has no other TLS than 1.3. RFC 9001 4.2"""
        now = asyncio.get_running_loop().time()
        return WebConnection(self._session_id(), self._name, *client, end, now, now, "TLSv1.3")


class _Session:
    """One connection: its datagrams and its timers."""

    def __init__(
        self, endpoint: QuicEndpoint, sock: socket.socket, quic: ServerConnection, client: tuple[str, int]
    ) -> None:
        self._endpoint, self.sock, self._quic = endpoint, sock, quic
        self._loop = asyncio.get_running_loop()
        self.ids: set[bytes] = set()
        self._http: Http3Connection | None = None
        self._client = client
        self.live: WebConnection | None = None
        """Once the handshake is over."""
        self._timer: asyncio.TimerHandle | None = None
        self._flushing = False
        self._busy = self._loop.time()
        """When it last had a request under way."""
        self._watch = self._loop.call_later(HANDSHAKE_WITHIN, self._look)

    def datagram(self, data: bytes, address: Any) -> None:
        self._quic.receive_datagram(data, address, now=self._loop.time())
        if self.live is not None:
            self.live.heard(len(data))
        self._hear()

    def flush(self) -> None:
        """Soon: what several requests have to say goes out together."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._quic.close(error_code=ErrorCode.H3_NO_ERROR)
        self._flush()
        self._end()

    def _flush(self) -> None:
        self._flushing = False
        for data, address in self._quic.datagrams_to_send(now=self._loop.time()):
            _send(self.sock, data, address)
        due = self._quic.get_timer()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._due) if due is not None else None

    def _due(self) -> None:
        self._timer = None
        self._quic.handle_timer(now=self._loop.time())
        self._hear()

    def _hear(self) -> None:
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self._end()
                return
            if isinstance(event, ConnectionIdIssued):
                self._endpoint.know(event.connection_id, self)
            elif isinstance(event, ConnectionIdRetired):
                self._endpoint.forget(event.connection_id, self)
            elif isinstance(event, HandshakeCompleted):
                self.live = self._endpoint.living(self._client, self.close)
                self._http = self._endpoint.http3(self._quic, self._client, self.flush, self.live)
            elif self._http is not None:
                self._http.hear(event)
        if self._http is not None:
            self._http.woken()
        self.flush()

    def _look(self) -> None:
        """Now and then: a connection without requests ends, one with a request is asked whether it is there."""
        now = self._loop.time()
        if self._http is not None and self._http.requests:
            self._busy = now
            self._quic.send_ping(0)
            self.flush()
        elif self._http is None or now - self._busy > IDLE:
            self.close()
            return
        self._watch = self._loop.call_later(PING, self._look)

    def _end(self) -> None:
        self._watch.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._flushing = True  # Nothing is sent any more.
        self._endpoint.over(self, self._http.close() if self._http is not None else [])


def _configuration(default: QuicCertificate) -> QuicConfiguration:
    return QuicConfiguration(
        certificate=default.certificate,
        certificate_chain=default.others,
        private_key=default.key,
        is_client=False,
        alpn_protocols=H3_ALPN,
        connection_id_length=ID,
        idle_timeout=IDLE,
        max_data=WINDOW,
        max_stream_data=WINDOW,
    )


def _send(sock: socket.socket, data: bytes, address: Any) -> None:
    with contextlib.suppress(OSError):  # A full buffer loses a datagram, which is sent again.
        sock.sendto(data, address)
