"""The gate of the console: who makes a request, proved by the cookie of a session or by an API token.

The web worker passes requests on as they came, with the address of the client in `Whimbrel-Client`; whatever it may
have been made to say, nobody is here who did not show a session or a token. A cookie is something that browsers send by
themselves: a request that changes anything must also come from a page of this very origin, port included, and carry the
session's CSRF token.

Standards: RFC 6454 7 (Origin), RFC 6750 2.1 (Bearer), RFC 9110 15.5.2 (401)
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.web import refusal
from whimbrel.services.console.cookie import cookie_name, cookie_value
from whimbrel.services.console.sessions import Session, Sessions

CLIENT: Final = "whimbrel-client"
USER: Final = b"whimbrel-user"
"""In an answer: who made the request, for the web worker's list of connections, which keeps it to itself."""
CSRF: Final = "x-csrf-token"
SESSION_PATH: Final = "/api/session"
LINK_PATH: Final = "/api/password-link"
"""Asked by whoever has a link to set a password: the secret in the body is all there is to show."""
_ENTERED: Final = "whimbrel.entered"
"""In the scope of a request that came through the gate."""
_UNSAID: Final = b"no-store, no-transform"
"""What an answer says that says nothing of itself: it may hold a secret. RFC 9111 5.2.2.5 and 5.2.2.6"""
_SAFE: Final = frozenset({"GET", "HEAD"})
_PASSIVE: Final = frozenset({SESSION_PATH, "/api/events"})
"""What a browser asks by itself: no sign that a person is there."""

Bearer = Callable[[str, str], Awaitable[Caller | None]]
"""`(token, ip)`: who calls by an API token; None: it opens nothing. MailError 451"""


@dataclass(frozen=True, slots=True)
class Entered:
    """Who makes a request. `session` and `account` are None for a token, and for somebody about to sign in."""

    ip: str
    caller: Caller | None = None
    session: Session | None = None
    account: Account | None = None
    id: str = ""
    """Of the session."""
    cookie: str = ""
    """The name of the cookie that this console has in this browser."""


def entered(request: Request) -> Entered:
    """Who made a request that came through the gate."""
    who: Entered = request.scope[_ENTERED]
    return who


def caller_of(request: Request) -> Caller:
    """The caller of an admin call."""
    caller = entered(request).caller
    if caller is None:
        raise unauthorized()
    return caller


def csrf_of(id: str) -> str:
    """Of a session's id, so that nothing more has to be kept; the id cannot be made of it."""
    return hmac.digest(id.encode(), b"whimbrel console csrf", "sha256").hex()


def unauthorized(text: str = "Sign in first") -> CallError:
    return CallError(Failure.UNAUTHORIZED, text)


