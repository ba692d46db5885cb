"""QUOTA: how much an account may hold, and how much it does.

Standards: RFC 9208 4.1 (GETQUOTA, GETQUOTAROOT), 5.3 (resources), 4.1.4 (STATUS items)
"""

from dataclasses import dataclass

from whimbrel.protocols.imap.cursor import Cursor
from whimbrel.protocols.imap.grammar import SIGNED_IN, Arguments, Part, Rule


@dataclass(frozen=True, slots=True)
class GetQuota(Arguments):
    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Arguments):
    mailbox: str


def _root(cursor: Cursor) -> GetQuota:
    cursor.space()
    return GetQuota(cursor.astring())


def _mailbox(cursor: Cursor) -> GetQuotaRoot:
    cursor.space()
    return GetQuotaRoot(cursor.mailbox())


PART = Part(
    commands={b"GETQUOTA": Rule(_root, SIGNED_IN), b"GETQUOTAROOT": Rule(_mailbox, SIGNED_IN)},
    status_items=frozenset({b"DELETED", b"DELETED-STORAGE"}),
)
