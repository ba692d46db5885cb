"""The built-in source of secrets: verifiers and keys in users.cfg.

A verified password is cached for minutes as a keyed hash (RFC 7693), whose key dies with the process, so that the fifty
connections of one IMAP client cost one run of argon2. An outdated verifier is replaced in the background after a
successful sign-in, one at a time.
"""

import asyncio
import secrets
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.credentials.scram import SCRAM_SHA_256, ScramKeys
from whimbrel.core.credentials.source import Keys, SecretSource
from whimbrel.core.credentials.spelling import MAX_PASSWORD
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId
from whimbrel.core.pool import Pool
from whimbrel.core.values import Secret
from whimbrel.services.session.passwords import NOBODY, make_password, needs_upgrade, verify_password
from whimbrel.services.session.record import SignInRecord
from whimbrel.services.session.settings import SecuritySettings

AT_ONCE: Final = 2
"""Runs of argon2 at once in a process: each takes 19 MiB and a core."""
MAX_WAITING: Final = 200
"""Sign-ins waiting for their run; more get 454."""
MAX_REMEMBERED: Final = 10_000
MAX_TO_REHASH: Final = 100
"""Passwords waiting to be rehashed; others are rehashed at a later sign-in."""


class StoredSecrets:
    """SecretSource on users.cfg. One per process."""

    schemes: frozenset[str] = frozenset()
    # SCRAM-SHA-256 is not among them: accounts from before have no keys until they signed in once.

    def __init__(
        self,
        config: ConfigStore,
        pool: Pool,
        clock: Clock,
        log: Log,
        record: SignInRecord | None = None,
        installation_key: Callable[[], bytes] | None = None,
    ) -> None:
        """`record` takes rehashed passwords. `installation_key` is the same in each process and after each start."""
        self._config, self._pool, self._clock, self._log, self._record = config, pool, clock, log, record
        self._key = secrets.token_bytes(32)
        self._unknown = installation_key or (lambda: self._key)
        self._remembered: dict[bytes, tuple[float, str]] = {}
        self._running = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._to_rehash: dict[AccountId, tuple[Account, Secret]] = {}
        self._rehashed: dict[AccountId, Secret] = {}
        """Verifiers that were made anew: the new one comes with the next look at users.cfg."""
        self._rehashing: asyncio.Task[None] | None = None

    def serves(self, _account: Account) -> bool:
        return True

    async def verify(self, account: Account | None, password: Secret) -> str | None:
        if account is None:
            await self._verify(NOBODY, password)
            return None
        # The verifier is part of what is remembered: a changed one is another entry.
        key = self._digest(account, password)
        # Nothing is cached for who may not sign in: the response time would confirm the password.
        open_to = not account.shut_out
        if open_to and (known := self._known(key)):
            return known
        if not await self._verify(account.password, password, key if open_to else b""):
            return None
        stored = _stored(account)
        credential = f"password:{stored.id}"
        if open_to:
            if remember := self._config.section(SecuritySettings).remember_sign_in:
                self._remember(key, self._clock.monotonic() + remember, credential)
            if self._record is not None and needs_upgrade(stored):
                self._rehash_later(account, password)
        return credential

    def _digest(self, account: Account, password: Secret) -> bytes:
        name, verifier = account.id.encode(), account.password.reveal().encode("utf-8", "surrogatepass")
        words = password.reveal()[: MAX_PASSWORD + 1].encode("utf-8", "surrogatepass")
        # Not by OpenSSL's HMAC: that lets other threads run meanwhile, and the loop waits for them.
        said = b"%d %d %b%b%b" % (len(name), len(verifier), name, verifier, words)
        return blake2b(said, key=self._key, digest_size=32).digest()

    async def keys(self, account: Account | None, name: str, scheme: str) -> Keys:
        if scheme != SCRAM_SHA_256:
            raise LookupError(scheme)
        stored = (
            StoredPassword(Secret(""))
            if account is None
            else StoredPassword.read(account.password, account.password_keys)
        )
        # Computed in any case, so that the response time does not depend on it.
        try:
            key = self._unknown()
        except OSError as error:
            raise MailError(
                454, "4.7.0", "Signing in is not possible now, try again later", detail=str(error)
            ) from error
        unknown = ScramKeys.unknown(key, name if account is None else account.id)
        own = stored.keys.get(scheme)
        return Keys(f"password:{stored.id}" if own else "", own or Secret(unknown.text()))

    def holds(self, account: Account, credential: str) -> bool:
        return credential == f"password:{_stored(account).id}"

    async def close(self) -> None:
        """Drops the passwords that wait to be rehashed; a later sign-in rehashes them."""
        self._to_rehash.clear()
        if self._rehashing is not None:
            self._rehashing.cancel()
            await asyncio.gather(self._rehashing, return_exceptions=True)

    # Verifying

    async def _verify(self, verifier: Secret, password: Secret, key: bytes = b"") -> bool:
        if self._waiting >= MAX_WAITING:
            raise MailError(454, "4.7.0", "Too many sign-ins at this moment, try again later")
        self._waiting += 1
        try:
            async with self._running:
                # Another connection of the same client may have verified it meanwhile.
                if key and self._known(key):
                    return True
                return await self._pool.run(verify_password, verifier, password)
        finally:
            self._waiting -= 1

    def _known(self, key: bytes) -> str:
        until, credential = self._remembered.get(key, (-1.0, ""))
        return credential if until > self._clock.monotonic() else ""

    def _remember(self, key: bytes, until: float, credential: str) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            now = self._clock.monotonic()
            self._remembered = {k: known for k, known in self._remembered.items() if known[0] > now}
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
        self._remembered[key] = (until, credential)

    # Rehashing

    def _rehash_later(self, account: Account, password: Secret) -> None:
        # The fifty connections of one client come at the same moment: once is enough.
        if self._rehashed.get(account.id) == account.password:
            return
        if len(self._to_rehash) < MAX_TO_REHASH and account.id not in self._to_rehash:
            self._to_rehash[account.id] = account, password
            if self._rehashing is None:
                self._rehashing = asyncio.get_running_loop().create_task(self._rehash_all())

    async def _rehash_all(self) -> None:
        try:
            while self._to_rehash:
                account, password = next(iter(self._to_rehash.values()))
                try:
                    await self._rehash(account, password)
                    if len(self._rehashed) >= MAX_REMEMBERED:
                        self._rehashed.clear()
                    self._rehashed[account.id] = account.password
                except Exception as error:  # noqa: BLE001  # It is tried again at the next right sign-in.
                    self._log.exception("signin.not-rehashed", error, user=account.id)
                finally:
                    self._to_rehash.pop(account.id, None)  # Here until now, so that nobody begins it a second time.
        finally:
            self._rehashing = None

    async def _rehash(self, account: Account, password: Secret) -> None:
        stored = _stored(account)
        async with self._running:
            made = await self._pool.run(make_password, password, credential=stored.id)
        if self._record is not None:
            await self._record.upgrade(account, made)


def _stored(account: Account) -> StoredPassword:
    return StoredPassword.read(account.password, account.password_keys)


_port: type[SecretSource] = StoredSecrets
