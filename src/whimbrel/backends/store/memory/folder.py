"""One folder in memory: its messages, what was expunged, its counters.

Nothing here awaits, so every method is all or nothing for the tasks of one loop. A method that changes something takes
the modseq that the change gets; the account hands them out.

Standards: RFC 9051 2.3.1.1 (UIDs), RFC 7162 3 (modseq), RFC 8474 5 (EMAILID, THREADID), RFC 3501 2.3.2 (\\Recent)
"""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import (
    DELETED,
    MAX_KEYWORDS,
    SEEN,
    SYSTEM_FLAGS,
    Delta,
    ExpungedMessage,
    FlagChange,
    FlagOp,
    FlagsStored,
    FolderStatus,
    MailboxId,
    Snapshot,
    SpecialUse,
)
from whimbrel.core.rows import FlagRow, MetaRow, PartsRow, SearchRow, SortRow
from whimbrel.core.uids import MAX_UID, UidSet
from whimbrel.mail.scan import Scan, scan
from whimbrel.mail.structure.lines import for_clients


class Stored:
    """One content as clients get it, with what is known of it; shared by all its copies."""

    __slots__ = ("content", "email_id", "held", "scanned", "size", "thread_id")

    def __init__(self, content: bytes) -> None:
        self.email_id = "M" + hashlib.blake2b(content, digest_size=16).hexdigest()
        self.held = len(content)
        """Octets as they came, which are what counts in quotas."""
        self.content = for_clients(content)
        self.size = len(self.content)
        self.scanned: Scan = scan(self.content)
        scanned = self.scanned
        root = (scanned.references[0] if scanned.references else "") or scanned.in_reply_to or scanned.message_id
        first = (root or self.email_id).encode("utf-8", "replace")
        self.thread_id = "T" + hashlib.blake2b(first, digest_size=10).hexdigest()


@dataclass(slots=True)
class Message:
    uid: int
    flags: int
    keywords: str
    """Sorted, one space between."""
    modseq: int
    internal_date: int
    recipient: str
    stored: Stored
    saved: int = 0

    @property
    def row(self) -> FlagRow:
        return self.uid, self.flags, self.keywords, self.modseq


@dataclass(slots=True)
class Gone:
    """An expunged message. `kept`: it can be read by a session that still shows it, and restored, unless it was `moved`
    and lives on elsewhere."""

    modseq: int
    at: int
    message: Message
    kept: bool = True
    moved: bool = False


