"""IMAP answers as trees, so that two servers' can be compared: lists, bytes, numbers, None for NIL."""

import re

Tree = bytes | int | None | list["Tree"]

_WORD = re.compile(rb"[^ ()\[\]\"{]+(?:\[[^\]]*\](?:<\d+>)?)?")


def read(data: bytes) -> list[Tree]:
    """All values in `data`. ValueError if it is not well formed."""
    stack: list[list[Tree]] = [[]]
    at, size = 0, len(data)
    while at < size:
        char = data[at : at + 1]
        if char == b"(":
            stack.append([])
            at += 1
        elif char == b")":
            if len(stack) == 1:
                raise ValueError(f"unopened list at {at}")
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif char == b" ":
            at += 1
        elif char == b'"':
            value, at = _quoted(data, at + 1)
            stack[-1].append(value)
        elif char == b"{":
            start = data.index(b"}\r\n", at) + 3
            length = int(data[at + 1 : start - 3])
            if start + length > size:
                raise ValueError("literal too short")
            stack[-1].append(data[start : start + length])
            at = start + length
        else:
            match = _WORD.match(data, at)
            if not match:
                raise ValueError(f"unexpected byte {char!r}")
            word = match[0]
            at = match.end()
            stack[-1].append(None if word.upper() == b"NIL" else int(word) if word.isdigit() else word)
    if len(stack) != 1:
        raise ValueError("unclosed list")
    return stack[0]


def _quoted(data: bytes, at: int) -> tuple[bytes, int]:
    """RFC 9051 9: quoted holds 7-bit text without CR, LF and NUL."""
    out = bytearray()
    while True:
        char = data[at]
        if char == 0x22:
            return bytes(out), at + 1
        if char == 0x5C:
            at += 1
            char = data[at]
            if char not in b'"\\':
                raise ValueError("only quotes and backslashes are escaped")
        elif char > 126 or char in b"\r\n\0":
            raise ValueError(f"byte {char} in a quoted string")
        out.append(char)
        at += 1


def fetched(parts: list[bytes | tuple[bytes, bytes]]) -> dict[bytes, Tree]:
    """What imaplib's `fetch` gave for one message, by attribute."""
    raw = b"".join(part[0] + b"\r\n" + part[1] if isinstance(part, tuple) else part for part in parts)
    values = read(raw)[1]
    assert isinstance(values, list)
    out: dict[bytes, Tree] = {}
    for name, value in zip(values[::2], values[1::2], strict=True):
        assert isinstance(name, bytes)
        out[name] = value
    return out
