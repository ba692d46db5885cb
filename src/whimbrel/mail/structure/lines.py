"""Ends of lines. Clients of IMAP and POP3 know CRLF alone; a message that came by APPEND may have bare LFs.

Standards: RFC 5322 2.3, RFC 9051 2.3.1, RFC 1939 11; RFC 2045 2.9 (binary data), RFC 3516 4.4 (APPEND of it)
"""

import re

_BINARY = re.compile(rb"^content-transfer-encoding:(?:[ \t]*\r?\n)?[ \t]*binary\b", re.I | re.M)


def bare(content: bytes) -> int:
    """How many LFs stand without a CR before them. Four milliseconds for each MiB."""
    return content.count(b"\n") - content.count(b"\r\n")


def binary(content: bytes) -> bool:
    """A part is no text in lines: an LF in it is an octet like any other."""
    return b"\0" in content or _BINARY.search(content) is not None


def for_clients(content: bytes) -> bytes:
    """A message as clients get it: each line ends in CRLF, but for binary data, which stays as it came."""
    return with_crlf(content) if bare(content) and not binary(content) else content


def with_crlf(content: bytes) -> bytes:
    """Each line ends in CRLF; a CR that stands alone stays."""
    if content.count(b"\n") == content.count(b"\r\n"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
