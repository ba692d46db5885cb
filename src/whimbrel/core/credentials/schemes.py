"""Password verifiers: each scheme's syntax, limits and check. Checks are slow on purpose: run them off the loop.

Ours is argon2id. The others come from other servers, in users.cfg and in tables of users, and are replaced at the first
successful sign-in. Reading checks the syntax, so that a value unlike its label is refused by line, and bounds the cost
(rounds, memory), or a hostile verifier would hold a process for hours.

The forms are those of LDAP ({CRYPT}, {MD5}, {SHA}, {SSHA}), of Dovecot ({SHA512-CRYPT}, {SSHA256.HEX}, {PBKDF2}), of
crypt(3), and PBKDF2 as passlib, Django and OpenLDAP write it. Not among them: DES crypt, which is broken; yescrypt,
which no library has; NTLM, CRAM-MD5 and {PLAIN}, which are as good as the password itself.

Standards: RFC 9106 (argon2), RFC 2307 5.3 (labels)
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.credentials import crypt
from whimbrel.core.credentials.scram import ScramKeys
from whimbrel.core.credentials.spelling import spellings
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.values import Secret

MAX_MEMORY: Final = 256 * 1024
"""KiB that an argon2 verifier may ask for."""
MAX_PASSES: Final = 20
MAX_LANES: Final = 16
MAX_BCRYPT_COST: Final = 15
"""About two seconds."""
MAX_SHA_ROUNDS: Final = 1_000_000
MAX_PBKDF2_ROUNDS: Final = 10_000_000
MAX_VERIFIER: Final = 1024
"""Characters."""

Check = Callable[[bytes], bool]
"""Whether these octets are the password."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier that was read. `heavy`: a check costs at least as much as ours."""

    scheme: str
    check: Check = field(repr=False)
    heavy: bool = False
    check_text: Callable[[str], bool] | None = field(default=None, repr=False)
    """Replaces `check` for a scheme that prepares the password itself."""

    def fits(self, password: str) -> bool:
        """True if it matches the password in any of its spellings. Compares in constant time."""
        if self.check_text is not None:
            return self.check_text(password)
        for spelling in spellings(password):
            octets = spelling.encode("utf-8", "surrogatepass")
            if self.check(octets):
                return True
        return False


def read(text: Secret) -> Verifier:
    """Reads a verifier. ValueError says what is wrong without showing the value."""
    value = text.reveal().strip()
    if len(value) > MAX_VERIFIER or not value.isascii() or not value.isprintable():
        raise ValueError(f"a verifier is printable ASCII, at most {MAX_VERIFIER} characters")
    if value.startswith("${"):
        value = value[1:]
    if match := _LABEL.match(value):
        label, encoding, rest = match[1].upper(), (match[2] or "").lower(), match[3]
        scheme = _LABELS.get(label)
        if scheme is None:
            raise ValueError(_unknown(label))
        return scheme(label, rest, encoding)
    return _modular(value)


def normal(text: Secret) -> Secret:
    """Returns the form that users.cfg keeps: it begins with `$`, which the former release requires of any verifier.
    ValueError"""
    read(text)
    value = text.reveal().strip()
    return Secret(value if value.startswith("$") else f"${value}")


def password_or_verifier(text: Secret) -> StoredPassword | Secret:
    """Interprets what an administrator or a table gives as a password: a ready verifier, or the password itself.
    `{PLAIN}` marks a password that looks like a verifier. ValueError: it looks like one and is not supported."""
    value = text.reveal()
    match = _LABEL.match(value.removeprefix("$") if value.startswith("${") else value)
    if match and match[1].upper() in _CLEAR and not match[2]:
        return Secret(match[3])
    if (match and (match[1].upper() in _LABELS or match[1].isupper())) or _MODULAR.match(value):
        return StoredPassword(normal(text))
    return text


# Forms

_LABEL: Final = re.compile(r"\{([A-Za-z0-9_-]{1,32})(?:\.([A-Za-z0-9]{1,8}))?\}(.*)\Z", re.DOTALL)
_CLEAR: Final = ("PLAIN", "CLEARTEXT", "CLEAR")
_MODULAR: Final = re.compile(r"\$(?:argon2(?:id|i|d)|2[abxy]|1|5|6|y|7|pbkdf2[a-z0-9-]*)\$|\$?pbkdf2_sha(?:1|256)\$")