class Gate:
    """An ASGI application in front of another one."""

    def __init__(self, inner: ASGIApp, sessions: Sessions, bearer: Bearer, log: Log, installation: str) -> None:
        """`installation` is its public id."""
        self._inner, self._sessions, self._bearer, self._log = inner, sessions, bearer, log
        self._installation = installation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._inner(scope, receive, send)
            return

        who: Entered | None = None

        async def answer(message: Message) -> None:
            headers = list(message.get("headers", ()))
            if message["type"] == "http.response.start" and who is not None and (name := _known_as(who)):
                headers.append((USER, name))
                message = {**message, "headers": headers}
            if message["type"] == "http.response.start" and not any(name == b"cache-control" for name, _ in headers):
                message = {**message, "headers": [*headers, (b"cache-control", _UNSAID)]}
            await send(message)

        try:
            who = await self._enter(Request(scope))
            scope = {**scope, _ENTERED: who}
        except CallError as error:
            await refused(error)(scope, receive, answer)
            return
        await self._inner(scope, receive, answer)

    async def _enter(self, request: Request) -> Entered:
        """CallError."""
        ip = _client(request)
        site = request.headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            raise self._barred(ip, f"a page of another site asked for it ({site[:20]})")
        if request.method == "POST" and request.url.path in (LINK_PATH, f"{LINK_PATH}/set"):
            if request.headers.get("origin") is not None:
                self._same_origin(request, ip)
            return Entered(ip)  # Whatever session the browser has: the link is no matter of its.
        if request.url.path == SESSION_PATH and request.method == "POST":
            # No session yet to be misused; a browser says from which page the password comes.
            if request.headers.get("origin") is not None:
                self._same_origin(request, ip)
            return await self._signing_in(request, ip)
        try:
            if "authorization" in request.headers:
                return await self._by_token(request, ip)
            return await self._by_session(request, ip)
        except MailError:
            raise CallError(
                Failure.UNAVAILABLE, "The users cannot be looked up at this moment; try again in a moment"
            ) from None

    async def _signing_in(self, request: Request, ip: str) -> Entered:
        """With the session that the browser still has, which ends then."""
        name, id = self._cookie(request)
        try:
            known = await self._sessions.of(id)
        except MailError:
            known = None
        return Entered(ip, cookie=name) if known is None else Entered(ip, None, *known, id, name)

    async def _by_token(self, request: Request, ip: str) -> Entered:
        scheme, _, token = request.headers["authorization"].partition(" ")
        caller = await self._bearer(token.strip(), ip) if scheme.lower() == "bearer" else None
        if caller is None:
            raise unauthorized("The API token is not known here, has expired or was revoked")
        return Entered(ip, caller)

    async def _by_session(self, request: Request, ip: str) -> Entered:
        name, id = self._cookie(request)
        known = await self._sessions.of(id)
        if known is None:
            raise unauthorized()
        session, account = known
        if request.method not in _SAFE:
            self._same_origin(request, ip, session)
            if not hmac.compare_digest(request.headers.get(CSRF, "").encode(), csrf_of(id).encode()):
                raise self._barred(ip, "the CSRF token is missing or wrong", session)
        if request.url.path not in _PASSIVE or request.method not in _SAFE:
            await self._sessions.used(session)
        caller = Caller(
            str(account.id), account.grants, str(account.id), ip, reauthenticated=self._sessions.recent(session),
            owner=session.owner, session=session.handle, stands=lambda: self._sessions.stands(session),
        )  # fmt: skip
        return Entered(ip, caller, session, account, id, name)

    def _cookie(self, request: Request) -> tuple[str, str]:
        """The name of our cookie, and the session's id; see `cookie_value`."""
        name = cookie_name(self._installation, request.headers.get("host", ""))
        return name, cookie_value(request.headers.getlist("cookie"), name)

    def _same_origin(self, request: Request, ip: str, session: Session | None = None) -> None:
        """The page is one of ours: by scheme, host and port. CallError"""
        origin, host = request.headers.get("origin", ""), request.headers.get("host", "").lower()
        if not host or origin.lower() not in (f"https://{host}", f"https://{host.removesuffix(':443')}"):
            raise self._barred(ip, f"it came from another origin ({origin[:100] or 'none was named'})", session)

    def _barred(self, ip: str, reason: str, session: Session | None = None) -> CallError:
        user = session.account if session is not None else ""
        self._log.warning("console.refused", user=user, sender_host=ip, reason=reason)
        return CallError(Failure.FORBIDDEN, f"The request was refused: {reason}")


def _known_as(who: Entered) -> bytes:
    """The account for the list of connections; a token by its name, which is no account."""
    if who.account is not None and who.caller is not None:
        return str(who.account.id).encode()
    return f"token {who.caller.token}".encode() if who.caller is not None and who.caller.token else b""


def refused(error: CallError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that is refused, with what its status asks for."""
    response = refusal(error)
    if error.kind is Failure.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="whimbrel"'
    response.headers.update(headers or {})
    return response


def _client(request: Request) -> str:
    """The address of the client, as the web worker tells it. CallError"""
    named = request.headers.getlist(CLIENT)
    try:
        if len(named) == 1:
            address = ipaddress.ip_address(named[0].partition("%")[0])
            return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        pass
    raise CallError(Failure.USAGE, "Whimbrel-Client must name the address of the client: ask the console's own port")
