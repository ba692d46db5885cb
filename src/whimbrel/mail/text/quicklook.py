"""A quick proof that a message does not hold a text, from its raw bytes.

Decoding a message costs a hundred times what `bytes.find` costs, and most messages do not hold what is looked for.
`lacks_*` answer True only where `mail.text` cannot find the text either: what might hide it (encodings, charsets,
entities, folded lines, letters that fold into others) makes them answer False, which means: decode it.

Standards: RFC 2045 6 (encodings), RFC 2047, RFC 2231
"""

import re
from functools import cached_property

from whimbrel.mail.decoding.encoded import quoted_printable
from whimbrel.mail.structure import header
from whimbrel.mail.text.preview import without_plain_tags

_HIDES: tuple[bytes, ...] = (b"charset*", b"utf-7", b"utf7", b"utf_7", b"~{", b"\x1b", b"\0")
_PLAIN_CHARSETS = tuple(
    mark + name
    for name in (b"utf-8", b"us-ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252", b"ascii", b"latin1")
    for mark in (b"charset=", b'charset="')
)
_OTHER_LATIN = re.compile(rb'charset="?iso-8859-1[0-46-9]')
_FOLDS: tuple[tuple[bytes, str], ...] = (
    (b"\xdf", "s"),  # sharp s in Latin-1
    (b"\xc3\x9f", "s"),
    (b"\xc5", "sn"),  # long s, n with apostrophe
    (b"\xe2\x84\xaa", "k"),  # Kelvin
    (b"\xe1\xba", "htwyas"),
    (b"\xc7\xb0", "j"),
    (b"\xc4\xb0", "i"),
    (b"\xef\xac", "filst"),  # ligatures
)
"""Bytes of letters whose case-folding holds letters of US-ASCII, in UTF-8 and the charsets above."""


