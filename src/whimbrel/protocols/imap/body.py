"""BODY from BODYSTRUCTURE: the same without its extension data, made from the bytes on the wire.

Standards: RFC 3501 6.4.5 (BODY), 9 (body, body-ext-1part, body-ext-mpart)
"""

import re
from functools import lru_cache

_TOKEN = re.compile(rb' |\(|\)|"[^"\\]*(?:\\.[^"\\]*)*"|\{(\d{1,10})\}\r\n|[^ ()"{]+', re.S)


@lru_cache(1024)
def plain_body(structure: bytes) -> bytes:
    """ValueError if `structure` is not a BODYSTRUCTURE."""
    body, _ = _body(structure, 0)
    return body


def _token(data: bytes, at: int) -> int:
    """Where the token at `at` ends."""
    match = _TOKEN.match(data, at)
    if not match:
        raise ValueError("not a body structure")
    return match.end() + int(match[1] or 0)


def _value(data: bytes, at: int) -> int:
    """Where the value at `at` ends: a string, an atom or a whole list."""
    depth = 0
    while True:
        first = data[at : at + 1]
        at = _token(data, at)
        depth += (first == b"(") - (first == b")")
        if depth <= 0:
            return at


def _close(data: bytes, at: int) -> int:
    """Passes over what is left of a list."""
    while not data.startswith(b")", at):
        at = _value(data, at)
    return at + 1


def _body(data: bytes, at: int) -> tuple[bytes, int]:
    if not data.startswith(b"(", at):
        raise ValueError("not a body structure")
    at += 1
    if data.startswith(b"(", at):
        return _multipart(data, at)
    values: list[bytes] = []

    def take() -> None:
        nonlocal at
        at += data.startswith(b" ", at)
        end = _value(data, at)
        values.append(data[at:end])
        at = end

    for _ in range(7):  # type, subtype, parameters, id, description, encoding, size
        take()
    kind = values[0].upper()
    if kind == b'"TEXT"':
        take()
    elif kind == b'"MESSAGE"' and data.startswith(b" (", at):
        take()  # The envelope; a media type without one has only extension data here, which begins with MD5.
        inner, at = _body(data, at + 1)
        values.append(inner)
        take()
    return b"(" + b" ".join(values) + b")", _close(data, at)


def _multipart(data: bytes, at: int) -> tuple[bytes, int]:
    parts: list[bytes] = []
    while data.startswith(b"(", at):
        part, at = _body(data, at)
        parts.append(part)
        if data.startswith(b" (", at):
            at += 1
    at += data.startswith(b" ", at)
    end = _value(data, at)
    return b"(" + b"".join(parts) + b" " + data[at:end] + b")", _close(data, end)
