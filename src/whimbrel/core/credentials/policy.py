"""Which passwords may be set. Asked wherever a person chooses one; never of a ready verifier, nor at a sign-in, so that
passwords which were set before go on working.

Standards: NIST SP 800-63B 3.1.1.2 (a length, a list of common passwords and the names of this account; no rules of
composition)
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.credentials.spelling import MAX_PASSWORD

SHORTEST: Final = 8
"""Characters, where nothing else was set."""
MADE: Final = 16
"""Characters of the passwords that the console and the wizard make: no minimum is longer."""

_WORDS: Final = """
    admin administrator adobe amanda andrea andrew anthony arsenal asdf ashley baseball basketball batman blink
    butterfly changeme charlie cheese chelsea chocolate computer cookie daniel default dragon einloggen elizabeth
    email energie fitness flower football freedom geheim geheimnis ginger guest hallo hallohallo hello hockey hunter
    ichliebedich iloveyou internet jennifer jessica jordan joshua kennwort killer letmein liverpool login love
    lovely maggie mail mailserver master matrix matthew michael michelle monkey mustang myspace nicole ninja nothing
    olivia p@ssw0rd p@ssword pa$$w0rd pa$$word parola passw0rd passwd password passwort passwortpasswort pepper
    photoshop pokemon princess qazwsx root samantha samsung schalke schatz secret service shadow soccer sommer
    starwars sunshine superman system test testing thomas tigger trustno user welcome whatever whimbrel willkommen
    winter zaq zxcvbnm
"""
_COMMON: Final = frozenset(_WORDS.split())
"""Of published lists of stolen passwords, the words; digits and signs around a word do not make another of it."""
_RUNS: Final = (
    "01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiopü", "azertyuiop", "asdfghjklöä",
    "yxcvbnm", "zxcvbnm", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn",
    "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "a1b2c3d4e5f6g7h8",
)  # fmt: skip
"""What neighbouring keys and counting give."""
_AROUND: Final = re.compile(r"\A[\W\d_]+|[\W\d_]+\Z")
_BETWEEN: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a new password has to be."""

    min_length: int = SHORTEST

    def refusal(self, password: str, *names: str) -> str:
        """Why it may not be set, as what follows "a password ..."; empty: it may. `names` are those that everybody
        knows of its user: `known_names`."""
        if len(password) < self.min_length:
            return f"must have at least {self.min_length} characters; this one has {len(password)}"
        if len(password) > MAX_PASSWORD:
            return f"may have at most {MAX_PASSWORD} characters; this one has {len(password)}"
        folded = unicodedata.normalize("NFKC", password).casefold()
        if len(set(folded)) == 1:
            return "must not be one character again and again"
        if folded in (folded * 2)[1:-1]:
            return "must not be one piece again and again"
        bare, joined = _AROUND.sub("", folded), _BETWEEN.sub("", folded)
        known = {_BETWEEN.sub("", name.casefold()) for name in names if name}
        if joined in known or _BETWEEN.sub("", bare) in known - {""}:
            return "must not be the name, the address or the domain of the user"
        if folded in _COMMON or bare in _COMMON:
            return "must not be among the most common ones, which are tried first"
        if any(joined in run or joined in run[::-1] for run in _RUNS):
            return "must not be a row of keys, letters or digits, which are tried first"
        return ""


def known_names(address: str, full_name: str = "") -> Iterator[str]:
    """What of a user everybody knows: address, login name, domain and its parts, names."""
    local, _, domain = address.rpartition("@")
    yield from (address, local, domain, domain.partition(".")[0], full_name, *full_name.split())
    try:
        yield Address.parse(address).domain
    except ValueError:
        return
