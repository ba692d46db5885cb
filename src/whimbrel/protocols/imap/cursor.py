"""Reads the pieces of a command: atoms, strings, numbers, mailboxes, flags, sets.

A command comes whole, its literals in their places (`{5}\\r\\nhello`), so that one cursor walks over it. Framing has
seen to it that a literal's octets are all there.

Standards: RFC 3501 9, RFC 7888 (literals)
"""

import re
import unicodedata
from collections.abc import Iterator

from whimbrel.core.mailbox import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from whimbrel.protocols.imap import utf7
from whimbrel.protocols.imap.sequence import SAVED, STAR, SequenceSet

_ATOM = re.compile(rb"""[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+""")
_ASTRING = re.compile(rb"""[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+""")
_PATTERN = re.compile(rb"""[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+""")
# Quirk (clients of RFC 9051): UTF-8 in quoted strings, in passwords and SEARCH; let through.
_QUOTED = re.compile(rb'"([^"\\\r\n\x00]*(?:\\["\\][^"\\\r\n\x00]*)*)"')
_LITERAL = re.compile(rb"\{(\d{1,10})\+?\}\r\n")
_ANNOUNCED = re.compile(rb"\{(\d{1,10})\+?\}\Z")
_NUMBER = re.compile(rb"\d{1,20}")
_WORD = re.compile(rb"[A-Za-z0-9.\-]+")
_SEQUENCE = re.compile(rb"\$|[0-9*:,]+")
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")

MAX_NUMBER = 0xFFFFFFFF
MAX_FLAGS = 128
MAX_KEYWORD = 255

SYSTEM = {b"\\SEEN": SEEN, b"\\ANSWERED": ANSWERED, b"\\FLAGGED": FLAGGED, b"\\DELETED": DELETED, b"\\DRAFT": DRAFT}


