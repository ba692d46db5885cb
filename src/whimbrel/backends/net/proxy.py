"""A proxy for requests over HTTPS: a tunnel through it, by CONNECT, in which TLS is ours.

What goes through it is between us and the server at its end: the proxy sees a name and a port. Where that name leads
is the proxy's to look up, and to refuse: `guard.py` cannot look behind it.

Standards: RFC 9110 9.3.6 (CONNECT), 11.7 (Proxy-Authorization), RFC 7617 (Basic)
"""

import asyncio
import base64
import re
from dataclasses import dataclass, field
from typing import Final

from whimbrel.backends.net.connector import CONNECT_TIMEOUT, ClientTls, NetConnector, NetLink
from whimbrel.core.net import Resolver, TlsMode, TlsPolicy
from whimbrel.core.values import Secret

WITHIN: Final = 15.0
"""Seconds for the answer."""
HEAD: Final = 8 << 10
"""Octets of an answer."""
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?\r?\n")


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


async def open_through(
    proxy: Proxy, tls: ClientTls, resolver: Resolver | None, host: str, port: int, server_name: str
) -> NetLink:
    """A connection to `host`, verified. OSError in words."""
    if not _HOST.fullmatch(host.strip("[]")):
        raise OSError(f"'{host[:100]}' is no host name")
    connector = NetConnector(tls, resolver, connect_timeout=CONNECT_TIMEOUT)
    try:
        link = await connector.open(proxy.host, proxy.port, "", TlsPolicy(TlsMode.VERIFIED, server_name or host))
    except OSError as error:
        raise OSError(f"the proxy {proxy.host}:{proxy.port} cannot be reached: {error}") from None
    try:
        async with asyncio.timeout(WITHIN):
            await link.write(_request(proxy, host, port))
            await _accepted(link, proxy)
        await link.start_tls()
    except TimeoutError:
        await link.close()
        raise TimeoutError(f"the proxy {proxy.host}:{proxy.port} does not answer") from None
    except BaseException:
        await link.close()
        raise
    return link


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    bare = host.strip("[]")
    place = f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if proxy.user:
        proof = base64.b64encode(f"{proxy.user}:{proxy.password.reveal()}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {proof}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _accepted(link: NetLink, proxy: Proxy) -> None:
    """OSError: it does not connect us, in its words."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        if len(head) > HEAD:
            raise OSError(f"the proxy {proxy.host}:{proxy.port} answers with more than {HEAD} octets")
        data = await link.read()
        if not data:
            raise OSError(f"the proxy {proxy.host}:{proxy.port} closed the connection")
        head += data
    status = _STATUS.match(head)
    if status is None:
        raise OSError(f"{proxy.host}:{proxy.port} does not answer as a proxy does")
    if not status[1].startswith(b"2"):
        said = "".join(char if char.isprintable() else " " for char in (status[2] or b"").decode("latin-1"))[:100]
        wants = " (it wants outgoing/proxy-user and proxy-password)" if status[1] == b"407" else ""
        raise OSError(f"the proxy {proxy.host}:{proxy.port} refused: {status[1].decode()} {said}{wants}")
