r"""FETCH responses of rows that are at hand, all made from one template.

Standards: RFC 3501 7.4.2; RFC 7162 3.1.4.2 (MODSEQ), RFC 8474 5 (EMAILID, THREADID)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from whimbrel.core.rows import (
    BODYSTRUCTURE,
    EMAIL_ID,
    ENVELOPE,
    FLAGS,
    INTERNAL_DATE,
    KEYWORDS,
    MODSEQ,
    SIZE,
    THREAD_ID,
    UID,
    MetaRow,
)
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import condstore
from whimbrel.protocols.imap import fetch as grammar
from whimbrel.protocols.imap.binary import BinarySection
from whimbrel.protocols.imap.body import plain_body
from whimbrel.protocols.imap.cursor import Refused
from whimbrel.protocols.imap.dates import date_time
from whimbrel.protocols.imap.encode import flag_list
from whimbrel.protocols.imap.grammar import FetchItem
from whimbrel.protocols.imap.objectid import EMAILID, THREADID
from whimbrel.services.imapd.content import ContentReader
from whimbrel.services.imapd.lookups import LOOKUPS, MISSING
from whimbrel.services.imapd.recent import Recent
from whimbrel.services.imapd.selected import Selected
from whimbrel.services.imapd.session import Session


@dataclass(frozen=True, slots=True)
class Column:
    """How one attribute is written: `form` takes what `get` finds in a row."""

    form: bytes
    get: "Callable[[MetaRow, Selected], object]"
    cell: str | None = None
    """How `Messages.cells` calls it, if it is written as it is."""
    structure: bool = False
    """Only rows that were asked for with `structure` have it."""


COLUMNS: Mapping[FetchItem, Column] = {
    grammar.UID: Column(b"UID %d", lambda row, _: row[UID], "uid"),
    grammar.FLAGS: Column(
        b"FLAGS %b", lambda row, view: flag_list(row[FLAGS], row[KEYWORDS], row[UID] in shown_recent(view))
    ),
    grammar.INTERNALDATE: Column(b'INTERNALDATE "%b"', lambda row, _: date_time(row[INTERNAL_DATE])),
    condstore.MODSEQ: Column(b"MODSEQ (%d)", lambda row, _: row[MODSEQ]),
    grammar.SIZE: Column(b"RFC822.SIZE %d", lambda row, _: row[SIZE], "size"),
    grammar.ENVELOPE: Column(b"ENVELOPE %b", lambda row, _: row[ENVELOPE], "envelope", structure=True),
    grammar.BODYSTRUCTURE: Column(
        b"BODYSTRUCTURE %b", lambda row, _: row[BODYSTRUCTURE], "bodystructure", structure=True
    ),
    grammar.BODY: Column(b"BODY %b", lambda row, _: plain_body(row[BODYSTRUCTURE]), structure=True),
    EMAILID: Column(b"EMAILID (%b)", lambda row, _: row[EMAIL_ID].encode()),
    THREADID: Column(b"THREADID %b", lambda row, _: b"(%b)" % row[THREAD_ID].encode() if row[THREAD_ID] else b"NIL"),
}
OF_FLAGS = frozenset({grammar.UID, grammar.FLAGS, condstore.MODSEQ})
"""What a FlagRow has."""


def shown_recent(view: Selected) -> Recent | tuple[()]:
    r"""What is called \Recent: nothing for a client of RFC 9051. Appendix E"""
    return () if view.mode.rev2 or not view.recent else view.recent


class RowWriter:
    """Answers one FETCH command, row by row."""

    def __init__(self, session: Session, items: Sequence[FetchItem]) -> None:
        self._session, self._view = session, session.view
        self.columns = [COLUMNS[item] for item in items if item in COLUMNS]
        self._looked_up = [item for item in items if item in LOOKUPS]
        self.sections = [item for item in items if isinstance(item, grammar.BodySection | BinarySection)]
        template = b" ".join([column.form for column in self.columns] + [b"%b"] * len(self._looked_up))
        end = (b" " if template else b"") if self.sections else b")\r\n"
        self._form = b"* %%d %b (%b%b" % (self._view.verb.encode(), template, end)
        self._flags = grammar.FLAGS in items
        self._modseq = condstore.MODSEQ in items or not self._view.mode.condstore
        self._reader = ContentReader(session, self.sections)

    @property
    def structure(self) -> bool:
        """Rows must have ENVELOPE and BODYSTRUCTURE."""
        return any(column.structure for column in self.columns)

    async def write(
        self,
        rows: Sequence[MetaRow],
        uids: UidSet,
        seen: frozenset[int] = frozenset(),
        parts: Mapping[int, bytes] | None = None,
    ) -> None:
        """Of the ascending `rows`, which are those of `uids`; `seen`: UIDs that this very command marks as read;
        `parts`: part offsets, if the store does not have them."""
        view, columns = self._view, self.columns
        numbers = view.numbered([row[UID] for row in rows])
        if 0 in numbers:
            known = [(number, row) for number, row in zip(numbers, rows, strict=True) if number]
            numbers, rows = [number for number, _ in known], [row for _, row in known]
        values = [[column.get(row, view) for row in rows] for column in columns]
        for item in self._looked_up:
            texts = await LOOKUPS[item](self._session.ports.messages, view.ref, uids)
            values.append([texts.get(row[UID]) or MISSING[item] for row in rows])
        heads = [self._form % each for each in zip(numbers, *values, strict=True)]
        if seen:
            # The flags changed with this very answer. RFC 3501 6.4.5, RFC 7162 3.1.4.2
            words = [_now_seen(row, view, flags=not self._flags, modseq=not self._modseq) for row in rows]
            heads = [
                head + word if row[UID] in seen else head for head, word, row in zip(heads, words, rows, strict=True)
            ]
        if self.sections:
            await self._reader.answer(rows, heads, parts)
        else:
            await self._session.write(b"".join(heads))

    def close(self) -> None:
        """Refused if something could not be answered: all else was."""
        if self._reader.unreadable:
            self._session.report_unreadable(self._view.ref, self._reader.unreadable)
            raise Refused(b"UNAVAILABLE", "Some of the messages cannot be read")
        if self._reader.unknown_encoding:
            raise Refused(b"UNKNOWN-CTE", "A part has an encoding that is not known")  # RFC 3516 4.3


def _now_seen(row: MetaRow, view: Selected, *, flags: bool, modseq: bool) -> bytes:
    column = COLUMNS[grammar.FLAGS]
    return (column.form % column.get(row, view) + b" " if flags else b"") + (
        b"MODSEQ (%d) " % row[MODSEQ] if modseq else b""
    )
