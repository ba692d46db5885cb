"""Verifiers of passwords: argon2id in PHC form. Heavy on purpose (19 MiB, about 20 ms): callers use a Pool.

Standards: RFC 9106 (argon2), PHC string format.
"""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from whimbrel.core.values import Secret

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)

MAX_PASSWORD: Final = 1024
"""Characters; longer ones are never right."""

NOBODY: Final = Secret(
    "$argon2id$v=19$m=19456,t=2,p=1$d2hpbWJyZWwgbm9ib2R5IQ$bm8gcGFzc3dvcmQgZXZlciBoYXMgdGhpcyBkaWdlc3Q"
)
"""A verifier that no password fits. Unknown users are checked against it, so that they take the same time."""


def hash_password(password: Secret) -> Secret:
    """A verifier with a salt of its own."""
    return Secret(_HASHER.hash(password.reveal()))


def verify_password(verifier: Secret, password: Secret) -> bool:
    """False for a wrong password, and for a verifier that is not argon2. The comparison takes constant time."""
    if len(password) > MAX_PASSWORD:
        return False
    try:
        return _HASHER.verify(verifier.reveal(), password.reveal())
    except (Argon2Error, InvalidHashError, UnicodeError):
        return False


def is_verifier(text: str) -> bool:
    """Whether `text` is a verifier that `verify_password` reads."""
    try:
        _HASHER.check_needs_rehash(text)
    except InvalidHashError:
        return False
    return text.startswith("$argon2id$")


def needs_rehash(verifier: Secret) -> bool:
    """Made with other parameters than ours today."""
    try:
        return _HASHER.check_needs_rehash(verifier.reveal())
    except InvalidHashError:
        return False
