"""Writes to an administrator when the disk's free space falls below its soft limit: once each time it does.

Standards: RFC 3834 5 (Auto-Submitted), RFC 5322 3.6
"""

from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Internal
from whimbrel.flow.settings import SmtpSettings
from whimbrel.mail.writing.compose import field, mailbox, text_part, token_field
from whimbrel.services.jobs.job import NOTHING, Job, JobContext, Outcome, Run, every
from whimbrel.services.jobs.ports import Room

LOOK: Final = 5.0
"""Seconds between two looks at what the watchdog found."""
_TEXT: Final = (
    "Free space on the disk of {hostname} is low: {free} MB are left in {folder}.\n\n"
    "When it falls below the hard limit (setting space/hard-limit), the server takes in no more mail until there is "
    "room again. Please make room, or move the store to a larger disk.\n"
)


def watch_space(ctx: JobContext) -> Run:
    """A notice that cannot be sent now is tried again for as long as space is low."""
    noticed = False

    async def look() -> Outcome:
        nonlocal noticed
        room, recipient = ctx.room(), ctx.notify_low_space()
        if not room.short:
            noticed = False
        elif not noticed and recipient:
            noticed = await _send(ctx, room, recipient)
            return Outcome(f"{recipient} was written to" if noticed else f"{recipient} cannot be written to now")
        return NOTHING

    return look


async def _send(ctx: JobContext, room: Room, recipient: str) -> bool:
    try:
        to = Address.parse(recipient)
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
                text_part(_TEXT.format(hostname=hostname, free=room.free >> 20, folder=room.folder), language="en"),
            )
        )
        envelope = Envelope(None, (Recipient(to, frozenset({Notify.NEVER})),), MailOptions(utf8=not str(to).isascii()))
        await ctx.intake.submit(Internal(envelope, ctx.spool.hold(content)))
    except (MailError, ValueError) as error:  # ValueError: the setting is no address after all.
        if isinstance(error, MailError) and error.temporary:
            return False
        ctx.log.warning("space.notice-failed", recipient=recipient, status=str(error))
    return True


LOW_SPACE: Final = Job("low-space", "Writes to an administrator when free space gets low.", watch_space, every(LOOK))
