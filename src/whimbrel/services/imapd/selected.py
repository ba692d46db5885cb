r"""A session's view of its selected mailbox: which message has which number, and what the client was told.

The view changes only when the client is told so, which makes sequence numbers safe. What changed is asked by modseq;
hints only say when to ask.

Standards: RFC 3501 2.3.1.2 (sequence numbers), 2.3.2 (\Recent), 5.2 (updates), 7.3, 7.4.1; RFC 2180 4
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from whimbrel.core.mailbox import (
    MAX_KEYWORDS,
    Delta,
    FlagRow,
    FolderRef,
    Folders,
    MailboxId,
    Messages,
    Snapshot,
)
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap.cursor import BadSyntax
from whimbrel.protocols.imap.encode import flag_list
from whimbrel.protocols.imap.sequence import SequenceSet

SYSTEM_FLAG_NAMES = r"\Answered \Flagged \Deleted \Seen \Draft"


class Hints:
    """Hears that `mailbox` may have changed; made before the snapshot, so that nothing falls between."""

    def __init__(self, mailbox: MailboxId) -> None:
        self._mailbox = mailbox
        self.stale = False
        self.wake: Callable[[], None] | None = None
        """Called at each hint (IDLE)."""
        self.end: Callable[[], None] | None = None
        """Ends the watch."""

    def __call__(self, mailbox: MailboxId | None) -> None:
        if mailbox is None or mailbox == self._mailbox:
            self.stale = True
            if self.wake is not None:
                self.wake()


class Selected:
    """Made from a snapshot, kept up by `news`."""

    def __init__(self, ref: FolderRef, snapshot: Snapshot, hints: Hints, *, read_only: bool) -> None:
        self.ref, self.hints, self.read_only = ref, hints, read_only
        self.uids: array[int] = snapshot.uids[:]
        """The n-th has sequence number n + 1."""
        self.recent: set[int] = set(self.uids[bisect_left(self.uids, snapshot.status.first_recent) :])
        self.modseq = snapshot.status.highest_modseq
        self.pending: set[int] = set()
        """Gone, but the client may not be told yet."""
        self._last = max(self.uids[-1] if self.uids else 0, snapshot.status.uid_next - 1)
        self._told: dict[int, int] = {}  # UID -> modseq of flags that the client knows before `modseq` says so.
        self._spelling = {keyword.lower(): keyword for keyword in snapshot.keywords}

    def close(self) -> None:
        """No more hints are wanted."""
        if self.hints.end is not None:
            self.hints.end()
            self.hints.end = None

    # Numbers and UIDs

    def chosen(self, sequence: SequenceSet, *, uid: bool) -> UidSet:
        """The UIDs meant. A message number that is not there is BadSyntax; a UID that is not there is passed over."""
        uids = self.uids
        if uid:
            return sequence.resolve(uids[-1] if uids else 0)
        if sequence.beyond(len(uids)):
            raise BadSyntax("Message number out of range")
        return self.by_number(sequence)

    def by_number(self, sequence: SequenceSet) -> UidSet:
        """The UIDs of messages with these numbers; numbers that are not there are passed over."""
        uids = self.uids
        count = len(uids)
        # Between two messages of the view there are only messages of the view, or none that exist.
        return UidSet(
            (uids[first - 1], uids[min(last, count) - 1])
            for first, last in sequence.resolve(count).ranges
            if first <= count
        )

    def numbered(self, uids: Sequence[int]) -> Sequence[int]:
        """The sequence number of each of the ascending `uids`, 0 for one that is not in the view."""
        view, size = self.uids, len(self.uids)
        start = bisect_left(view, uids[0]) if uids else 0
        if view[start : start + len(uids)].tolist() == uids:  # Neighbours, as in 1:*.
            return range(start + 1, start + 1 + len(uids))
        found: list[int] = []
        at = 0
        for uid in uids:
            if at >= size or view[at] != uid:
                at = bisect_left(view, uid, at)
                if at >= size or view[at] != uid:
                    found.append(0)
                    continue
            at += 1
            found.append(at)
        return found

    # Flags

    def spelled(self, keywords: Iterable[str]) -> frozenset[str]:
        """Keywords do not depend on case (RFC 9051 2.3.2): each as it is spelled in this mailbox already."""
        return frozenset(self._spelling.get(keyword.lower(), keyword) for keyword in keywords)

    def flag_names(self) -> bytes:
        """Of the FLAGS response."""
        return f"({' '.join((SYSTEM_FLAG_NAMES, *self._spelling.values()))})".encode("ascii", "replace")

    def permanent_flags(self) -> bytes:
        if self.read_only:
            return b"()"
        room = (r"\*",) if len(self._spelling) < MAX_KEYWORDS else ()
        return f"({' '.join((SYSTEM_FLAG_NAMES, *self._spelling.values(), *room))})".encode("ascii", "replace")

    def told(self, rows: Iterable[FlagRow]) -> None:
        """The client knows these flags, or asked not to be told of them (.SILENT)."""
        self._told.update((row[0], row[3]) for row in rows)

    def flag_lines(self, rows: Sequence[FlagRow], *, uid: bool) -> bytes:
        """FETCH responses with the flags of ascending `rows`."""
        recent = self.recent
        out: list[bytes] = []
        for number, row in zip(self.numbered([row[0] for row in rows]), rows, strict=True):
            if number:
                flags = flag_list(row[1], row[2], row[0] in recent)
                if uid:
                    out.append(b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, row[0], flags))
                else:
                    out.append(b"* %d FETCH (FLAGS %b)\r\n" % (number, flags))
        return b"".join(out)

    def new_keywords(self, keywords: Iterable[str]) -> bytes:
        """FLAGS and PERMANENTFLAGS responses if in `keywords`, as in rows, are some the client has not heard of.
        RFC 3501 7.2.6"""
        before = len(self._spelling)
        for text in keywords:
            for keyword in text.split():
                self._spelling.setdefault(keyword.lower(), keyword)
        if len(self._spelling) == before:
            return b""
        return b"* FLAGS %b\r\n* OK [PERMANENTFLAGS %b] Flags permitted\r\n" % (
            self.flag_names(),
            self.permanent_flags(),
        )

    # What changed

    async def news(self, messages: Messages, folders: Folders, *, expunge: bool) -> bytes:
        """Responses for what changed; without `expunge`, messages that are gone keep their numbers until later."""
        self.hints.stale = False  # A hint that comes during the query counts for the next one.
        delta = await messages.changes(self.ref, self.modseq)
        first_recent = 0
        if any(row[0] > self._last for row in delta.rows):
            # This session is the first to be told of them, if no other was. RFC 3501 2.3.2
            if self.read_only:
                first_recent = (await folders.status(self.ref)).first_recent
            else:
                first_recent = (await messages.snapshot(self.ref, take_recent=True)).status.first_recent
        return self._apply(delta, first_recent, expunge=expunge)

    def _apply(self, delta: Delta, first_recent: int, *, expunge: bool) -> bytes:
        rows = sorted(delta.rows)
        if delta.complete:
            self.pending.update(delta.expunged.within(self.uids))
        else:
            self.pending.update(set(self.uids).difference(row[0] for row in rows))
        out = [self.new_keywords({row[2] for row in rows})]
        if expunge and self.pending:
            out.append(self._expunged())
        new = [row[0] for row in rows if row[0] > self._last]
        told = self._told
        changed = [row for row in rows if row[0] <= self._last and told.get(row[0]) != row[3]]
        if new:
            self.uids.extend(new)
            self._last = new[-1]
            self.recent.update(uid for uid in new if uid >= first_recent)
            out.append(b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.uids), len(self.recent)))
        if changed:
            out.append(self.flag_lines(changed, uid=False))
        told.clear()
        self.modseq = max(self.modseq, delta.highest_modseq)
        return b"".join(out)

    def _expunged(self) -> bytes:
        """EXPUNGE responses, the highest number first: each number is right when it is read."""
        gone = self.pending
        numbers = [number for number, uid in enumerate(self.uids, 1) if uid in gone]
        self.uids = array(self.uids.typecode, [uid for uid in self.uids if uid not in gone])
        self.recent -= gone
        self.pending = set()
        return b"".join([b"* %d EXPUNGE\r\n" % number for number in reversed(numbers)])
