"""Macros of SPF: `%{ir}.%{v}._spf.%{d2}` becomes a name.

Standards: RFC 7208 7 (macros), 4.3 (postmaster), RFC 3986 2.3 (what URL escaping leaves)
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_MACRO: Final = re.compile(r"%(?:\{([a-zA-Z])(\d*)([rR]?)([.\-+,/_=]*)\}|([%_-]))")
_PLAIN: Final = {"%": "%", "_": " ", "-": "%20"}
_UNRESERVED: Final = re.compile(r"[^A-Za-z0-9._~-]")
MAX_NAME: Final = 253
"""Octets of a name; longer ones lose labels on the left. 7.3"""
LONGEST: Final = 8192
"""Characters that an expansion may have: short macros could stand for much."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: it does not change while records include each other."""

    ip: IPv4Address | IPv6Address
    local: str
    """Of the sender; `postmaster` where it has none. 4.3"""
    domain: str
    """Of the sender."""
    helo: str
    receiver: str = "unknown"
    """Our name, for explanations."""
    now: int = 0
    """Seconds since 1970, for explanations."""


async def expand(
    text: str, subject: Subject, domain: str, validated: Callable[[], Awaitable[str]], *, explaining: bool = False
) -> str:
    """`domain` is the one whose record is evaluated; `validated` finds the client's name (`%{p}`). The syntax of `text`
    has been looked at before."""
    out: list[str] = []
    at = size = 0
    for match in _MACRO.finditer(text):
        out.append(text[at : match.start()])
        at = match.end()
        if match[5]:
            out.append(_PLAIN[match[5]])
        else:
            value = await _value(match[1].lower(), subject, domain, validated, explaining=explaining)
            value = _transformed(value, match[2], bool(match[3]), match[4])
            out.append(_escaped(value) if match[1].isupper() else value)
        size += len(out[-1])
        if size > LONGEST:
            break
    out.append(text[at:])
    return "".join(out)[:LONGEST]


def cut(name: str) -> str:
    """A name that is too long loses labels on the left. 7.3"""
    name = name.removesuffix(".")
    while len(name) > MAX_NAME:
        _, dot, rest = name.partition(".")
        if not dot:
            return name
        name = rest
    return name


def dotted(ip: IPv4Address | IPv6Address) -> str:
    """`%{i}`: an IPv6 address as its 32 nibbles."""
    return str(ip) if isinstance(ip, IPv4Address) else ".".join(ip.exploded.replace(":", "").upper())


async def _value(
    letter: str, subject: Subject, domain: str, validated: Callable[[], Awaitable[str]], *, explaining: bool
) -> str:
    match letter:
        case "s":
            return f"{subject.local}@{subject.domain}"
        case "l":
            return subject.local
        case "o":
            return subject.domain
        case "d":
            return domain
        case "i":
            return dotted(subject.ip)
        case "p":
            return await validated()
        case "v":
            return "in-addr" if isinstance(subject.ip, IPv4Address) else "ip6"
        case "h":
            return subject.helo
    if explaining:
        return {"c": str(subject.ip), "r": subject.receiver, "t": str(subject.now)}.get(letter, "")
    return ""


def _transformed(value: str, digits: str, backwards: bool, delimiters: str) -> str:
    if not (digits or backwards or delimiters):
        return value
    parts = re.split(f"[{re.escape(delimiters)}]", value) if delimiters else value.split(".")
    if backwards:
        parts.reverse()
    if digits:
        parts = parts[-min(int(digits[:4]), len(parts)) :]
    return ".".join(parts)


def _escaped(value: str) -> str:
    return _UNRESERVED.sub(lambda match: "".join(f"%{octet:02X}" for octet in match[0].encode()), value)
