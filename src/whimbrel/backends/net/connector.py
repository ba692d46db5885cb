"""Outgoing connections: the Connector and Link ports on asyncio.

Every error is an OSError whose text can go into a log or a delivery report; TimeoutError and ssl.SSLError are OSErrors.
Each wait ends at the caller's `asyncio.timeout`, at the latest at the time-outs given here.
Standards: RFC 3207 4.2 and 6 (nothing said before TLS counts), RFC 7435, RFC 8314.
"""

import asyncio
import contextlib
import errno
import ipaddress
import os
import ssl
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, cast

from whimbrel.backends.net.meter import UNMETERED, Meter
from whimbrel.core.address import Domain
from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Resolver, TlsInfo, TlsMode, TlsPolicy
from whimbrel.core.stats import DELIVERY, NoTally, Tally

READ_AHEAD = 256 * 1024
"""Bytes taken before they are read; then the peer waits."""
CONNECT_TIMEOUT = 30.0
"""For each address."""
HANDSHAKE_TIMEOUT = 30.0
SILENCE = 600.0
"""The longest wait for a peer, should the caller have set none. RFC 5321 4.5.3.2.6 asks for 10 minutes."""
MAX_ADDRESSES = 8
_LINGER = 1.0


class ClientTls(Protocol):
    """Where TLS contexts come from (`backends/tls`)."""

    def client_context(self, policy: TlsPolicy) -> ssl.SSLContext: ...

    def verified(self, tls: object, server_name: str) -> bool:
        """Did the peer of this ssl.SSLObject prove that name?"""
        ...


_NO_TALLY = NoTally()


class NetConnector:
    """Opens connections. Names are asked of `resolver`; of the system if there is none or it knows none."""

    def __init__(
        self,
        tls: ClientTls,
        resolver: Resolver | None = None,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        tally: Tally = _NO_TALLY,
        refusal: Callable[[str], str] | None = None,
    ) -> None:
        """`refusal` says why an address is not to be connected to, in words; empty: it may be (`guard.py`)."""
        self._tls, self._resolver, self._connect_timeout = tls, resolver, connect_timeout
        self._meter = Meter(tally, DELIVERY)
        self._refusal = refusal

    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> "NetLink":
        """With an implicit policy TLS is in place when it returns."""
        failures: list[str] = []
        for address in await self._addresses(host):
            if self._refusal is not None and (why := self._refusal(address)):
                failures.append(f"{_place(address, port)}: {why}")
                continue
            try:
                link = await self._connect(address, port, source, host, tls)
            except OSError as error:
                failures.append(f"{_place(address, port)}: {reason(error)}")
                continue
            if tls.mode is TlsMode.IMPLICIT:
                await link.start_tls()
            return link
        raise ConnectionError("; ".join(failures) or f"{host} has no address")

    async def _connect(self, address: str, port: int, source: str, host: str, policy: TlsPolicy) -> "NetLink":
        loop = asyncio.get_running_loop()
        # A name may have addresses of both families, and the source is of one.
        fits = host.strip("[]") == address or (":" in source) is (":" in address)
        local = (source, 0) if source and fits else None
        with _plain_errors():
            try:
                async with asyncio.timeout(self._connect_timeout):
                    _, link = await loop.create_connection(
                        lambda: NetLink(self._tls, policy, policy.server_name or host, self._meter),
                        address,
                        port,
                        local_addr=local,
                    )
            except TimeoutError:
                raise TimeoutError("connection timed out") from None
        return link

    async def _addresses(self, host: str) -> list[str]:
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host.strip("[]")))]
        if self._resolver is not None and host.rstrip(".").lower() != "localhost":
            try:
                addresses = await self._resolver.addresses(host)
            except MailError as error:
                raise OSError(f"{host}: {error.detail or error.text}") from None
            except NoSuchName:
                addresses = []
            if addresses:
                return addresses[:MAX_ADDRESSES]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                known = await loop.getaddrinfo(host, None, type=1)  # SOCK_STREAM
        except TimeoutError:
            raise TimeoutError(f"{host}: name look-up timed out") from None
        except (OSError, UnicodeError) as error:
            raise OSError(f"{host}: {reason(error)}") from None
        return list(dict.fromkeys(str(entry[4][0]) for entry in known))[:MAX_ADDRESSES]


