"""A stored password: a verifier, keys for other mechanisms, and the credential's id.

In users.cfg `<password>` has the verifier, as it always had. `<password-keys>` has the rest, in words:

    id=3f0c9a61d2b4 of=<SHA-256 of the verifier, first half> SCRAM-SHA-256$100000:<salt>$<StoredKey>:<ServerKey>

`of` ties the keys to the verifier: when a person or the former release writes a new verifier and leaves the keys, they
no longer count. The id survives rehashing of the same password, so that open sessions go on; a verifier without an id
has one derived from it.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.values import Secret

MAX_KEYS: Final = 16
ID_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """`keys` maps scheme to text. An empty verifier: no password."""

    verifier: Secret
    id: str = ""
    keys: dict[str, Secret] = field(default_factory=dict)

    @classmethod
    def read(cls, verifier: Secret, beside: Secret) -> "StoredPassword":
        """Reads `<password>` and `<password-keys>`; ignores keys that are not tied to this verifier."""
        words = beside.reveal().split()
        marks = dict(word.split("=", 1) for word in words if word.startswith(("id=", "of=")))
        if not verifier or marks.get("of") != mark(verifier):
            return cls(verifier, own_id(verifier))
        keys = {scheme: Secret(word) for word in words if (scheme := word.partition("$")[0]) != word}
        return cls(verifier, marks.get("id") or own_id(verifier), keys)

    def values(self) -> dict[str, object]:
        """Returns the values for a change of the user's record."""
        return {"password": self.verifier, "password-keys": self.beside()}

    def beside(self) -> Secret:
        """Returns the text of `<password-keys>`; empty if it would add nothing to the verifier."""
        if not self.keys and self.id in ("", own_id(self.verifier)):
            return Secret("")
        words = [f"id={self.id or own_id(self.verifier)}", f"of={mark(self.verifier)}"]
        return Secret(" ".join([*words, *(self.keys[scheme].reveal() for scheme in sorted(self.keys))]))


def check_beside(text: str) -> None:
    """Raises ValueError if `text` is not a list of keys. Words of a newer release pass."""
    words = text.split()
    if len(words) > MAX_KEYS or any("=" not in word and "$" not in word for word in words):
        raise ValueError("keys as the server writes them are meant: id=... of=... and scheme$...")


def mark(verifier: Secret) -> str:
    """Identifies a verifier. Verifiers are salted, so the hash reveals nothing about the password."""
    return hashlib.sha256(verifier.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def own_id(verifier: Secret) -> str:
    """Returns the id derived from a verifier; empty for no password."""
    return mark(verifier)[:ID_LENGTH] if verifier else ""
