"""The identity of an authenticated session."""

from dataclasses import dataclass

from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants


@dataclass(frozen=True, slots=True)
class Identity:
    """The result of authentication, as of now: `services/session/identities.py` re-validates it when accounts
    change."""

    account: AccountId
    """The authorisation identity: whose mailbox, limits and addresses apply."""
    actor: AccountId
    """The authentication identity; differs from `account` for a delegate or an administrator."""
    method: str
    """The mechanism or command."""
    credential: str
    """`password:3f0c9a61d2b4`: revoking it ends the session; rehashing the same password does not change it."""
    grants: Grants
    """The actor's rights."""
