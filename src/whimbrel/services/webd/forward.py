"""Passes requests on to control over its socket, and its answers back: as they came, but for what one hop says to the
next.

This process knows no session, no right and no password; it tells control who asks (`Whimbrel-Client`), and control
decides. What the client calls the server (Host) and where the request comes from (Origin) go through untouched.

Standards: RFC 9110 7.6.1 (Connection), 9.2.2 (what can be repeated), 15.6.4; RFC 9112 6.3 (framing is made anew)
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Collection
from typing import Final

import h11

from whimbrel.core.log import Log
from whimbrel.services.console.cookie import cookie_name, cookie_value
from whimbrel.services.webd.exchange import BODY_WITHIN, RECEIVE_WITHIN, Broken, Exchange, Gone, Headers, Refusal
from whimbrel.services.webd.packing import packer
from whimbrel.services.webd.turns import Crowded, Recognised, Turns
from whimbrel.services.webd.upstream import Away, Busy, Cut, Link, Upstream

CLIENT: Final = b"whimbrel-client"
"""The header with the client's address; one from outside never reaches control."""
USER: Final = b"whimbrel-user"
"""The header in which control says who made a request; it never reaches a client."""
CONNECTIONS: Final = 448
"""To control at once: it takes 512, and `/healthz` wants one too."""
PER_SESSION: Final = 24
"""Requests of one session or token at once; so many more than that wait for their turn."""
SESSION_WAITING: Final = 256
PER_HOST: Final = 128
"""Requests of one address at once, whoever makes them: half a company behind one NAT."""
HOST_WAITING: Final = 512
PER_UNAUTHENTICATED: Final = 16
"""Requests at once of an address that show neither session nor token, or what nobody knows: they can only sign in."""
STREAMS: Final = 16
"""Streams of events that one session follows at once: tabs of a browser."""
HOST_STREAMS: Final = 96
"""And one address. A stream never waits: nobody gives up his."""
EVENTS: Final = "/api/events"
BODY_MOST: Final = 1 << 20
"""Octets of a body."""
FILE_BODY: Final = (64 << 20) + BODY_MOST
"""And of one that brings a file."""
ANSWER_WITHIN: Final = 300.0
"""Seconds until control must have begun to answer."""
_UNAUTHORIZED: Final = 401
_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings", b"expect",
    }
)  # fmt: skip
"""Between one end of a connection and the other. RFC 9110 7.6.1; 100-continue is answered by this end."""
_FORGED: Final = (b"forwarded", b"x-forwarded-", b"x-real-ip", CLIENT, USER)
"""What only a proxy that is trusted may say, and none is."""
_REPEATABLE: Final = ("GET", "HEAD")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
"""Control says of each address which of them it takes: it alone knows. RFC 9110 15.5.6"""
_AWAY: Final = "The server's control process does not answer at this moment; it is usually back within seconds."
_BUSY: Final = "The server answers as many requests as it can at this moment; try again in a few seconds."


