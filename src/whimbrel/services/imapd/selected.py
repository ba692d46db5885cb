r"""A session's view of its selected mailbox: which message has which number, and what the client was notified of.

The view changes only when the client is notified, which makes sequence numbers safe. What changed is asked by modseq;
hints only say when to ask.

Standards: RFC 3501 2.3.1.2 (sequence numbers), 2.3.2 (\Recent), 5.2 (updates), 7.3, 7.4.1; RFC 2180 4;
RFC 7162 3.1.4.2 (MODSEQ), 3.2.10.2 (VANISHED); RFC 9586 3.3, 3.4 (UIDFETCH)
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import MAX_KEYWORDS, Delta, FlagsStored, FolderRef, Folders, Messages, Snapshot
from whimbrel.core.rows import KEYWORDS, MODSEQ, UID, FlagRow
from whimbrel.core.uids import MAX_UID, UidSet
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap.cursor import BadSyntax
from whimbrel.protocols.imap.flaglines import flag_lines
from whimbrel.protocols.imap.mode import PLAIN, Mode
from whimbrel.protocols.imap.sequence import SequenceSet
from whimbrel.services.imapd.recent import Recent
from whimbrel.services.imapd.shared_watch import Hints
from whimbrel.services.session.namespaces import ALL_RIGHTS, Right, demand

NOTHING = UidSet()
NO_WORDS: Mapping[str, str] = {}
NO_CHANGES: Mapping[int, int] = {}
MAX_OWN = 10_000
"""Own changes that are remembered until the next news."""
MAX_SHARED = 1_000
"""Rows of news that are made into responses in one go."""
MAX_KEYWORD_TEXT = 4 << 20
"""Octets of keywords that are written in one go."""
_NOT_RECENT = MAX_UID + 1
SYSTEM_FLAG_NAMES = (r"\Answered", r"\Flagged", r"\Deleted", r"\Seen", r"\Draft")


class Selected:
    """Made from a snapshot, kept up by `news`. Costs four bytes a message."""

    __slots__ = (
        "_last", "_own", "_spelling", "complete", "hints", "mode", "modseq", "pending", "read_only", "recent", "ref",
        "rights", "saved", "uids",
    )  # fmt: skip

    def __init__(
        self,
        ref: FolderRef,
        snapshot: Snapshot,
        hints: Hints,
        *,
        read_only: bool,
        mode: Mode = PLAIN,
        rights: Right = ALL_RIGHTS,
    ) -> None:
        self.ref, self.hints, self.read_only, self.mode, self.rights = ref, hints, read_only, mode, rights
        self.uids: array[int] = snapshot.uids[:]
        """The n-th has sequence number n + 1."""
        self.recent = Recent(self.uids)
        self.recent.add(snapshot.status.first_recent, snapshot.status.uid_next - 1)
        self.saved = NOTHING
        """The search result variable `$`; messages that are gone count for nothing. RFC 5182 2.1"""
        self.modseq = snapshot.status.highest_modseq
        """The client was notified of every change up to it, but for `pending`."""
        self.pending = NOTHING
        """Gone, but the client may not be notified yet."""
        self.complete = self.modseq
        """While something is `pending`: up to it the client was notified of everything."""
        self._last = max(self.uids[-1] if self.uids else 0, snapshot.status.uid_next - 1)
        self._own: Mapping[int, int] = NO_CHANGES
        """Modseqs, by UID, of changes that the client made itself and has had the flags of."""
        self._spelling: Mapping[str, str] = {keyword.lower(): keyword for keyword in snapshot.keywords} or NO_WORDS

    def demand(self, rights: Right) -> "Selected":
        """Itself. CANNOT if it was opened by EXAMINE; NOPERM without all of `rights`."""
        if self.read_only:
            raise MailboxError(Condition.CANNOT, "Mailbox was opened read-only")
        demand(rights, self.rights)
        return self

    def close(self) -> None:
        """No more hints are wanted."""
        self.hints.end()

    # Numbers and UIDs

    def chosen(self, sequence: SequenceSet, *, uid: bool) -> UidSet:
        """The UIDs meant. A message number that is not there is BadSyntax; a UID that is not there is passed over."""
        uids = self.uids
        if sequence.saved:
            return self.saved
        if uid:
            return sequence.resolve(uids[-1] if uids else 0)
        if sequence.beyond(len(uids)):
            raise BadSyntax("Message number out of range")
        return self.by_number(sequence)

    def by_number(self, sequence: SequenceSet) -> UidSet:
        """The UIDs of messages with these numbers; numbers that are not there are passed over."""
        if sequence.saved:
            return self.saved
        uids = self.uids
        count = len(uids)
        # Between two messages of the view there are only messages of the view, or none that exist.
        return UidSet(
            (uids[first - 1], uids[min(last, count) - 1])
            for first, last in sequence.resolve(count).ranges
            if first <= count
        )

    @property
    def last(self) -> int:
        """The largest UID that the client could know of."""
        return self._last

    @property
    def verb(self) -> str:
        return "UIDFETCH" if self.mode.uidonly else "FETCH"

    def numbered(self, uids: Sequence[int]) -> Sequence[int]:
        """What each of the ascending `uids` is called on the wire: its sequence number, or under UIDONLY its UID;
        0 for one that is not in the view."""
        if self.mode.uidonly:
            view = self.uids
            start = bisect_left(view, uids[0]) if uids else 0
            if view[start : start + len(uids)].tolist() == uids:
                return uids
            return [uid if numbered else 0 for uid, numbered in zip(uids, self._numbers(uids), strict=True)]
        return self._numbers(uids)

    def _numbers(self, uids: Sequence[int]) -> Sequence[int]:
        view, size = self.uids, len(self.uids)
        start = bisect_left(view, uids[0]) if uids else 0
        if view[start : start + len(uids)].tolist() == uids:  # Neighbours, as in 1:*.
            return range(start + 1, start + 1 + len(uids))
        numbers: list[int] = []
        at = 0
        for uid in uids:
            if at >= size or view[at] != uid:
                at = bisect_left(view, uid, at)
                if at >= size or view[at] != uid:
                    numbers.append(0)
                    continue
            at += 1
            numbers.append(at)
        return numbers

    def at_once(self, most: int) -> int:
        """How many messages are answered together, `most` at best: each may have all keywords of the mailbox."""
        return min(most, max(1, MAX_KEYWORD_TEXT // (1 + sum(map(len, self._spelling)))))

    # Flags

    def spelled(self, keywords: Iterable[str]) -> frozenset[str]:
        """Keywords do not depend on case (RFC 9051 2.3.2): each as it is spelled in this mailbox already."""
        return frozenset(self._spelling.get(keyword.lower(), keyword) for keyword in keywords)

    def flag_names(self) -> bytes:
        """Of the FLAGS response."""
        return responses.flags((*SYSTEM_FLAG_NAMES, *self._spelling.values()))

    def permanent_flags(self) -> bytes:
        """RFC 4314 5.1.1: those that the user may change."""
        if self.read_only:
            return responses.flags(())
        if Right.WRITE not in self.rights:
            own = ((Right.SEEN, r"\Seen"), (Right.MARK, r"\Deleted"))
            return responses.flags(name for right, name in own if right in self.rights)
        barred = {r"\Seen": Right.SEEN, r"\Deleted": Right.MARK}
        names = [name for name in SYSTEM_FLAG_NAMES if barred.get(name, Right.WRITE) in self.rights]
        room = (r"\*",) if len(self._spelling) < MAX_KEYWORDS else ()
        return responses.flags((*names, *self._spelling.values(), *room))

    def stored(self, change: FlagsStored, *, silent: bool = False, others: Delta | None = None) -> None:
        """The client made this change itself and knows of it. If others changed something meanwhile, that is still to
        be sent, and of its own changes only those whose flags it cannot know: `silent`, and others changed the same
        message, as `others` (what they changed before) says."""
        if change.before <= self.modseq:
            self.modseq = max(self.modseq, change.highest_modseq)
            return
        self.hints.stale = True
        known: Iterable[int] = change.changed
        if silent:
            if others is None or not others.complete or change.before > others.highest_modseq:
                return
            theirs = {row[UID] for row in others.rows}
            known = [uid for uid in known if uid not in theirs]
        if len(self._own) + len(change.changed) <= MAX_OWN:
            self._own = {**self._own, **dict.fromkeys(known, change.highest_modseq)}

    def flag_lines(self, rows: Sequence[FlagRow], *, uid: bool = False, flags: bool = True) -> bytes:
        """FETCH responses with the flags of ascending `rows`, or with MODSEQ alone. RFC 7162 3.1.4.2"""
        mode, numbers = self.mode, self.numbered([row[UID] for row in rows])
        recent = self.recent.between(rows[0][UID], rows[-1][UID]) if rows and not mode.rev2 else ()
        named = (uid or mode.qresync or mode.rev2) and not mode.uidonly
        return flag_lines(rows, numbers, self.verb, recent, uid=named, flags=flags, modseq=mode.condstore)

    def new_keywords(self, keywords: Iterable[str]) -> bytes:
        """FLAGS and PERMANENTFLAGS responses if in `keywords`, as in rows, are some the client has not heard of.
        RFC 3501 7.2.6"""
        known = self._spelling
        new = {word.lower(): word for text in keywords if text for word in text.split() if word.lower() not in known}
        if not new:
            return b""
        self._spelling = {**known, **new}
        permitted = responses.ok(b"PERMANENTFLAGS " + self.permanent_flags(), "Flags permitted")
        return b"* FLAGS %b\r\n* %b\r\n" % (self.flag_names(), permitted)

    # What changed

    async def news(
        self, messages: Messages, folders: Folders, *, expunge: bool, flags: bool = True, uid: bool = False
    ) -> tuple[bytes, Sequence[int]]:
        """Responses for what changed, and the UIDs of new messages. Without `expunge`, messages that are gone keep
        their numbers until later; without `flags`, the client does not want to hear of changed flags (NOTIFY); `uid`:
        where it does, by their UIDs, too (RFC 5465 5.1)."""
        self.hints.stale = False  # A hint that comes during the query counts for the next one.
        delta = await messages.changes(self.ref, self.modseq)
        newest = max((row[UID] for row in delta.rows), default=0)
        first_recent = newest + 1
        if newest > self._last and not self.mode.rev2:
            # This session is the first to be notified of them, if no other was. RFC 3501 2.3.2
            first_recent = (await folders.status(self.ref)).first_recent
            if first_recent <= newest and not self.read_only:
                first_recent = (await messages.snapshot(self.ref, take_recent=True)).status.first_recent
        return self._apply(delta, first_recent, expunge=expunge, flags=flags, uid=uid)

    def shared_news(self, delta: Delta, *, claimed: bool) -> bytes | None:
        r"""Responses for `delta`, which was asked for several sessions at once and begins at `modseq`. None if it has
        new messages that may be \Recent here, or more than is made in one go: then `news` must be asked."""
        if len(delta.rows) > MAX_SHARED or (not claimed and self.claiming and self._has_new(delta)):
            return None
        return self._apply(delta, _NOT_RECENT, expunge=True, flags=True)[0]

    @property
    def claiming(self) -> bool:
        return not (self.read_only or self.mode.rev2)

    def _has_new(self, delta: Delta) -> bool:
        return any(row[UID] > self._last for row in delta.rows)

    def _apply(
        self, delta: Delta, first_recent: int, *, expunge: bool, flags: bool, uid: bool = False
    ) -> tuple[bytes, Sequence[int]]:
        rows = sorted(delta.rows)
        if self._own:
            own, self._own = self._own, NO_CHANGES
            rows = [row for row in rows if own.get(row[UID]) != row[MODSEQ] or row[UID] > self._last]
        if delta.complete:
            missing = delta.expunged.within(self.uids) if delta.expunged else []
        else:
            present = {row[UID] for row in delta.rows}
            missing = [uid for uid in self.uids if uid not in present]
        if missing:
            if not self.pending:
                self.complete = self.modseq
            self.pending = UidSet((*self.pending.ranges, *UidSet.of(missing).ranges))
        out = [self.new_keywords({row[KEYWORDS] for row in rows})]
        if expunge and self.pending:
            out.append(self._expunged())
        known = bisect_left(rows, (self._last + 1,))
        new = [row[UID] for row in rows[known:]]
        if new:
            self.uids.extend(new)
            self._last = new[-1]
            self.recent.add(max(new[0], first_recent), new[-1])
            out.append(b"* %b\r\n" % responses.exists(len(self.uids)))
            if not self.mode.rev2:
                out.append(b"* %b\r\n" % responses.recent(len(self.recent)))
        if known and flags:
            out.append(self.flag_lines(rows[:known], uid=uid))
        self.modseq = max(self.modseq, delta.highest_modseq)
        return b"".join(out), new

    def _expunged(self) -> bytes:
        """VANISHED, or EXPUNGE responses, the highest number first: each number is right when it is read."""
        gone, self.pending = self.pending.within(self.uids), NOTHING
        numbers = [bisect_left(self.uids, uid) for uid in gone]
        kept: array[int] = array(self.uids.typecode)
        start = 0
        for number in numbers:
            kept.extend(self.uids[start:number])
            start = number + 1
        kept.extend(self.uids[start:])
        self.uids = kept
        self.recent.see(kept)
        if self.mode.vanished:
            return b"* %b\r\n" % responses.vanished(UidSet.of(gone))
        return responses.expunged([number + 1 for number in reversed(numbers)])
