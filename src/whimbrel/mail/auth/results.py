"""Authentication-Results: writing our own, and knowing those that claim to be ours.

Standards: RFC 8601 2.2 (syntax), 2.3 (properties), 2.7 (results), 5 (removing what strangers wrote in our name),
RFC 7601 and RFC 5451 (older forms of it), RFC 6008 (header.b)
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Domain
from whimbrel.mail.structure.header import Field
from whimbrel.mail.writing.compose import clean, fold

NAME: Final = b"authentication-results"
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~@/-]+\Z")
_LONGEST: Final = 200
_COMMENTS: Final = 20
"""How deep comments may stand in each other before nobody reads them."""


@dataclass(frozen=True, slots=True)
class Method:
    """What one method said. `properties`: `("smtp.mailfrom", "a@b.test")`."""

    name: str
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()


def written(authserv_id: str, methods: Sequence[Method]) -> bytes:
    """The field, folded. Without any method it says that nothing was done."""
    parts = [f"Authentication-Results: {authserv_id}"]
    for method in methods:
        words = [f"{method.name}={method.result}"]
        if method.reason:
            words.append(f"reason={_value(method.reason, quoted=True)}")
        words += [f"{name}={_value(value)}" for name, value in method.properties if value]
        parts.append(" ".join(words))
    if not methods:
        parts.append("none")
    return b";\r\n\t".join(fold(part).removesuffix(b"\r\n") for part in parts) + b"\r\n"


def claiming(fields: Iterable[Field], names: frozenset[str]) -> tuple[bytes, ...]:
    """The fields, as they stand there, which say that one of `names` (lower case) wrote them, or hide who did."""
    return tuple(dict.fromkeys(each.raw for each in fields if each.name.lower() == NAME and _claims(each.value, names)))


def _claims(value: bytes, names: frozenset[str]) -> bool:
    text = value.decode("utf-8", "replace")
    at = _past_comments(text, 0)
    if at < 0:
        return True  # A comment without end: whoever reads it more generously may see our name.
    if text.startswith('"', at):
        match = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, at)
        if match is None:
            return True
        name = re.sub(r"\\(.)", r"\1", match[1])
    else:
        name = re.compile(r"[^\s;(]*").match(text, at)[0]  # type: ignore[index]  # It matches everything.
    name = name.strip().strip(".").lower()
    try:
        name = str(Domain(name))
    except ValueError:
        pass
    return name in names


def _past_comments(text: str, at: int) -> int:
    """Behind white space and comments; -1 if one does not end."""
    depth = 0
    while at < len(text):
        letter = text[at]
        if letter == "(":
            depth += 1
            if depth > _COMMENTS:
                return -1
        elif depth and letter == ")":
            depth -= 1
        elif depth and letter == "\\":
            at += 1
        elif not depth and not letter.isspace():
            return at
        at += 1
    return -1 if depth else at


def _value(text: str, *, quoted: bool = False) -> str:
    text = clean(text, _LONGEST)
    if not quoted and _TOKEN.match(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
