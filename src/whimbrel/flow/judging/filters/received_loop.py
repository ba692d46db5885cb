"""Stops mail that goes round: every server adds a Received field, so too many of them are a loop.

Standards: RFC 5321 6.3 (loop detection; the limit should be at least 100 hops by the letter, servers in use take 30 to
50), 7.8.
"""

from whimbrel.core.directory import Account
from whimbrel.core.settings import Section, setting
from whimbrel.flow.assessment import NOTHING, Assessment, Finding, Stage
from whimbrel.flow.judging.filter import QuickFilter, refuse
from whimbrel.flow.transaction import Transaction


class ReceivedLoopSettings(Section, tag="received-loop"):
    """Mail that goes round between servers."""

    limit: int = setting(
        30, minimum=5, maximum=1000, help="A message with more Received fields than this is refused as a loop."
    )


class ReceivedLoop(QuickFilter):
    name, stage = "received-loop", Stage.DATA
    settings = ReceivedLoopSettings

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        hops = tx.header.count(b"received")
        if hops <= self.ports.config.section(ReceivedLoopSettings).limit:
            return NOTHING
        return refuse(554, "5.4.6", "Mail loop detected: too many hops", detail=f"{hops} Received fields")
