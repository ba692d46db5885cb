"""Setting the own password by a link, without a session: `/api/password-link`.

    POST /api/password-link      {"link"}               for whom it is, and until when
    POST /api/password-link/set  {"link", "password"}   sets the password, once

The secret of the link comes in the body alone: a query stands in logs. Whatever ended a link, the answer is the same;
the security log has the reason. A password that the policy refuses leaves the link as it was.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from whimbrel.core.config import ConfigConflict, ConfigError
from whimbrel.core.credentials.policy import known_names
from whimbrel.core.directory import Account, DirectoryChange, Kind, Op
from whimbrel.core.errors import MailError
from whimbrel.core.password_links import PasswordLink
from whimbrel.core.rights import NOTHING
from whimbrel.core.state import Counters
from whimbrel.core.values import Secret
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.access.link_rules import opened
from whimbrel.services.admin.calls import CallError, Failure, FieldFault
from whimbrel.services.admin.changes.audit import audited
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.views import Moment
from whimbrel.services.admin.web import Endpoint
from whimbrel.services.console.body import texts_of
from whimbrel.services.console.gate import LINK_PATH, entered, refused
from whimbrel.services.session.lockout import counted
from whimbrel.services.session.services import ServicesSettings
from whimbrel.services.session.settings import SecuritySettings

MAX_WRONG: Final = 20
"""Links that open nothing, shown from one address within the window, until it is not answered for the rest of it."""
WINDOW: Final = 900.0
_GONE: Final = (
    "This link opens nothing any more: it was used, has run out, or a newer one was made. Ask your administrator for a "
    "new one"
)
_WAYS: Final = ("imaps", "imap", "pop3s", "pop3", "submissions", "submission")


@dataclass(frozen=True, slots=True)
class SignInWay:
    """A service by which mail programs reach the mailbox, as `service list` says it."""

    service: str
    state: str
    listen: tuple[str, ...]
    tls: str


class PasswordLinks:
    """The endpoints. `context` makes what a change by somebody works with."""

    def __init__(self, context: Callable[[Caller], AdminContext], counters: Counters) -> None:
        self._context, self._counters = context, counters
        self._setting = asyncio.Lock()

    @property
    def routes(self) -> list[Route]:
        return [
            Route(LINK_PATH, self._guarded(self._look), methods=["POST"]),
            Route(f"{LINK_PATH}/set", self._guarded(self._set), methods=["POST"]),
        ]

    async def _look(self, request: Request) -> Response:
        (secret,) = await texts_of(request, "link")
        ctx = self._of(request, "")
        link, account = await self._opened(ctx, secret, entered(request).ip)
        policy = ctx.config.section(SecuritySettings).password_policy()
        return _answer(
            ctx,
            account,
            full_name=account.full_name,
            expires=Moment(link.expires).written,
            min_length=policy.min_length,
        )

    async def _set(self, request: Request) -> Response:
        secret, password = await texts_of(request, "link", "password")
        ip = entered(request).ip
        async with self._setting:  # One at a time: of two at once the second meets a link that was used.
            link, account = await self._opened(self._of(request, ""), secret, ip)
            ctx = self._of(request, str(account.id))
            names = known_names(str(account.address), account.full_name)
            if text := ctx.config.section(SecuritySettings).password_policy().refusal(password, *names):
                raise CallError(Failure.REFUSED, f"password: {text}", FieldFault("password", text))
            # As it is, also where it looks like a verifier: those are an administrator's to give.
            stored = await ctx.make_password(Secret(password))
            # The directory compares in the same step in which it writes: whoever set a password meanwhile has set it.
            step = DirectoryChange(
                Op.SET, Kind.USER, account.address.domain, account.address.local, stored.values(),
                {"password": account.password.reveal()},
            )  # fmt: skip
            try:
                await audited(ctx).editor.change([step])
            except ConfigConflict:
                raise CallError(
                    Failure.UNAVAILABLE, "The users are being changed at this moment; try again in a while"
                ) from None
            except ConfigError:
                raise self._refused(ctx, ip, "the user was changed at this very moment", link) from None
            ctx.log.info(
                "signin.link-used", user=account.id, sender_host=ip, by=link.maker or "the server's own machine"
            )
            await self._ended(ctx, link)
        return _answer(ctx, account)

    # Inside

    def _of(self, request: Request, account: str) -> AdminContext:
        name = f"the password link of {account}" if account else "a password link"
        return self._context(Caller(name, NOTHING, origin=entered(request).ip, owner="", reauthenticated=False))

    async def _opened(self, ctx: AdminContext, secret: str, ip: str) -> tuple[PasswordLink, Account]:
        """CallError."""
        counter = f"password-link:{counted(ip)}"
        if self._counters.get(counter, window=WINDOW) >= MAX_WRONG:
            raise CallError(Failure.LOCKED, "Too many links that open nothing came from this address; try again later")
        try:
            known = await opened(ctx, secret)
        except (MailError, ConfigError, OSError):
            raise CallError(
                Failure.UNAVAILABLE, "The users cannot be looked up at this moment; try again in a moment"
            ) from None
        if isinstance(known, str):
            self._counters.add(counter, window=WINDOW)
            raise self._refused(ctx, ip, known)
        return known

    def _refused(self, ctx: AdminContext, ip: str, reason: str, link: PasswordLink | None = None) -> CallError:
        user = link.account if link is not None else ""
        ctx.log.warning("signin.link-refused", user=user, sender_host=ip, reason=reason)
        return CallError(Failure.NOT_FOUND, _GONE)

    async def _ended(self, ctx: AdminContext, link: PasswordLink) -> None:
        """The password that it replaces is no more, so it opens nothing, whether or not it can be taken out now."""
        assert ctx.password_links is not None
        try:
            await ctx.password_links.change(remove=[link.account])
        except (ConfigError, OSError) as error:
            ctx.log.warning("signin.links-not-ended", reason=str(error))

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except CallError as error:
                locked = error.kind is Failure.LOCKED
                return refused(error, {"Retry-After": str(round(WINDOW))} if locked else {})
            except ClientDisconnect:
                return Response(status_code=400)

        return answer


def _answer(ctx: AdminContext, account: Account, **more: Any) -> Response:
    """Whose mailbox it is and where mail programs find it."""
    services = ctx.config.section(ServicesSettings)
    ways = [
        SignInWay(name, "listening", tuple(map(str, service.listen)), service.tls)
        for name in _WAYS
        if name in type(services).model_fields and (service := services.named(name)).enabled
    ]
    result = {
        "address": str(account.address),
        "hostname": ctx.config.section(SmtpSettings).hostname,
        "services": [asdict(way) for way in ways],
        **more,
    }
    return JSONResponse({"result": result})
