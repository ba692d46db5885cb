"""What a SASL exchange is: challenges out, responses in, credentials at its end.

Sans-IO and without base64: each protocol wraps the bytes in its own way; `from_base64` undoes the usual one.
The caller checks the credentials; a mechanism only reads them.

Standards: RFC 4422 3 (the exchange), RFC 4648 4 (base64).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Protocol

from whimbrel.core.values import Secret

MAX_RESPONSE: Final = 8192
"""Decoded octets of one response."""
MAX_NAME: Final = 320
MAX_PASSWORD: Final = 1024


class SaslError(Exception):
    """The exchange cannot go on: what the client sent is not of the mechanism. Its text holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent; the client answers with a response."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client says it is. `authzid` is empty, or the same as `name`."""

    authzid: str
    name: str
    password: Secret


class Exchange(Protocol):
    """One run of a server mechanism."""

    @property
    def first(self) -> Challenge | Credentials:
        """Where the exchange stands after the client's initial response, or its absence."""
        ...

    def step(self, response: bytes) -> Challenge | Credentials:
        """Takes the response to the last challenge. SaslError ends the exchange."""
        ...


def from_base64(text: bytes) -> bytes:
    """RFC 4648 4, strictly: no line breaks, no other characters, right padding. SaslError if it is not that."""
    if len(text) > MAX_RESPONSE * 4 // 3 + 4:
        raise SaslError("response too long")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("not base64") from None


def read_name(octets: bytes) -> str:
    """A user name: UTF-8, not empty, no control characters."""
    if not octets or len(octets) > MAX_NAME:
        raise SaslError("a user name has 1 to 320 octets")
    return _text(octets)


def read_password(octets: bytes) -> Secret:
    if not octets or len(octets) > MAX_PASSWORD:
        raise SaslError("a password has 1 to 1024 octets")
    return Secret(_text(octets))


def _text(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("not UTF-8") from None
    if any(char < " " or char == "\x7f" for char in text):
        raise SaslError("control characters are not allowed")
    return text
