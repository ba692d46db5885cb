"""What a client that comes back has missed: messages that vanished, and flags that changed.

Standards: RFC 7162 3.2.5 (SELECT with QRESYNC), 3.2.6 (FETCH with VANISHED), 3.2.10.1 (VANISHED EARLIER)
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from whimbrel.core.mailbox import Delta, Messages
from whimbrel.core.rows import UID
from whimbrel.core.uids import ALL, UidSet
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap.qresync import Qresync
from whimbrel.protocols.imap.sequence import SequenceSet
from whimbrel.services.imapd.selected import Selected


async def missed(messages: Messages, view: Selected, known: Qresync) -> bytes:
    """VANISHED (EARLIER) and FETCH responses for a mailbox just opened."""
    delta = await messages.changes(view.ref, known.modseq)
    wanted = known.known.resolve(0) if known.known is not None else ALL
    start = 0 if delta.complete or known.matched is None else agreed(view, *known.matched)
    gone = vanished(view, delta, wanted & UidSet([(start + 1, view.last)]))
    rows = sorted(row for row in delta.rows if row[UID] in wanted)
    return earlier(gone) + view.flag_lines(rows)


def vanished(view: Selected, delta: Delta, wanted: UidSet) -> UidSet:
    """Those of `wanted` that are not in the mailbox any more. A message that the client still sees is not among them:
    it is reported when it may be."""
    if delta.complete:
        gone = delta.expunged & wanted
        shown = set(gone.within(view.uids)) if gone else set()
        return UidSet.of(uid for uid in gone if uid not in shown) if shown else gone
    # The past is not known so far back: everything that is not there. RFC 7162 3.2.5.2 lets a server say too much.
    return wanted & UidSet(_gaps(view))


def _gaps(view: Selected) -> Iterator[tuple[int, int]]:
    at = 1
    for uid in view.uids:
        if uid > at:
            yield at, uid - 1
        at = uid + 1
    if at <= view.last:
        yield at, view.last


def agreed(view: Selected, numbers: SequenceSet, uids: SequenceSet) -> int:
    """The largest UID up to which client and server have the same messages. RFC 7162 3.2.5.2"""
    count, largest = len(view.uids), 0
    pairs = zip(_each(numbers), _each(uids), strict=False)
    for _, (number, uid) in zip(range(MAX_PAIRS), pairs, strict=False):
        # The server has no message that the client has not seen below its largest: same number, same messages below.
        if number <= count and view.uids[number - 1] == uid:
            largest = max(largest, uid)
    return largest


MAX_PAIRS = 10_000
"""Pairs looked at: a client sends few."""


def _each(numbers: SequenceSet) -> Iterator[int]:
    for first, last in numbers.ranges:
        yield from range(first, last + 1)


def earlier(gone: UidSet) -> bytes:
    return b"* %b\r\n" % responses.vanished(gone, earlier=True) if gone else b""


def changed_of(delta: Delta, wanted: Sequence[int]) -> list[int]:
    """Those of the ascending `wanted` that have changed."""
    changed = [row[UID] for row in delta.rows]
    if not changed or not wanted:
        return []
    if len(changed) < len(wanted):
        both = []
        for uid in sorted(changed):
            at = bisect_left(wanted, uid)
            if at < len(wanted) and wanted[at] == uid:
                both.append(uid)
        return both
    present = set(changed)
    return [uid for uid in wanted if uid in present]
