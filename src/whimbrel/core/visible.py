"""Characters that nobody sees: with them one name looks like another, or turns the words beside it around.

Standards: Unicode 15, UAX 9 (bidirectional controls), UTS 39 (what is confusable); RFC 8264 9.14 (ignorable)
"""

import unicodedata
from typing import Final

_JOINERS: Final = "\u200c\u200d"
"""Parts of words in Persian and in scripts of India; of emoji, too."""
_BLANKS: Final = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters without ink, which are no spaces either."""


def refuse_hidden(text: str) -> None:
    """ValueError names the first character that is a control of any kind, or is drawn as nothing at all."""
    if text.isascii() and text.isprintable():
        return
    for char in text:
        if char in _BLANKS or (unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in _JOINERS):
            name = unicodedata.name(char, "a control character")
            raise ValueError(f"holds a character that nobody sees (U+{ord(char):04X}, {name}): take it out")
