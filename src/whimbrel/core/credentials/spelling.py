"""A password's spelling: which octets stand for what a person typed.

The same letter comes composed (NFC) from one keyboard and decomposed (NFD) from another. What is stored is made of one
spelling, `prepared`; what is checked against verifiers that others made is tried in each of `spellings`.

Standards: RFC 8265 4.2 (OpaqueString: spaces, NFC), RFC 4013 (SASLprep, which SCRAM's clients apply), RFC 3454
"""

import stringprep
import unicodedata
from typing import Final

MAX_PASSWORD: Final = 1024
"""Characters; a longer password is never right."""


def prepared(password: str) -> str:
    """What a verifier is made of. No password is refused for its characters: RFC 8265 4.2 would forbid some that other
    servers took for years."""
    if password.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced)


def spellings(password: str) -> tuple[str, ...]:
    """The octets that a verifier of unknown origin may have been made of, the likeliest first; at most three."""
    if password.isascii():
        return (password,)
    forms = (prepared(password), password, unicodedata.normalize("NFD", password))
    return tuple(dict.fromkeys(forms))


def saslprep(password: str) -> str:
    """RFC 4013 with unassigned code points allowed. What it prohibits stays as it is, as clients in use have it."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    text = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return password if not text or any(map(_prohibited, text)) or _mixed(text) else text


def _prohibited(char: str) -> bool:
    """RFC 4013 2.3"""
    return (
        stringprep.in_table_c12(char)
        or stringprep.in_table_c21_c22(char)
        or stringprep.in_table_c3(char)
        or stringprep.in_table_c4(char)
        or stringprep.in_table_c5(char)
        or stringprep.in_table_c6(char)
        or stringprep.in_table_c7(char)
        or stringprep.in_table_c8(char)
        or stringprep.in_table_c9(char)
    )


def _mixed(text: str) -> bool:
    """Right-to-left text that RFC 3454 6 does not allow."""
    if not any(map(stringprep.in_table_d1, text)):
        return False
    return (
        any(map(stringprep.in_table_d2, text))
        or not stringprep.in_table_d1(text[0])
        or not stringprep.in_table_d1(text[-1])
    )
