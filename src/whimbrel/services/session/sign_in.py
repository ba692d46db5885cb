"""Signing in, the same for every service: is this password right, and may this end try at all?

Unknown user, wrong password and disabled account are answered in the same words after the same work. Failures are
counted for account and address together, and for the address alone (whoever tries many accounts), shared by all
workers. A right password is remembered for minutes as an HMAC under a key that dies with the process, so that the
fifty connections of one IMAP client cost one run of argon2.

Standards: RFC 4954 6 (535 5.7.8, 454 4.7.0), RFC 5530 (AUTHENTICATIONFAILED).
"""

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.credentials.spelling import MAX_PASSWORD
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.state import Counters
from whimbrel.core.values import Secret
from whimbrel.services.session.folders import Furnisher
from whimbrel.services.session.passwords import NOBODY, make_password, needs_upgrade, verify_password
from whimbrel.services.session.peer import SessionPeer
from whimbrel.services.session.record import SignInRecord
from whimbrel.services.session.settings import SecuritySettings

AT_ONCE: Final = 2
"""Runs of argon2 at once in a process: each takes 19 MiB and a core."""
MAX_WAITING: Final = 200
"""Sign-ins that wait for their run; more are told to come again."""
MAX_REMEMBERED: Final = 10_000
MAX_NAME: Final = 320


class SignIn:
    """One for each process."""

    def __init__(
        self,
        *,
        directory: Directory,
        config: ConfigStore,
        counters: Counters,
        pool: Pool,
        log: Log,
        clock: Clock,
        record: SignInRecord | None = None,
        furnisher: Furnisher | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`record` keeps what signing in leaves behind; `furnisher` makes the first folders."""
        self._directory, self._config, self._counters = directory, config, counters
        self._pool, self._log, self._clock = pool, log, clock
        self._record, self._furnisher, self._pause = record, furnisher, pause
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}
        self._running = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def check(self, name: str, password: Secret, peer: SessionPeer, *, method: str = "PLAIN") -> Account:
        """The account. MailError 535 5.7.8 if it is not to be had with this; 454 4.7.0 if locked or too busy.

        `method` is for the log. Whether the connection is safe enough for a password is asked before, by
        `plaintext_allowed`.
        """
        settings = self._config.section(SecuritySettings)
        account = await self._directory.sign_in(name) if 0 < len(name) <= MAX_NAME else None
        user = account.id if account is not None else name[:MAX_NAME].casefold()
        host = _host(peer.ip)
        pair, window = f"signin:{host}:{user}", float(settings.lock_out_window)
        if self._locked(pair, settings.lock_out_after, window) or self._locked(
            f"signin:{host}", settings.lock_out_host_after, window
        ):
            # Told each time: who cannot sign in asks why, and fail2ban counts on. The pause bounds how often.
            self._log.warning("signin.locked", **_fields(peer, user, method))
            await self._pause(settings.failure_delay)
            raise MailError(454, "4.7.0", "Too many failed attempts, try again later", detail=f"{user} is locked")
        if account is not None and await self._right(account, password, settings):
            if failures := self._counters.get(pair, window=window):
                self._counters.add(pair, -failures, window=window)
            self._log.info("signin.ok", **_fields(peer, user, method))
            if self._record is not None:
                await self._record.signed_in(account.id, peer)
            return account
        if account is None:
            await self._verify(NOBODY, password)
        self._log.warning("signin.failed", **_fields(peer, user, method))
        self._count(pair, settings.lock_out_after, window, peer, user, method)
        self._count(f"signin:{host}", settings.lock_out_host_after, window, peer, user, method)
        await self._pause(settings.failure_delay)
        raise MailError(535, "5.7.8", "Authentication credentials invalid")

    def unreadable(self, peer: SessionPeer, *, method: str) -> None:
        """The client sent what holds no name and password: logged and counted as the failed sign-in that it is."""
        settings = self._config.section(SecuritySettings)
        self._log.warning("signin.failed", **_fields(peer, "", method))
        window = float(settings.lock_out_window)
        self._count(f"signin:{_host(peer.ip)}", settings.lock_out_host_after, window, peer, "", method)

    async def furnish(self, account: Account) -> None:
        """The first folders of the account, where a client is about to look at folders. MailError: not now."""
        if self._furnisher is not None:
            await self._furnisher.furnish(account.id)

    def _locked(self, counter: str, limit: int, window: float) -> bool:
        return limit > 0 and self._counters.get(counter, window=window) >= limit

    def _count(self, counter: str, limit: int, window: float, peer: SessionPeer, user: str, method: str) -> None:
        if limit > 0 and self._counters.add(counter, window=window) == limit:
            self._log.warning("signin.locked", **_fields(peer, user, method))

    async def _right(self, account: Account, password: Secret, settings: SecuritySettings) -> bool:
        # The verifier is part of what is remembered: a changed one is another entry.
        seen = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (account.id, account.password.reveal(), password.reveal()[: MAX_PASSWORD + 1]):
            octets = part.encode("utf-8", "surrogatepass")
            seen.update(len(octets).to_bytes(4, "big") + octets)
        key = seen.digest()
        if self._remembers(key):
            return account.enabled
        if not await self._verify(account.password, password, key):
            return False
        if not account.enabled:
            return False
        if settings.remember_sign_in:
            self._remember(key, self._clock.monotonic() + settings.remember_sign_in)
        stored = StoredPassword.read(account.password, account.password_keys)
        if self._record is not None and needs_upgrade(stored):
            made = await self._pool.run(make_password, password, credential=stored.id)
            await self._record.upgrade(account, made)
        return True

    async def _verify(self, verifier: Secret, password: Secret, key: bytes = b"") -> bool:
        if self._waiting >= MAX_WAITING:
            raise MailError(454, "4.7.0", "Too many sign-ins at this moment, try again later")
        self._waiting += 1
        try:
            async with self._running:
                # Another connection of the same client may have been right while this one waited.
                if key and self._remembers(key):
                    return True
                return await self._pool.run(verify_password, verifier, password)
        finally:
            self._waiting -= 1

    def _remembers(self, key: bytes) -> bool:
        return self._remembered.get(key, -1.0) > self._clock.monotonic()

    def _remember(self, key: bytes, until: float) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            now = self._clock.monotonic()
            self._remembered = {k: end for k, end in self._remembered.items() if end > now}
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
        self._remembered[key] = until


def _fields(peer: SessionPeer, user: str, method: str) -> dict[str, str]:
    return {
        "service": peer.service,
        "session_id": peer.session_id,
        "user": user,
        "sender_host": peer.ip,
        "method": method,
    }


def _host(ip: str) -> str:
    """Who is counted: an IPv4 address; of IPv6 the /64, all of which one client owns."""
    if ":" not in ip:
        return ip
    try:
        return str(ipaddress.ip_network((ip.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return ip
