"""CONDSTORE, QRESYNC, PARTIAL and UIDONLY are parts of other commands: what ENABLE switches on, and what is said of it.

Standards: RFC 7162 3.1, 3.2.3; RFC 9394; RFC 9586 3; RFC 6855 3; RFC 9585 (`Session.progress`)
"""

from whimbrel.protocols.imap.mode import CONDSTORE, QRESYNC, UIDONLY, UTF8
from whimbrel.services.imapd.offer import Offer

OFFER = Offer(
    handlers={},
    capabilities=(b"CONDSTORE", b"QRESYNC", b"PARTIAL", b"UIDONLY", b"UTF8=ACCEPT", b"INPROGRESS"),
    enable=frozenset({CONDSTORE, QRESYNC, UIDONLY, UTF8}),
)
