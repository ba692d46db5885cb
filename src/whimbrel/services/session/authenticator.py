"""Authenticates clients of every service: drives SASL exchanges, authorises, counts failures, logs.

An unknown user, a wrong password, a disabled account and a foreign authorisation identity give the same reply after the
same work; only the security log has the reason.

Standards: RFC 4422 3, RFC 4954 6 (535 5.7.8, 454 4.7.0), RFC 5530 (AUTHENTICATIONFAILED)
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from whimbrel.core.address import unquoted
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.credentials.source import SecretSource
from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.state import Counters
from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import (
    Answer,
    Challenge,
    Channel,
    CheckPassword,
    Exchange,
    LookUpKeys,
    Mechanism,
    Rejected,
    SaslError,
    Success,
    Want,
    check,
)
from whimbrel.services.session.folders import Furnisher
from whimbrel.services.session.identities import IdentityWatch, SignedIn, Waiter, source_of
from whimbrel.services.session.lockout import Failures, LockOut
from whimbrel.services.session.peer import SessionPeer, offered
from whimbrel.services.session.record import SignInRecord
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.session.stored_secrets import StoredSecrets

MAX_STEPS: Final = 16
"""Bounds one exchange: challenges, password checks and look-ups of keys together."""
MAX_NAME: Final = 320

Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends a challenge as the protocol encodes it and returns the client's response. When the client cancels, it raises an
exception of the service's own, which `run` passes on."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A provider's answer to a want other than passwords and keys. `name`: the user, once the exchange tells."""

    answer: Answer
    name: str = ""
    credential: str = ""


Provider = Callable[[Want], Awaitable[Proof]]
Admits = Callable[[Account], str]
"""Says why a service takes no sign-in of an account, whatever its password; empty: it takes it."""


@dataclass(slots=True)
class _Attempt:
    """State of one sign-in attempt."""

    peer: SessionPeer
    method: str
    admits: Admits | None = None
    user: str = ""
    account: Account | None = None
    barred: str = ""
    """Why the account cannot sign in to this service: it is then checked as an unknown user is."""
    named: bool = False
    failures: Failures | None = None
    credential: str = ""