class MemoryFolder:
    def __init__(
        self, mailbox: MailboxId, name: str, special_use: SpecialUse | None, uid_validity: int, modseq: int
    ) -> None:
        self.mailbox, self.name, self.special_use = mailbox, name, special_use
        self.uid_validity, self.highest_modseq = uid_validity, modseq
        self.selectable = True
        self.uid_next = self.first_recent = 1
        self.messages: dict[int, Message] = {}
        """By UID, ascending: a UID is always above all that came before."""
        self.gone: dict[int, Gone] = {}
        self.annotations: dict[str, bytes] = {}
        self._delivered: set[tuple[str, str]] = set()

    # Reading

    @property
    def size(self) -> int:
        return sum(message.stored.held for message in self.messages.values())

    def status(self) -> FolderStatus:
        messages = self.messages.values()
        return FolderStatus(
            uid_validity=self.uid_validity,
            uid_next=self.uid_next,
            highest_modseq=self.highest_modseq,
            messages=len(messages),
            unseen=sum(not message.flags & SEEN for message in messages),
            deleted=sum(bool(message.flags & DELETED) for message in messages),
            size=self.size,
            first_recent=self.first_recent,
            resync_floor=0,
        )

    def snapshot(self, *, take_recent: bool) -> Snapshot:
        unseen = next((message.uid for message in self.messages.values() if not message.flags & SEEN), 0)
        now = Snapshot(self.status(), array("I", self.messages), tuple(sorted(self._keywords())), unseen)
        if take_recent:
            self.first_recent = self.uid_next
        return now

    def changes(self, since: int) -> Delta:
        rows = [message.row for message in self.messages.values() if message.modseq > since]
        expunged = UidSet.of(uid for uid, gone in self.gone.items() if gone.modseq > since)
        return Delta(self.highest_modseq, rows, expunged, complete=True)

    def pick(self, uids: UidSet) -> list[Message]:
        return [self.messages[uid] for uid in uids.within(list(self.messages))]

    def content(self, uid: int) -> bytes | None:
        """Of an expunged message too: a session may still show it."""
        message = self.messages.get(uid)
        if message is not None:
            return message.stored.content
        gone = self.gone.get(uid)
        return gone.message.stored.content if gone is not None and gone.kept else None

    def _keywords(self) -> set[str]:
        return {word for message in self.messages.values() for word in message.keywords.split()}

    def expunged(self, uids: UidSet, *, structure: bool) -> list[ExpungedMessage]:
        messages = []
        for uid in uids.within(sorted(self.gone)):
            gone = self.gone[uid]
            there = structure and gone.kept
            row = meta_row(gone.message, structure=there)
            messages.append(
                ExpungedMessage((*row[:3], gone.modseq, *row[4:]), gone.message.stored.scanned.parts if there else None)
            )
        return messages

    # Changing

    def joined(self, keywords: Iterable[str]) -> str:
        """As stored. MailboxError LIMIT when the folder would have too many different ones."""
        words = set(keywords)
        if words and len(self._keywords() | words) > MAX_KEYWORDS:
            raise MailboxError(Condition.LIMIT, f"A folder has {MAX_KEYWORDS} different keywords at most")
        return " ".join(sorted(words))

    def was_delivered(self, queue_id: str, recipient: str) -> bool:
        """True the second time it is asked for the same delivery; never for an empty `queue_id`."""
        if not queue_id:
            return False
        return (queue_id, recipient) in self._delivered

    def mark_delivered(self, queue_id: str, recipient: str) -> None:
        if queue_id:
            self._delivered.add((queue_id, recipient))

    def add(
        self, stored: Stored, modseq: int, *, flags: int, keywords: str, date: int, saved: int, recipient: str = ""
    ) -> int:
        """`keywords` as `joined` gave them; the UID."""
        if self.uid_next >= MAX_UID:
            raise MailboxError(Condition.LIMIT, "This folder has used all its UIDs")
        uid = self.uid_next
        self.uid_next += 1
        self.messages[uid] = Message(uid, flags & SYSTEM_FLAGS, keywords, modseq, date, recipient, stored, saved)
        self.highest_modseq = max(self.highest_modseq, modseq)
        return uid

    def add_copies(self, messages: Sequence[Message], modseq: int, saved: int) -> list[int]:
        """All or none, with flags and internal date. The UIDs, in order."""
        self.joined({word for message in messages for word in message.keywords.split()})
        if self.uid_next + len(messages) > MAX_UID:
            raise MailboxError(Condition.LIMIT, "This folder has used all its UIDs")
        return [
            self.add(
                m.stored,
                modseq,
                flags=m.flags,
                keywords=m.keywords,
                date=m.internal_date,
                saved=saved,
                recipient=m.recipient,
            )
            for m in messages
        ]

    def set_flags(self, uids: UidSet, change: FlagChange, unchanged_since: int | None, modseq: int) -> FlagsStored:
        words = self.joined(change.keywords) if change.op is not FlagOp.REMOVE else ""
        rows: list[FlagRow] = []
        changed: list[int] = []
        modified: list[int] = []
        for message in self.pick(uids):
            if unchanged_since is not None and message.modseq > unchanged_since:
                modified.append(message.uid)
                continue
            new = _changed(message, change, words)
            if new != (message.flags, message.keywords):
                message.flags, message.keywords = new
                message.modseq = modseq
                changed.append(message.uid)
            rows.append(message.row)
        before = self.highest_modseq
        if changed:
            self.highest_modseq = max(before, modseq)
        return FlagsStored(rows, UidSet.of(changed), UidSet.of(modified), self.highest_modseq, before)

    def expunge(self, uids: UidSet, modseq: int, at: int, *, marked_only: bool = True, moved: bool = False) -> UidSet:
        gone = [message for message in self.pick(uids) if message.flags & DELETED or not marked_only]
        for message in gone:
            del self.messages[message.uid]
            self.gone[message.uid] = Gone(modseq, at, message, moved=moved)
        if gone:
            self.highest_modseq = max(self.highest_modseq, modseq)
        return UidSet.of(message.uid for message in gone)


def _changed(message: Message, change: FlagChange, words: str) -> tuple[int, str]:
    flags = change.flags & SYSTEM_FLAGS
    if change.op is FlagOp.REPLACE:
        return flags, words
    have = set(message.keywords.split())
    if change.op is FlagOp.ADD:
        return message.flags | flags, " ".join(sorted(have | change.keywords))
    return message.flags & ~flags, " ".join(sorted(have - change.keywords))


def meta_row(m: Message, *, structure: bool) -> MetaRow:
    s, scanned = m.stored, m.stored.scanned
    return (
        m.uid, m.flags, m.keywords, m.modseq, m.internal_date, s.size, s.email_id, s.thread_id,
        scanned.envelope if structure else b"", scanned.bodystructure if structure else b"",
    )  # fmt: skip


def search_row(m: Message) -> SearchRow:
    s, scanned = m.stored, m.stored.scanned
    return (
        m.uid, m.flags, m.keywords, m.modseq, m.internal_date, s.size, s.email_id, s.thread_id, scanned.sent,
        scanned.from_, scanned.to, scanned.cc, scanned.bcc, scanned.subject, scanned.message_id, m.saved,
    )  # fmt: skip


def sort_row(m: Message) -> SortRow:
    scanned, keys = m.stored.scanned, m.stored.scanned.sort
    return (
        m.uid, m.internal_date, m.stored.size, m.internal_date if scanned.sent_utc is None else scanned.sent_utc,
        keys.from_, keys.to, keys.cc, keys.display_from, keys.display_to, keys.subject, int(keys.reply),
        scanned.message_id, scanned.in_reply_to, " ".join(scanned.references), m.stored.thread_id,
    )  # fmt: skip


def octets(m: Message) -> int:
    """As POP3 sends it. RFC 1939 11"""
    return m.stored.size + (0 if m.stored.content.endswith(b"\n") else 2)


def parts_row(m: Message) -> PartsRow:
    return m.uid, m.stored.size, m.stored.scanned.parts
