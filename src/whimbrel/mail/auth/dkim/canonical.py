"""The forms of header and body that are hashed, in linear time over blocks of any size.

All is done by `replace`, `find` and `strip` on whole blocks; nothing looks at single lines. What is held back between
two blocks is at most a blank, a CR and a count, whatever the message looks like.

Standards: RFC 6376 3.4.1 to 3.4.4 (simple, relaxed), 3.7 (hashes), RFC 8301 3.1 (SHA-256 alone)
"""

import hashlib
import re
from typing import Final

_FOLDED: Final = re.compile(rb"[ \t\r\n]+")
_LINES: Final = b"\r\n" * 4096


def field(raw: bytes, *, relaxed: bool) -> bytes:
    """A header field with its CRLF. 3.4.1, 3.4.2"""
    if not relaxed:
        return raw
    name, _, value = raw.partition(b":")
    if b"\n" in value or b"\t" in value or b"  " in value:
        value = _FOLDED.sub(b" ", value)
    return b"%b:%b\r\n" % (name.rstrip(b" \t").lower(), value.strip(b" \t\r\n"))


class BodyHash:
    """Of one form: `feed` the body, then `digest`."""

    def __init__(self, *, relaxed: bool) -> None:
        self._relaxed = relaxed
        self._hash = hashlib.sha256()
        self._held = b""
        """What may still be white space before a line end, or the first half of one."""
        self._lines = 0
        """Line ends that count only if something follows."""
        self._any = False

    def feed(self, piece: bytes) -> None:
        data = self._held + piece if self._held else piece
        stop = len(data) - data.endswith(b"\r")
        if self._relaxed:
            stop = len(data[:stop].rstrip(b" \t")) if data[stop - 1 : stop] in (b" ", b"\t") else stop
            self._held = self._blanks(data[stop:])
            self._take(self._blanks(data[:stop]).replace(b" \r\n", b"\r\n"))
        else:
            self._held = data[stop:]
            self._take(data[:stop])

    def digest(self) -> bytes:
        """The body has ended. 3.4.3: an empty one is a line end in the simple form, and nothing in the relaxed one."""
        if self._held.endswith(b"\r"):
            self._take(self._held)
        self._held = b""
        if self._any or not self._relaxed:
            self._hash.update(b"\r\n")
        return self._hash.digest()

    @staticmethod
    def _blanks(data: bytes) -> bytes:
        """Each run of white space within a line becomes one blank. A run is halved by each turn."""
        if b"\t" in data:
            data = data.replace(b"\t", b" ")
        if b"  " in data:
            data = data.replace(b" " * 64, b" ") if b" " * 64 in data else data
            while b"  " in data:
                data = data.replace(b"  ", b" ")
        return data

    def _take(self, text: bytes) -> None:
        if not text:
            return
        core = text.rstrip(b"\r\n")
        # Of what was taken off, only whole pairs at the end are line ends: a CR or LF alone is content.
        ends = text[len(core) :].replace(b"\r\n", b"\0\0")
        lone = ends.rstrip(b"\0")
        pairs = (len(ends) - len(lone)) // 2
        if lone:
            core = text[: len(text) - 2 * pairs]
        if core:
            while self._lines:
                some = min(self._lines, 4096)
                self._hash.update(_LINES[: 2 * some])
                self._lines -= some
            self._hash.update(core)
            self._any = True
        self._lines += pairs


def digest_of(body: bytes, *, relaxed: bool) -> bytes:
    """Of a body that is at hand."""
    form = BodyHash(relaxed=relaxed)
    form.feed(body)
    return form.digest()
