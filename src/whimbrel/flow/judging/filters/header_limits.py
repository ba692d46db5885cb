"""Headers so long that they are an attack or broken: their fields are read again and again by every client.

Standards: RFC 5321 4.5.3.1 (a server may set limits), RFC 5322 2.2
"""

from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Size
from whimbrel.flow.assessment import NOTHING, Assessment, Finding, Stage
from whimbrel.flow.judging.filter import QuickFilter, refuse
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Transaction

OCTETS_OF_RECIPIENT: Final = 256
"""In To or Cc, with name, blanks and line end."""


class HeaderLimitsSettings(Section, tag="header-limits"):
    """How much header a message may have."""

    max_size: Size = setting(
        Size("256K"),
        minimum=Size("8K"),
        maximum=Size("16M"),
        help="Largest header section of a message. Whatever is set, there is room for 256 octets for each of "
        "`smtp/max-recipients`.",
        advanced=True,
    )
    max_fields: int = setting(1000, minimum=100, maximum=10_000, help="Most header fields.", advanced=True)


def largest_header(config: ConfigStore) -> int:
    """Octets of a header that is taken. Whoever may send to so many may name them all."""
    recipients = config.section(SmtpSettings).max_recipients
    return max(int(config.section(HeaderLimitsSettings).max_size), OCTETS_OF_RECIPIENT * recipients)


class HeaderLimits(QuickFilter):
    name, stage = "header-limits", Stage.DATA
    settings = HeaderLimitsSettings

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        header, limits = tx.header, self.ports.config.section(HeaderLimitsSettings)
        if len(header.raw) > limits.max_size or tx.header_goes_on:
            most = largest_header(self.ports.config)
            if len(header.raw) > most or tx.header_goes_on:
                return refuse(552, "5.3.4", f"The header is larger than {most} octets")
        if header.fields > limits.max_fields:
            return refuse(552, "5.3.4", f"The header has more than {limits.max_fields} fields")
        return NOTHING
