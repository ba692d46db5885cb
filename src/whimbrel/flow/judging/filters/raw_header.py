"""Headers with octets above 127 in mail that did not ask for SMTPUTF8.

They are against the rules and common all the same: taken, unless set otherwise.

Standards: RFC 5321 2.4 (headers are ASCII), RFC 6531 3.4 (SMTPUTF8), RFC 3463 3.7 (X.6.9)
"""

from whimbrel.core.directory import Account
from whimbrel.core.settings import Section, setting
from whimbrel.flow.assessment import NOTHING, Assessment, Finding, Stage
from whimbrel.flow.judging.filter import QuickFilter, refuse
from whimbrel.flow.transaction import Transaction


class RawHeaderSettings(Section, tag="raw-header"):
    """Eight-bit characters in headers."""

    refuse: bool = setting(
        False,
        help="Refuse mail whose header has eight-bit characters although its sender did not announce them (SMTPUTF8).",
        advanced=True,
    )


class RawHeader(QuickFilter):
    name, stage = "raw-header", Stage.DATA
    settings = RawHeaderSettings

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        if tx.options.utf8 or tx.header.raw.isascii() or not self.ports.config.section(RawHeaderSettings).refuse:
            return NOTHING
        return refuse(550, "5.6.9", "The header has characters that need SMTPUTF8")
