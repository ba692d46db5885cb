"""Hashes and verifies passwords: argon2id, with the keys of SCRAM-SHA-256 beside it.

Heavy on purpose (19 MiB and about 20 ms, 40 ms more for the keys): callers use a Pool.

Standards: RFC 9106 (argon2), RFC 5802 3
"""

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from whimbrel.core.credentials import schemes
from whimbrel.core.credentials.scram import ITERATIONS, SCRAM_SHA_256, ScramKeys
from whimbrel.core.credentials.spelling import MAX_PASSWORD, prepared
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.values import Secret

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)
_SALT: Final = 16

NOBODY: Final = Secret(
    "$argon2id$v=19$m=19456,t=2,p=1$d2hpbWJyZWwgbm9ib2R5IQ$bm8gcGFzc3dvcmQgZXZlciBoYXMgdGhpcyBkaWdlc3Q"
)
"""A verifier that no password matches. Users without one are checked against it, which takes the same time."""
_NOBODY: Final = schemes.read(NOBODY)


def hash_password(password: Secret) -> Secret:
    """Returns an argon2id verifier with a fresh salt."""
    return Secret(_HASHER.hash(prepared(password.reveal()).encode("utf-8", "surrogatepass")))


def make_password(password: Secret, *, credential: str = "") -> StoredPassword:
    """Returns all that is stored of a password. `credential` is the id to keep when the same password is rehashed."""
    keys = ScramKeys.of(password.reveal(), secrets.token_bytes(_SALT))
    return StoredPassword(hash_password(password), credential, {SCRAM_SHA_256: Secret(keys.text())})


def verify_password(verifier: Secret, password: Secret) -> bool:
    """Returns False for a wrong password, and for a verifier that cannot be read. Every failure takes at least one run
    of argon2id, or the response time would reveal who has which scheme, and who has no password."""
    if len(password) > MAX_PASSWORD:
        password = Secret("")
    try:
        stored = schemes.read(verifier)
    except ValueError:
        stored = _NOBODY
    right = bool(password) and stored.fits(password.reveal())
    if not right and not (stored.heavy and password):
        _NOBODY.fits(password.reveal())
    return right


def needs_upgrade(stored: StoredPassword) -> bool:
    """True if the verifier or the keys are not of today's scheme and parameters."""
    try:
        if _HASHER.check_needs_rehash(stored.verifier.reveal()):
            return True
        return ScramKeys.read(stored.keys[SCRAM_SHA_256].reveal()).iterations < ITERATIONS
    except (InvalidHashError, KeyError, ValueError):
        return True
