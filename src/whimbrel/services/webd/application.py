"""What the console's port answers: the console's pages, `/healthz`, and by control all of `/api/` and `/metrics`.

/api/...      to control, as it came         /healthz   ok, while this process lives
/metrics      to control                     all else   the console: a file of it, or its page
"""

import json
from typing import Final

from whimbrel.core.log import Log
from whimbrel.core.net import OwnCertificates
from whimbrel.services.webd.exchange import Broken, Exchange, Gone, Headers, Receive, Refusal, Scope, Send
from whimbrel.services.webd.forward import Forward
from whimbrel.services.webd.hosts import Hosts, host_of, is_address
from whimbrel.services.webd.pages import Pages
from whimbrel.services.webd.security import CLOSED, COMMON, HSTS
from whimbrel.services.webd.upstream import Upstream

_KINDS: Final = {
    400: "usage", 403: "forbidden", 404: "not_found", 405: "usage", 408: "usage", 413: "usage", 421: "usage",
    429: "unavailable", 501: "method", 503: "unavailable", 504: "unavailable",
}  # fmt: skip
_TEXT: Final = "text/plain; charset=utf-8"
_LONGEST: Final = 16384
"""Octets of path and query."""


class Application:
    """The ASGI application. For one event loop."""

    def __init__(
        self,
        pages: Pages,
        forward: Forward,
        upstream: Upstream,
        hosts: Hosts,
        certificates: OwnCertificates,
        log: Log,
    ) -> None:
        self._pages, self._forward, self._upstream, self._hosts = pages, forward, upstream, hosts
        self._certificates, self._log = certificates, log
        self.alternative: bytes = b""
        """What Alt-Svc tells browsers; empty while there is nothing to tell. RFC 7838"""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # An extended CONNECT of HTTP/2. RFC 8441 4
            await send({"type": "websocket.close"})
            return
        exchange = Exchange(scope, receive, send)
        if exchange.connection is not None:
            exchange.connection.begin(id(exchange), exchange.method, exchange.path)
        try:
            await self._answer(exchange)
        except Gone:
            pass
        except Broken as error:
            self._log.debug("web.broken", sender_host=exchange.client, reason=str(error))
            exchange.abort()
        except Exception as error:  # noqa: BLE001 - the top of a request: a bug ends this one alone.
            self._log.exception("web.crashed", error, sender_host=exchange.client)
            exchange.abort()
        finally:
            if exchange.connection is not None:
                exchange.connection.over(id(exchange))
            self._note(exchange)

    async def _answer(self, exchange: Exchange) -> None:
        exchange.extra = [*COMMON, CLOSED, (b"cache-control", b"no-store")]
        if self.alternative and exchange.version != "3":
            exchange.extra.append((b"alt-svc", self.alternative))
        try:
            exchange.resolve()
            host = self._host(exchange)
            if not is_address(host) and self._certificates.publicly_trusted(host):
                exchange.extra.append(HSTS)
            await self._route(exchange)
        except Refusal as refusal:
            if exchange.status:
                raise Broken(refusal.text) from None
            await self._refuse(exchange, refusal)

    def _host(self, exchange: Exchange) -> str:
        """What the client calls us. Refusal."""
        authority = (exchange.header(b"host") or b"").decode("latin-1")
        if exchange.path != "/healthz" and not self._hosts.ours(authority):
            name = host_of(authority)
            self._log.warning(
                "web.refused", sender_host=exchange.client, reason=f"unknown host name {name or '(none)'}"
            )
            add = f" If it is, add it: whimbrel config add services/console/names {name}" if name else ""
            raise Refusal(421, f"This server does not know that {name or 'the empty name'} is a name of its own.{add}")
        return host_of(authority)

    async def _route(self, exchange: Exchange) -> None:
        if len(exchange.path) + len(exchange.query) > _LONGEST:
            raise Refusal(414, "The address is too long.")
        if exchange.path.startswith("/api/") or exchange.path == "/metrics":
            await self._forward.pass_on(exchange)
        elif exchange.method not in ("GET", "HEAD"):
            raise Refusal(405, "Pages can only be read.")
        elif exchange.path == "/healthz":
            away = "" if await self._upstream.answers() else ", but the control process does not answer"
            await exchange.answer(200, _TEXT, f"ok{away}\n".encode())
        else:
            await self._pages.serve(exchange)

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        headers: Headers = []
        if refusal.retry_after:
            headers.append((b"retry-after", b"%d" % refusal.retry_after))
        if refusal.status == 400 and exchange.version.startswith("1"):
            headers.append((b"connection", b"close"))  # Where its request ends is what it left unclear. RFC 9112 11.2
        if refusal.status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        if exchange.path.startswith("/api/"):
            kind = _KINDS.get(refusal.status, "refused")
            error = {"kind": kind, "text": refusal.text, "fields": [], "confirm": ""}
            await exchange.answer(refusal.status, "application/json", json.dumps({"error": error}).encode(), headers)
        else:
            await exchange.answer(refusal.status, _TEXT, f"{refusal.text}\n".encode(), headers)

    def _note(self, exchange: Exchange) -> None:
        if self._log.debugs("web"):
            self._log.debug(
                "web.request",
                sender_host=exchange.client,
                protocol=f"HTTP/{exchange.version}",
                method=exchange.method,
                path=exchange.path,  # Without the query: it may hold what people look for.
                status=exchange.status,
                size=exchange.sent,
            )
