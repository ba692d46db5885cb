"""Messages larger than this server, or the account that sends them, allows: at MAIL by SIZE, at the end by counting.

Standards: RFC 1870 6.1 (SIZE at MAIL), 6.3 (the message itself), RFC 3463 3.3 (X.2.3), 3.4 (X.3.4)
"""

from whimbrel.core.directory import Account
from whimbrel.flow.assessment import NOTHING, Assessment, Finding, Peer, Stage
from whimbrel.flow.judging.filter import QuickFilter, refuse
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Transaction


class DeclaredSize(QuickFilter):
    name, stage = "declared-size", Stage.MAIL

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        if tx.peer is Peer.OURSELVES and tx.sender is None:
            # A report that returns a message of just the limit is larger, and nobody else tells its sender.
            return NOTHING
        size, limit = tx.size, int(self.ports.config.section(SmtpSettings).max_message_size)
        if size > limit:
            return refuse(552, "5.3.4", f"Message is too large, the limit is {limit} octets", detail=f"{size} octets")
        if tx.max_size and size > tx.max_size:
            return refuse(552, "5.2.3", f"You may send up to {tx.max_size} octets", detail=f"{size} octets")
        return NOTHING


class Size(DeclaredSize):
    name, stage = "size", Stage.DATA
