"""Identifiers of messages, threads and mailboxes that no renaming changes. Their search keys are in `search.py`.

Standards: RFC 8474 4 (MAILBOXID), 5 (EMAILID, THREADID)
"""

from typing import Final

from whimbrel.protocols.imap.fetch import Attribute
from whimbrel.protocols.imap.grammar import Part

EMAILID: Final = Attribute(b"EMAILID")
THREADID: Final = Attribute(b"THREADID")

PART = Part(
    fetch_items={b"EMAILID": lambda _: EMAILID, b"THREADID": lambda _: THREADID},
    status_items=frozenset({b"MAILBOXID"}),
)