def _unknown(label: str) -> str:
    if label in _CLEAR:
        return f"{{{label}}} is a password in clear, which is never stored; set the password instead"
    return f"{{{label}}} is no scheme that can be checked here; known are {', '.join(sorted(_LABELS))}"


def _modular(value: str) -> Verifier:
    """`$scheme$...`, and Django's `pbkdf2_sha256$...`."""
    for prefix, form in _PREFIXES:
        if value.startswith(prefix):
            return form(value)
    if value.startswith(("$y$", "$7$", "$2x$")):
        raise ValueError(f"{value[: value.index('$', 1) + 1]} (crypt) cannot be checked here")
    raise ValueError("a verifier is meant, such as $argon2id$... or {SSHA}..., not a password")


_ARGON2: Final = re.compile(
    r"\$argon2(id|i|d)\$v=19\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,172})\Z"
)


def _argon2(value: str) -> Verifier:
    match = _ARGON2.match(value)
    if match is None:
        raise ValueError("$argon2...$ is not v=19, m, t, p, salt and hash as PHC writes them")
    memory, passes, lanes = int(match[2]), int(match[3]), int(match[4])
    if not (8 * lanes <= memory <= MAX_MEMORY and 1 <= passes <= MAX_PASSES and 1 <= lanes <= MAX_LANES):
        raise ValueError(
            f"argon2 may take m up to {MAX_MEMORY}, t up to {MAX_PASSES}, p up to {MAX_LANES}; these are m={memory}, "
            f"t={passes}, p={lanes}"
        )

    def check(password: bytes) -> bool:
        from argon2.exceptions import Argon2Error, InvalidHashError
        from argon2.low_level import Type, verify_secret

        kind = {"id": Type.ID, "i": Type.I, "d": Type.D}[match[1]]
        try:
            return verify_secret(value.encode(), password, kind)
        except (Argon2Error, InvalidHashError):
            return False

    return Verifier(f"argon2{match[1]}", check, heavy=memory * passes >= 2 * 19 * 1024)


_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}\Z")
_BCRYPT_PASSWORD: Final = 72
"""Octets that bcrypt uses; longer passwords are truncated, as everywhere."""


def _bcrypt(value: str) -> Verifier:
    match = _BCRYPT.match(value)
    if match is None:
        raise ValueError("bcrypt is $2b$, a cost of two digits, and 53 characters of salt and hash")
    cost = int(match[1])
    if not 4 <= cost <= MAX_BCRYPT_COST:
        raise ValueError(f"bcrypt may cost from 4 to {MAX_BCRYPT_COST}, this one costs {cost}")

    def check(password: bytes) -> bool:
        import bcrypt

        if b"\0" in password:
            return False
        return bcrypt.checkpw(password[:_BCRYPT_PASSWORD], value.encode())

    return Verifier("bcrypt", check, heavy=cost >= 9)


def _of_crypt(make: Callable[[bytes], str], wanted: str) -> Check:
    return lambda password: len(password) <= crypt.MAX_PASSWORD and hmac.compare_digest(make(password), wanted)


_MD5_CRYPT: Final = re.compile(r"\$1\$([./A-Za-z0-9]{0,8})\$([./A-Za-z0-9]{22})\Z")


def _md5_crypt(value: str) -> Verifier:
    match = _MD5_CRYPT.match(value)
    if match is None:
        raise ValueError("$1$ (MD5-crypt) has a salt of up to 8 characters, $, and 22 characters")
    salt, wanted = match[1].encode(), match[2]
    return Verifier("md5-crypt", _of_crypt(lambda password: crypt.md5_crypt(password, salt), wanted))


_SHA_CRYPT: Final = re.compile(r"\$([56])\$(?:rounds=(\d{1,9})\$)?([^$\s:]{0,16})\$([./A-Za-z0-9]{43,86})\Z")


def _sha_crypt(value: str) -> Verifier:
    match = _SHA_CRYPT.match(value)
    if match is None or len(match[4]) != (43 if match[1] == "5" else 86):
        raise ValueError("$5$ or $6$ (SHA-crypt) has perhaps rounds, a salt of up to 16, and 43 or 86 characters")
    rounds = max(int(match[2] or crypt.SHA_ROUNDS), crypt.MIN_ROUNDS)
    if rounds > MAX_SHA_ROUNDS:
        raise ValueError(f"SHA-crypt may take {MAX_SHA_ROUNDS} rounds, this one takes {rounds}")
    salt, wanted = match[3].encode(), match[4]
    make = crypt.sha256_crypt if match[1] == "5" else crypt.sha512_crypt
    return Verifier("sha-crypt", _of_crypt(lambda password: make(password, salt, rounds), wanted), rounds > 20_000)


