"""Who a session acts for, once a client has proven who it is."""

from dataclasses import dataclass

from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants


@dataclass(frozen=True, slots=True)
class Identity:
    """What signing in came to. It holds for a moment: `services/session/identities.py` asks again."""

    account: AccountId
    """Authorised as: whose mailbox, limits and addresses count."""
    actor: AccountId
    """Who proved to be who; another than `account` for a delegate or an administrator."""
    method: str
    """By which mechanism or command."""
    credential: str
    """`password:3f0c9a61d2b4`: its end ends the session. A verifier made anew of the same password is the same one."""
    grants: Grants
    """What the actor may do."""
