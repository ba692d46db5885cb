"""What signing in leaves behind: when and from where it last was, and a verifier made with today's parameters.

Both go to State at once. `services/jobs` puts verifiers into the users' file, many in one write.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from whimbrel.core.clock import Clock
from whimbrel.core.directory import Account
from whimbrel.core.mailbox import AccountId
from whimbrel.core.state import State
from whimbrel.core.values import Secret

if TYPE_CHECKING:  # The command line shows a last sign-in, and must start in a blink.
    from whimbrel.services.session.peer import SessionPeer

LAST: Final = "sign-in"
UPGRADE: Final = "verifier"
EVERY: Final = 60.0
"""Seconds in which one account's last sign-in is written once: a client opens many connections."""
MAX_KNOWN: Final = 50_000


@dataclass(frozen=True, slots=True)
class LastSignIn:
    at: float
    """Seconds since 1970 UTC, within a minute."""
    service: str
    ip: str


class SignInRecord:
    """One in each process."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock
        self._written: dict[AccountId, float] = {}

    async def signed_in(self, account: AccountId, peer: "SessionPeer") -> None:
        now = self._clock.monotonic()
        if now - self._written.get(account, -EVERY) < EVERY:
            return
        if len(self._written) >= MAX_KNOWN:
            self._written.clear()
        self._written[account] = now
        await self._state.set(LAST, account, f"{self._clock.now():.0f} {peer.service} {peer.ip}")

    async def upgrade(self, account: Account, verifier: Secret) -> None:
        """`verifier` is for the password that the account's present one fits."""
        await self._state.set(UPGRADE, account.id, f"{mark_of(account.password)} {verifier.reveal()}")


async def last_sign_in(state: State, account: AccountId) -> LastSignIn | None:
    """None: never, or not since State was begun anew."""
    words = (await state.get(LAST, account) or "").split()
    if len(words) < 2 or not words[0].isdigit():
        return None
    return LastSignIn(float(words[0]), words[1], words[2] if len(words) > 2 else "")


def mark_of(verifier: Secret) -> str:
    """Tells whether a verifier is still the one that was meant. A verifier is salted: its hash says nothing."""
    return hashlib.sha256(verifier.reveal().encode("utf-8", "surrogatepass")).hexdigest()
