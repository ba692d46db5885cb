"""Verifiers."""

import pytest

from whimbrel.core.values import Secret
from whimbrel.services.session.passwords import NOBODY, hash_password, is_verifier, needs_rehash, verify_password


def test_a_verifier_fits_its_password_alone_and_has_its_own_salt() -> None:
    one, two = hash_password(Secret("p\u00e4ss")), hash_password(Secret("p\u00e4ss"))
    assert one.reveal() != two.reveal()
    assert one.reveal().startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(one, Secret("p\u00e4ss"))
    assert not verify_password(one, Secret("pass"))
    assert not verify_password(one, Secret(""))


@pytest.mark.parametrize("verifier", ["", "p", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$x$x", "{PLAIN}p"])
def test_what_is_no_verifier_fits_nothing(verifier: str) -> None:
    assert not verify_password(Secret(verifier), Secret("p"))
    assert not needs_rehash(Secret(verifier)) or verifier.startswith("$argon2id$v=19")


def test_endless_passwords_are_never_right() -> None:
    endless = Secret("a" * 1025)
    assert not verify_password(hash_password(endless), endless)


def test_the_verifier_of_nobody_costs_what_others_cost() -> None:
    assert is_verifier(NOBODY.reveal())
    assert not needs_rehash(NOBODY)
    assert not is_verifier("secret")
