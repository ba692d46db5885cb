"""The tables of `index.fld`, and what a message's bytes say about its rows.

`block` holds, for each run of 256 UIDs, a modseq no row of it exceeds: what changed since a modseq is found by looking
at a few runs, without an index on modseq that every change of flags would have to keep.

Standards: RFC 8474 5.1 (EMAILID), 5.2 (THREADID), RFC 1939 11 (octets as POP3 counts them)
"""

import hashlib

from whimbrel.mail.scan import Scan, scan

VERSION = 1001
"""Format 1.001: major * 1000 + minor. An index of an older minor one is made anew from the messages."""

SCHEMA = """
CREATE TABLE folder(
  id INTEGER PRIMARY KEY CHECK(id = 1), mailbox_id TEXT NOT NULL, uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL, first_recent INTEGER NOT NULL, highest_modseq INTEGER NOT NULL,
  resync_floor INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL,
  bytes INTEGER NOT NULL, generation INTEGER NOT NULL);
CREATE TABLE msg(
  uid INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, flags INTEGER NOT NULL, keywords TEXT NOT NULL,
  internal_date INTEGER NOT NULL, save_date INTEGER NOT NULL, size INTEGER NOT NULL, octets INTEGER NOT NULL,
  email_id TEXT NOT NULL, thread_id TEXT NOT NULL, recipient TEXT NOT NULL);
CREATE INDEX tagged ON msg(keywords) WHERE keywords <> '';
CREATE TABLE block(id INTEGER PRIMARY KEY, modseq INTEGER NOT NULL);
CREATE TABLE meta(
  uid INTEGER PRIMARY KEY, envelope BLOB NOT NULL, bodystructure BLOB NOT NULL, parts BLOB NOT NULL,
  preview TEXT NOT NULL, sent INTEGER NOT NULL, sender TEXT NOT NULL, addressee TEXT NOT NULL, cc TEXT NOT NULL,
  bcc TEXT NOT NULL, subject TEXT NOT NULL, message_id TEXT NOT NULL, in_reply_to TEXT NOT NULL, refs TEXT NOT NULL,
  sent_utc INTEGER, sort_from TEXT NOT NULL, sort_to TEXT NOT NULL, sort_cc TEXT NOT NULL, shown_from TEXT NOT NULL,
  shown_to TEXT NOT NULL, base TEXT NOT NULL, reply INTEGER NOT NULL);
CREATE TABLE expunged(
  uid INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, at INTEGER NOT NULL, flags INTEGER NOT NULL,
  keywords TEXT NOT NULL, internal_date INTEGER NOT NULL, size INTEGER NOT NULL, email_id TEXT NOT NULL,
  kept INTEGER NOT NULL, sender TEXT NOT NULL, subject TEXT NOT NULL);
CREATE INDEX gone ON expunged(modseq);
CREATE INDEX kept ON expunged(at) WHERE kept = 1;
CREATE TABLE delivered(
  queue_id TEXT NOT NULL, recipient TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(queue_id, recipient)) WITHOUT ROWID;
"""

META = (
    "envelope, bodystructure, parts, preview, sent, sender, addressee, cc, bcc, subject, message_id, in_reply_to, "
    "refs, sent_utc, sort_from, sort_to, sort_cc, shown_from, shown_to, base, reply"
)
"""The columns of `meta` after uid."""
INSERT_MSG = "INSERT INTO msg VALUES(?,?,?,?,?,?,?,?,?,?,?)"
INSERT_META = "INSERT INTO meta VALUES(?" + ",?" * 21 + ")"
EXPUNGE = (
    "INSERT OR REPLACE INTO expunged SELECT msg.uid, ?, ?, flags, keywords, internal_date, size, email_id, ?, "
    "coalesce(sender, ''), coalesce(subject, '') FROM msg LEFT JOIN meta ON meta.uid = msg.uid WHERE "
)
"""modseq, at, kept; then the condition on `msg`."""
KEPT, MOVED = 1, 2
"""`kept`, besides 0 for no file: the message can be restored; or it lives on elsewhere, and nothing is missing."""
BLOCK_BITS = 8
AHEAD = 60_000_000
"""Modseqs (microseconds) by which the newest run is raised further than needed: who asks within that time looks at one
run too many, and a folder where mail comes in writes a page less for each message."""
FILL_BLOCKS = f"""
DELETE FROM block;
INSERT INTO block SELECT uid >> {BLOCK_BITS}, max(modseq) FROM msg GROUP BY uid >> {BLOCK_BITS};
"""

MAX_PREVIEW = 256


class Described:
    """What the index keeps of one rendition; made once for all its recipients."""

    __slots__ = ("email_id", "meta", "octets", "size", "thread_id")

    def __init__(self, content: bytes, *, crlf: bool = False) -> None:
        """`crlf`: each line is known to end in CRLF. To count takes a millisecond for each MiB."""
        scanned = scan(content)
        self.size = len(content)
        # RFC 1939 11: a bare LF is sent as CRLF, and a last line without an end gets one.
        bare = 0 if crlf else content.count(b"\n") - content.count(b"\r\n")
        self.octets = self.size + bare + (0 if content.endswith(b"\n") else 2)
        self.email_id = email_id(content)
        self.thread_id = thread_id(scanned, self.email_id)
        self.meta = meta_values(scanned)


def email_id(content: bytes) -> str:
    """RFC 8474 5.1: a hash of the content, so equal for copies and the same after any rebuild."""
    return "M" + hashlib.blake2b(content, digest_size=16).hexdigest()


def thread_id(scanned: Scan, own: str) -> str:
    """RFC 8474 5.2: of the message that began the thread, as far as References tells (decision 0004)."""
    first = (scanned.references[0] if scanned.references else "") or scanned.in_reply_to or scanned.message_id or own
    return "T" + hashlib.blake2b(first.encode("utf-8", "replace"), digest_size=10).hexdigest()


def meta_values(scanned: Scan) -> tuple[object, ...]:
    """The columns META. Text is bounded where it is made: it serves searching and sorting, the file has the rest."""
    keys = scanned.sort
    return (
        scanned.envelope,
        scanned.bodystructure,
        scanned.parts,
        _text(scanned.preview)[:MAX_PREVIEW],
        scanned.sent,
        _text(scanned.from_),
        _text(scanned.to),
        _text(scanned.cc),
        _text(scanned.bcc),
        _text(scanned.subject),
        _text(scanned.message_id),
        _text(scanned.in_reply_to),
        _text(" ".join(scanned.references)),
        scanned.sent_utc,
        _text(keys.from_),
        _text(keys.to),
        _text(keys.cc),
        _text(keys.display_from),
        _text(keys.display_to),
        _text(keys.subject),
        int(keys.reply),
    )


def _text(value: str) -> str:
    if value.isascii() and "\0" not in value:
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", " ")
