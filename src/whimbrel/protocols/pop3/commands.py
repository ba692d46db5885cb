"""POP3 commands: the events a session gets, and how a line is read.

Standards: RFC 1939 3, 5-7, 9; RFC 2449 3-5 (CAPA, command lines); RFC 2595 4 (STLS); RFC 5034 4 (AUTH);
RFC 6856 2 (UTF8), 3 (LANG)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import MAX_NAME, MAX_PASSWORD, SaslError, from_base64

MAX_DIGITS = 10
"""Of a message number or a count of lines."""
MAX_MECHANISM = 20
MAX_LANGUAGE = 35
"""Of a language tag. RFC 5646 4.4.1"""


class State(Enum):
    """RFC 1939 3. UPDATE is what the session does between Quit and its reply."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"


class BadCommand(Exception):
    """A line that is no command; its text is for the peer and holds nothing of the line."""


@dataclass(frozen=True, slots=True)
class Capa:
    pass


@dataclass(frozen=True, slots=True)
class Quit:
    pass


@dataclass(frozen=True, slots=True)
class Stls:
    pass


@dataclass(frozen=True, slots=True)
class Utf8:
    pass


@dataclass(frozen=True, slots=True)
class Lang:
    """Empty: the client asks which there are."""

    tag: str


@dataclass(frozen=True, slots=True)
class User:
    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    password: Secret


@dataclass(frozen=True, slots=True)
class Auth:
    """`mechanism` in capitals; empty: the client asks which there are. `initial` is decoded."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stat:
    pass


@dataclass(frozen=True, slots=True)
class List:
    """None: all messages."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Uidl:
    number: int | None


@dataclass(frozen=True, slots=True)
class Retr:
    number: int


@dataclass(frozen=True, slots=True)
class Top:
    number: int
    lines: int


@dataclass(frozen=True, slots=True)
class Dele:
    number: int


@dataclass(frozen=True, slots=True)
class Rset:
    pass


@dataclass(frozen=True, slots=True)
class Noop:
    pass


Command = Capa | Quit | Stls | Utf8 | Lang | User | Pass | Auth | Stat | List | Uidl | Retr | Top | Dele | Rset | Noop


def parse(line: bytes, state: State) -> Command:
    """Reads a line without its end. BadCommand if it is not a command, or none of this state."""
    keyword, space, rest = line.partition(b" ")
    if keyword == b"RETR" and state is State.TRANSACTION and rest.isdigit() and len(rest) <= MAX_DIGITS:
        return Retr(int(rest))  # By far the most, thousands in a row.
    rule = _RULES.get(keyword.upper())
    if rule is None:
        raise BadCommand("Unknown command")
    states, read = rule
    if state not in states:
        raise BadCommand("Not now: sign in first" if state is State.AUTHORIZATION else "Not now: you are signed in")
    return read(rest if space else b"")


def _none(command: Command) -> Callable[[bytes], Command]:
    def read(rest: bytes) -> Command:
        if rest.strip(b" "):
            raise BadCommand("No argument expected")
        return command

    return read


def _number(text: bytes) -> int:
    if not 0 < len(text) <= MAX_DIGITS or not text.isdigit():
        raise BadCommand("Expected a message number")
    return int(text)


def _one(rest: bytes) -> int:
    return _number(rest.strip(b" "))


def _optional(rest: bytes) -> int | None:
    return _one(rest) if rest.strip(b" ") else None


def _top(rest: bytes) -> Top:
    words = rest.split()
    if len(words) != 2:
        raise BadCommand("Expected a message number and a number of lines")
    return Top(_number(words[0]), _number(words[1]))


def _text(octets: bytes, limit: int, what: str) -> str:
    if not 0 < len(octets) <= limit:
        raise BadCommand(f"Expected a {what}")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise BadCommand(f"The {what} is not UTF-8") from None
    if any(char < " " or char == "\x7f" for char in text):
        raise BadCommand(f"The {what} holds control characters")
    return text


def _user(rest: bytes) -> User:
    return User(_text(rest.strip(b" "), MAX_NAME, "name"))


def _pass(rest: bytes) -> Pass:
    # RFC 1939 7: spaces belong to the password.
    return Pass(Secret(_text(rest, MAX_PASSWORD, "password")))


def _lang(rest: bytes) -> Lang:
    tag = rest.strip(b" ")
    if len(tag) > MAX_LANGUAGE or (tag != b"*" and not tag.replace(b"-", b"").isalnum() and tag):
        raise BadCommand("Expected a language")
    return Lang(tag.decode("ascii"))


def _auth(rest: bytes) -> Auth:
    words = rest.split()
    if not words:
        # Quirk (Outlook 2010 and older): AUTH alone asks for the list of mechanisms.
        return Auth("", None)
    name = words[0]
    if len(words) > 2 or len(name) > MAX_MECHANISM or not name.replace(b"-", b"").replace(b"_", b"").isalnum():
        raise BadCommand("Expected a mechanism and perhaps an initial response")
    initial = None
    if len(words) == 2:
        # RFC 5034 4: a lone "=" is an initial response of no octets.
        initial = b"" if words[1] == b"=" else response(words[1])
    return Auth(name.decode("ascii").upper(), initial)


def response(line: bytes) -> bytes:
    """A SASL response out of its base64. BadCommand if it is none."""
    try:
        return from_base64(line)
    except SaslError as error:
        raise BadCommand(f"SASL response: {error}") from None


_BEFORE = frozenset({State.AUTHORIZATION})
_AFTER = frozenset({State.TRANSACTION})
_BOTH = _BEFORE | _AFTER

_RULES: dict[bytes, tuple[frozenset[State], Callable[[bytes], Command]]] = {
    b"CAPA": (_BOTH, _none(Capa())),
    b"QUIT": (_BOTH, _none(Quit())),
    b"STLS": (_BEFORE, _none(Stls())),
    b"UTF8": (_BEFORE, _none(Utf8())),
    b"LANG": (_BOTH, _lang),
    b"USER": (_BEFORE, _user),
    b"PASS": (_BEFORE, _pass),
    b"AUTH": (_BEFORE, _auth),
    b"STAT": (_AFTER, _none(Stat())),
    b"LIST": (_AFTER, lambda rest: List(_optional(rest))),
    b"UIDL": (_AFTER, lambda rest: Uidl(_optional(rest))),
    b"RETR": (_AFTER, lambda rest: Retr(_one(rest))),
    b"TOP": (_AFTER, _top),
    b"DELE": (_AFTER, lambda rest: Dele(_one(rest))),
    b"RSET": (_AFTER, _none(Rset())),
    b"NOOP": (_AFTER, _none(Noop())),
}
