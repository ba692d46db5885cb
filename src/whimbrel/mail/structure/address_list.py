"""Lists of addresses in header fields, right ones and broken ones.

Every entry is four strings as in ENVELOPE: display name, route, mailbox, host. A group opens with an entry that has
only its name in `mailbox`, and closes with one that has nothing. Nothing here raises; what is missing is named
MISSING_MAILBOX or MISSING_DOMAIN, since an empty host would mean a group.

What stands in angle brackets is the address, whatever is in front of it: quotes, brackets and parentheses that nothing
closes, encoded words with commas in them, and raw ISO-2022-JP, whose octets may look like any of these, are text.
Linear in the length of the field.

Standards: RFC 5322 3.4 (addresses, groups), 4.4 (obsolete routes, phrases with dots); RFC 9051 7.5.2 (ENVELOPE)
"""

import re
from dataclasses import dataclass, replace

from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.structure.nstring import NIL, nstring

MAX_ADDRESSES = 10_000
_ATOM = re.compile(rb"[^\x00-\x20()<>@,;:\\\".\[\]\x7f]+")
_WORD = re.compile(
    rb"=\?[A-Za-z0-9][^?\s]{0,99}\?[bBqQ]\?[^?]{0,2000}\?=(?!=)"  # RFC 2047; with what may stand in none.
    rb"|\x1b\$[@A-D(][^\x1b]*(?:\x1b\$[@A-D(][^\x1b]*)*\x1b\([BJ]"
)
"""Octets that are letters, whatever they look like."""
_PLAIN = re.compile(rb"[^\"(<,;=\x1b]+")
_PARENTHESIS = re.compile(rb"[()]|\\.", re.DOTALL)
_BRACKET = re.compile(rb"[<>]")
_BLANK = re.compile(rb"[ \t\r\n\0]+")
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
    listed = entries(value)
    if not listed:
        return NIL
    out = [b"(%b %b %b %b)" % (nstring(e.name), nstring(e.route), nstring(e.mailbox), nstring(e.host)) for e in listed]
    return b"(%b)" % b"".join(out)


