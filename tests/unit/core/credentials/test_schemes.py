"""Verifiers of other servers: each scheme by values that others published, and what is refused of each."""

import base64
import hashlib
import importlib
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.core.credentials.schemes import normal, password_or_verifier, read
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.values import Secret

BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

DOVECOT = [  # src/auth/test-libpassword.c
    "{MD5}$1$wmyrgRuV$kImF6.9MAFQNHe23kq5vI/",
    "{SHA1}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
    "{SMD5}JTu1KRwptKZJg/RLd+6Vn5GUd0M=",
    "{LDAP-MD5}CY9rzUYh03PK3k6DJie09g==",
    "{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
    "{SHA512}7iaw3Ur350mqGo7jwQrpkj9hiYB3Lkc/iBml1JQODbJ6wYX4oOHV+E+IvIh/1nsUNzLDBMxfqa2Ob1f1ACio/w==",
    "{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO",
    "{MD5-CRYPT}$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/",
    "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a",
    "{SCRAM-SHA-256}4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,"
    "AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/hsQmmc317k",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$vBb99oJ12p3WAdYlaMHz1A$jtFOtbo/sYV9OSlTxDo/nVNq3uArHd5GJSEx0ty85Cc",
]
OTHERS = [
    # "Unix crypt using SHA-256 and SHA-512", its test values
    ("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"),
    ("$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!"),
    (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!",
    ),
    ("{CRYPT}$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1", "U*U*U*U*"),  # John the Ripper
    ("{SHA}at+xg6SiyUovktq1redipHiJpaE=", "helloworld"),  # passlib, tests of its handlers
    ("{MD5}/F4DjTilcDIIVEHn/nAQsA==", "helloworld"),
    (
        "{SSHA512}dOeDLmVpHJThhHeag10Hm2g4T7s3SBE6rGHcXUolXJHVufY4qT782rwZ/0XE6cuLcBZ0KpnwmUzRpAEtZBdv+JYEEtZQs/uC",
        "password",
    ),
    ("$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ", "password"),  # passlib
    (
        "$pbkdf2-sha256$1212$3SABFJGDtyhrQMVt1uABPw$WyaUoqCLgvz97s523nF4iuOqZNbp5Nt8do/cuaa7AiI",
        "\u0399\u03c9\u03b1\u03bd\u03bd\u03b7\u03c2",
    ),
    ("$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI", "password"),
    (
        "$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI"
        ".BzY/YTNJOiKc5gBYFYGww",
        "password",
    ),
    ("pbkdf2_sha256$10000$kjVJaVz6qsnJ$5yPHw3rwJGECpUf70daLGhOrQ5+AMxIJdz1c3bqK1Rs=", "not a password"),
    ("pbkdf2_sha1$2000$oXU0iQ556kX0$3cOtTIobajGhM5LzTnitescC2rA=", "password"),  # made with passlib
    ("{PBKDF2-SHA256}2000$SMlZaw3BOCfEuLd2bk2ptQ$WAfknAWoGSKdmGrJTj7Ex5J8aecWDdiZPySZlrPljqw", "password"),
    ("{SSHA256}czO44OTV17PcF1cRxWrLZLy9xHd7CWyVYplr1rOhuMlx/7IK", "test123"),  # nsscrypt
    ("{SHA1.hex}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "test"),
    ("{SHA}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "test"),
    ("{PLAIN-MD5}098f6bcd4621d373cade4e832627b4f6", "test"),
]


BCRYPTS = [  # crypt_blowfish, wrapper.c; Dovecot
    (BCRYPT, "U*U"),
    (f"{{CRYPT}}{BCRYPT}", "U*U"),
    ("{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW", "test"),
]


@pytest.mark.parametrize(("verifier", "password"), BCRYPTS)
def test_bcrypt_fits(verifier: str, password: str) -> None:
    pytest.importorskip("bcrypt")
    assert read(Secret(verifier)).fits(password)
    assert not read(Secret(verifier)).fits(password + "x")
    assert not read(Secret(verifier)).fits(password + "\0")


def test_of_a_long_password_bcrypt_looks_at_the_beginning() -> None:
    bcrypt = pytest.importorskip("bcrypt")
    verifier = read(Secret(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()))
    assert verifier.fits("x" * 72)
    assert verifier.fits("x" * 100)
    assert not verifier.fits("x" * 71)


def test_what_dovecot_made_fits() -> None:
    for verifier in DOVECOT:
        assert read(Secret(verifier)).fits("test"), verifier
        assert not read(Secret(verifier)).fits("Test"), verifier


@pytest.mark.parametrize(("verifier", "password"), OTHERS)
def test_published_values_fit_their_passwords(verifier: str, password: str) -> None:
    assert read(Secret(verifier)).fits(password)
    assert not read(Secret(verifier)).fits(password + "x")
    assert not read(Secret(verifier)).fits("")


@pytest.mark.parametrize("verifier", [*DOVECOT, *(verifier for verifier, _ in [*OTHERS, *BCRYPTS])])
def test_the_form_that_is_kept_is_one_that_the_former_release_starts_with(verifier: str) -> None:
    kept = normal(Secret(verifier))
    assert kept.reveal().startswith("$")
    assert read(kept).scheme == read(Secret(verifier)).scheme
    assert normal(kept) == kept


@pytest.mark.parametrize(
    ("verifier", "says"),
    [
        ("secret", "not a password"),
        ("", "not a password"),
        ("{SSHA}", "20 octets"),
        ("{SSHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "20 octets and a salt"),
        ("{SHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO", "20 octets"),
        ("{SHA256}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "32 octets"),
        ("{SHA}no.base.64", "base64"),
        ("{SHA.hex}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "hexadecimal"),
        ("{SHA.b32}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "hex or b64"),
        ("{SHA512-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "begins with $6$"),
        ("{BLF-CRYPT}$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1", "begins with $2a$"),
        ("{ARGON2ID}$argon2i$v=19$m=32768,t=4,p=1$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE", "begins with $argon2id$"),
        ("{CRYPT}//EsnG9FLTKjo", "begins with"),
        ("{PLAIN}test", "in clear"),
        ("{CLEARTEXT.b64}dGVzdA==", "in clear"),
        ("{CRAM-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6", "no scheme"),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "cannot be checked"),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "costs 31"),
        ("$2b$05$short", "53 characters"),
        ("$6$rounds=999999999$salt$" + "a" * 86, "1000000 rounds"),
        ("$6$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8", "43 or 86"),
        ("$argon2id$v=19$m=4194304,t=2,p=1$d2hpbWJyZWw$bm8gcGFzc3dvcmQgZXZlcg", "m up to"),
        ("$argon2id$v=19$m=19456,t=4000,p=1$d2hpbWJyZWw$bm8gcGFzc3dvcmQgZXZlcg", "t up to"),
        ("$argon2id$oops", "PHC"),
        ("$pbkdf2-sha256$99999999$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ", "rounds"),
        ("$pbkdf2-sha512$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ", "32 octets"),
        ("{PBKDF2}$1$salt$0$50a83cafdc517b9f46519415e53c6a858908680a", "rounds"),
        ("{SCRAM-SHA-256}1,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CI,AQH0j7Hf", "iterations"),
        ("{SHA}" + "A" * 2000, "at most"),
        ("{SHA}\x00", "printable"),
    ],
)
def test_a_value_unlike_its_label_is_refused_and_not_shown(verifier: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read(Secret(verifier))
    assert says in str(refused.value)
    tail = verifier.rpartition("}")[2].rpartition("$")[2]
    assert len(tail) < 8 or tail not in str(refused.value)


def test_a_verifier_shows_nothing_of_itself() -> None:
    assert BCRYPT not in repr(read(Secret(BCRYPT)))


@pytest.mark.parametrize("verifier", [*DOVECOT, BCRYPT])
def test_a_ready_verifier_may_stand_for_a_password(verifier: str) -> None:
    assert password_or_verifier(Secret(verifier)) == StoredPassword(normal(Secret(verifier)))


@pytest.mark.parametrize("text", ["${SHA}xx", "{ssha}broken", "$6$broken", "$y$x$y", "$argon2id$x", "{DES-CRYPT}abc"])
def test_what_begins_like_a_verifier_is_meant_as_one_and_must_be_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        password_or_verifier(Secret(text))


@pytest.mark.parametrize(
    ("text", "password"),
    [(text, text) for text in ("secret", "{curly}braces", "$ecret", "$1", "$12$x", "{SHA", "pbkdf2", "", "$$$$", "{}")]
    + [("{PLAIN}{SHA}x", "{SHA}x"), ("{cleartext}p", "p"), ("{PLAIN}", "")],
)
def test_a_password_is_not_taken_for_a_verifier(text: str, password: str) -> None:
    assert password_or_verifier(Secret(text)) == Secret(password)


@pytest.mark.parametrize("stored", ["caf\u00e9 \u212b", "cafe\u0301 A\u030a", "cafe\u0301 \u00c5"])
@pytest.mark.parametrize("typed", ["caf\u00e9 \u00c5", "cafe\u0301 A\u030a"])
def test_a_password_fits_however_it_was_spelt_when_it_was_set(stored: str, typed: str) -> None:
    verifier = "{SSHA}" + base64.b64encode(hashlib.sha1(stored.encode() + b"salt").digest() + b"salt").decode()
    if stored != "caf\u00e9 \u212b" and stored != "cafe\u0301 \u00c5":  # Neither NFC nor NFD: only as it was typed.
        assert read(Secret(verifier)).fits(typed)
    assert read(Secret(verifier)).fits(stored)


@pytest.mark.parametrize("form", ["$1$%s", "$5$%s", "$5$rounds=1400$%s", "$6$%s", "$6$rounds=1000$%s"])
@settings(deadline=None)
@given(st.text("./abcXYZ019", min_size=1, max_size=8), st.text(max_size=80))
def test_crypt_is_that_of_the_system(form: str, salt: str, password: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            system: Any = importlib.import_module("crypt")
        except ImportError:
            pytest.skip("this Python has no crypt to compare with")
    try:
        made = system.crypt(password, form % salt)
    except (ValueError, UnicodeError):
        return  # NUL, surrogates
    assert read(Secret(made)).fits(password)
    assert not read(Secret(made)).fits(password + "x")
