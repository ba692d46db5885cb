"""What is stored of a password."""

import base64
import hashlib

import pytest

from whimbrel.core.credentials.scram import ScramKeys
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.values import Secret
from whimbrel.services.session import passwords
from whimbrel.services.session.passwords import NOBODY, hash_password, make_password, needs_upgrade, verify_password

SHA = Secret("{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()).decode())


def test_a_verifier_fits_its_password_alone() -> None:
    first, second = hash_password(Secret("p\u00e4ss")), hash_password(Secret("p\u00e4ss"))
    assert first != second
    assert first.reveal().startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password(first, Secret("p\u00e4ss"))
    assert not verify_password(first, Secret("pass"))
    assert not verify_password(first, Secret(""))


@pytest.mark.parametrize(
    "verifier", ["", "secret", "$argon2id$nonsense", NOBODY.reveal(), "{PLAIN}p", "$2b$31$" + "a" * 53]
)
def test_what_is_no_verifier_fits_nothing(verifier: str) -> None:
    assert not verify_password(Secret(verifier), Secret("p"))


def test_an_endless_password_is_never_right() -> None:
    endless = Secret("x" * 2000)
    assert not verify_password(hash_password(endless), endless)


@pytest.mark.parametrize("set_as", ["caf\u00e9", "cafe\u0301"])
@pytest.mark.parametrize("typed", ["caf\u00e9", "cafe\u0301"])
def test_a_password_fits_composed_and_decomposed(set_as: str, typed: str) -> None:
    made = make_password(Secret(set_as))
    assert verify_password(made.verifier, Secret(typed))
    assert ScramKeys.read(made.keys["SCRAM-SHA-256"].reveal()).fit(typed)
    # As releases made it that knew no spellings.
    plain = Secret(passwords._HASHER.hash(set_as))
    assert verify_password(plain, Secret(typed))


@pytest.mark.parametrize(
    ("verifier", "runs"),
    [(Secret(""), 1), (Secret("no verifier"), 1), (NOBODY, 1), (SHA, 1), (Secret("$2b$31$" + "a" * 53), 1)],
)
def test_a_failure_takes_one_run_of_argon2_whatever_is_stored(
    verifier: Secret, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import argon2.low_level

    seen: list[object] = []
    verify = argon2.low_level.verify_secret
    monkeypatch.setattr(argon2.low_level, "verify_secret", lambda *given: seen.append(given) or verify(*given))
    assert not verify_password(verifier, Secret("wrong"))
    assert len(seen) == runs


def test_what_is_stored_is_made_anew_when_it_is_not_as_today() -> None:
    ours = make_password(Secret("secret"), credential="abc")
    assert ours.id == "abc"
    assert not needs_upgrade(ours)
    assert needs_upgrade(StoredPassword(ours.verifier))  # without keys
    assert needs_upgrade(StoredPassword(SHA, keys=ours.keys))
    weak = ScramKeys.of("secret", b"salt", 4096)
    assert needs_upgrade(StoredPassword(ours.verifier, keys={"SCRAM-SHA-256": Secret(weak.text())}))
    assert needs_upgrade(StoredPassword(Secret("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ"), keys=ours.keys))


def test_verifiers_of_others_are_checked() -> None:
    assert verify_password(SHA, Secret("secret"))
    assert not verify_password(SHA, Secret("Secret"))
