"""Records of sign-ins in State: each account's last one, and rehashed passwords.

`services/jobs/verifiers.py` moves rehashed passwords to users.cfg, many in one write.
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
"""Kind in State. Not `verifier`: the former release's job reads that kind, and expects no keys."""
EVERY: Final = 60.0
"""Seconds between two records of one account's last sign-in: a client opens many connections."""
MAX_KNOWN: Final = 50_000


@dataclass(frozen=True, slots=True)
class LastSignIn:
    at: float
    """Seconds since 1970 UTC, within a minute."""
    service: str
    ip: str


NEVER: Final = LastSignIn(0.0, "", "")


class SignInRecord:
    """Writes the records. One per process."""

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
        """Queues `stored`, made of the same password and credential, to replace the account's verifier."""
        words = (mark(account.password), stored.verifier.reveal(), stored.beside().reveal())
        await self._state.set(UPGRADE, account.id, " ".join(words))


def read_upgrade(text: str) -> tuple[str, StoredPassword] | None:
    """Returns the mark of the verifier to replace, and its replacement; None if State holds something else."""
    replaced, _, rest = text.partition(" ")
    verifier, _, beside = rest.partition(" ")
    stored = StoredPassword.read(Secret(verifier), Secret(beside))
    return (replaced, stored) if verifier.startswith("$argon2id$") and stored.keys else None


async def last_sign_in(state: State, account: AccountId) -> LastSignIn | None:
    """Returns the account's last sign-in; None: never, or not since State was reset."""
    return read_last(await state.get(LAST, account) or "")


def read_last(text: str) -> LastSignIn | None:
    """What is written under `LAST`; None if State holds something else."""
    words = text.split()
    if len(words) < 2 or not words[0].isdigit():
        return None
    return LastSignIn(float(words[0]), words[1], words[2] if len(words) > 2 else "")