_LEFT_OUT = (*(char.encode() for char in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f"), b"\xad")
"""Characters that are left out of words of HTML, in UTF-8 and the charsets above."""
_ENTITIES: tuple[bytes, ...] = (b"&#", b"lig", b"&shy", b"&zw", b"&zero", b"&nobreak")
"""That can stand for letters of US-ASCII, or for what is left out of words."""
_HIDDEN: tuple[str, ...] = ("<!--", "<style", "<script", "<head", "<title")
"""What is left out with all that is in it: the first three of words, the others only where a word ends."""
_MAX_HIDDEN = 64
_QUOTED_MARKUP = re.compile(r"""=\s*(?:"[^"<>]*[<>]|'[^'<>]*[<>]|<)""")
"""Where tags end depends on quotes, and so on where the comments are."""
_WORDS = re.compile(r"[^\W_]+")
_NO_TEXT = re.compile(
    rb"\ncontent-type[ \t]*:[ \t]*(?:\r?\n[ \t]+)?"
    rb"(?:application|image|audio|video|font)/[a-z0-9.+\-]{1,80}[ \t]*[;\r\n]"
)
_MAX_BASE64 = 16
_MAX_BLOCK, _MAX_LINES = 16 * 1024, 100
"""Longer headers are not understood here."""


class QuickLook:
    """Looks at one message, for any number of texts. Texts are case-folded."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def lacks_header(self, value: str) -> bool:
        """The header of the message does not hold `value`."""
        head, word = self._head, longest_word(value)
        if not word or b"=?" in head or b"\0" in head or b"\x1b" in head:
            return False
        return _lacks(head, word)

    def lacks_body(self, value: str) -> bool:
        """Neither the text parts nor the header fields of inner parts hold `value`."""
        if not value.isprintable() or not self._open:
            return False
        if not (value.isalnum() or self._simple):
            # Lines may be folded, and tags stand between words, but not within them.
            value = longest_word(value)
            if not value:
                return False
        if not value.isascii():
            return self._low.isascii() and b"&" not in self._low and not self._quoted
        if self._html and self._html_hides:
            return False
        if not (self._low.isascii() or self._known_charsets):
            return False
        if not _lacks(self._low, value):
            return False
        if self._quoted and not (self._known_charsets and _lacks(self._unquoted, value)):
            return False
        if not self._html:
            return True
        return not (value in self._joined or self._hidden_in_words)

    @cached_property
    def _head(self) -> bytes:
        return self._content[: header.end(self._content)].lower()

    @cached_property
    def _low(self) -> bytes:
        return self._content.lower()

    @cached_property
    def _open(self) -> bool:
        """Nothing hides text, but quoted-printable."""
        low = self._low
        if any(map(low.__contains__, _HIDES)) or low.find(b"=?", len(self._head)) >= 0:
            return False
        return b"base64" not in low or _attachments_alone(low)

    @cached_property
    def _quoted(self) -> bool:
        return b"quoted-printable" in self._low

    @cached_property
    def _html(self) -> bool:
        return b"html" in self._low

    @cached_property
    def _html_hides(self) -> bool:
        """Words of the HTML may not stand in it as they are."""
        low = self._low
        if b"&" in low and any(map(low.__contains__, _ENTITIES)):
            return True
        if not low.isascii() and any(map(low.__contains__, _LEFT_OUT)):
            return True
        return self._quoted and not self._unquoted.isascii() and any(map(self._unquoted.__contains__, _LEFT_OUT))

    @cached_property
    def _simple(self) -> bool:
        """One plain part: no markup, no folded fields of inner parts."""
        low = self._low
        return not (self._html or b"multipart/" in low or b"message/" in low)

    @cached_property
    def _known_charsets(self) -> bool:
        low, at = self._low, self._low.find(b"charset")
        while at >= 0:
            if not low.startswith(_PLAIN_CHARSETS, at) or _OTHER_LATIN.match(low, at):
                return False
            at = low.find(b"charset", at + 7)
        return True

    @cached_property
    def _unquoted(self) -> bytes:
        return quoted_printable(self._content).lower()

    @cached_property
    def _joined(self) -> str:
        """As in `html_text`, where words lose what stands within them; letters beyond ASCII are any."""
        return without_plain_tags(self._markup)

    @cached_property
    def _markup(self) -> str:
        return (self._unquoted if self._quoted else self._low).decode("latin-1")

    @cached_property
    def _hidden_in_words(self) -> bool:
        """More than tags may stand in words, or it is not plain where tags end."""
        return _QUOTED_MARKUP.search(self._markup) is not None or _hidden_in_words(self._joined)


def _hidden_in_words(source: str) -> bool:
    """A comment, a style sheet or a script may begin within a word or within a tag."""
    count = 0
    for mark in _HIDDEN:
        at = source.find(mark)
        while at >= 0:
            count += 1
            inside = source.rfind("<", 0, at) > source.rfind(">", 0, at)
            splits = mark in _HIDDEN[:3] and at > 0 and source[at - 1] not in " \t\r\n>"
            if inside or splits or count > _MAX_HIDDEN:
                return True
            at = source.find(mark, at + 1)
    return False


def longest_word(value: str) -> str:
    """Of letters and digits alone. What does not hold it does not hold `value` either."""
    return max(_WORDS.findall(value), key=len, default="")


def _attachments_alone(low: bytes) -> bool:
    """Wherever base64 is spoken of, it is the encoding of what is not searched: pictures, documents."""
    at = low.find(b"base64")
    for _ in range(_MAX_BASE64):
        if at < 0:
            return True
        # The header in which it stands lies between two empty lines, behind the last delimiter before it. That there
        # is but one Content-Type between the empty lines tells that no other counts, wherever the header begins.
        blank = max(low.rfind(b"\n\r\n", 0, at), low.rfind(b"\n\n", 0, at))
        line = low.rfind(b"\n--", max(blank, 0), at)
        line = low.find(b"\n", max(line, blank) + 1) if max(line, blank) >= 0 else 0
        end = header.end(low, at, min(len(low), at + _MAX_BLOCK))
        if (
            not 0 <= line < at
            or end - line > _MAX_BLOCK
            or low.count(b"\n", line, end) > _MAX_LINES
            or low.count(b"content-type", max(blank, 0), end) != 1
            or not _NO_TEXT.search(low[line:end] if line else b"\n" + low[:end])
            # Text without an empty line before it, up to a delimiter perhaps.
            or header.body_start(low, line, end) < end
            or low.find(b"\n--", line, end) >= 0
        ):
            return False
        at = low.find(b"base64", end)
    return False


def _lacks(low: bytes, value: str) -> bool:
    """`low` is in lower case (of US-ASCII)."""
    if value.encode("utf-8", "surrogatepass") in low:
        return False
    if low.isascii():
        return True
    if not value.isascii():
        return False
    return not any(mark in low and any(letter in value for letter in letters) for mark, letters in _FOLDS)
