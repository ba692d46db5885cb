"""Writes to an administrator when the disk's free space falls below its soft limit: once each time it does.

Standards: RFC 3834 5 (Auto-Submitted), RFC 5322 3.6
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.flow.settings import SmtpSettings
from whimbrel.mail.writing.compose import field, mailbox, text_part, token_field
from whimbrel.services.jobs.job import JobContext

LOOK: Final = 5.0
"""Seconds between two looks at what the watchdog found."""
_TEXT: Final = (
    "Free space on the disk of {hostname} is low: {free} MB are left in {folder}.\n\n"
    "When it falls below the hard limit (setting space/hard-limit), the server takes in no more mail until there is "
    "room again. Please make room, or move the store to a larger disk.\n"
)


@dataclass(frozen=True, slots=True)
class Found:
    """What the watchdog found at its last look."""

    low: bool
    """Below the soft limit, or the hard one."""
    folder: str
    free: int
    notify: str
    """Who is to be written to; empty: nobody."""


async def watch_space(ctx: JobContext, look: Callable[[], Found]) -> None:
    """For as long as the process lives. A notice that cannot be sent now is tried again for as long as space is low."""
    told = False
    while True:
        found = look()
        if found.low and not told and found.notify:
            told = await _send(ctx, found)
        elif not found.low:
            told = False
        await ctx.pause(LOOK)


async def _send(ctx: JobContext, found: Found) -> bool:
    try:
        to = Address.parse(found.notify)
        hostname = ctx.config.section(SmtpSettings).hostname
        content = b"".join(
            (
                token_field("From", mailbox("Mail server", f"postmaster@{to.domain}")),
                token_field("To", str(to)),
                field("Subject", f"Disk space is low on {hostname}"),
                token_field("Date", ctx.clock.date()),
                token_field("Message-ID", ctx.ids.message_id(hostname)),
                token_field("Auto-Submitted", "auto-generated"),
                token_field("MIME-Version", "1.0"),
                text_part(_TEXT.format(hostname=hostname, free=found.free >> 20, folder=found.folder), language="en"),
            )
        )
        envelope = Envelope(None, (Recipient(to, frozenset({Notify.NEVER})),), MailOptions(utf8=not str(to).isascii()))
        await ctx.intake.submit(Internal(envelope, ctx.spool.hold(content)))
    except (MailError, ValueError) as error:  # ValueError: the setting is no address after all.
        if isinstance(error, MailError) and error.temporary:
            return False
        ctx.log.warning("space.notice-failed", recipient=found.notify, status=str(error))
    return True
