"""Rows of messages, as the store hands them out for FETCH, SEARCH, SORT and THREAD: tuples whose columns have names.

A mailbox has a hundred thousand of them. SQLite makes a tuple at no further cost, while a NamedTuple or a dataclass for
each would cost as much again; so the names are constants: `row[SIZE]`. Each kind has a table of its columns, from which
a backend makes its query; a constant is the place of its name in the tables that have it.

Standards: RFC 9051 2.3 (message attributes), RFC 7162 (modseq), RFC 8474 5 (EMAILID, THREADID), RFC 5256, RFC 5957
"""

from collections.abc import Mapping
from typing import Final

UID: Final = 0
FLAGS: Final = 1
"""Bits, of `core.mailbox`: SEEN, ANSWERED and so on."""
KEYWORDS: Final = 2
"""Sorted, one space between."""
MODSEQ: Final = 3
INTERNAL_DATE: Final = 4
"""s"""
SIZE: Final = 5
"""Octets as clients get them."""
EMAIL_ID: Final = 6
THREAD_ID: Final = 7

FlagRow = tuple[int, int, str, int]
FLAG_COLUMNS: Final = ("uid", "flags", "keywords", "modseq")

ENVELOPE: Final = 8
BODYSTRUCTURE: Final = 9
MetaRow = tuple[int, int, str, int, int, int, str, str, bytes, bytes]
"""ENVELOPE and BODYSTRUCTURE in wire form; `mail.structure.body_parts` reads the latter."""
META_COLUMNS: Final = (
    *FLAG_COLUMNS, "internal_date", "size", "email_id", "thread_id", "envelope", "bodystructure",
)  # fmt: skip


def with_flags(row: MetaRow, now: FlagRow) -> MetaRow:
    """`row` after a change of its flags."""
    return (*now, *row[4:])


def with_modseq(row: MetaRow, modseq: int) -> MetaRow:
    return (*row[:3], modseq, *row[4:])


SENT: Final = 8
"""Date: field (s, local time as if UTC; RFC 9051 6.4.4 SENTON disregards time and zone; 0 if there is none)."""
FROM: Final = 9
TO: Final = 10
CC: Final = 11
BCC: Final = 12
SUBJECT: Final = 13
"""These are decoded and case-folded."""
MESSAGE_ID: Final = 14
SAVE_DATE: Final = 15
"""s; RFC 8514"""
SearchRow = tuple[int, int, str, int, int, int, str, str, int, str, str, str, str, str, str, int]
SEARCH_COLUMNS: Final = (
    *FLAG_COLUMNS, "internal_date", "size", "email_id", "thread_id", "sent", "from", "to", "cc", "bcc", "subject",
    "message_id", "save_date",
)  # fmt: skip

Holding = tuple[str, str]
"""One of HELD, and a case-folded text that this value of a SearchRow must hold."""
HELD: Final[Mapping[str, int]] = {"from": FROM, "to": TO, "cc": CC, "bcc": BCC, "subject": SUBJECT}

SORT_DATE: Final = 1
SORT_SIZE: Final = 2
SORT_SENT: Final = 3
"""s, UTC; the internal date without a Date: field."""
SORT_FROM: Final = 4
SORT_TO: Final = 5
SORT_CC: Final = 6
"""Mailbox of the first address, case-folded like all that follow."""
SHOWN_FROM: Final = 7
SHOWN_TO: Final = 8
"""Display form of the first address. RFC 5957"""
BASE_SUBJECT: Final = 9
IS_REPLY: Final = 10
"""1 if the subject was that of a reply or forward, else 0."""
SORT_MESSAGE_ID: Final = 11
IN_REPLY_TO: Final = 12
REFERENCES: Final = 13
"""One space between."""
SORT_THREAD_ID: Final = 14
SortRow = tuple[int, int, int, int, str, str, str, str, str, str, int, str, str, str, str]
SORT_COLUMNS: Final = (
    "uid", "sort_date", "sort_size", "sort_sent", "sort_from", "sort_to", "sort_cc", "shown_from", "shown_to",
    "base_subject", "is_reply", "sort_message_id", "in_reply_to", "references", "sort_thread_id",
)  # fmt: skip

CellRow = tuple[int, *tuple[int | bytes, ...]]
"""uid, then what was asked for: of CELLS, as they stand in a MetaRow."""
CELLS: Final[Mapping[str, int]] = {"uid": UID, "size": SIZE, "envelope": ENVELOPE, "bodystructure": BODYSTRUCTURE}

PARTS_SIZE: Final = 1
PARTS: Final = 2
"""Part offsets; `mail.structure.parts` reads them."""
PartsRow = tuple[int, int, bytes]
PARTS_COLUMNS: Final = ("uid", "parts_size", "parts")