class _Reader:
    """A walk over one field."""

    __slots__ = ("at", "bare_until", "comment", "comments", "list", "no_bracket", "size", "unclosed", "value")

    def __init__(self, value: bytes) -> None:
        self.value, self.size, self.at = value, len(value), 0
        self.list: list[Entry] = []
        self.comment = b""
        self.comments: dict[int, int] | None = None
        """Where each comment ends, by where it begins."""
        self.unclosed = False
        """There is a quote that nothing closes."""
        self.no_bracket = False
        self.bare_until = -1
        """No address in angle brackets stands before this place."""

    def all(self) -> list[Entry]:
        in_group = False
        while len(self.list) < MAX_ADDRESSES:
            self.skip()
            if self.at >= self.size:
                break
            char = self.value[self.at]
            if char == 0x2C:
                self.at += 1
            elif char == 0x3B:  # ";"
                self.at += 1
                if in_group:
                    self.list.append(GROUP_END)
                    in_group = False
            elif not in_group and self.group():
                in_group = True
            else:
                start = self.at
                self.list.append(self.mailbox())
                self.resume(start)
        if in_group:
            self.list.append(GROUP_END)
        return self.list

    def resume(self, start: int) -> None:
        """After an entry: where the next one begins. Without a comma, only what looks like an address is one."""
        self.skip()
        at = self.at
        if at < self.size and (at == start or self.value[at] not in b",;"):
            comma = self.value.find(b",", at)
            comma = self.size if comma < 0 else comma
            if at == start or not _ATOM.match(self.value, at) or self.value.find(b"@", at, comma) < 0:
                self.at = comma

    def ended(self) -> bool:
        """At the end of an entry."""
        return self.at >= self.size or self.value[self.at] in b",;"

    def skip(self) -> None:
        """White space and comments; the last comment may be a name (RFC 5322 3.4 note)."""
        value, size, at = self.value, self.size, self.at
        while at < size:
            char = value[at]
            if char in b" \t\r\n\0":
                at += 1
            elif char == 0x28 and (stop := self.comment_end(at)):
                self.comment = _unescape(value[at + 1 : stop - 1])
                at = stop
            else:
                break
        self.at = at

    def comment_end(self, at: int) -> int:
        """Behind the comment that begins at `at`; 0 if nothing closes it: then it is none."""
        if self.comments is None:
            self.comments = {}
            opened: list[int] = []
            for match in _PARENTHESIS.finditer(self.value):
                if match[0] == b"(":
                    opened.append(match.start())
                elif match[0] == b")" and opened:
                    self.comments[opened.pop()] = match.end()
        return self.comments.get(at, 0)

    def group(self) -> bool:
        """phrase ":" """
        start = self.at
        name = self.phrase()
        if self.at < self.size and self.value[self.at] == 0x3A and name is not None:
            self.at += 1
            self.list.append(Entry(None, None, name, None))
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
            closed = self.bracket_end(self.at)
            entry = self.address()
            self.skip()
            if self.ended() and (closed or self.no_bracket):
                return replace(entry, name=name or self.comment or None)
        loose = self.loose(start)
        if loose:
            return loose
        self.at = start
        self.comment = b""
        mailbox = self.local_part()
        if self.at < self.size and self.value[self.at] == 0x40:
            self.at += 1
            host = self.domain() or b"MISSING_DOMAIN"
            self.skip()
            return Entry(self.comment or None, None, mailbox or b"MISSING_MAILBOX", host)
        # A lone word is a mailbox without domain; several are a name without address.
        if name is not None and name != mailbox:
            self.at = start
            self.phrase()
            return Entry(name, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN")
        self.skip()
        return Entry(self.comment or None, None, mailbox or b"MISSING_MAILBOX", b"MISSING_DOMAIN")

    def loose(self, start: int) -> Entry | None:
        """Up to the next comma: the last address in angle brackets, and as its name all text in front of it."""
        if start < self.bare_until:
            return None
        value, at = self.value, start
        bracket, pieces, before, comment = -1, [b""], 0, b""
        while at < self.size and value[at] not in b",;":
            stop = 0
            piece = b""
            char = value[at]
            if char == 0x22:
                self.at = at
                piece, stop = self.quoted(), self.at
            elif char == 0x28 and (stop := self.comment_end(at)):
                comment = _unescape(value[at + 1 : stop - 1]) if bracket >= 0 else b""
                piece = b" "
            elif char == 0x3C and (stop := self.bracket_end(at)):
                piece = value[at:stop]
                if piece[1:-1].strip():
                    bracket, before = at, len(pieces)
            elif match := _WORD.match(value, at) or _PLAIN.match(value, at):
                piece, stop = match[0], match.end()
            at, piece = (stop, piece) if stop else (at + 1, value[at : at + 1])
            pieces.append(piece)
        if bracket < 0:
            self.bare_until = at
            return None
        self.at = bracket
        entry = self.address()
        self.at = at
        name = b"".join(pieces[:before])
        name = _BLANK.sub(b" ", name).strip()
        return replace(entry, name=name or comment or None)

    def bracket_end(self, at: int) -> int:
        """Behind what begins with "<" at `at`; 0 if another one comes before the ">"."""
        if self.no_bracket:
            return 0
        match = _BRACKET.search(self.value, at + 1)
        self.no_bracket = match is None
        return match.end() if match and match[0] == b">" else 0

    def address(self) -> Entry:
        """At "<": the address in it, without name. What is no address by the letter is taken apart at its last @."""
        stop = self.bracket_end(self.at)
        text = self.value[self.at + 1 : stop - 1] if stop else b""
        route, mailbox, host, closed = self.angle()
        if not closed or host == b"MISSING_DOMAIN":
            self.at = stop or self.at
            local, sign, domain = text.strip().rpartition(b"@")
            if sign:
                local = local[7:] if local[:7].lower() == b"mailto:" else local
                local = local.strip(b" \t:;,")
                route, mailbox, host = None, local or b"MISSING_MAILBOX", domain.strip(b" \t,;") or b"MISSING_DOMAIN"
        return Entry(None, route, mailbox, host)

    def angle(self) -> tuple[bytes | None, bytes, bytes, bool]:
        """ "<" [route ":"] local-part "@" domain ">"; whether the ">" stood where it should."""
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
        closed = self.value[self.at : self.at + 1] == b">"
        if closed:
            self.at += 1
        else:
            comma = self.value.find(b",", self.at)
            comma = self.size if comma < 0 else comma
            stop = self.value.find(b">", self.at, comma) + 1
            self.at = stop or comma
            host = host or b"SYNTAX_ERROR"
        return route, mailbox or b"MISSING_MAILBOX", host or b"MISSING_DOMAIN", closed

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
                atom = _WORD.match(self.value, self.at) or _ATOM.match(self.value, self.at)
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
