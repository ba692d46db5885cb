"""Value types that settings are made of, each with the form in which a person writes it."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


def text_schema(read: Callable[[Any], Any], form: str) -> CoreSchema:
    """How pydantic reads a value with `read`, writes it as text, and describes it as `format: form`."""
    return core_schema.no_info_plain_validator_function(
        read,
        serialization=core_schema.to_string_ser_schema(),
        json_schema_input_schema=core_schema.str_schema(),
        metadata={"pydantic_js_updates": {"type": "string", "format": form}},
    )


_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_LONGEST = 1e15
"""Seconds: what no bound is above, and a float can still be."""
_LARGEST = 1 << 62
"""Octets: what a 64-bit counter still holds, in files and in SQLite."""
_SIZE = re.compile(r"(\d{1,15})\s*([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)\Z")


class Size(int):
    """A number of bytes, written `50M` (K, M, G, T are powers of 1024)."""

    def __new__(cls, value: int | str) -> "Size":
        if isinstance(value, int) and not isinstance(value, bool):
            return int.__new__(cls, value)
        match = _SIZE.match(str(value).strip())
        if not match:
            raise ValueError(f"'{value}' is not a size: a whole number such as 50M")
        octets = int(match[1]) * _UNITS[match[2].upper()]
        if octets > _LARGEST:
            raise ValueError(f"'{value}' is more than any disk holds: a whole number such as 50M")
        return int.__new__(cls, octets)

    def __str__(self) -> str:
        for unit in "TGMK":
            if self and self % _UNITS[unit] == 0:
                return f"{int(self) // _UNITS[unit]}{unit}"
        return int.__repr__(self)

    __repr__ = __str__

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return text_schema(cls, "size")


class Duration(float):
    """A span of time in seconds, written `90s`, `15m`, `4h`, `5d`, `2w`."""

    def __new__(cls, value: float | str) -> "Duration":
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float.__new__(cls, min(value, _LONGEST))
        match = _DURATION.match(str(value).strip().lower())
        if not match or match[2] not in _SECONDS:
            raise ValueError(f"'{value}' is not a duration, such as 4h")
        return float.__new__(cls, float(match[1]) * _SECONDS[match[2]])

    def __str__(self) -> str:
        if self and float(self).is_integer():
            for unit in "wdhm":
                if self % _SECONDS[unit] == 0:
                    return f"{int(self // _SECONDS[unit])}{unit}"
            return f"{int(self)}s"
        return f"{float(self):g}s"

    __repr__ = __str__

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return text_schema(cls, "duration")


def refuse_bare(kind: object, value: object, default: float | None = None) -> None:
    """ValueError: `value`, typed by a person for a Size or Duration, is a small number without a unit: who writes 30
    for how long something is kept means days, and would get seconds. `default` tells how large values usually are."""
    number = str(value).strip()
    if isinstance(value, int | float) or not number.isascii() or not number.isdigit() or len(number) > 15:
        return
    if not int(number):
        return
    if kind is Size and int(number) < 1 << 16:
        raise ValueError(f"'{number}' would be so many bytes: write {number}M or {number}B")
    if kind is Duration and int(number) < (60 if default is not None and default < 3600 else 86400):
        longer = "m" if default is not None and default < 86400 else "d"
        raise ValueError(f"'{number}' would be so many seconds: write {number}{longer} or {number}s")


class Secret(str):
    """Text that is never shown: its repr and its serialised form are `********`; `reveal()` gives it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('********')" if self else "Secret('')"

    def __str__(self) -> str:
        return "********" if str.__len__(self) else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The secret itself, as a plain str. Only where it is used or written to its file."""
        return str.__str__(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return text_schema(lambda value: cls(value.reveal() if isinstance(value, Secret) else value), "password")


_HOST = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63}){0,126}\.?")


def _normal_address(host: str) -> str:
    """An address has one spelling, or two listeners on it would be taken for different ones; an IPv4 address that is
    mapped into IPv6 is the IPv4 address (RFC 4291 2.5.5.2). ValueError"""
    if ":" not in host and host.strip("0123456789."):
        if host != "*" and not _HOST.fullmatch(host):
            raise ValueError(f"'{host}' is no name or address of a host")
        return host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"'{host}' is not an IP address, such as 127.0.0.1 or ::1") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


class HostPort(str):
    """`host:port`, `[v6]:port` or `*:port`; `host` and `port` are its parts."""

    host: str
    port: int

    def __new__(cls, text: str) -> "HostPort":
        host, colon, port = str(text).strip().rpartition(":")
        plain = port.isascii() and port.isdigit() and len(port) <= 5
        if not colon or not host or not plain or int(port) > 65535:
            raise ValueError(f"'{text}' is not address:port, such as 127.0.0.1:25 or [::]:25")
        name = _normal_address(host.strip("[]"))
        self = str.__new__(cls, f"[{name}]:{int(port)}" if ":" in name else f"{name}:{int(port)}")
        self.host, self.port = name, int(port)
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return text_schema(cls, "hostport")
