"""Unicode normalization of passwords.

Some keyboards send composed letters (NFC), others decomposed ones (NFD). New verifiers are made of the `prepared` form;
verifiers of unknown origin are tried with each of `spellings`.

Standards: RFC 8265 4.2 (OpaqueString: spaces, NFC), RFC 4013 (SASLprep, which SCRAM's clients apply), RFC 3454
"""

import stringprep
import unicodedata
from typing import Final

MAX_PASSWORD: Final = 1024
"""Characters; longer passwords never match."""


def prepared(password: str) -> str:
    """Returns the form to hash. No password is refused for its characters: RFC 8265 4.2 would forbid some that other
    servers have accepted for years."""
    if password.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced)


def spellings(password: str) -> tuple[str, ...]:
    """Returns the forms that a verifier of unknown origin may be made of, the likeliest first; at most three."""
    if password.isascii():
        return (password,)
    forms = (prepared(password), password, unicodedata.normalize("NFD", password))
    return tuple(dict.fromkeys(forms))


def saslprep(password: str) -> str:
    """Prepares by RFC 4013, unassigned code points allowed. Prohibited text is returned unchanged, as clients do."""
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
    """True for mixed-direction text that RFC 3454 6 prohibits."""
    if not any(map(stringprep.in_table_d1, text)):
        return False
    return (
        any(map(stringprep.in_table_d2, text))
        or not stringprep.in_table_d1(text[0])
        or not stringprep.in_table_d1(text[-1])
    )
