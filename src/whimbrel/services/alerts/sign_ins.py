"""Lock-outs of sign-ins as an event: heard from the security log, where all processes write them."""

import asyncio
from typing import Final

from whimbrel.core.log import Log, LogLine, LogSource
from whimbrel.services.alerts.events import SIGN_IN_LOCKED, Occurrence
from whimbrel.services.alerts.owner import AlertOwner
from whimbrel.services.health.check import Level

TITLE: Final = "Locked "
"""As the event `signin.locked` begins in the log."""
LASTING: Final = 1800.0
"""Seconds without another one after which it is over."""
AGAIN: Final = 60.0
"""Seconds until the log is followed again, should it not be readable."""


async def follow(logs: LogSource, owner: AlertOwner, log: Log) -> None:
    """Until it is cancelled."""
    while True:
        try:
            async for line in logs.follow(("security",)):
                if line.title.startswith(TITLE):
                    owner.happened(SIGN_IN_LOCKED, _occurrence(line), LASTING)
        except (OSError, ValueError) as error:
            log.warning("alert.log-not-followed", reason=str(error))
        await asyncio.sleep(AGAIN)


def _occurrence(line: LogLine) -> Occurrence:
    fields = dict(line.fields)
    user, host = fields.get("User", ""), fields.get("Sender-Host", "") or fields.get("Host", "")
    who = " ".join(filter(None, (f"of {user}" if user else "", f"from {host}" if host else "")))
    return Occurrence(
        Level.WARNING,
        f"Sign-ins {who or 'of somebody'} are refused for a while after too many failures ({line.title.strip()}).",
        "If the user is one of yours, see which program has an old password; if not, somebody guesses.",
        "whimbrel log tail security",
    )