class Forward:
    """For one event loop."""

    def __init__(self, upstream: Upstream, files: Collection[str], log: Log, installation: str) -> None:
        """`files` are the paths that take a file, `installation` is its public id."""
        self._installation, self._recognised = installation, Recognised()
        self._upstream, self._files, self._log = upstream, frozenset(files), log
        self._sessions, self._unauthenticated = (
            Turns(PER_SESSION, SESSION_WAITING),
            Turns(PER_UNAUTHENTICATED, SESSION_WAITING),
        )
        self._hosts = Turns(PER_HOST, HOST_WAITING)
        self._streams, self._host_streams = Turns(STREAMS, 0), Turns(HOST_STREAMS, 0)
        self._away = False

    async def pass_on(self, exchange: Exchange) -> None:
        """One request. Refusal, Broken, Gone."""
        if exchange.method not in _METHODS:
            raise Refusal(501, f"The method {exchange.method[:20]} is not known here.")
        body = Body(exchange, FILE_BODY if exchange.path in self._files else BODY_MOST)
        async with self._turn(exchange) as share:
            await body.begin()
            try:
                if exchange.method in _REPEATABLE:
                    with contextlib.suppress(_Stale):
                        await self._over(exchange, body, share, kept=True)
                        return
                await self._over(exchange, body, share, kept=False)
            except Away as error:
                if not self._away:  # Once for each time that it is away.
                    self._log.warning("web.control-away", reason=str(error))
                self._away = True
                raise Refusal(503, _AWAY, retry_after=2) from None
            except Busy:
                raise Refusal(503, _BUSY, retry_after=5) from None
            except Cut as error:
                raise Broken(f"control: {error}") from None
            except h11.LocalProtocolError as error:
                raise Refusal(400, f"The request is not well formed: {error}.") from None
            self._away = False

    @contextlib.asynccontextmanager
    async def _turn(self, exchange: Exchange) -> AsyncIterator["Share"]:
        """Its turn among those of its session, then among those of its address. Refusal."""
        who, streams = shown(exchange, self._installation), exchange.path == EVENTS
        own = self._streams if streams else self._sessions
        all_of_host = self._host_streams if streams else self._hosts
        async with contextlib.AsyncExitStack() as stack, Share(who, own, self._recognised) as share:
            try:
                if who in self._recognised:
                    await share.take(own.turn(who))
                else:
                    await share.take(self._unauthenticated.turn(exchange.client))
                await stack.enter_async_context(all_of_host.turn(exchange.client))
            except Crowded:
                raise _crowded(exchange) from None
            yield share

    async def _over(self, exchange: Exchange, body: "Body", share: "Share", *, kept: bool) -> None:
        """Over one connection. _Stale: it had been closed meanwhile. Away, Busy, Cut, Refusal, Gone."""
        loop = asyncio.get_running_loop()
        async with self._upstream.link(kept=kept) as link:
            sending = loop.create_task(self._send(exchange, body, link))
            receiving = loop.create_task(self._receive(exchange, link, share, sending))
            try:
                await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
                if sending.done() and (sending.cancelled() or isinstance(sending.exception(), Away)):
                    await asyncio.wait((receiving,))  # Control may have refused the rest, and say why.
                if not receiving.done():
                    sending.result()
                receiving.result()
            except Away:
                if link.fresh or exchange.status:
                    raise
                raise _Stale from None
            finally:
                for task in (sending, receiving):
                    task.cancel()
                await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _send(self, exchange: Exchange, body: "Body", link: Link) -> None:
        """The request; then it waits for the client's end, which is Gone."""
        target = exchange.path + (f"?{exchange.query}" if exchange.query else "")
        await link.request(exchange.method.encode(), target.encode("latin-1"), request_headers(exchange, body.framing))
        async for piece in body.pieces():
            await link.send(piece)
        await link.finish()
        await exchange.gone()
        raise Gone

    async def _receive(self, exchange: Exchange, link: Link, share: "Share", sending: "asyncio.Task[None]") -> None:
        """The answer, as fast as the client takes it."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                head = await link.head()
        except TimeoutError:
            raise Refusal(504, "The server has not answered in time; what was asked for may still be done.") from None
        given = [(bytes(name), bytes(value)) for name, value in head.headers]
        user = dict(given).get(USER, b"")
        if exchange.connection is not None:
            exchange.connection.user = user.decode("utf-8", "replace")
        try:
            await share.answered(head.status_code, known=bool(user), waits=exchange.path != EVENTS)
        except Crowded:
            raise _crowded(exchange) from None
        headers = answer_headers(given)
        packing, headers = packer(exchange, head.status_code, headers)
        await exchange.begin(head.status_code, headers)
        async for piece in link.pieces():
            packed = packing.piece(piece) if packing is not None else piece
            if packed:
                await exchange.write(packed)
        if packing is not None:
            await exchange.write(packing.rest())
        if not exchange.received:
            sending.cancel()  # Nobody wants the rest: it is thrown away.
            await asyncio.gather(sending, return_exceptions=True)
            await exchange.drain()
        await exchange.end()


class Share:
    """The turn of one request among those who show what it shows; until that is proven, among those who show none."""

    def __init__(self, who: bytes, own: Turns, recognised: Recognised) -> None:
        """`own` are the turns of what is proven."""
        self._who, self._own, self._recognised = who, own, recognised
        self._unproven = False
        self._taken = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "Share":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._taken.aclose()

    async def take(self, turn: contextlib.AbstractAsyncContextManager[None]) -> None:
        """Crowded."""
        self._unproven = self._who not in self._recognised
        await self._taken.enter_async_context(turn)

    async def answered(self, status: int, *, known: bool, waits: bool) -> None:
        """Control has answered; `known`: as to somebody. What was done is never refused (`waits`): if there is no room
        among the requests of its own, it stays where it is. Crowded."""
        if not self._who:
            return
        if not known:
            if status == _UNAUTHORIZED:
                self._recognised.discard(self._who)
            return
        self._recognised.add(self._who)
        if self._unproven and (not waits or self._own.free(self._who)):
            before = self._taken.pop_all()
            try:
                await self._taken.enter_async_context(self._own.turn(self._who))
            finally:
                await before.aclose()
            self._unproven = False


def shown(exchange: Exchange, installation: str) -> bytes:
    """What a request shows of who makes it, as a digest: its token, or our cookie; no other one says anything here.
    Empty: nothing."""
    proof = b"\0".join(value for name, value in exchange.headers if name == b"authorization")
    if not proof:
        lines = [value.decode("latin-1") for name, value in exchange.headers if name == b"cookie"]
        authority = (exchange.header(b"host") or b"").decode("latin-1")
        proof = cookie_value(lines, cookie_name(installation, authority)).encode("latin-1")
    return hashlib.blake2b(proof, digest_size=16).digest() if proof else b""


def _crowded(exchange: Exchange) -> Refusal:
    text = f"More requests at once come from {exchange.client}, or of this session, than are answered."
    return Refusal(429, text, retry_after=2)


class _Stale(Exception):
    """A kept connection had been closed by the other end."""


class Body:
    """The body of a request, within bounds, and how it is framed on the way to control."""

    def __init__(self, exchange: Exchange, most: int) -> None:
        """Refusal: it is too large, or what the headers say of it has more than one meaning."""
        self._exchange, self._most = exchange, most
        self._first: bytes | None = None
        self._length = exchange.length()
        if self._length is not None and self._length > most:
            raise _too_large(most)
        # What comes with these has no meaning; it is thrown away once they are answered. RFC 9110 9.3.1
        self._none = exchange.method in _REPEATABLE

    @property
    def framing(self) -> tuple[bytes, bytes] | None:
        """The header that frames it. RFC 9112 6.3"""
        if self._none:
            return None
        if self._length is None and self._first is not None:
            return b"transfer-encoding", b"chunked"
        return b"content-length", b"%d" % (self._length or 0)

    async def begin(self) -> None:
        """Waits for the first piece, where only that can tell whether there is a body. Refusal, Gone."""
        if not self._none and self._length is None:
            self._first = await self._next()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Refusal: it is too large or too slow. Gone."""
        octets, until = 0, asyncio.get_running_loop().time() + BODY_WITHIN
        piece = self._first if self._length is None else await self._next()
        while piece is not None:
            octets += len(piece)
            if octets > self._most:
                raise _too_large(self._most)
            if asyncio.get_running_loop().time() > until:
                raise _SLOW
            if piece:
                yield piece
            piece = await self._next()

    async def _next(self) -> bytes | None:
        if self._none:
            return None
        try:
            async with asyncio.timeout(RECEIVE_WITHIN):
                return await self._exchange.next_piece()
        except TimeoutError:
            raise _SLOW from None


_SLOW: Final = Refusal(408, "The request comes too slowly.")


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"The request is larger than {most} octets.")


def request_headers(exchange: Exchange, framing: tuple[bytes, bytes] | None) -> Headers:
    """Those for control. RFC 9110 7.6.1"""
    hop = _HOP | _named([value for name, value in exchange.headers if name == b"connection"])
    kept = [
        (name, value)
        for name, value in exchange.headers
        if name not in hop and name != b"content-length" and not name.replace(b"_", b"-").startswith(_FORGED)
    ]
    return [*kept, *([framing] if framing else []), (CLIENT, exchange.client.encode())]


def answer_headers(headers: Headers) -> Headers:
    """Those for the client; its own protocol frames the body."""
    hop = _HOP | _named([value for name, value in headers if name == b"connection"]) | {b"date", b"server", USER}
    return [(name, value) for name, value in headers if name not in hop]


def _named(connection: list[bytes]) -> set[bytes]:
    return {word.strip().lower() for value in connection for word in value.split(b",")} - _NEVER_NAMED


_NEVER_NAMED: Final = frozenset({b"host", b"origin", b"cookie", b"authorization", b"x-csrf-token", b"content-type"})
"""What a client cannot take away from control by calling it a matter of the connection."""