_PASSLIB_PBKDF2: Final = re.compile(
    r"\$pbkdf2(?:-(sha256|sha512))?\$(\d{1,9})\$([./A-Za-z0-9]{0,128})\$([./A-Za-z0-9]+)\Z"
)
_DJANGO_PBKDF2: Final = re.compile(r"\$?pbkdf2_(sha1|sha256)\$(\d{1,9})\$([^$\s]{1,128})\$([A-Za-z0-9+/]+=*)\Z")
_DOVECOT_PBKDF2: Final = re.compile(r"\$1\$([^$\s]{1,128})\$(\d{1,9})\$([0-9a-fA-F]{40})\Z")
_OPENLDAP_PBKDF2: Final = re.compile(r"(\d{1,9})\$([./A-Za-z0-9]{1,128})\$([./A-Za-z0-9]+)\Z")


def _pbkdf2(digest: str, rounds: int, salt: bytes, wanted: bytes) -> Verifier:
    if not 1 <= rounds <= MAX_PBKDF2_ROUNDS:
        raise ValueError(f"PBKDF2 may take {MAX_PBKDF2_ROUNDS} rounds, this one takes {rounds}")
    if len(wanted) != hashlib.new(digest, usedforsecurity=False).digest_size:
        raise ValueError(f"PBKDF2 with {digest} does not give {len(wanted)} octets")

    def check(password: bytes) -> bool:
        return hmac.compare_digest(hashlib.pbkdf2_hmac(digest, password, salt, rounds, len(wanted)), wanted)

    return Verifier("pbkdf2", check, heavy=rounds >= 60_000)


def _passlib_pbkdf2(value: str) -> Verifier:
    match = _PASSLIB_PBKDF2.match(value)
    if match is None:
        raise ValueError("$pbkdf2-sha256$ has rounds, salt and hash, with $ between them")
    return _pbkdf2(match[1] or "sha1", int(match[2]), _ab64(match[3]), _ab64(match[4]))


def _django_pbkdf2(value: str) -> Verifier:
    match = _DJANGO_PBKDF2.match(value)
    if match is None:
        raise ValueError("pbkdf2_sha256$ has rounds, salt and hash, with $ between them")
    return _pbkdf2(match[1], int(match[2]), match[3].encode(), _base64(match[4], "pbkdf2_sha256$"))


def _ab64(text: str) -> bytes:
    """passlib's base64: `.` for `+`, no padding."""
    return _base64(text.replace(".", "+") + "=" * (-len(text) % 4), "PBKDF2")


_PREFIXES: Final[tuple[tuple[str, Callable[[str], Verifier]], ...]] = (
    ("$argon2", _argon2),
    ("$2a$", _bcrypt),
    ("$2b$", _bcrypt),
    ("$2y$", _bcrypt),
    ("$1$", _md5_crypt),
    ("$5$", _sha_crypt),
    ("$6$", _sha_crypt),
    ("$pbkdf2_", _django_pbkdf2),
    ("pbkdf2_", _django_pbkdf2),
    ("$pbkdf2", _passlib_pbkdf2),
)

# Labels

Labelled = Callable[[str, str, str], Verifier]
"""Takes the label, what follows it, and the encoding that the label names (b64, hex, or none)."""


def _modular_of(*prefixes: str) -> Labelled:
    """A label before a value in modular crypt format."""

    def form(label: str, rest: str, encoding: str) -> Verifier:
        if encoding or not rest.startswith(prefixes):
            raise ValueError(f"what follows {{{label}}} begins with {' or '.join(prefixes)}")
        return _modular(rest)

    return form