class Authenticator:
    """Drives sign-in attempts. One per process."""

    def __init__(
        self,
        *,
        directory: Directory,
        config: ConfigStore,
        lockout: LockOut,
        sources: tuple[SecretSource, ...],
        watch: IdentityWatch,
        log: Log,
        record: SignInRecord | None = None,
        furnisher: Furnisher | None = None,
        providers: Mapping[type[Want], Provider] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`sources` are asked in order; the last one also serves accounts that no other serves. `record` stores last
        sign-ins; `furnisher` creates default folders; `providers` verify tokens, contexts and certificates."""
        self._directory, self._config, self._lockout = directory, config, lockout
        self._sources, self._watch, self._log = sources, watch, log
        self._record, self._furnisher, self._pause = record, furnisher, pause
        self._providers = dict(providers or {})

    @classmethod
    def of_users_file(
        cls,
        *,
        directory: Directory,
        config: ConfigStore,
        counters: Counters,
        pool: Pool,
        log: Log,
        clock: Clock,
        record: SignInRecord | None = None,
        furnisher: Furnisher | None = None,
        installation_key: Callable[[], bytes] | None = None,
        version: Callable[[], int] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> "Authenticator":
        """Builds an authenticator whose only source is users.cfg."""
        sources = (StoredSecrets(config, pool, clock, log, record, installation_key),)
        return cls(
            directory=directory,
            config=config,
            lockout=LockOut(config, counters),
            sources=sources,
            watch=IdentityWatch(directory, sources, log, version),
            log=log,
            record=record,
            furnisher=furnisher,
            pause=pause,
        )

    def directory_changed(self, key: str = "") -> None:
        """Handles a notice of USERS: checks the open sessions of the account `key`, or all of them."""
        self._watch.heard(key)

    async def close(self) -> None:
        self._watch.close()
        for source in self._sources:
            await source.close()

    def offered(self, peer: SessionPeer) -> dict[str, Mechanism]:
        """Returns the mechanisms that can succeed on this connection as it is now, in order of preference."""
        sources = self._sources
        schemes = sources[0].schemes.union(*(source.schemes for source in sources[1:]))
        return offered(self._config, peer, schemes)

    def start(
        self, mechanism: Mechanism, initial: bytes | None, peer: SessionPeer, ask: Ask, waiter: Waiter | None = None
    ) -> Coroutine[Any, Any, SignedIn]:
        """Starts a mechanism and runs its exchange. See `run`."""
        channel = Channel(peer.binding, _nonce, partial(self.offered, peer))
        return self.run(mechanism.start(initial, channel), mechanism.name, peer, ask, waiter)

    def password(
        self,
        name: str,
        password: Secret,
        peer: SessionPeer,
        *,
        method: str,
        waiter: Waiter | None = None,
        admits: Admits | None = None,
    ) -> Coroutine[Any, Any, SignedIn]:
        """Checks name and password of one command (IMAP LOGIN, POP3 USER and PASS). See `run`."""
        return self.run(_given(name, password), method, peer, _nobody, waiter, admits)

    def ended(self, account: Account | None, credential: str) -> str:
        """Returns why a session that signed in with `credential` counts no more; empty if it does. `account` as it
        is now."""
        return self._watch.ended(account, credential)

    async def run(
        self,
        exchange: Exchange,
        method: str,
        peer: SessionPeer,
        ask: Ask,
        waiter: Waiter | None = None,
        admits: Admits | None = None,
    ) -> SignedIn:
        """Runs the exchange to its end. `waiter` is woken when the sign-in is revoked. Whom `admits` refuses is
        answered as an unknown user, after the same work: nobody learns there whether a password is right.

        Raises MailError 535 5.7.8 if authentication fails, 454 4.7.0 if locked out or overloaded; SaslError if a
        response is malformed; whatever `ask` raises. The caller checks before, by `offered`, that the connection is
        safe enough for the mechanism.
        """
        attempt = _Attempt(peer, method, admits)
        try:
            success = await self._drive(exchange, attempt, ask)
            account = await self._authorised(attempt, success)
            if success.data and await ask(success.data):
                raise SaslError("the response to additional data is empty")  # RFC 4422 3.6
        except Rejected as reason:
            raise await self._failed(attempt, str(reason)) from None
        except SaslError:
            self._unreadable(attempt)
            raise
        finally:
            exchange.close()
        if attempt.failures is not None:
            attempt.failures.forgive()
        self._log.info("signin.ok", **_fields(attempt))
        if self._record is not None:
            await self._record.signed_in(account.id, peer)
        return self._watch.hold(account, method, attempt.credential, waiter)

    async def furnish(self, account: Account) -> None:
        """Creates the account's default folders at its first sign-in to a service with folders. MailError"""
        if self._furnisher is not None:
            await self._furnisher.furnish(account.id)

    # Driving

    async def _drive(self, exchange: Exchange, attempt: _Attempt, ask: Ask) -> Success:
        answer: Answer = None
        for _ in range(MAX_STEPS):
            try:
                want = exchange.send(answer)
            except StopIteration as end:
                success: Success = end.value
                return success
            answer = await ask(want.data) if isinstance(want, Challenge) else await self._answer(want, attempt)
        raise SaslError("too many steps")

    async def _answer(self, want: Want, attempt: _Attempt) -> Answer:
        if isinstance(want, CheckPassword):
            await self._name(attempt, want.name)
            account = None if attempt.barred else attempt.account
            known = await source_of(self._sources, account).verify(account, want.password)
            attempt.credential = known or ""
            return known is not None
        if isinstance(want, LookUpKeys):
            await self._name(attempt, want.name)
            account = None if attempt.barred else attempt.account
            source = source_of(self._sources, account)
            keys = await source.keys(account, await self._canonical(want.name), want.scheme)
            attempt.credential = keys.credential
            return keys.text
        provider = self._providers.get(type(want))
        if provider is None:
            raise Rejected("nobody here can verify this")
        proof = await provider(want)
        if proof.name:
            await self._name(attempt, proof.name)
        attempt.credential = proof.credential or attempt.credential
        return proof.answer

    async def _name(self, attempt: _Attempt, name: str) -> None:
        """Looks up the user that the client named, and refuses it while locked out. MailError 454"""
        if attempt.named:
            return
        attempt.named, name = True, unquoted(name)
        attempt.account = await self._directory.sign_in(name) if 0 < len(name) <= MAX_NAME else None
        attempt.user = attempt.account.id if attempt.account is not None else name[:MAX_NAME].casefold()
        if attempt.account is not None and attempt.admits is not None:
            attempt.barred = attempt.admits(attempt.account)
        attempt.failures = self._lockout.of(attempt.peer.ip, attempt.user)
        if attempt.failures.locked():
            # Logged each time: administrators look for it, and fail2ban keeps counting. The delay bounds the rate.
            self._log.warning("signin.locked", **_fields(attempt))
            await self._pause(self._config.section(SecuritySettings).failure_delay)
            raise MailError(
                454, "4.7.0", "Too many failed attempts, try again later", detail=f"{attempt.user} is locked"
            )

    async def _authorised(self, attempt: _Attempt, success: Success) -> Account:
        """Returns the account that the authenticated client may act as. Rejected"""
        if not attempt.named:
            await self._name(attempt, success.name)
        account = attempt.account
        if account is None:
            raise Rejected("unknown user")
        if account.shut_out:
            raise Rejected(f"the user {account.shut_out}")
        if attempt.barred:
            raise Rejected(attempt.barred)
        if success.authzid:
            other = await self._directory.sign_in(unquoted(success.authzid))
            if other is None or other.id != account.id:
                raise Rejected("acting for another user is not allowed")
        return account

    async def _canonical(self, name: str) -> str:
        """Returns one name for all spellings of an address, so that an unknown user's salt does not vary where a known
        user's does not."""
        local, at, domain = unquoted(name).rpartition("@")
        if not at:
            return f"{name.casefold()}@{(await self._directory.primary()).name}"
        known = await self._directory.domain(domain)
        return f"{local.casefold()}@{domain.casefold() if known is None else known.name}"

    # Failing

    async def _failed(self, attempt: _Attempt, reason: str) -> MailError:
        """Logs, counts and delays a failure; returns the reply, which is the same for every reason."""
        if attempt.named and attempt.account is None:
            reason = "unknown user"
        elif attempt.account is not None and attempt.account.shut_out:
            reason = f"the user {attempt.account.shut_out}"
        elif attempt.barred:
            reason = attempt.barred
        self._log.warning("signin.failed", **_fields(attempt), reason=reason)
        self._count(attempt)
        await self._pause(self._config.section(SecuritySettings).failure_delay)
        return MailError(535, "5.7.8", "Authentication credentials invalid")

    def _unreadable(self, attempt: _Attempt) -> None:
        """Logs a malformed response and counts it as a failure of the address."""
        self._log.warning("signin.failed", **_fields(attempt), reason="not of the mechanism")
        attempt.failures = None
        self._count(attempt)

    def _count(self, attempt: _Attempt) -> None:
        failures = attempt.failures or self._lockout.of(attempt.peer.ip)
        failures.count(lambda: self._log.warning("signin.locked", **_fields(attempt)))


def _given(name: str, password: Secret) -> Exchange:
    if not (yield from check(CheckPassword(name, password))):
        raise Rejected("wrong password")
    return Success(name)


async def _nobody(_challenge: bytes) -> bytes:
    raise RuntimeError("there is nobody to ask")


def _nonce() -> str:
    return secrets.token_urlsafe(18)


def _fields(attempt: _Attempt) -> dict[str, str]:
    peer = attempt.peer
    return {
        "service": peer.service,
        "session_id": peer.session_id,
        "user": attempt.user,
        "sender_host": peer.ip,
        "method": attempt.method,
    }
