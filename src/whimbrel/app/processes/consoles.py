"""Control's side of the console: its sessions, and the socket over which the web workers pass on what browsers ask."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final

from starlette.requests import Request

from whimbrel import __version__
from whimbrel.app.house import House
from whimbrel.core.errors import MailError
from whimbrel.core.notices import USERS
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.local import Peer, serving
from whimbrel.services.admin.server.logs import ALL_LOGS
from whimbrel.services.admin.table import all_calls
from whimbrel.services.admin.views import Moment
from whimbrel.services.console.application import console
from whimbrel.services.console.events import Viewer, events
from whimbrel.services.console.events_hub import Hub
from whimbrel.services.console.events_topics import topics
from whimbrel.services.console.gate import caller_of, entered
from whimbrel.services.console.me import Server
from whimbrel.services.console.metrics import metrics
from whimbrel.services.console.password_link import PasswordLinks
from whimbrel.services.console.sessions import BETWEEN_REVIEWS, Sessions
from whimbrel.services.console.settings import ConsoleSettings
from whimbrel.services.console.sign_in import SignIn
from whimbrel.services.console.tokens import Tokens

CONNECTIONS: Final = 512
"""Of all web workers at a time: one for each request under way, and for each stream that a browser follows."""
IDLE: Final = 75.0
"""Seconds that a connection is kept for the next request."""


def console_sessions(house: House) -> Sessions:
    """The sessions of the console; one for the control process."""
    return Sessions(
        directory=house.directory,
        state=house.state,
        clock=house.clock,
        log=house.log,
        settings=lambda: house.config.section(ConsoleSettings),
        ended=house.sign_in.ended,
    )


@contextlib.asynccontextmanager
async def consoles(house: House, sessions: Sessions, context: Callable[[Caller], AdminContext]) -> AsyncIterator[None]:
    """Consoles are served while the block runs; `context` makes what a call of somebody works with."""
    tokens = Tokens(store=house.tokens, directory=house.directory, state=house.state, clock=house.clock, log=house.log)
    await sessions.load()
    sign_in = SignIn(
        authenticator=house.sign_in,
        sessions=sessions,
        config=house.config,
        state=house.state,
        ids=house.ids,
        log=house.log,
        server=lambda: Server(house.config.section(SmtpSettings).hostname, __version__),
    )
    hub = Hub(topics(ALL_LOGS), context, house.log, house.ids.session_id())
    links = PasswordLinks(context, house.counters)
    routes = (events(hub, partial(_viewer, sessions, tokens)), metrics(context, caller_of), *links.routes)
    application = console(
        all_calls(), context, sign_in=sign_in, sessions=sessions, bearer=tokens.bearer, log=house.log,
        installation=house.places.public_id, routes=routes,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(hub.close)
        stack.push_async_callback(sessions.close)
        stack.callback(house.notices.subscribe(USERS, sessions.directory_changed))
        await stack.enter_async_context(reviewed(house, tokens))
        socket = house.places.console_socket
        await stack.enter_async_context(
            serving(application, socket, house.log, _of_another_user, connections=CONNECTIONS, idle=IDLE)
        )
        yield


def _viewer(sessions: Sessions, tokens: Tokens, request: Request) -> Viewer:
    """Whoever watches, as long as the session or the token lasts."""
    who, caller = entered(request), caller_of(request)

    async def lasts() -> Mapping[str, object] | None:
        try:
            if who.session is None:
                return {} if await tokens.lasts(caller.token) else None
            known = await sessions.of(who.id)
        except MailError:
            return {}  # The directory cannot say just now: it is asked again.
        if known is None:
            return None
        times = {"expires": sessions.expires(known[0]), "ends": sessions.lasts_until(known[0])}
        return {name: Moment(at).written for name, at in times.items()}

    return Viewer(caller, lasts, who.session.ended if who.session is not None else None)


@contextlib.asynccontextmanager
async def reviewed(house: House, tokens: Tokens) -> AsyncIterator[None]:
    """Tokens end with the rights of their makers: looked at now, and whenever users change."""
    changed = asyncio.Event()
    changed.set()

    async def review() -> None:
        while True:
            await changed.wait()
            changed.clear()
            await tokens.review()
            await asyncio.sleep(BETWEEN_REVIEWS)

    unsubscribe = house.notices.subscribe(USERS, lambda _key: changed.set())
    task = asyncio.get_running_loop().create_task(review())
    try:
        yield
    finally:
        unsubscribe()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _of_another_user(peer: Peer) -> str:
    """Why a peer is turned away: web workers run as our user. Empty: it is not."""
    return "" if peer.user == os.geteuid() else f"another user's process {peer.process}"
