"""What signing in leaves behind: when and from where it last was, and the password stored as it is stored today.

Both go to State at once. `services/jobs` puts the latter into the users' file, many in one write.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from whimbrel.core.clock import Clock
from whimbrel.core.credentials.stored import StoredPassword, mark
from whimbrel.core.directory import Account
from whimbrel.core.mailbox import AccountId
from whimbrel.core.state import State
from whimbrel.core.values import Secret

if TYPE_CHECKING:  # The command line shows a last sign-in, and must start in a blink.
    from whimbrel.services.session.peer import SessionPeer

LAST: Final = "sign-in"
UPGRADE: Final = "credential"
"""The former release knows `verifier`, without keys: its job must not take these for such."""
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

    async def upgrade(self, account: Account, stored: StoredPassword) -> None:
        """`stored` is of the same password as the account's present verifier, and of the same credential."""
        words = (mark(account.password), stored.verifier.reveal(), stored.beside().reveal())
        await self._state.set(UPGRADE, account.id, " ".join(words))


def read_upgrade(text: str) -> tuple[str, StoredPassword] | None:
    """The mark of the verifier to be replaced, and what is stored in its place; None if State holds something else."""
    replaced, _, rest = text.partition(" ")
    verifier, _, beside = rest.partition(" ")
    stored = StoredPassword.read(Secret(verifier), Secret(beside))
    return (replaced, stored) if verifier.startswith("$argon2id$") and stored.keys else None


async def last_sign_in(state: State, account: AccountId) -> LastSignIn | None:
    """None: never, or not since State was begun anew."""
    words = (await state.get(LAST, account) or "").split()
    if len(words) < 2 or not words[0].isdigit():
        return None
    return LastSignIn(float(words[0]), words[1], words[2] if len(words) > 2 else "")
