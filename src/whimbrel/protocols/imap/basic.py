"""Commands of any state and signing in: CAPABILITY, NOOP, LOGOUT, ID, STARTTLS, LOGIN, AUTHENTICATE, ENABLE, NAMESPACE.

Standards: RFC 3501 6.1, 6.2; RFC 4959 (SASL-IR), RFC 2971 (ID), RFC 5161 (ENABLE), RFC 2342 (NAMESPACE)
"""

import binascii
from dataclasses import dataclass, field

from whimbrel.protocols.imap.cursor import BadSyntax, Cursor
from whimbrel.protocols.imap.grammar import ANY, BEFORE, IN_MAILBOX, SIGNED_IN, Arguments, Part, Rule

MAX_ID_PAIRS = 30
MAX_ID_KEY, MAX_ID_VALUE = 30, 1024
MAX_ENABLE = 64


@dataclass(frozen=True, slots=True)
class Capability(Arguments):
    pass


@dataclass(frozen=True, slots=True)
class Noop(Arguments):
    pass


@dataclass(frozen=True, slots=True)
class Check(Arguments):
    pass


@dataclass(frozen=True, slots=True)
class Logout(Arguments):
    pass


@dataclass(frozen=True, slots=True)
class StartTls(Arguments):
    pass


@dataclass(frozen=True, slots=True)
class Namespace(Arguments):
    pass


@dataclass(frozen=True, slots=True)
class Id(Arguments):
    """What the client says of itself; values that were NIL are left out."""

    fields: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Enable(Arguments):
    """Names in capitals."""

    capabilities: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Login(Arguments):
    name: str
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate(Arguments):
    """`initial` is decoded; None if the client sent none."""

    mechanism: str
    initial: bytes | None = field(repr=False)


def base64_line(line: bytes) -> bytes:
    """A SASL response. BadSyntax."""
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        raise BadSyntax("Not base64") from None


def _id(cursor: Cursor) -> Id:
    cursor.space()
    if cursor.data[cursor.at : cursor.at + 3].upper() == b"NIL":
        cursor.at += 3
        return Id(())
    cursor.expect(b"(", "Expected a list or NIL")
    fields: list[tuple[bytes, bytes]] = []
    for count, _ in enumerate(cursor.items()):
        key = cursor.string()
        cursor.space()
        value = cursor.nstring()
        if count >= MAX_ID_PAIRS or len(key) > MAX_ID_KEY or len(value or b"") > MAX_ID_VALUE:
            raise BadSyntax("Too much in ID")  # RFC 2971 3.3
        if value is not None:
            fields.append((key, value))
    return Id(tuple(fields))


def _enable(cursor: Cursor) -> Enable:
    names: list[bytes] = []
    while not cursor.ended and len(names) < MAX_ENABLE:
        cursor.space()
        names.append(cursor.atom("Expected a capability").upper())
    if not names:
        raise BadSyntax("Missing argument")
    return Enable(tuple(names))


def _login(cursor: Cursor) -> Login:
    cursor.space()
    name = cursor.text()
    cursor.space()
    return Login(name, cursor.astring())


def _authenticate(cursor: Cursor) -> Authenticate:
    cursor.space()
    mechanism = cursor.atom("Expected a mechanism").decode("ascii").upper()
    if cursor.ended:
        return Authenticate(mechanism, None)
    cursor.space()
    initial = cursor.data[cursor.at :]
    cursor.at = len(cursor.data)
    # RFC 4959 3: "=" stands for an initial response of no octets.
    return Authenticate(mechanism, b"" if initial == b"=" else base64_line(initial))


PART = Part(
    commands={
        b"CAPABILITY": Rule(lambda _: Capability(), ANY),
        b"NOOP": Rule(lambda _: Noop(), ANY),
        b"LOGOUT": Rule(lambda _: Logout(), ANY),
        b"CHECK": Rule(lambda _: Check(), IN_MAILBOX),
        b"STARTTLS": Rule(lambda _: StartTls(), BEFORE),
        b"LOGIN": Rule(_login, BEFORE),
        b"AUTHENTICATE": Rule(_authenticate, BEFORE),
        b"ID": Rule(_id, ANY),
        b"ENABLE": Rule(_enable, SIGNED_IN),
        b"NAMESPACE": Rule(lambda _: Namespace(), SIGNED_IN),
    }
)
