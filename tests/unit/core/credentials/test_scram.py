"""Keys of SCRAM, beside the RFC."""

import base64

import pytest

from whimbrel.core.credentials.scram import ITERATIONS, ScramKeys

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")  # RFC 7677 3
KEYS = ScramKeys.of("pencil", SALT, 4096)


def test_keys_of_the_rfc_are_those_of_other_servers() -> None:
    # PostgreSQL's pg_authid form of the same password, salt and iterations.
    assert KEYS.text() == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_keys_are_read_as_they_are_written() -> None:
    assert ScramKeys.read(KEYS.text()) == KEYS
    assert KEYS.fit("pencil")
    assert not KEYS.fit("pencils")


def test_ours_take_a_hundred_thousand_iterations() -> None:
    assert ITERATIONS >= 100_000
    assert ScramKeys.of("x", SALT).iterations == ITERATIONS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SCRAM-SHA-256",
        KEYS.text().replace("4096", "4095"),
        KEYS.text().replace("4096", "99999999999"),
        KEYS.text().replace("4096", "-1"),
        KEYS.text().replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
        KEYS.text().replace("SHA-256", "SHA-1"),
        KEYS.text()[:-4],
        KEYS.text() + "$",
    ],
)
def test_what_is_no_set_of_keys_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="SCRAM") as refused:
        ScramKeys.read(text)
    assert "wfPLwcE6" not in str(refused.value)


def test_a_name_without_keys_has_the_same_salt_each_time_and_no_password() -> None:
    first, again = ScramKeys.unknown(b"key", "eve"), ScramKeys.unknown(b"key", "eve")
    assert (first.salt, first.iterations) == (again.salt, again.iterations)
    assert len(first.salt) == 16
    assert first.salt != ScramKeys.unknown(b"key", "mallory").salt
    assert first.salt != ScramKeys.unknown(b"other", "eve").salt


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("I\u00adX", "IX"),  # RFC 4013 3
        ("\u2168", "IX"),
        ("\u00aa", "a"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0031", "\u0627\u0031"),  # prohibited: as it is
        ("\U0001f426", "\U0001f426"),  # unassigned in Unicode 3.2: as it is
    ],
)
def test_a_password_is_prepared_as_scram_clients_do(typed: str, same: str) -> None:
    assert ScramKeys.of(typed, SALT, 4096) == ScramKeys.of(same, SALT, 4096)
