"""Fields with parameters: Content-Type, Content-Disposition.

`read` gives what stands there, for BODYSTRUCTURE: continuations joined, charset and percent signs left in place under
a name with an asterisk. `Value.text` decodes for people and for ourselves.

Standards: RFC 2045 5.1, RFC 2183 2, RFC 2231 3 (continuations), 4 (charsets), 6 (IMAP shows continuations joined)
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from whimbrel.mail.decoding.charset import to_text
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.decoding.remember import remember

_SPACE = rb"[ \t\r\n]"
_TOKEN = re.compile(rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_NAME = re.compile(rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+")
_BARE = re.compile(rb"[^;\"\x00-\x1f\x7f]*")
_SECTION = re.compile(rb"(.+?)\*(\d{1,3})(\*?)\Z", re.DOTALL)
MAX_PARAMETERS = 100
Parameter = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Value:
    """A field's main value (as written) and its parameters in order (names as written)."""

    main: bytes
    sub: bytes
    """What follows the slash of a media type; empty for a disposition."""
    parameters: tuple[Parameter, ...]

    def raw(self, name: bytes) -> bytes | None:
        """The parameter called `name` (lower case) as it stands."""
        for key, value in self.parameters:
            if key.lower() == name:
                return value
        return None

    def text(self, name: bytes) -> str | None:
        """The parameter decoded: RFC 2231 4, or encoded words, which RFC 2047 5 forbids and many send."""
        extended = self.raw(name + b"*")
        if extended is not None:
            charset, quote, rest = extended.partition(b"'")
            value = rest.partition(b"'")[2] if quote else charset
            return to_text(unquote_to_bytes(value), charset.decode("latin-1") if quote else "")
        plain = self.raw(name)
        return None if plain is None else words(plain)


def media_type(value: bytes) -> Value | None:
    """Content-Type; None if it has no type and subtype: then RFC 2045 5.2 says text/plain."""
    at = _skip(value, 0)
    main = _TOKEN.match(value, at)
    if not main:
        return None
    at = _skip(value, main.end())
    if value[at : at + 1] != b"/":
        return None
    sub = _TOKEN.match(value, _skip(value, at + 1))
    if not sub:
        return None
    at = _skip(value, sub.end())
    if at < len(value) and value[at] != 0x3B and main[0].lower() in (b"multipart", b"message"):
        return None  # What decides how the content is cut up must be well-formed; with others we are lenient.
    return Value(main[0], sub[0], _parameters(value, at))


def disposition(value: bytes) -> Value | None:
    """Content-Disposition; None if there is no word in it."""
    main = _TOKEN.match(value, _skip(value, 0))
    return Value(main[0], b"", _parameters(value, main.end())) if main else None


_ENCODINGS = frozenset((b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"))


def encoding(value: bytes) -> bytes:
    """Content-Transfer-Encoding as written, without comments; empty if it is no word: then it is 7bit. What follows a
    known one (a semicolon mostly) is overlooked. RFC 2045 6.1"""
    pairs = _TOKEN.match(value, _skip(value, 0))
    if not pairs:
        return b""
    alone = _skip(value, pairs.end()) == len(value)
    return pairs[0] if alone or pairs[0].lower() in _ENCODINGS else b""


def tokens(value: bytes) -> list[bytes]:
    """The words of a comma-separated field such as Content-Language. RFC 3282 2"""
    out: list[bytes] = []
    at = 0
    while at < len(value) and len(out) < MAX_PARAMETERS:
        at = _skip(value, at)
        pairs = _TOKEN.match(value, at)
        if pairs:
            out.append(pairs[0])
        comma = value.find(b",", pairs.end() if pairs else at)
        if comma < 0:
            break
        at = comma + 1
    return out


@remember(512)
def charset_of(content_type: bytes) -> str:
    """The charset a Content-Type names, or an empty text."""
    pairs = media_type(content_type)
    return (pairs.text(b"charset") or "") if pairs else ""


def _skip(value: bytes, at: int) -> int:
    """Past white space and comments, which nest. RFC 5322 3.2.2"""
    size = len(value)
    while at < size:
        char = value[at]
        if char in b" \t\r\n":
            at += 1
        elif char == 0x28:
            at = comment_end(value, at)
        else:
            break
    return at


def comment_end(value: bytes, at: int) -> int:
    """Behind the comment that begins at `at`; the end of `value` if it never ends."""
    depth, size = 0, len(value)
    while at < size:
        char = value[at]
        if char == 0x5C:
            at += 1
        elif char == 0x28:
            depth += 1
        elif char == 0x29:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return size


def _parameters(value: bytes, at: int) -> tuple[Parameter, ...]:
    pairs: list[Parameter] = []
    size = len(value)
    while len(pairs) < MAX_PARAMETERS:
        at = value.find(b";", at)
        if at < 0:
            break
        at = _skip(value, at + 1)
        name = _NAME.match(value, at)
        if not name:
            continue
        at = _skip(value, name.end())
        if at >= size or value[at] != 0x3D:
            continue
        at = _skip(value, at + 1)
        quoted = _QUOTED.match(value, at)
        if quoted:
            text = quoted[1]
            at = quoted.end()
            pairs.append((name[0], _PAIR.sub(rb"\1", text) if b"\\" in text else text))
        else:
            bare = _BARE.match(value, at)
            text = bare[0] if bare else b""
            at += len(text)
            text = _unquoted(text)
            if name[0].lower() == b"boundary":  # As delimiters match by their beginning, its first word is enough.
                text = text.split(maxsplit=1)[0] if text else text
            pairs.append((name[0], text))
    return tuple(_joined(pairs)) if any(b"*" in name for name, _ in pairs) else tuple(pairs)


def _unquoted(text: bytes) -> bytes:
    """A value without quotes. Senders forget them around file names and boundaries, so all up to the semicolon is
    taken, but a comment at its end is none of it."""
    text = text.strip()
    equals = text.find(b"=")
    if equals > 0:  # The semicolon before the next parameter was forgotten.
        cut = max(text.rfind(b" ", 0, equals), text.rfind(b"\t", 0, equals))
        text = text[:cut].rstrip() if cut > 0 else text
    if text.endswith(b")") and b"(" in text:
        text = text[: text.find(b"(")].rstrip()
    return text


def _joined(pairs: list[Parameter]) -> list[Parameter]:
    """RFC 2231 3: `name*0`, `name*1*`... become `name`, or `name*` if any section is encoded."""
    sections: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    names: dict[bytes, bytes] = {}
    out: list[Parameter] = []
    for name, value in pairs:
        match = _SECTION.match(name)
        if match:
            key = match[1].lower()
            names.setdefault(key, match[1])
            sections.setdefault(key, {}).setdefault(int(match[2]), (value, bool(match[3])))
        else:
            out.append((name, value))
    for key, parts in sections.items():
        out.append(_join(names[key], parts))
    return out


def _join(name: bytes, parts: dict[int, tuple[bytes, bool]]) -> Parameter:
    values = []
    extended = any(encoded for _, encoded in parts.values())
    for number in range(len(parts)):
        if number not in parts:  # A section is missing: what comes behind it has no place.
            break
        value, encoded = parts[number]
        if extended and not encoded:
            value = value.replace(b"%", b"%25")  # 4.1: this section was literal.
            if number == 0:
                value = b"''" + value
        values.append(value)
    return (name + b"*" if extended else name), b"".join(values)
