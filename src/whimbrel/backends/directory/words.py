"""By which words people are found: of the name and of the address, folded."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

MAX_WORDS: Final = 16
"""Of one person."""
_BETWEEN: Final = re.compile(r"[\s._\-,;'\"()<>/]+")


def words_of(*texts: str) -> tuple[str, ...]:
    """The words of these texts, each once; texts as they are, too, so that `anna.m` finds `anna.maier`."""
    words: dict[str, None] = {}
    for text in texts:
        text = folded(text)
        words |= dict.fromkeys(word for word in (text, *_BETWEEN.split(text)) if word)
    return tuple(words)[:MAX_WORDS]


def asked(prefix: str) -> tuple[str, ...]:
    """The words of what somebody typed, longest first: it leaves the fewest."""
    text = folded(prefix.partition("@")[0] if "@" in prefix else prefix)
    return tuple(sorted({word for word in text.split() if word}, key=len, reverse=True))[:4]


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def end_of(prefix: str) -> str:
    """Behind all that begins with `prefix`."""
    return prefix + "\U0010ffff"


def fits(words: Sequence[str], prefixes: Sequence[str]) -> bool:
    return all(any(word.startswith(prefix) for word in words) for prefix in prefixes)
