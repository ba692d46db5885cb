"""Programs that call by an API token: who they are, and the end of tokens whose maker lost the rights."""

import hmac
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigError
from whimbrel.core.directory import Directory
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants
from whimbrel.core.state import State
from whimbrel.core.tokens import Token, TokenStore
from whimbrel.services.admin.access.token_text import digest, well_formed
from whimbrel.services.admin.access.tokens import USED, last_used
from whimbrel.services.admin.context import Caller

WRITE_EVERY: Final = 60.0
"""Seconds between two records of the last use of a token from one address."""


class Tokens:
    """One for the control process."""

    def __init__(self, *, store: TokenStore, directory: Directory, state: State, clock: Clock, log: Log) -> None:
        self._store, self._directory, self._state, self._clock, self._log = store, directory, state, clock, log

    async def bearer(self, text: str, ip: str) -> Caller | None:
        """Who calls by the token `text`; None: it opens nothing, and the security log says why. MailError 451"""
        token, reason = await self._checked(text)
        if token is None or reason:
            method = "token" if token is None else f"token {token.name}"
            self._log.warning("signin.failed", service="console", user="", sender_host=ip, method=method, reason=reason)
            return None
        await self._used(token, ip)
        name = f"token {token.name} of {token.maker or 'this machine'}"
        return Caller(
            name,
            Grants.of("none", token.grants),
            origin=ip,
            token=token.name,
            owner=f"token {token.digest[:16]}",
            stands=lambda: self._stands(text),
        )

    async def _stands(self, text: str) -> str:
        """Why the token opens nothing any more; empty: it does. MailError"""
        return (await self._checked(text))[1]

    async def lasts(self, name: str) -> bool:
        """The token called `name` still opens something: whoever streams to it asks. MailError"""
        try:
            token = next((each for each in await self._store.tokens() if each.name == name), None)
        except ConfigError:
            return False
        return token is not None and token.alive(self._clock.now()) and not await self._lacks(token, disabled=True)

    async def review(self) -> None:
        """Ends the tokens of users who have gone, or may do less now: they do not come back with the rights."""
        try:
            ending = {
                token.name: reason for token in await self._store.tokens() if (reason := await self._lacks(token))
            }
            if ending:
                await self._store.change(remove=ending.keys())
        except (ConfigError, MailError, OSError) as error:
            self._log.warning("token.not-reviewed", reason=str(error))
            return
        for name, reason in ending.items():
            self._log.info("token.ended", name=name, reason=reason, origin="the server")

    async def _checked(self, text: str) -> tuple[Token | None, str]:
        """The token, and why it opens nothing (empty: it does). MailError"""
        try:
            token = await self._named(text)
        except ConfigError as error:
            return None, str(error)
        if token is None:
            return None, "unknown token" if well_formed(text) else "no token, or a mistyped one"
        if not token.alive(self._clock.now()):
            return token, "the token has expired"
        return token, await self._lacks(token, disabled=True)

    async def _named(self, text: str) -> Token | None:
        """Compared with each in the same time, whichever it is. ConfigError"""
        known, asked = None, digest(text) if well_formed(text) else ""
        for token in await self._store.tokens():
            if hmac.compare_digest(token.digest, asked):
                known = token
        return known

    async def _lacks(self, token: Token, *, disabled: bool = False) -> str:
        """Why the maker gives the token no rights any more; empty: it has them. `disabled`: ask that too. MailError"""
        if not token.maker:
            return ""
        account = await self._directory.account(AccountId(token.maker))
        if account is None:
            return f"{token.maker}, who made it, was removed"
        if disabled and account.shut_out:
            return f"{token.maker}, who made it, {account.shut_out}"
        if not account.grants.includes(Grants.of("none", token.grants)):
            return f"{token.maker}, who made it, may do less now"
        return ""

    async def _used(self, token: Token, ip: str) -> None:
        now = self._clock.now()
        at, before = await last_used(self._state, token)
        if before != ip or not 0 <= now - at < WRITE_EVERY:
            await self._state.set(USED, token.digest, f"{now:.0f} {ip}")
            self._log.info(
                "signin.ok", service="console", user=token.maker, sender_host=ip, method=f"token {token.name}"
            )
