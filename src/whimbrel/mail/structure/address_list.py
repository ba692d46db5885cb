"""Lists of addresses in header fields, right ones and broken ones.

Every entry is four strings as in ENVELOPE: display name, route, mailbox, host. A group opens with an entry that has
only its name in `mailbox`, and closes with one that has nothing. Nothing here raises; what is missing is named
MISSING_MAILBOX or MISSING_DOMAIN, since an empty host would mean a group.

Standards: RFC 5322 3.4 (addresses, groups), 4.4 (obsolete routes, phrases with dots); RFC 9051 7.5.2 (ENVELOPE)
"""

import re
from dataclasses import dataclass

from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.structure.nstring import NIL, nstring
from whimbrel.mail.structure.parameters import comment_end

MAX_ADDRESSES = 10_000
_ATOM = re.compile(rb"[^\x00-\x20()<>@,;:\\\".\[\]\x7f]+")
_SIMPLE = re.compile(  # Most of all address fields: one address, with or without a plain name.
    rb"[ \t]*(?:(?:\"([^\"\\\r\n]*)\"|([A-Za-z0-9=?_'+-]+(?: [A-Za-z0-9=?_'+-]+)*)|)"
    rb"[ \t]*<([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    rb"(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([A-Za-z0-9.-]+)>|([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    rb"(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([A-Za-z0-9.-]+))[ \t]*\Z"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an ENVELOPE list."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


GROUP_END = Entry(None, None, None, None)


def entries(value: bytes) -> list[Entry]:
    """The addresses of an unfolded field."""
    simple = _SIMPLE.match(value)
    if simple:
        quoted, name, local, host, bare_local, bare_host = simple.groups()
        if bare_local is not None:
            return [Entry(None, None, bare_local, bare_host)]
        return [Entry(name if quoted is None else quoted, None, local, host)]
    return _Reader(value).all()


@remember(4096)
def wire(value: bytes) -> bytes:
    """The list in ENVELOPE form, `((name route mailbox host)...)`, or NIL if it has no address. Cached: the same
    senders and recipients come again and again."""
    found = entries(value)
    if not found:
        return NIL
    out = [b"(%b %b %b %b)" % (nstring(e.name), nstring(e.route), nstring(e.mailbox), nstring(e.host)) for e in found]
    return b"(%b)" % b"".join(out)


class _Reader:
    """A walk over one field."""

    __slots__ = ("at", "comment", "found", "size", "unclosed", "value")

    def __init__(self, value: bytes) -> None:
        self.value, self.size, self.at = value, len(value), 0
        self.found: list[Entry] = []
        self.comment = b""
        self.unclosed = False

    def all(self) -> list[Entry]:
        in_group = False
        while len(self.found) < MAX_ADDRESSES:
            self.skip()
            if self.at >= self.size:
                break
            char = self.value[self.at]
            if char == 0x2C:
                self.at += 1
            elif char == 0x3B:  # ";"
                self.at += 1
                if in_group:
                    self.found.append(GROUP_END)
                    in_group = False
            elif not in_group and self.group():
                in_group = True
            else:
                start = self.at
                self.found.append(self.mailbox())
                self.resume(start)
        if in_group:
            self.found.append(GROUP_END)
        return self.found

    def resume(self, start: int) -> None:
        """After an entry: where the next one begins. Without a comma, only what looks like an address is one."""
        self.skip()
        at = self.at
        if at < self.size and (at == start or self.value[at] not in b",;"):
            comma = self.value.find(b",", at)
            comma = self.size if comma < 0 else comma
            if at == start or not _ATOM.match(self.value, at) or self.value.find(b"@", at, comma) < 0:
                self.at = comma

    def skip(self) -> None:
        """White space and comments; the last comment may be a name (RFC 5322 3.4 note)."""
        value, size, at = self.value, self.size, self.at
        while at < size:
            char = value[at]
            if char in b" \t\r\n\0":
                at += 1
            elif char == 0x28:
                stop = comment_end(value, at)
                self.comment = _unescape(value[at + 1 : stop - 1 if value[stop - 1 : stop] == b")" else stop])
                at = stop
            else:
                break
        self.at = at

    def group(self) -> bool:
        """phrase ":" """
        start = self.at
        name = self.phrase()
        if self.at < self.size and self.value[self.at] == 0x3A and name is not None:
            self.at += 1
            self.found.append(Entry(None, None, name, None))
            return True
        self.at = start
        return False

    def mailbox(self) -> Entry:
        """name-addr, addr-spec, or what looks like it."""
        start = self.at
        self.comment = b""
        name = self.phrase()
        if self.at < self.size and self.value[self.at] == 0x3C:
            self.comment = b""
            route, mailbox, host = self.angle()
            self.skip()
            return Entry(name or self.comment or None, route, mailbox, host)
        self.at = start
        self.comment = b""
        mailbox = self.local_part()
        if self.at < self.size and self.value[self.at] == 0x40:
            self.at += 1
            host = self.domain() or b"MISSING_DOMAIN"
            self.skip()
            if self.value[self.at : self.at + 1] == b"<" and mailbox:  # `a@b <a@b>`: quotes forgotten.
                name = self.value[start : self.at].strip()
                route, mailbox, host = self.angle()
                self.skip()
                return Entry(name, route, mailbox, host)
            return Entry(self.comment or None, None, mailbox or b"MISSING_MAILBOX", host)
        # A lone word is a mailbox without domain; several are a name without address.
        if name is not None and name != mailbox:
            self.at = start
            self.phrase()
            return Entry(name, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN")
        self.skip()
        return Entry(self.comment or None, None, mailbox or b"MISSING_MAILBOX", b"MISSING_DOMAIN")

    def angle(self) -> tuple[bytes | None, bytes, bytes]:
        """ "<" [route ":"] local-part "@" domain ">" """
        self.at += 1
        self.skip()
        route = None
        if self.value[self.at : self.at + 1] == b"@":
            route = self.route()
        self.skip()
        mailbox = self.local_part()
        host = b""
        if self.value[self.at : self.at + 1] == b"@":
            self.at += 1
            host = self.domain()
        self.skip()
        if self.value[self.at : self.at + 1] == b">":
            self.at += 1
        else:
            comma = self.value.find(b",", self.at)
            comma = self.size if comma < 0 else comma
            stop = self.value.find(b">", self.at, comma) + 1
            self.at = stop or comma
            host = host or b"SYNTAX_ERROR"
        return route, mailbox or b"MISSING_MAILBOX", host or b"MISSING_DOMAIN"

    def route(self) -> bytes | None:
        """RFC 5322 4.4 obs-domain-list, kept as `@a,@b`."""
        names = []
        start = self.at
        while self.value[self.at : self.at + 1] == b"@":
            self.at += 1
            names.append(b"@" + self.domain())
            self.skip()
            while self.value[self.at : self.at + 1] == b",":
                self.at += 1
                self.skip()
        if self.value[self.at : self.at + 1] == b":":
            self.at += 1
            return b",".join(names)
        self.at = start
        return None

    def phrase(self) -> bytes | None:
        """Words with one space between them; quotes undone. None if there is no word."""
        words: list[bytes] = []
        glue = True  # A dot clings to what stands beside it. RFC 5322 4.1 obs-phrase
        while self.at < self.size:
            before = self.at
            self.skip()
            glue = glue and self.at == before
            char = self.value[self.at : self.at + 1]
            if char == b".":
                self.at += 1
                glue, word = before == self.at - 1, b"."
            elif char == b'"':
                word = self.quoted()
            else:
                atom = _ATOM.match(self.value, self.at)
                if not atom:
                    break
                word = atom[0]
                self.at = atom.end()
            if glue and words:
                words[-1] += word
            elif word:
                words.append(word)
            glue = char == b"."
        return b" ".join(words) if words else None

    def quoted(self) -> bytes:
        """At a quote: the string without its quotes. A quote that nothing closes is overlooked."""
        start = self.at + 1
        stop = -1 if self.unclosed else self.value.find(b'"', start)
        while stop >= 0 and _escaped(self.value, start, stop):
            stop = self.value.find(b'"', stop + 1)
        if stop < 0:
            self.unclosed = True
            self.at = start
            return b""
        self.at = stop + 1
        return _unescape(self.value[start:stop])

    def local_part(self) -> bytes:
        """Atoms and quoted strings with dots; space around the dots is obsolete and dropped."""
        pieces: list[bytes] = []
        while self.at < self.size:
            char = self.value[self.at : self.at + 1]
            if char == b'"':
                pieces.append(self.quoted())
            elif char == b".":
                pieces.append(b".")
                self.at += 1
            else:
                atom = _ATOM.match(self.value, self.at)
                if not atom:
                    break
                pieces.append(atom[0])
                self.at = atom.end()
            self.skip()
            if self.value[self.at : self.at + 1] != b"." and pieces[-1] not in (b".", b""):
                break
        return b"".join(pieces)

    def domain(self) -> bytes:
        self.skip()
        if self.value[self.at : self.at + 1] == b"[":
            stop = self.value.find(b"]", self.at)
            stop = self.size if stop < 0 else stop + 1
            literal = self.value[self.at : stop].replace(b" ", b"")
            self.at = stop
            return literal
        return self.local_part() if self.value[self.at : self.at + 1] != b'"' else b""


def _escaped(value: bytes, start: int, at: int) -> bool:
    """An odd number of backslashes stands before `at`."""
    back = at
    while back > start and value[back - 1] == 0x5C:
        back -= 1
    return bool((at - back) & 1)


def _unescape(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    out = bytearray()
    escaped = False
    for char in text:
        if char == 0x5C and not escaped:
            escaped = True
        else:
            out.append(char)
            escaped = False
    return bytes(out)
