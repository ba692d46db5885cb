"""Is the configuration in use the one on disk, and does it make sense?"""

from typing import Final

from whimbrel.core.settings import Concern, Gravity
from whimbrel.services.health.check import Check, HealthContext, Level, Verdict, ok

RELAY: Final = "relay/"
SHOWN: Final = 5


async def _configuration(ctx: HealthContext) -> Verdict:
    for file, forgets in (("users.cfg", ctx.editor.forgets()), ("mailserver.cfg", ctx.config.forgets())):
        if forgets:
            return Verdict(
                Level.ERROR, f"{forgets}.", f"Mend {file}, or keep what is in use.",
                "whimbrel config diff",
            )  # fmt: skip
    concerns = [each for each in await ctx.pool.run(ctx.config.concerns) if not _of_relay(each)]
    if not concerns:
        return ok("No setting contradicts another.")
    worst = max(each.gravity for each in concerns)
    more = f"; and {len(concerns) - SHOWN} more" if len(concerns) > SHOWN else ""
    ordered = sorted(concerns, key=lambda each: -each.gravity)
    return Verdict(
        Level.WARNING if worst is Gravity.WARNING else Level.ERROR,
        f"{'; '.join(map(str, ordered[:SHOWN]))}{more}.",
        "Change what is named.",
        "whimbrel config check",
    )


async def _edits(ctx: HealthContext) -> Verdict:
    edited = await ctx.files.differ() if ctx.files is not None else ()
    if edited:
        return Verdict(
            Level.WARNING,
            f"{' and '.join(edited)} {'was' if len(edited) == 1 else 'were'} changed outside, and the server goes on "
            "with what it has.",
            "Look at the difference, then take the edit into use (`config reload`) or write over it (`config keep`).",
            "whimbrel config diff",
        )
    return ok("The files are those in use.")


async def _open_relay(ctx: HealthContext) -> Verdict:
    concerns = [each for each in await ctx.pool.run(ctx.config.concerns) if _of_relay(each)]
    if concerns:
        dangerous = any(each.gravity is not Gravity.WARNING for each in concerns)
        return Verdict(
            Level.ERROR if dangerous else Level.WARNING,
            f"{'; '.join(map(str, concerns))}.",
            "Take the network out of the list.",
        )
    return ok("Nobody sends mail to others through this server without signing in, but from the networks you named.")


def _of_relay(concern: Concern) -> bool:
    return concern.path.startswith(RELAY)


EDITS: Final = Check(
    "edits", "Edits of the configuration", _edits, "/settings/advanced?tab=history", "whimbrel config diff",
    configured=True,
)  # fmt: skip
CONFIGURATION: Final = Check(
    "configuration", "Configuration", _configuration, "/settings/advanced", "whimbrel config check", configured=True
)
OPEN_RELAY: Final = Check(
    "open-relay",
    "Open relay",
    _open_relay,
    "/settings/smtp?setting=relay/allow-from",
    "whimbrel config remove relay/allow-from NETWORK",
    configured=True,
)
