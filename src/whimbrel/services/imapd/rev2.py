"""IMAP4rev2 beside IMAP4rev1: announced when all that it made a part of IMAP is there.

What differs for a client that enabled it is where it belongs: no RECENT (`selected`), LIST in SELECT (`select`), names
in UTF-8 (`mode`), ESEARCH (`search`).

Standards: RFC 9051 6.3.1, appendix E
"""

from collections.abc import Iterable

from whimbrel.protocols.imap.mode import REV2
from whimbrel.services.imapd.offer import Offer
from whimbrel.services.imapd.session import Session

PARTS = frozenset(
    {
        b"ENABLE", b"IDLE", b"SASL-IR", b"LIST-EXTENDED", b"LIST-STATUS", b"MOVE", b"UIDPLUS", b"ESEARCH",
        b"SEARCHRES", b"UNSELECT", b"NAMESPACE", b"STATUS=SIZE", b"SPECIAL-USE", b"BINARY",
    }
)  # fmt: skip
"""RFC 9051 appendix E, 1: extensions that are folded in (of BINARY: FETCH and APPEND of literal8)."""


def advertise(session: Session) -> Iterable[bytes]:
    if frozenset(session.ports.offered.fixed) >= PARTS:
        yield b"IMAP4rev2"


OFFER = Offer(handlers={}, advertise=advertise, enable=frozenset({REV2}))