class BadSyntax(Exception):
    """This is not a command: `text` says what was expected, without repeating what came."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class UidRequired(BadSyntax):
    """BAD with UIDREQUIRED: message numbers were given up. RFC 9586 3.1"""

    def __init__(self) -> None:
        super().__init__("Message numbers are not used after ENABLE UIDONLY")


class Refused(BadSyntax):
    """It is a command, but cannot be served: NO with `code`."""

    def __init__(self, code: bytes, text: str) -> None:
        super().__init__(text)
        self.code = code


class Cursor:
    """Where the reading of `data` has come to."""

    __slots__ = ("at", "data", "utf8")

    def __init__(self, data: bytes, at: int = 0, *, utf8: bool = False) -> None:
        """`utf8`: mailbox names are UTF-8, not modified UTF-7. RFC 6855 3"""
        self.data, self.at, self.utf8 = data, at, utf8

    def next_is(self, token: bytes) -> bool:
        return self.data.startswith(token, self.at)

    def take(self, token: bytes) -> bool:
        """Steps over `token` if it is next."""
        if self.data.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def expect(self, token: bytes, words: str) -> None:
        if not self.take(token):
            raise BadSyntax(words)

    def space(self) -> None:
        """The space between two arguments, or two items.

        Quirk (clients that join arguments and lists by hand): several spaces for one, or some beside parentheses;
        passed over wherever a space or a parenthesis stands, as Dovecot does it.
        """
        if not self.blanks():
            raise BadSyntax("Missing argument" if self.at >= len(self.data) else "Expected a space")

    def open(self, words: str) -> None:
        """The opening parenthesis of a list. BadSyntax with `words`."""
        self.expect(b"(", words)
        self.blanks()

    def close(self, words: str) -> None:
        """The closing parenthesis of a list. BadSyntax with `words`."""
        self.blanks()
        self.expect(b")", words)

    def another(self, token: bytes = b"") -> bool:
        """Steps over the space before `token` if that comes next; without a token: before any argument or item."""
        start = self.at
        if self.blanks() and (self.next_is(token) if token else not (self.ended or self.next_is(b")"))):
            return True
        self.at = start
        return False

    def keyword(self, word: bytes) -> bool:
        """Steps over `word` (in capitals) and the space behind it, if they come next."""
        stop = self.at + len(word)
        if self.data[self.at : stop + 1].upper() != word + b" ":
            return False
        self.at = stop
        return self.blanks()

    def blanks(self) -> bool:
        """Steps over any number of spaces; False if there was none."""
        start, data = self.at, self.data
        while data.startswith(b" ", self.at):
            self.at += 1
        return self.at > start

    def items(self, words: str = "") -> Iterator[None]:
        """Once before each item of a list whose opening parenthesis was read, until its closing one. `words`: what is
        expected, where a list must not be empty.
        """
        self.blanks()
        if self.take(b")"):
            if words:
                raise BadSyntax(words)
            return
        while True:
            yield
            apart = self.blanks()
            if self.take(b")"):
                return
            if not apart:
                self.space()  # Says what is missing.

    @property
    def ended(self) -> bool:
        """No argument follows. Quirk (hand-written clients): a space at the end of the line; passed over."""
        return self.at >= len(self.data) or (self.next_is(b" ") and not self.data[self.at :].strip(b" "))

    def end(self) -> None:
        if not self.ended:
            raise BadSyntax("Too much after the last argument")

    def _match(self, pattern: "re.Pattern[bytes]", words: str) -> bytes:
        match = pattern.match(self.data, self.at)
        if not match:
            raise BadSyntax(words)
        self.at = match.end()
        return match[0]

    def word(self, words: str = "Expected a word") -> bytes:
        """Letters, digits, dots and hyphens, in capitals."""
        return self._match(_WORD, words).upper()

    def atom(self, words: str = "Expected an atom") -> bytes:
        return self._match(_ATOM, words)

    def number(self, *, least: int = 0, most: int = MAX_NUMBER) -> int:
        value = int(self._match(_NUMBER, "Expected a number"))
        if not least <= value <= most:
            raise BadSyntax("Number out of range")
        return value

    def _quoted(self) -> bytes | None:
        match = _QUOTED.match(self.data, self.at)
        if not match:
            return None
        self.at = match.end()
        inside = match[1]
        return re.sub(rb"\\(.)", rb"\1", inside) if b"\\" in inside else inside

    def octets(self) -> bytes:
        """What stands behind the `~` of a literal8: any octets. RFC 3516 4.4"""
        match = _LITERAL.match(self.data, self.at)
        if not match or match.end() + int(match[1]) > len(self.data):
            raise BadSyntax("Expected a literal")
        self.at = match.end() + int(match[1])
        return self.data[match.end() : self.at]

    def string(self) -> bytes:
        first = self.data[self.at : self.at + 1]
        if first == b'"':
            quoted = self._quoted()
            if quoted is None:
                raise BadSyntax("Quoted string without its end")
            return quoted
        match = _LITERAL.match(self.data, self.at)
        if not match:
            raise BadSyntax("Expected a string")
        start, size = match.end(), int(match[1])
        if start + size > len(self.data):
            raise BadSyntax("Literal without its octets")
        self.at = start + size
        value = self.data[start : self.at]
        if b"\0" in value:
            raise BadSyntax("NUL is not allowed in a string")
        return value

    def astring(self) -> bytes:
        match = _ASTRING.match(self.data, self.at)
        if match:
            self.at = match.end()
            return match[0]
        return self.string()

    def nstring(self) -> bytes | None:
        if self.data[self.at : self.at + 3].upper() == b"NIL":
            self.at += 3
            return None
        return self.string()

    def text(self) -> str:
        """An astring as text: UTF-8, of which US-ASCII is a part."""
        try:
            return self.astring().decode()
        except UnicodeDecodeError:
            raise BadSyntax("Not UTF-8") from None

    def mailbox(self) -> str:
        return self._name(self.astring())

    def pattern(self) -> str:
        """list-mailbox: a mailbox name with wildcards."""
        match = _PATTERN.match(self.data, self.at)
        if match:
            self.at = match.end()
            wire = match[0]
        else:
            wire = self.string()
        try:
            return self._name(wire)
        except Refused:
            # Quirk (clients that look for any name): what no mailbox can be called matches none, which is no error.
            return wire.decode("ascii", "replace")

    def _name(self, wire: bytes) -> str:
        try:
            return utf8_name(wire) if self.utf8 else utf7.decode(wire)
        except ValueError:
            form = "UTF-8" if self.utf8 else "modified UTF-7"
            raise Refused(b"CANNOT", f"Mailbox name is not {form}") from None

    def sequence_set(self) -> SequenceSet:
        words = self._match(_SEQUENCE, "Expected a sequence set")
        if words == b"$":
            return SAVED  # RFC 5182 2.1
        ranges: list[tuple[int, int]] = []
        for item in words.split(b","):
            first, colon, second = item.partition(b":")
            low = _seq_number(first)
            ranges.append((low, _seq_number(second) if colon else low))
        return SequenceSet(tuple(ranges))

    def flag(self) -> bytes:
        r"""`\Seen`, in any case, or a keyword."""
        if self.take(b"\\"):
            return b"\\" + self.atom("Expected a flag")
        keyword = self.atom("Expected a flag")
        if len(keyword) > MAX_KEYWORD:
            raise BadSyntax("Keyword too long")
        return keyword

    def flags(self) -> list[bytes]:
        """A flag list in parentheses."""
        self.expect(b"(", "Expected a list of flags")
        names: list[bytes] = []
        for _ in self.items():
            names.append(self.flag())
            if len(names) > MAX_FLAGS:
                raise BadSyntax("Too many flags")
        return names

    def announced(self) -> int:
        """The size of a literal (or literal8, RFC 3516 4.4) whose octets are still to come."""
        self.take(b"~")
        match = _ANNOUNCED.match(self.data, self.at)
        if not match:
            raise BadSyntax("Expected a literal")
        self.at = match.end()
        return int(match[1])


def split_flags(names: list[bytes]) -> tuple[int, frozenset[str]]:
    r"""System flags as bits, and keywords.

    Quirk (programs that copy mailboxes, clients of other servers): `\Recent`, which cannot be set, and system flags
    that only other servers know (flag-extension, RFC 9051 9), such as `\Indexed`; passed over.
    """
    bits, keywords = 0, set()
    for name in names:
        if name.startswith(b"\\"):
            bits |= SYSTEM.get(name.upper(), 0)
        else:
            keywords.add(name.decode("ascii"))
    return bits, frozenset(keywords)


def utf8_name(wire: bytes) -> str:
    """A mailbox name that came as UTF-8. ValueError if it is none, or has control characters. RFC 9051 5.1"""
    name = unicodedata.normalize("NFC", wire.decode())
    if _CONTROL.search(name):
        raise ValueError("a mailbox name has no control characters")
    return name


def _seq_number(text: bytes) -> int:
    if text == b"*":
        return STAR
    if not text.isdigit() or len(text) > 10:
        raise BadSyntax("Malformed sequence set")
    value = int(text)
    if not 1 <= value <= MAX_NUMBER:
        raise BadSyntax("Number out of range in a sequence set")
    return value