class NetLink(asyncio.Protocol):
    """One connection, used by one task."""

    def __init__(self, tls: ClientTls, policy: TlsPolicy, server_name: str, meter: Meter = UNMETERED) -> None:
        self._meter = meter
        self._contexts, self._policy, self._server_name = tls, policy, server_name.strip("[]").rstrip(".")
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._inbox: list[bytes] = []
        self._inbox_size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended = self._lost = self._read_paused = self._write_paused = False
        self._error: OSError | None = None
        self._tls: TlsInfo | None = None
        self._peer = self._local = self._complaint = ""
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # The port

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def local(self) -> str:
        return self._local

    @property
    def tls(self) -> TlsInfo | None:
        return self._tls

    async def read(self) -> bytes:
        while not self._inbox:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            await self._wait("the other side is silent")
        data = self._inbox[0] if len(self._inbox) == 1 else b"".join(self._inbox)
        self._inbox, self._inbox_size = [], 0
        if self._read_paused and not self._lost and self._transport is not None:
            self._read_paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Returns when the peer has taken enough of it that memory stays bounded."""
        transport = self._open_transport()
        self._meter.sent[0] += len(data)
        try:
            transport.write(data)
        except Exception as error:  # A context for each write would cost as much as a small one.
            with _plain_errors():
                raise error
        while self._write_paused and not self._lost:
            await self._wait("the other side does not read")
        if self._lost:
            raise self._error or ConnectionResetError("connection closed by the other side")

    async def start_tls(self) -> None:
        if self._policy.mode is TlsMode.NONE:
            raise OSError("TLS is switched off for this connection")
        transport = self._open_transport()
        # RFC 3207 6: what came in the clear after the answer to STARTTLS may be another's.
        self._inbox, self._inbox_size = [], 0
        with _plain_errors():
            context = self._contexts.client_context(self._policy)
            try:
                started = await self._loop.start_tls(
                    transport,
                    self,
                    context,
                    server_hostname=_sni(self._server_name),
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
                    ssl_shutdown_timeout=_LINGER,
                )
            except BaseException:
                self._lost = self._ended = True
                transport.abort()
                raise
            if started is None:
                raise ConnectionResetError("connection closed during the TLS handshake")
        self._transport = started
        self._read_paused = False
        tls = started.get_extra_info("ssl_object")
        name, _, bits = tls.cipher() or ("", "", 0)
        self._tls = TlsInfo(
            str(tls.version() or ""),
            str(name),
            int(bits),
            self._contexts.verified(tls, self._server_name),
            self._server_name,
        )

    async def close(self) -> None:
        """What was written is still sent, for a moment; a peer that does not read is cut off."""
        transport = self._transport
        if transport is None or self._lost:
            return
        transport.close()
        if not self._lost:
            try:
                async with asyncio.timeout(_LINGER):
                    while not self._lost:
                        await self._wait("")
            except TimeoutError:
                transport.abort()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._transport is not None:
            return  # After TLS was started the same protocol is told again.
        self._transport = cast(asyncio.Transport, transport)
        self._peer = _name(transport.get_extra_info("peername"))
        self._local = _name(transport.get_extra_info("sockname"))

    def data_received(self, data: bytes) -> None:
        self._inbox.append(data)
        self._inbox_size += len(data)
        self._meter.received[0] += len(data)
        if self._inbox_size > READ_AHEAD and not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return self._tls is None  # What we still write may be read; TLS has no half-closed state.

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        self._write_paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if exc is not None:
            self._error = exc if isinstance(exc, OSError) else OSError(reason(exc))
        self._wake()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake()

    # Inside

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None or self._lost or self._transport.is_closing():
            raise self._error or ConnectionResetError("connection closed by the other side")
        return self._transport

    async def _wait(self, complaint: str) -> None:
        # One timer for the life of the connection, moved only when it fires: waits are many, time-outs rare.
        self._complaint, self._deadline = complaint, self._loop.time() + SILENCE
        if self._timer is None and not self._lost:
            self._timer = self._loop.call_at(self._deadline, self._tick)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _tick(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() >= self._deadline - 0.001:
            self._waiter.set_exception(TimeoutError(self._complaint))
        else:
            self._timer = self._loop.call_at(self._deadline, self._tick)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Refused(ssl.SSLError):
    """A TLS failure whose text is in words already."""


def reason(error: BaseException) -> str:
    """`error` in words, without numbers, addresses or the names of functions."""
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(getattr(error, 'reason', None) or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, OSError):
        if error.errno is not None and error.errno in errno.errorcode:
            return os.strerror(error.errno)  # asyncio writes the address, twice, where the words should be.
        if error.strerror:
            return error.strerror
    return str(error) or type(error).__name__


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Makes an OSError with a clear text of whatever the event loops raise for a connection that fails."""
    try:
        yield
    except ssl.SSLError as error:
        raise _Refused(1, reason(error)) from None
    except TimeoutError as error:
        raise TimeoutError(str(error) or "timed out") from None
    except OSError as error:
        raise type(error)(reason(error)) from None
    except (RuntimeError, ValueError, UnicodeError, TypeError) as error:
        # uvloop: RuntimeError for a closed transport; ssl: ValueError for a server name that is none.
        raise OSError(reason(error)) from None


def _sni(name: str) -> str:
    """For SNI an A-label (RFC 6066 3); an address stays, for the check of the certificate."""
    return name if name.isascii() else str(Domain(name))


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _name(name: object) -> str:
    return _place(str(name[0]), int(name[1])) if isinstance(name, tuple) and len(name) >= 2 else ""


if TYPE_CHECKING:
    from whimbrel.core.net import Connector, Link

    def _ports(tls: ClientTls) -> Connector:
        return NetConnector(tls)

    def _link(link: NetLink) -> Link:
        return link
