"""Keeps open sessions in step with the directory: who is signed in, re-validated when accounts change.

A notice of USERS marks the sessions it may concern, and each account is looked up once for all of its sessions. Changed
limits and rights apply to the session's next command. A session whose account was removed or disabled, or whose
credential was revoked, is woken and ends. While nothing changes, a command costs one attribute read.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from whimbrel.core.credentials.source import SecretSource
from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError
from whimbrel.core.identity import Identity
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId

LOOK_AT_LEAST: Final = 5.0
"""Seconds between polls of the directory's version: a notice is lost if its sender dies."""
BETWEEN_ROUNDS: Final = 0.2
"""Seconds between two rounds of look-ups."""
BETWEEN_TURNS: Final = 50
"""Look-ups before the loop serves other tasks."""


class SignedOut(Exception):
    """The session's sign-in was revoked. Its text is for the log."""


class Waiter(Protocol):
    """A session's connection."""

    def wake(self) -> None:
        """Makes the session check its sign-in: now if it waits for the client, else before its next command."""
        ...


class SignedIn:
    """The sign-in of one session. Small, since thousands are open at a time."""

    __slots__ = ("_waiter", "_watch", "account", "actor", "credential", "method", "outdated")

    def __init__(
        self,
        watch: "IdentityWatch",
        account: Account,
        actor: AccountId,
        method: str,
        credential: str,
        waiter: Waiter | None,
    ) -> None:
        self.account = account
        """The account as of the last look-up."""
        self.actor, self.method, self.credential = actor, method, credential
        self.outdated = False
        """The account may have changed since; the session calls `renew` before the next command."""
        self._watch, self._waiter = watch, waiter

    @property
    def identity(self) -> Identity:
        account = self.account
        return Identity(account.id, self.actor, self.method, self.credential, account.grants)

    async def renew(self) -> Account:
        """Returns the current account. Raises SignedOut; while the directory is unavailable, the last known account
        stands."""
        if self.outdated:
            await self._watch.renew(self)
        return self.account

    def close(self) -> None:
        """Forgets the session."""
        self._watch.release(self)


class IdentityWatch:
    """All sessions that are signed in to one process."""

    def __init__(
        self,
        directory: Directory,
        sources: tuple[SecretSource, ...],
        log: Log,
        version: Callable[[], int] | None = None,
        holders: Mapping[str, Callable[[Account, str], bool]] | None = None,
    ) -> None:
        """`version` changes whenever the directory may have changed. `holders` say by the kind of a credential (the
        part before its colon) whether the account still has it; sources answer for `password`; a credential of any
        other kind is valid as long as the account."""
        self._directory, self._sources, self._log, self._version = directory, sources, log, version
        self._holders = dict(holders or {})
        self._held: dict[SignedIn, None] = {}
        self._seen = 0
        self._sweep: asyncio.Task[None] | None = None
        self._again = False
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, account: Account, method: str, credential: str, waiter: Waiter | None = None) -> SignedIn:
        """Registers a session until `SignedIn.close`."""
        signed = SignedIn(self, account, account.id, method, credential, waiter)
        self._held[signed] = None
        if self._timer is None and self._version is not None:
            self._seen = self._current_version()
            self._timer = asyncio.get_running_loop().call_later(LOOK_AT_LEAST, self._look)
        return signed

    def release(self, signed: SignedIn) -> None:
        self._held.pop(signed, None)

    def heard(self, key: str = "") -> None:
        """Handles a notice that the account `key` changed; "": any account may have."""
        concerned = False
        for signed in self._held:
            if not key or signed.account.id == key:
                signed.outdated = concerned = True
        if concerned:
            self._again = True
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().create_task(self._ask_all())

    async def renew(self, signed: SignedIn) -> None:
        signed.outdated = False  # Before the look-up, so that a change during it is not missed.
        try:
            account = await self._directory.account(signed.account.id)
        except MailError:
            signed.outdated = True
            return
        self._apply(signed, account)

    def ended(self, account: Account | None, credential: str) -> str:
        """Returns why a sign-in with `credential` counts no more; empty if it does. `account` as it is now."""
        if account is None:
            return "the user was removed"
        if not account.enabled:
            return "the user was disabled"
        if account.shut_out:
            return f"the user {account.shut_out}"
        kind = credential.partition(":")[0]
        if kind == "password":
            holds = source_of(self._sources, account).holds(account, credential)
            return "" if holds else "the password was changed"
        holder = self._holders.get(kind)
        return "" if holder is None or holder(account, credential) else f"the {kind} was withdrawn"

    def close(self) -> None:
        for handle in (self._sweep, self._timer):
            if handle is not None:
                handle.cancel()

    # Inside

    def _apply(self, signed: SignedIn, account: Account | None) -> None:
        """SignedOut"""
        reason = self.ended(account, signed.credential)
        if reason or account is None:
            signed.outdated = True
            raise SignedOut(reason)
        signed.account = account

    async def _ask_all(self) -> None:
        try:
            while self._again:
                self._again = False
                accounts: dict[AccountId, list[SignedIn]] = {}
                for signed in self._held:
                    if signed.outdated:
                        accounts.setdefault(signed.account.id, []).append(signed)
                for number, (name, sessions) in enumerate(accounts.items(), 1):
                    await self._ask(name, sessions)
                    if number % BETWEEN_TURNS == 0:
                        await asyncio.sleep(0)
                if self._again:  # A burst of changes costs one round, not one each.
                    await asyncio.sleep(BETWEEN_ROUNDS)
        finally:
            self._sweep = None

    async def _ask(self, name: AccountId, sessions: list[SignedIn]) -> None:
        for signed in sessions:
            signed.outdated = False
        try:
            account = await self._directory.account(name)
        except MailError as error:
            # Each session looks up again before its next command.
            self._log.warning("signin.not-renewed", user=name, detail=error.detail)
            for signed in sessions:
                signed.outdated = True
            return
        for signed in sessions:
            try:
                self._apply(signed, account)
            except SignedOut:
                if signed._waiter is not None:
                    signed._waiter.wake()

    def _current_version(self) -> int:
        """The last known one while the directory is unavailable."""
        try:
            return self._seen if self._version is None else self._version()
        except MailError:
            return self._seen

    def _look(self) -> None:
        self._timer = None
        if not self._held:
            return
        version = self._current_version()
        if version != self._seen:
            self._seen = version
            self.heard()
        self._timer = asyncio.get_running_loop().call_later(LOOK_AT_LEAST, self._look)


def source_of(sources: tuple[SecretSource, ...], account: Account | None) -> SecretSource:
    """Returns the source that has the account's secrets; the last one for unknown users."""
    if account is not None:
        for source in sources:
            if source.serves(account):
                return source
    return sources[-1]
