"""Messages whose files have bare LFs: an APPEND brought them so, and the file stays as it came.

Clients get them with CRLF, so their sizes and the offsets of their parts are others than those of the file, which the
index keeps. No column tells them apart: what POP3 counts (`octets`) differs from the size of the file for them, and for
those whose last line has no end, which the last octet of the file shows. They are few, so what is found out of them
is kept in memory (decision 0011). The octets of binary parts stay as they came.

Standards: RFC 5322 2.3, RFC 9051 2.3.4.2 (RFC822.SIZE), RFC 1939 11
"""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import apsw

from whimbrel.backends.store.disk.database import rows
from whimbrel.core.uids import UidSet
from whimbrel.mail.scan import scan
from whimbrel.mail.structure.lines import binary_parts, for_clients, with_crlf

MAX_KNOWN = 10_000
MAX_SCANNED = 64
"""Messages whose structure is kept, and ranges of UIDs that were looked through."""
_BLOCK = 1 << 20


class Structure(NamedTuple):
    bodystructure: bytes
    parts: bytes


class BareLines:
    """Of one open index, used under its lock. A UID once given never means another message."""

    __slots__ = ("_connection", "_file", "_place", "_scanned", "_sizes", "_spared", "_structures")

    def __init__(self, connection: apsw.Connection, file: Callable[[int], str]) -> None:
        """`file`: where the message of a UID lies."""
        self._connection, self._file = connection, file
        self._sizes: dict[int, int] = {}
        self._spared: set[int] = set()
        """UIDs of messages with binary parts, whose octets cannot be converted block by block."""
        self._structures: dict[int, Structure] = {}
        self._scanned = UidSet()
        self._place = (0, 0, 0)
        """UID, an octet of its converted form, and where that lies in its file."""

    def among(self, uids: UidSet) -> Mapping[int, int]:
        """Sizes in converted form, by UID, of all such messages among `uids`, and perhaps of others: mostly none."""
        scanned = self._scanned
        if any(not scanned.covers(first, last) for first, last in uids.ranges):
            self._scan(uids)
        return self._sizes

    def structure(self, uid: int) -> Structure:
        """BODYSTRUCTURE and part offsets in converted form. OSError."""
        known = self._structures.get(uid)
        if known is None:
            with open(self._file(uid), "rb", buffering=0) as file:
                scanned = scan(for_clients(file.read()))
            if len(self._structures) >= MAX_SCANNED:
                self._structures.clear()
            known = self._structures[uid] = Structure(scanned.bodystructure, scanned.parts)
        return known

    def read(self, descriptor: int, uid: int, start: int, length: int | None) -> bytes:
        """A range of the converted form; `length` None: to the end.

        Where an octet of it lies in the file is known only by reading up to it. Where the last block of a range began
        is kept, so that a message that is read range by range is read twice at most.
        """
        if uid in self._spared:
            size = os.fstat(descriptor).st_size
            whole = for_clients(os.pread(descriptor, size, 0))
            return whole[start:] if length is None else whole[start : start + length]
        stop = 1 << 63 if length is None else start + length
        of, converted, stored = self._place
        if of != uid or converted > start:
            converted = stored = 0
        pieces: list[bytes] = []
        while converted < stop:
            block = os.pread(descriptor, _BLOCK, stored)
            if not block:
                break
            if len(block) > 1 and block.endswith(b"\r"):
                block = block[:-1]  # Its LF may follow.
            text = with_crlf(block)
            if converted + len(text) > start:
                self._place = uid, converted, stored
                pieces.append(text[max(0, start - converted) : stop - converted])
            converted, stored = converted + len(text), stored + len(block)
        return b"".join(pieces)

    def expunged(self, uid: int, content: bytes) -> bytes:
        """`content` in converted form: of a message that has no row any more."""
        converted = for_clients(content)
        if len(converted) != len(content):
            self._sizes[uid] = len(converted)
            if binary_parts(content):
                self._spared.add(uid)
        return converted

    # Inside

    def _scan(self, uids: UidSet) -> None:
        (last,) = rows(self._connection, "SELECT coalesce(max(uid), 0) FROM msg")[0]
        asked = [(first, min(end, last)) for first, end in uids.ranges if first <= last]
        ranges = [pair for pair in asked if not self._scanned.covers(*pair)]
        if len(self._sizes) > MAX_KNOWN:
            self._sizes, self._spared, self._scanned = {}, set(), UidSet()
        if len(self._scanned.ranges) + len(ranges) > MAX_SCANNED:
            ranges = [(1, last)]
        query = "SELECT uid, size, octets FROM msg WHERE uid BETWEEN ? AND ? AND octets <> size"
        for first, end in ranges:
            for uid, size, octets in rows(self._connection, query, (first, end)):
                converted = self._converted(uid, size, octets)
                if converted != size:
                    self._sizes[uid] = converted
        self._scanned = UidSet((*self._scanned.ranges, *ranges))

    def _converted(self, uid: int, size: int, octets: int) -> int:
        """Its size in converted form; `size`, if there is nothing to convert or the file cannot be read."""
        try:
            with open(self._file(uid), "rb", buffering=0) as file:
                added = 0 if os.pread(file.fileno(), 1, size - 1) == b"\n" else 2
                if octets - size == added:
                    return size
                content = file.read()
                if not binary_parts(content):
                    return octets - added
                self._spared.add(uid)
                return len(for_clients(content))
        except OSError:
            return size
