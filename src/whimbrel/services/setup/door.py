"""Who may set up a server that nobody owns yet: whoever has the one-time code, which its console shows.

A code of 16 letters has 79 bits; attempts are counted all the same, for each host alone: nobody who guesses keeps out
who has it. Who gave it has a session
held by a cookie and a token against forged requests. Both end with the set-up.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_LONGEST: Final = 64
HOST_ATTEMPTS: Final = 5
"""Wrong codes that a host may give in `WINDOW`."""
_MOST_WRONG: Final = 10_000
"""Wrong codes that are remembered; the oldest go."""
WINDOW: Final = 60.0
"""Seconds."""
_MOST_SESSIONS: Final = 8
"""The oldest gives way: whoever has the code is the same person with another browser."""
SESSION: Final = 12 * 3600.0
"""Seconds for which a session lives."""


class WrongCode(Exception):
    """That is not the code."""


class Locked(Exception):
    """Too many wrong codes: `seconds` until another may be tried."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who gave the code."""

    cookie: str = field(repr=False)
    csrf: str = field(repr=False)
    ends: float = 0.0


class Door:
    def __init__(self, code: str, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that only grow."""
        self._code, self._clock = folded(code).encode(), clock
        self._sessions: dict[str, Session] = {}
        self._wrong: list[tuple[float, str]] = []

    def enter(self, code: str, host: str) -> Session:
        """WrongCode, Locked."""
        now = self._clock()
        self._wrong = [each for each in self._wrong if now - each[0] < WINDOW]
        self._wrong = self._wrong[-_MOST_WRONG:]
        own = [when for when, each in self._wrong if each == host]
        if len(own) >= HOST_ATTEMPTS:
            raise Locked(int(own[0] + WINDOW - now) + 1)
        given = folded(code[:_LONGEST]).encode("utf-8", "surrogatepass")
        if not self._code or not hmac.compare_digest(given, self._code):
            self._wrong.append((now, host))
            raise WrongCode
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now + SESSION)
        self._sessions[session.cookie] = session
        return session

    def session(self, cookie: str) -> Session | None:
        """Whose cookie that is."""
        session = self._sessions.get(cookie)
        return session if session is not None and self._clock() < session.ends else None

    def leave(self, session: Session) -> None:
        self._sessions.pop(session.cookie, None)

    def close(self) -> None:
        """The code is worth nothing any more. Who is in stays."""
        self._code = b""


def folded(code: str) -> str:
    """As it is compared: without what people add or leave out when they type it."""
    return "".join(char for char in code.casefold() if char not in "- \t\r\n")
