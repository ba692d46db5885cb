"""Message identifiers and what a message answers.

Standards: RFC 5322 3.6.4 (Message-ID, In-Reply-To, References), RFC 5256 3 (which of them make a thread)
"""

import re

_ID = re.compile(rb"<([^<>]{1,995})>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
_PAIR = re.compile(r"\\(.)", re.S)
_SPACE = bytes(range(33)) + b"\x7f"
MAX_REFERENCES = 100
_MAX_ID = 995


def identifiers(value: bytes) -> list[str]:
    """The ids in a field, each with its angle brackets, without space inside. Of very many the first and the last."""
    if (
        value.count(b"<") == 1
        and value.startswith(b"<")
        and value.endswith(b">")
        and value.isascii()
        and b" " not in value
    ):
        return [value.decode("ascii")] if 2 < len(value) <= _MAX_ID else []
    octets = _ID.findall(value)
    if len(octets) > MAX_REFERENCES:
        octets = octets[:1] + octets[1 - MAX_REFERENCES :]
    ids = [f"<{raw.translate(None, _SPACE).decode('utf-8', 'replace')}>" for raw in octets]
    return [identifier for identifier in ids if len(identifier) > 2]


def normal(identifier: str) -> str:
    """An id as it is compared: quotes are no part of it, `<"01KF"@x>` is `<01KF@x>`. RFC 5256 3"""
    if '"' not in identifier:
        return identifier
    return _QUOTED.sub(lambda match: _PAIR.sub(r"\1", match[1]), identifier)


def message_id(value: bytes | None) -> str:
    """The first id of a Message-ID field; one without brackets as it stands."""
    if not value:
        return ""
    ids = identifiers(value)
    if ids:
        return ids[0]
    return value[:_MAX_ID].translate(None, _SPACE).decode("utf-8", "replace")


def references(references: bytes | None, in_reply_to: bytes | None) -> tuple[str, ...]:
    """The messages above this one, the oldest first. RFC 5256 3: without References the first id of In-Reply-To."""
    ids = identifiers(references) if references else []
    if not ids and in_reply_to:
        ids = identifiers(in_reply_to)[:1]
    return tuple(ids)
