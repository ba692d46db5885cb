"""The text of an API token: `wbt_`, 43 random characters (256 bits), 6 of a checksum.

By the checksum a mistyped token is told from an unknown one without a look-up, and programs that search sources for
secrets know one when they see it.
"""

import hashlib
import zlib
from typing import Final

PREFIX: Final = "wbt_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 43, 6
LENGTH: Final = len(PREFIX) + _RANDOM + _CHECK


def new_token() -> str:
    import secrets  # Here: the command line's client makes none.

    text = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return text + _checksum(text)


def well_formed(text: str) -> bool:
    body, check = text[:-_CHECK], text[-_CHECK:]
    return len(text) == LENGTH and text.isascii() and body.startswith(PREFIX) and _checksum(body) == check


def digest(text: str) -> str:
    """What is kept of it: nobody guesses 256 bits, so a plain hash is enough."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
