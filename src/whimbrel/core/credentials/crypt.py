"""crypt(3) without libcrypt: MD5-crypt and SHA-crypt. Python has had no `crypt` since 3.13.

SHA-crypt is "Unix crypt using SHA-256 and SHA-512" (Drepper, version 0.6); MD5-crypt is FreeBSD's.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

_ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

SHA_ROUNDS: Final = 5000
"""Default of SHA-crypt."""
MIN_ROUNDS: Final = 1000
"""Lower counts are raised to this."""
MAX_PASSWORD: Final = 512
"""Octets, as in libxcrypt: each round hashes the whole password, so that a long one costs more than the rounds tell."""


def md5_crypt(password: bytes, salt: bytes, magic: bytes = b"$1$") -> str:
    """Returns the 22 characters after the salt."""
    inner = hashlib.md5(password + salt + password, usedforsecurity=False).digest()
    digest = hashlib.md5(password + magic + salt, usedforsecurity=False)
    digest.update(_repeated(inner, len(password)))
    count = len(password)
    while count:
        digest.update(b"\0" if count & 1 else password[:1])
        count >>= 1
    final = digest.digest()
    for number in range(1000):
        step = password if number & 1 else final
        if number % 3:
            step += salt
        if number % 7:
            step += password
        step += final if number & 1 else password
        final = hashlib.md5(step, usedforsecurity=False).digest()
    return _text(final, _MD5_ORDER)


def sha256_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    """Returns the 43 characters after the salt."""
    return _text(_sha_crypt(hashlib.sha256, password, salt, rounds), _SHA256_ORDER)


def sha512_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    """Returns the 86 characters after the salt."""
    return _text(_sha_crypt(hashlib.sha512, password, salt, rounds), _SHA512_ORDER)


def _sha_crypt(hasher: Callable[[bytes], Any], password: bytes, salt: bytes, rounds: int) -> bytes:
    inner: bytes = hasher(password + salt + password).digest()
    first = password + salt + _repeated(inner, len(password))
    count = len(password)
    while count:
        first += inner if count & 1 else password
        count >>= 1
    final: bytes = hasher(first).digest()
    spread = _repeated(hasher(password * len(password)).digest(), len(password))
    salted = _repeated(hasher(salt * (16 + final[0])).digest(), len(salt))
    # What is added in a round repeats every 42 rounds: the sums are made once.
    before = [spread if n & 1 else b"" for n in range(42)]
    middle = [(salted if n % 3 else b"") + (spread if n % 7 else b"") for n in range(42)]
    odd_rounds = [before[n] + middle[n] for n in range(42)]
    even_rounds = [middle[n] + spread for n in range(42)]
    for number in range(rounds):
        n = number % 42
        final = hasher(odd_rounds[n] + final if number & 1 else final + even_rounds[n]).digest()
    return final


def _repeated(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


Order = tuple[tuple[int, ...], ...]
"""Octets that are encoded together, most significant first."""


def _rotated(count: int, third: int, step: int) -> Order:
    """Returns the order of SHA-crypt: three columns that rotate from row to row."""
    rows = []
    columns = (0, third, 2 * third)
    for number in range(count):
        turn = (number * step) % 3
        rows.append(tuple(columns[(place + turn) % 3] + number for place in range(3)))
    return tuple(rows)


_MD5_ORDER: Final[Order] = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (11,))
_SHA256_ORDER: Final[Order] = (*_rotated(10, 10, 2), (31, 30))
_SHA512_ORDER: Final[Order] = (*_rotated(21, 21, 1), (63,))


def _text(digest: bytes, order: Order) -> str:
    """Encodes as crypt does: three octets as four characters, the lowest six bits first."""
    characters = []
    for places in order:
        value = 0
        for place in places:
            value = value << 8 | digest[place]
        for _ in range(len(places) + 1):
            characters.append(_ALPHABET[value & 63])
            value >>= 6
    return "".join(characters)
