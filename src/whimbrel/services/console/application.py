"""What control answers on `run/console.sock`: signing in, the admin calls and what else is served to consoles, all
behind the gate."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from whimbrel.core.log import Log
from whimbrel.services.admin.calls import Call
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.web import application, refuse_method
from whimbrel.services.console.gate import Bearer, Gate, caller_of
from whimbrel.services.console.sessions import Sessions
from whimbrel.services.console.sign_in import SignIn

SOCKET: Final = "console.sock"


def console(
    calls: Sequence[Call],
    context: Callable[[Caller], AdminContext],
    *,
    sign_in: SignIn,
    sessions: Sessions,
    bearer: Bearer,
    log: Log,
    installation: str,
    routes: Sequence[BaseRoute] = (),
) -> ASGIApp:
    """`context` makes what a call of somebody works with; `installation` is its public id; `routes` are served beside
    the calls."""

    def of(request: Request) -> AdminContext:
        return context(caller_of(request))

    inner = Starlette(
        routes=[*sign_in.routes, *routes, Mount("/", application(calls, of))], exception_handlers={405: refuse_method}
    )
    return Gate(inner, sessions, bearer, log, installation)
