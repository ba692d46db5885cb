"""A message of the server's own to somebody: test messages, alerts.

Standards: RFC 3834 5 (Auto-Submitted), RFC 5322 3.6, RFC 3461 4.1 (NOTIFY=NEVER)
"""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.clock import Clock, Ids
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory
from whimbrel.core.envelope import Envelope, MailOptions, Notify, Recipient
from whimbrel.core.intake import Intake, Internal
from whimbrel.core.spool import Spool
from whimbrel.flow.settings import SmtpSettings
from whimbrel.mail.writing.compose import field, mailbox, text_part, token_field

SENDER: Final = "Mail server"


class OwnPost:
    """The Post port on our own way of a message. One for the control process."""

    def __init__(
        self, intake: Intake, spool: Spool, config: ConfigStore, directory: Directory, clock: Clock, ids: Ids
    ) -> None:
        self._intake, self._spool, self._config, self._directory = intake, spool, config, directory
        self._clock, self._ids = clock, ids

    async def send(self, to: Sequence[str], subject: str, text: str, *, language: str = "en") -> str:
        addresses = [Address.parse(each) for each in to]
        hostname = self._config.section(SmtpSettings).hostname
        domain = (await self._directory.primary()).name
        content = b"".join(
            (
                token_field("From", mailbox(SENDER, f"postmaster@{domain}")),
                token_field("To", ", ".join(map(str, addresses))),
                field("Subject", subject),
                token_field("Date", self._clock.date()),
                token_field("Message-ID", self._ids.message_id(hostname)),
                token_field("Auto-Submitted", "auto-generated"),
                token_field("MIME-Version", "1.0"),
                text_part(text, language=language),
            )
        )
        silent = frozenset({Notify.NEVER})
        utf8 = not all(address.ascii for address in addresses)
        envelope = Envelope(None, tuple(Recipient(each, silent) for each in addresses), MailOptions(utf8=utf8))
        return await self._intake.submit(Internal(envelope, self._spool.hold(content)))
