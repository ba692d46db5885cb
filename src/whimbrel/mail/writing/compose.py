"""Writing messages: fields that cannot be broken out of, bodies, multiparts. Output has CRLF line ends.

Standards: RFC 5322 2.1.1 (line lengths), 2.2.3 (folding), 3.4 (display names), RFC 2047 (encoded words), RFC 2045 6.7
(quoted-printable), RFC 2046 5.1.1 (boundaries), RFC 6532 (UTF-8 in headers)
"""

import binascii
import hashlib
import re
from collections.abc import Sequence

LINE = 78
_HARD = 998
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_WORD_BYTES = 45
"""What fits into an encoded word of at most 75 characters in base64. RFC 2047 2"""


def clean(text: str, limit: int = 2000) -> str:
    """`text` on one line: control characters, line ends above all, become one space; cut at `limit`."""
    text = text[:limit]
    if not text.isprintable():  # Lone surrogates, which cannot be written, are not printable either.
        text = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())
    return text.strip()


def field(name: str, text: str, *, utf8: bool = False) -> bytes:
    """A field of free text. What is not ASCII becomes encoded words, or stays UTF-8 with `utf8`."""
    text = clean(text)
    if not utf8 and not text.isascii():
        text = encoded_words(text)
    return fold(f"{name}: {text}")


def token_field(name: str, value: str) -> bytes:
    """A field whose value is written as it is, if need be in UTF-8; cleaned and folded."""
    return fold(f"{name}: {clean(value)}")


def fold(line: str) -> bytes:
    """One field, folded at spaces to 78 columns where it can be, and cut to 998 bytes a line where it cannot."""
    raw = line.encode("utf-8", "replace")
    if len(raw) <= LINE:
        return raw + b"\r\n"
    now, *words = raw.split(b" ")
    lines: list[bytes] = []
    for word in words:
        # No line is white space alone (RFC 5322 2.2.3), nor the field's name alone.
        if word and len(now) + 1 + len(word) > LINE and (lines or not now.rstrip().endswith(b":")) and now.strip():
            lines.append(now)
            now = b" " + word
        else:
            now = b"%b %b" % (now, word)
    lines.append(now)
    return b"".join([_cut(part) for part in lines])


def _cut(line: bytes) -> bytes:
    """RFC 5322 2.1.1: 998 bytes are the limit, spaces or not."""
    pieces = [line[at : at + _HARD - 1] for at in range(0, len(line), _HARD - 1)]
    return b"\r\n ".join(pieces) + b"\r\n"


def encoded_words(text: str) -> str:
    """RFC 2047 in UTF-8 and base64, never cutting a character."""
    out: list[str] = []
    piece = b""
    for char in text:
        raw = char.encode("utf-8", "replace")
        if len(piece) + len(raw) > _WORD_BYTES:
            out.append(_word(piece))
            piece = b""
        piece += raw
    if piece:
        out.append(_word(piece))
    return " ".join(out)


def _word(piece: bytes) -> str:
    return f"=?utf-8?B?{binascii.b2a_base64(piece, newline=False).decode('ascii')}?="


def mailbox(name: str, address: str) -> str:
    """`name <address>`, the name quoted or encoded where it must be."""
    name, address = clean(name), clean(address).replace("<", "").replace(">", "")
    if not name:
        return f"<{address}>"
    if not name.isascii():
        return f"{encoded_words(name)} <{address}>"
    if _ATOMS.match(name):
        return f"{name} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'


def crlf(data: bytes) -> bytes:
    """`data` with CRLF at every line end, whatever it had."""
    if data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r"):
        return data
    return _LINE_END.sub(b"\r\n", data)


def text_part(text: str, *, language: str = "") -> bytes:
    """A text/plain entity: header, empty line, body. 7bit if it is ASCII in short lines, else quoted-printable."""
    body = crlf(text.encode("utf-8", "replace"))
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    head = b"Content-Type: text/plain; charset=utf-8\r\n"
    if language:
        head += b"Content-Language: %b\r\n" % clean(language).encode("ascii", "replace")
    if seven_bit(body, LINE):
        return head + b"Content-Transfer-Encoding: 7bit\r\n\r\n" + body
    return head + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted_printable(body)


def seven_bit(body: bytes, line: int = _HARD) -> bool:
    """ASCII without NUL, in lines of at most `line` octets. RFC 2045 2.7"""
    return body.isascii() and b"\0" not in body and max(map(len, body.split(b"\r\n"))) <= line


def quoted_printable(body: bytes) -> bytes:
    """Text whose lines end in CRLF, in ASCII. RFC 2045 6.7"""
    return binascii.b2a_qp(body.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")


def multipart(subtype: str, parts: Sequence[bytes], *, seed: str, parameters: str = "") -> bytes:
    """A multipart entity of ready `parts`: header, empty line, body. Its boundary comes from `seed` (a Message-ID) and
    stands in none of the parts."""
    count = 0
    while True:
        digest = hashlib.sha256(f"{seed}/{count}".encode("utf-8", "replace")).hexdigest()[:32]
        boundary = f"=_{digest}"
        if not any(boundary.encode("ascii") in part for part in parts):
            break
        count += 1
    head = fold(f'Content-Type: multipart/{subtype};{f" {parameters};" if parameters else ""} boundary="{boundary}"')
    mark = b"--" + boundary.encode("ascii")
    return head + b"\r\n" + b"".join(b"%b\r\n%b\r\n" % (mark, part) for part in parts) + mark + b"--\r\n"
