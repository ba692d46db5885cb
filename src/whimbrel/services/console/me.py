"""What the console is told of the person who signed in."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from whimbrel.core.directory import Account
from whimbrel.core.rights import Grants, Right
from whimbrel.services.admin.views import Moment
from whimbrel.services.console.preferences import Preferences
from whimbrel.services.console.sessions import Session, Sessions

PROTOCOL: Final = 1
"""Of the console and its server: raised when an older console could do harm."""
_ORDER: Final = (Right.SERVER_WRITE, Right.SERVER_READ, Right.DOMAIN, Right.ACCOUNTS, Right.MAIL_READ)


@dataclass(frozen=True, slots=True)
class Server:
    hostname: str
    version: str
    protocol: int = PROTOCOL


def me(
    sessions: Sessions, session: Session, account: Account, csrf: str, server: Server, preferences: Preferences
) -> dict[str, Any]:
    """The JSON object `Me`. Times are of RFC 3339."""
    grants = account.grants
    within = administered(grants)
    return {
        "name": str(account.address),
        "account": str(account.id),
        "full_name": account.full_name,
        "grants": sorted(grants.grants),
        "right": str(highest(grants)),
        "domains": None if within is None else sorted(within),
        "mail_read": grants.has(Right.MAIL_READ),
        "csrf": csrf,
        "session": session.handle,
        "signed_in": Moment(session.began).written,
        "idle_seconds": sessions.idle_seconds,
        "expires": Moment(sessions.lasts_until(session)).written,
        "reauthenticate": not sessions.recent(session),
        "server": asdict(server),
        **asdict(preferences),
    }


def highest(grants: Grants) -> Right:
    """The right that says most about what somebody may do."""
    return next((right for right in _ORDER if grants.has(right)), Right.SELF)


def administered(grants: Grants) -> frozenset[str] | None:
    """The domains that somebody administers, if only by looking; None: all."""
    within = grants.domains(Right.ACCOUNTS, reads=True)
    return None if within is None else frozenset(map(str, within))
