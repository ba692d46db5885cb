"""A SASL exchange: what a mechanism asks for, one thing after another, until it knows who the client is.

Sans-IO. A mechanism is a generator: it yields what it wants next, and is sent the answer. What it wants of the client
is a `Challenge`; what it wants of whoever keeps the secrets (a password verified, stored keys, a token, a step of a
security context, a certificate) says so itself, so that one driver runs every mechanism for every protocol. The octets
are without base64: each protocol wraps them in its own way, and `from_base64` undoes the usual one.

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
    """The exchange cannot go on: what the client sent is not of the mechanism. Its text holds nothing of it."""


class Rejected(Exception):
    """What the client sent is of the mechanism, and proves nothing: wrong password, wrong proof, another's identity.
    The text is for the security log; the client is told what it is told of a wrong password."""


# What a mechanism wants


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent; the answer is the client's response, octets."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Whether the password of `name` is this one: True or False."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class LookUpKeys:
    """What is stored for `name` under `scheme` (`SCRAM-SHA-256`): a Secret in the scheme's own form. Of a name without
    keys, keys that no password fits, the same at each time."""

    name: str
    scheme: str


@dataclass(frozen=True, slots=True)
class CheckResponse:
    """Whether `response` answers `challenge` by the secret of `name`, for schemes where only another has the secret (a
    domain controller for NTLM): True or False."""

    name: str
    scheme: str
    challenge: bytes
    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Whether a bearer token is one of `name` (empty: of whoever it says): True or False. RFC 7628"""

    name: str
    token: Secret


@dataclass(frozen=True, slots=True)
class AcceptContext:
    """One step of a security context (GSSAPI, SPNEGO): a ContextStep. RFC 4752, RFC 2743"""

    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContextStep:
    """`data` for the peer; `name` of the initiator once the context is complete, empty before."""

    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class MatchCertificate:
    """Whether the client's certificate is one of `name`: True or False. RFC 4422 appendix A"""

    name: str


Want = Challenge | CheckPassword | LookUpKeys | CheckResponse | CheckToken | AcceptContext | MatchCertificate
Answer = bytes | bool | Secret | ContextStep | None
"""None only for the first step, which starts the generator."""


@dataclass(frozen=True, slots=True)
class Success:
    """Who the client is (`name`), whom it wants to be (`authzid`, empty: the same), octets for it to check us by."""

    name: str
    authzid: str = ""
    data: bytes = b""


Exchange = Generator[Want, Answer, Success]
"""One run of a mechanism. Raises SaslError, Rejected; whoever drives it closes it."""


class Form(Enum):
    """What a mechanism verifies with: decides where it can succeed."""

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
    """Data of the TLS channel by type: `tls-exporter` (RFC 9266), `tls-server-end-point` (RFC 5929 4, of the
    certificate that SNI chose); None: not to be had."""
    nonce: Callable[[], str] = lambda: ""
    """Fresh, printable, without commas; at least 18 characters."""
    offered: Callable[[], Collection[str]] = tuple
    """Mechanisms that the client was offered. RFC 5802 6"""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A mechanism's server side. `plain`: whoever listens learns the secret. `scheme`: which stored keys it needs."""

    name: str
    form: Form
    start: Callable[[bytes | None, Channel], Exchange] = field(repr=False)
    """Given the initial response, None if there was none."""
    scheme: str = ""
    plain: bool = False
    binds: bool = False
    """Needs the data of a TLS channel."""


# Asking, with the answer's type


def ask(data: bytes) -> Generator[Want, Answer, bytes]:
    """Sends a challenge; the client's response, bounded."""
    response = yield Challenge(data)
    answer = _of(bytes, response)
    if len(answer) > MAX_RESPONSE:
        raise SaslError("response too long")
    return answer


def check(want: CheckPassword | CheckResponse | CheckToken | MatchCertificate) -> Generator[Want, Answer, bool]:
    """Whether it is right."""
    return _of(bool, (yield want))


def keys(name: str, scheme: str) -> Generator[Want, Answer, Secret]:
    """Stored keys."""
    return _of(Secret, (yield LookUpKeys(name, scheme)))


def accept(token: bytes) -> Generator[Want, Answer, ContextStep]:
    """A step of a security context."""
    return _of(ContextStep, (yield AcceptContext(token)))


def _of(kind: type[A], answer: Answer) -> A:
    if not isinstance(answer, kind):
        raise TypeError(f"a {kind.__name__} was wanted")
    return answer


# Octets


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
    return read_text(octets)


def read_password(octets: bytes) -> Secret:
    if not octets or len(octets) > MAX_PASSWORD:
        raise SaslError("a password has 1 to 1024 octets")
    return Secret(read_text(octets))


def read_text(octets: bytes) -> str:
    """UTF-8 without control characters. SaslError"""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("not UTF-8") from None
    if _CONTROL.search(text):
        raise SaslError("control characters are not allowed")
    return text
