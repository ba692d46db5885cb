"""Mailbox patterns of LIST: `*` is anything, `%` anything within one level.

Standards: RFC 3501 6.3.8
"""

import asyncio
from collections.abc import Iterable, Sequence

from whimbrel.core.mailbox import DELIMITER, INBOX


class Pattern:
    """Matches in one pass over a name, whatever the pattern: all its positions are tried at once, as bits."""

    def __init__(self, pattern: str) -> None:
        states = 0
        places: dict[str, int] = {}
        stars = levels = 0
        for char in pattern:
            bit = 1 << states
            wild = bit >> 1 & (stars | levels)
            if char in "*%" and wild:
                # A run of wildcards is one: `*` if any of it is.
                if char == "*" and wild & levels:
                    levels ^= wild
                    stars |= wild
                continue
            if char == "*":
                stars |= bit
            elif char == "%":
                levels |= bit
            else:
                places[char] = places.get(char, 0) | bit
            states += 1
        self._places, self._stars, self._levels = places, stars, levels
        self._wild = stars | levels
        self._end = 1 << states
        self._least = states - self._wild.bit_count()
        """Characters that a name has at least: a long pattern costs nothing where names are short."""
        self.everything = pattern.strip("*") == "" and pattern != ""

    def matches(self, name: str) -> bool:
        if self.everything:
            return True
        if len(name) < self._least:
            return False
        places, stars, levels, wild = self._places, self._stars, self._levels, self._wild
        at = 1
        at |= (at & wild) << 1  # A wildcard may stand for nothing.
        for char in name:
            stay = at & (stars if char == DELIMITER else stars | levels)
            at = (at & places.get(char, 0)) << 1 | stay
            at |= (at & wild) << 1
            if not at:
                return False
        return bool(at & self._end)


class MailboxPattern:
    """A pattern for mailbox names, in which INBOX has no case. RFC 3501 5.1"""

    def __init__(self, pattern: str) -> None:
        self._exact, self._inbox = Pattern(pattern), Pattern(pattern.upper())

    def matches(self, name: str) -> bool:
        return self._inbox.matches(name) if name == INBOX else self._exact.matches(name)


AT_ONCE = 100_000
"""Characters compared before others have their turn, some hundredths of a second."""


async def matching(names: Iterable[str], patterns: Sequence[MailboxPattern]) -> set[str]:
    """Those that match one of `patterns`."""
    matched: set[str] = set()
    cost = 0
    for name in names:
        cost += len(name) * len(patterns)
        if cost > AT_ONCE:
            cost = 0
            await asyncio.sleep(0)
        if any(pattern.matches(name) for pattern in patterns):
            matched.add(name)
    return matched
