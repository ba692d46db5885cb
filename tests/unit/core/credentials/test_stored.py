"""Keys beside the verifier, and the id of a credential."""

import pytest

from whimbrel.core.credentials.scram import ScramKeys
from whimbrel.core.credentials.stored import StoredPassword, check_beside, own_id
from whimbrel.core.values import Secret

OLD, NEW = Secret("$argon2id$old"), Secret("$argon2id$new")
KEYS = ScramKeys.of("pencil", b"0123456789abcdef", 4096)


def stored(verifier: Secret = OLD, credential: str = "") -> StoredPassword:
    return StoredPassword(verifier, credential, {"SCRAM-SHA-256": Secret(KEYS.text())})


def test_what_is_written_is_read_again() -> None:
    made = stored(credential="abc")
    assert StoredPassword.read(OLD, made.beside()) == made
    check_beside(made.beside().reveal())


def test_keys_of_a_former_password_never_count() -> None:
    """The former release, and whoever edits the file, writes a verifier and leaves the keys as they are."""
    read_again = StoredPassword.read(NEW, stored(credential="abc").beside())
    assert read_again.keys == {}
    assert read_again.id == own_id(NEW) != "abc"


def test_an_id_outlives_its_verifier() -> None:
    """A verifier made anew of the same password keeps the id of the first one."""
    first = StoredPassword.read(OLD, Secret(""))
    assert first.beside() == ""
    anew = StoredPassword(NEW, first.id)
    assert StoredPassword.read(NEW, anew.beside()).id == first.id == own_id(OLD)


def test_no_password_has_no_id_and_no_keys() -> None:
    assert StoredPassword.read(Secret(""), stored().beside()) == StoredPassword(Secret(""))
    assert StoredPassword(Secret("")).beside() == ""


def test_words_of_a_newer_release_are_no_fault() -> None:
    beside = Secret(stored(credential="abc").beside().reveal() + " until=2031 SCRAM-SHA-512$1:a$b:c")
    check_beside(beside.reveal())
    assert StoredPassword.read(OLD, beside).keys["SCRAM-SHA-256"] == KEYS.text()


@pytest.mark.parametrize("text", ["secret", "id=a of=b secret", "a$b " * 20])
def test_what_is_no_list_of_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="keys"):
        check_beside(text)


def test_nothing_of_it_is_shown() -> None:
    shown = repr(stored()) + repr(KEYS) + str(stored().beside())
    assert "old" not in shown
    assert KEYS.text().rpartition(":")[2] not in shown
