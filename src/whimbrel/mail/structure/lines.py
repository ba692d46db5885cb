"""Ends of lines. Clients of IMAP and POP3 know CRLF alone; a message that came by APPEND may have bare LFs.

Standards: RFC 5322 2.3, RFC 9051 2.3.1, RFC 1939 11; RFC 2045 2.9 (binary data), RFC 2046 4.1.1 (lines of text end in
CRLF, whatever the encoding), RFC 3516 4.4 (APPEND of binary data)
"""

import re

from whimbrel.mail.structure.mime import LEAF, Part, parse
from whimbrel.mail.structure.outline import encodes_nothing

_BINARY = re.compile(rb"^content-transfer-encoding[ \t]*:", re.I | re.M)


def bare(content: bytes) -> int:
    """How many LFs stand without a CR before them. Four milliseconds for each MiB."""
    return content.count(b"\n") - content.count(b"\r\n")


def binary_parts(content: bytes) -> list[tuple[int, int]]:
    """Where the contents of parts without lines begin and end, in order: no text, in binary transfer encoding or with
    NULs as they are (data that was appended so); and text in binary transfer encoding with NULs (UTF-16). An LF in them
    is an octet like any other."""
    nul = b"\0" in content
    if not nul and (not _BINARY.search(content) or b"binary" not in content.lower()):
        return []
    spans: list[tuple[int, int]] = []
    stack: list[Part] = [parse(content)]
    while stack:
        part = stack.pop()
        stack.extend(reversed(part.children))
        if part.kind != LEAF or part.end <= part.text or not encodes_nothing(part.encoding):
            continue
        binary, text = part.encoding == b"binary", part.main in (b"text", b"message")
        if (binary and not text) or ((binary or not text) and nul and content.find(b"\0", part.text, part.end) >= 0):
            spans.append((part.text, part.end))
    return spans


def for_clients(content: bytes) -> bytes:
    """A message as clients get it: each line ends in CRLF, but for the octets of binary parts, which stay."""
    if not bare(content):
        return content
    pieces: list[bytes] = []
    at = 0
    for start, end in binary_parts(content):
        pieces += (with_crlf(content[at:start]), content[start:end])
        at = end
    return b"".join((*pieces, with_crlf(content[at:])))


def with_crlf(content: bytes) -> bytes:
    """Each line ends in CRLF; a CR that stands alone stays."""
    if content.count(b"\n") == content.count(b"\r\n"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
