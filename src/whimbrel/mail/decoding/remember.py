"""A cache for what is worked out from header values: the same senders, types and names come again and again.

Long values are hostile or unique; they are worked out each time, so that a cache holds at most some hundred KiB.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")
_LONGEST = 400


def remember(count: int) -> Callable[[Callable[[bytes], T]], Callable[[bytes], T]]:
    """Decorates a pure function of one value: the latest `count` answers are kept."""

    def wrap(function: Callable[[bytes], T]) -> Callable[[bytes], T]:
        known = lru_cache(count)(function)

        def ask(value: bytes) -> T:
            return known(value) if len(value) < _LONGEST else function(value)

        ask.__doc__ = function.__doc__
        return ask

    return wrap