def _digest(digest: str, *, salted: bool = False) -> Labelled:
    """A hash of the password, or of password and salt with the salt appended."""
    size = hashlib.new(digest, usedforsecurity=False).digest_size

    def form(label: str, rest: str, encoding: str) -> Verifier:
        octets = _octets(rest, label, encoding, size, exact=not salted)
        wanted, salt = octets[:size], octets[size:]
        if len(wanted) < size or bool(salt) is not salted or len(salt) > 64:
            shape = f"{size} octets{' and a salt of up to 64' if salted else ''}"
            raise ValueError(f"{{{label}}} has {shape}, this one has {len(octets)}")

        def check(password: bytes) -> bool:
            made = hashlib.new(digest, password + salt, usedforsecurity=False).digest()
            return hmac.compare_digest(made, wanted)

        return Verifier(label.lower(), check)

    return form


def _md5(label: str, rest: str, encoding: str) -> Verifier:
    """LDAP's {MD5} is a plain hash, Dovecot's is MD5-crypt."""
    return _md5_crypt(rest) if rest.startswith("$1$") else _digest("md5")(label, rest, encoding)


def _dovecot_pbkdf2(label: str, rest: str, encoding: str) -> Verifier:
    if not encoding and (match := _DOVECOT_PBKDF2.match(rest)):
        return _pbkdf2("sha1", int(match[2]), match[1].encode(), bytes.fromhex(match[3]))
    return _openldap_pbkdf2("sha1")(label, rest, encoding)


def _openldap_pbkdf2(digest: str) -> Labelled:
    def form(label: str, rest: str, encoding: str) -> Verifier:
        match = _OPENLDAP_PBKDF2.match(rest)
        if match is None or encoding:
            raise ValueError(f"{{{label}}} has rounds, salt and hash, with $ between them")
        return _pbkdf2(digest, int(match[1]), _ab64(match[2]), _ab64(match[3]))

    return form


def _scram(label: str, rest: str, encoding: str) -> Verifier:
    """Dovecot's: iterations, salt, StoredKey, ServerKey."""
    parts = rest.split(",")
    if len(parts) != 4 or encoding:
        raise ValueError(f"{{{label}}} has iterations, salt, StoredKey and ServerKey, with commas between them")
    keys = ScramKeys.read(f"SCRAM-SHA-256${parts[0]}:{parts[1]}${parts[2]}:{parts[3]}")
    return Verifier("scram-sha-256", lambda _password: False, keys.iterations >= 60_000, keys.fit)


def _octets(text: str, label: str, encoding: str, size: int, *, exact: bool) -> bytes:
    """Decodes as the label says, else as hexadecimal where the length leaves no doubt, else as base64."""
    if encoding not in ("", "hex", "b64", "base64"):
        raise ValueError(f"{{{label}.{encoding}}}: an encoding is hex or b64")
    hexadecimal = re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text) is not None
    if encoding == "hex" or (
        not encoding and hexadecimal and (len(text) == 2 * size if exact else len(text) > 2 * size)
    ):
        if not hexadecimal:
            raise ValueError(f"{{{label}}} is not hexadecimal")
        return bytes.fromhex(text)
    return _base64(text, f"{{{label}}}")


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{what} is not base64") from None


_CRYPT: Final = _modular_of("$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$")
_LABELS: Final[dict[str, Labelled]] = {
    "ARGON2": _modular_of("$argon2"),
    "ARGON2I": _modular_of("$argon2i$"),
    "ARGON2ID": _modular_of("$argon2id$"),
    "BLF-CRYPT": _modular_of("$2a$", "$2b$", "$2y$"),
    "CRYPT": _CRYPT,
    "MD5-CRYPT": _modular_of("$1$"),
    "SHA256-CRYPT": _modular_of("$5$"),
    "SHA512-CRYPT": _modular_of("$6$"),
    "MD5": _md5,
    "LDAP-MD5": _digest("md5"),
    "PLAIN-MD5": _digest("md5"),
    "SMD5": _digest("md5", salted=True),
    "SHA": _digest("sha1"),
    "SHA1": _digest("sha1"),
    "SHA256": _digest("sha256"),
    "SHA512": _digest("sha512"),
    "SSHA": _digest("sha1", salted=True),
    "SSHA256": _digest("sha256", salted=True),
    "SSHA512": _digest("sha512", salted=True),
    "PBKDF2": _dovecot_pbkdf2,
    "PBKDF2-SHA1": _openldap_pbkdf2("sha1"),
    "PBKDF2-SHA256": _openldap_pbkdf2("sha256"),
    "PBKDF2-SHA512": _openldap_pbkdf2("sha512"),
    "SCRAM-SHA-256": _scram,
}
