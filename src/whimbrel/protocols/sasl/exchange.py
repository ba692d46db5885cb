"""SASL exchanges as generators, and the types that mechanisms and their driver share.

Sans-IO. A mechanism yields what it needs next and is sent the answer: a `Challenge` is for the client; everything else
(a password to verify, stored keys, a token, a step of a security context, a certificate) is for whoever has the
secrets. So one driver runs every mechanism for every protocol. Octets come without base64: each protocol encodes them
in its own way, and `from_base64` decodes the usual one.

Standards: RFC 4422 3 (the exchange), 3.6 (additional data with success), RFC 4648 4 (base64)
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from whimbrel.core.values import Secret

A = TypeVar("A")

MAX_RESPONSE: Final = 8192
"""Decoded octets of one response."""
MAX_NAME: Final = 320
MAX_PASSWORD: Final = 1024
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


class SaslError(Exception):
    """A message of the client is malformed: the exchange ends. The text does not quote it."""


class Rejected(Exception):
    """Authentication failed: wrong password, wrong proof, foreign identity. The text is for the security log; the
    client gets the same reply for every reason."""


# What a mechanism needs


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send it to the client; answer with the response (bytes)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Verify the password of `name`; answer True or False."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class LookUpKeys:
    """Look up the keys of `name` for `scheme` (`SCRAM-SHA-256`); answer with a Secret in the scheme's text form. For a
    user without keys, answer with keys that no password matches, the same each time."""

    name: str
    scheme: str


@dataclass(frozen=True, slots=True)
class CheckResponse:
    """Verify that `response` answers `challenge` with the secret of `name`, for schemes whose secret another server has
    (a domain controller for NTLM); answer True or False."""

    name: str
    scheme: str
    challenge: bytes
    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Verify a bearer token of `name` (empty: of the user that the token names); answer True or False. RFC 7628"""

    name: str
    token: Secret


@dataclass(frozen=True, slots=True)
class AcceptContext:
    """Take one step of a security context (GSSAPI, SPNEGO); answer with a ContextStep. RFC 4752, RFC 2743"""

    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContextStep:
    """`data` for the peer; `name` of the initiator once the context is complete, empty before."""

    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class MatchCertificate:
    """Verify that the client's TLS certificate belongs to `name`; answer True or False. RFC 4422 appendix A"""

    name: str


Want = Challenge | CheckPassword | LookUpKeys | CheckResponse | CheckToken | AcceptContext | MatchCertificate
Answer = bytes | bool | Secret | ContextStep | None
"""None only for the first step, which starts the generator."""


@dataclass(frozen=True, slots=True)
class Success:
    """Authentication identity `name`, authorisation identity `authzid` (empty: the same), additional data."""

    name: str
    authzid: str = ""
    data: bytes = b""


Exchange = Generator[Want, Answer, Success]
"""One run of a mechanism. Raises SaslError, Rejected; the driver closes it."""


class Form(Enum):
    """What a mechanism verifies; decides where it can succeed."""

    PASSWORD = 1
    KEYS = 2
    RESPONSE = 3
    TOKEN = 4
    CONTEXT = 5
    CERTIFICATE = 6


@dataclass(frozen=True, slots=True)
class Channel:
    """The connection as a mechanism sees it."""

    binding: Callable[[str], bytes | None] = lambda _kind: None
    """Returns channel binding data by type: `tls-exporter` (RFC 9266), `tls-server-end-point` (RFC 5929 4, of the
    certificate that SNI chose), `tls-unique` (RFC 5929 3). None: not available."""
    nonce: Callable[[], str] = lambda: ""
    """Returns a fresh nonce: printable, without commas, at least 18 characters."""
    offered: Callable[[], Collection[str]] = tuple
    """Returns the mechanisms that the client was offered. RFC 5802 6"""


@dataclass(frozen=True, slots=True, eq=False)
class Mechanism:
    """The server side of a mechanism. `plain`: it sends the secret itself. `scheme`: the stored keys it needs."""

    name: str
    form: Form
    start: Callable[[bytes | None, Channel], Exchange] = field(repr=False)
    """Takes the initial response, None if there was none."""
    scheme: str = ""
    plain: bool = False
    binds: bool = False
    """It needs channel binding data."""


# Asking, with the answer's type


def ask(data: bytes) -> Generator[Want, Answer, bytes]:
    """Sends a challenge; returns the response, bounded in length."""
    response = yield Challenge(data)
    answer = _of(bytes, response)
    if len(answer) > MAX_RESPONSE:
        raise SaslError("response too long")
    return answer


def check(want: CheckPassword | CheckResponse | CheckToken | MatchCertificate) -> Generator[Want, Answer, bool]:
    """Returns True if it is verified."""
    return _of(bool, (yield want))


def keys(name: str, scheme: str) -> Generator[Want, Answer, Secret]:
    """Returns stored keys."""
    return _of(Secret, (yield LookUpKeys(name, scheme)))


def accept(token: bytes) -> Generator[Want, Answer, ContextStep]:
    """Takes a step of a security context."""
    return _of(ContextStep, (yield AcceptContext(token)))


def _of(kind: type[A], answer: Answer) -> A:
    if not isinstance(answer, kind):
        raise TypeError(f"a {kind.__name__} was wanted")
    return answer


# Octets


def from_base64(text: bytes) -> bytes:
    """Decodes base64 strictly: no line breaks, no other characters, right padding. SaslError. RFC 4648 4"""
    if len(text) > MAX_RESPONSE * 4 // 3 + 4:
        raise SaslError("response too long")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("not base64") from None


def read_name(octets: bytes) -> str:
    """Reads a user name: UTF-8, not empty, no control characters. SaslError"""
    if not octets or len(octets) > MAX_NAME:
        raise SaslError("a user name has 1 to 320 octets")
    return read_text(octets)


def read_password(octets: bytes) -> Secret:
    if not octets or len(octets) > MAX_PASSWORD:
        raise SaslError("a password has 1 to 1024 octets")
    return Secret(read_text(octets))


def read_text(octets: bytes) -> str:
    """Reads UTF-8 without control characters. SaslError"""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("not UTF-8") from None
    if _CONTROL.search(text):
        raise SaslError("control characters are not allowed")
    return text
