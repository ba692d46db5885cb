"""Signing in to the console and out of it: `/api/session`.

    POST   {"name", "password"}      a session: the cookie, and who it is (`me.py`)
    GET                              who it is
    PATCH  {"language", "density"}   how the person wants the console
    DELETE                           ends the session; `?everywhere=1`: all sessions of the user
    POST /api/session/reauthenticate {"password"}   before rights, exports and people's mail

The one authenticator of the server checks names and passwords: lock-out, delay and the lines of the security log are
those of the mail services. Whoever administers nothing gets the answer that a wrong password gets.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from whimbrel.core.clock import Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.state import State
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import CallError, Failure, FieldFault
from whimbrel.services.admin.pointers import joined
from whimbrel.services.admin.web import Endpoint, by_method
from whimbrel.services.console.body import body_of, texts_of
from whimbrel.services.console.gate import SESSION_PATH, Entered, csrf_of, entered, refused, unauthorized
from whimbrel.services.console.me import Server, me
from whimbrel.services.console.preferences import Preferences, keep_preferences, preferences_of
from whimbrel.services.console.sessions import Session, Sessions
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.peer import SessionPeer
from whimbrel.services.session.settings import SecuritySettings

SERVICE: Final = "console"
"""As the logs call it."""
METHOD: Final = "password"
_ATTRIBUTES: Final[Mapping[str, Any]] = {"path": "/", "secure": True, "httponly": True, "samesite": "strict"}


class SignIn:
    """The endpoints of `/api/session`."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        sessions: Sessions,
        config: ConfigStore,
        state: State,
        ids: Ids,
        log: Log,
        server: Callable[[], Server],
    ) -> None:
        self._authenticator, self._sessions, self._config = authenticator, sessions, config
        self._state, self._ids, self._log, self._server = state, ids, log, server

    @property
    def routes(self) -> list[Route]:
        methods: Mapping[str, Endpoint] = {
            "GET": self._show, "POST": self._begin, "PATCH": self._prefer, "DELETE": self._end,
        }  # fmt: skip
        again = f"{SESSION_PATH}/reauthenticate"
        return [
            Route(SESSION_PATH, self._guarded(by_method(methods)), methods=list(methods)),
            Route(again, self._guarded(self._reauthenticate), methods=["POST"]),
        ]

    async def _begin(self, request: Request) -> Response:
        who = entered(request)
        name, password = await texts_of(request, "name", "password")
        account, credential = await self._authenticated(who, name, Secret(password))
        if who.session is not None:  # Its id may be known to others.
            await self._sessions.end(who.session, "the user signed in anew")
        id, session = await self._sessions.begin(account, credential, who.ip, _agent(request))
        response = await self._me(session, account, id)
        response.set_cookie(who.cookie, id, **_ATTRIBUTES)
        return response

    async def _show(self, request: Request) -> Response:
        return await self._me(*_session(entered(request)))

    async def _prefer(self, request: Request) -> Response:
        session, account, id = _session(entered(request))
        content = await body_of(request)
        before = await preferences_of(self._state, account.id)
        try:
            wanted = Preferences(**{"language": before.language, "density": before.density, **content})
        except (ValueError, TypeError) as error:
            raise CallError(Failure.USAGE, f"language and density are meant: {error}") from None
        await keep_preferences(self._state, account.id, wanted)
        return await self._me(session, account, id)

    async def _end(self, request: Request) -> Response:
        who = entered(request)
        session, account, _id = _session(who)
        await self._sessions.end(session, "the user signed out")
        if request.query_params.get("everywhere", "") in ("1", "true", "yes"):
            await self._sessions.end_all(account.id, "the user signed out everywhere")
        response = Response(status_code=204)
        response.delete_cookie(who.cookie, **_ATTRIBUTES)
        return response

    async def _reauthenticate(self, request: Request) -> Response:
        who = entered(request)
        session, account, id = _session(who)
        (password,) = await texts_of(request, "password")
        try:
            _account, credential = await self._authenticated(who, str(account.id), Secret(password))
        except CallError as error:
            if error.kind is not Failure.UNAUTHORIZED:
                raise
            # No 401: that would say that the session is over.
            raise CallError(
                Failure.REAUTHENTICATE, "The password is wrong", FieldFault("password", "is wrong", joined("password"))
            ) from None
        if credential != session.credential:  # It was changed this very moment.
            await self._sessions.end(session, "the password was changed")
            raise unauthorized()
        await self._sessions.reauthenticated(session)
        return await self._me(session, account, id)

    # Inside

    async def _authenticated(self, who: Entered, name: str, password: Secret) -> tuple[Account, str]:
        """The account and the credential that was shown. CallError"""
        peer = SessionPeer(SERVICE, who.ip, True, self._ids.session_id())
        try:
            signed = await self._authenticator.password(name, password, peer, method=METHOD, admits=_admits)
        except MailError as error:
            raise _refusal(error) from None
        signed.close()  # The session looks after itself.
        return signed.account, signed.credential

    async def _me(self, session: Session, account: Account, id: str) -> Response:
        preferences = await preferences_of(self._state, account.id)
        result = me(self._sessions, session, account, csrf_of(id), self._server(), preferences)
        return JSONResponse({"result": result})

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except CallError as error:
                return refused(error, self._retry() if error.kind is Failure.LOCKED else {})
            except ClientDisconnect:
                return Response(status_code=400)

        return answer

    def _retry(self) -> Mapping[str, str]:
        """When a lock-out is surely over. RFC 6585 4"""
        return {"Retry-After": str(max(1, round(self._config.section(SecuritySettings).lock_out_window)))}


def _refusal(error: MailError) -> CallError:
    if error.code == 535:
        return unauthorized("Name or password is wrong, or the user administers nothing")
    if error.code == 454:
        return CallError(Failure.LOCKED, error.text)
    return CallError(Failure.UNAVAILABLE, "The users cannot be looked up at this moment; try again in a moment")


def _admits(account: Account) -> str:
    return "" if account.grants.grants else "the user administers nothing"


def _session(who: Entered) -> tuple[Session, Account, str]:
    """CallError: an API token has no session."""
    if who.session is None or who.account is None:
        raise unauthorized()
    return who.session, who.account, who.id


def _agent(request: Request) -> str:
    return "".join(char for char in request.headers.get("user-agent", "") if char.isprintable())
