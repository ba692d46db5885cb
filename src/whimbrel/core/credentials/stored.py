"""A password as it is stored: a verifier, keys of other schemes beside it, and the credential's id.

In users.cfg `<password>` has the verifier, as it always had. `<password-keys>` has the rest, in words:

    id=3f0c9a61d2b4 of=<SHA-256 of the verifier, first half> SCRAM-SHA-256$100000:<salt>$<StoredKey>:<ServerKey>

`of` ties the keys to the verifier: whoever writes a new verifier and knows nothing of keys (a person, the former
release) leaves none behind that still fit the former password. The id stays when a verifier of the same password is
made anew, and then open sessions go on; a verifier without an id is one by itself.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.values import Secret

MAX_KEYS: Final = 16
ID_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """`keys` by scheme, each as text. The empty verifier: no password."""

    verifier: Secret
    id: str = ""
    keys: dict[str, Secret] = field(default_factory=dict)

    @classmethod
    def read(cls, verifier: Secret, beside: Secret) -> "StoredPassword":
        """From `<password>` and `<password-keys>`; what is not tied to this verifier is as if it were not there."""
        words = beside.reveal().split()
        marks = dict(word.split("=", 1) for word in words if word.startswith(("id=", "of=")))
        if not verifier or marks.get("of") != mark(verifier):
            return cls(verifier, own_id(verifier))
        keys = {scheme: Secret(word) for word in words if (scheme := word.partition("$")[0]) != word}
        return cls(verifier, marks.get("id") or own_id(verifier), keys)

    def values(self) -> dict[str, object]:
        """As a change of a user's record has them."""
        return {"password": self.verifier, "password-keys": self.beside()}

    def beside(self) -> Secret:
        """What `<password-keys>` says; nothing where it would say no more than the verifier."""
        if not self.keys and self.id in ("", own_id(self.verifier)):
            return Secret("")
        words = [f"id={self.id or own_id(self.verifier)}", f"of={mark(self.verifier)}"]
        return Secret(" ".join([*words, *(self.keys[scheme].reveal() for scheme in sorted(self.keys))]))


def check_beside(text: str) -> None:
    """ValueError if `text` is nothing that `StoredPassword` writes; a word of a newer release is none of that."""
    words = text.split()
    if len(words) > MAX_KEYS or any("=" not in word and "$" not in word for word in words):
        raise ValueError("keys as the server writes them are meant: id=... of=... and scheme$...")


def mark(verifier: Secret) -> str:
    """Tells a verifier from others. It is salted, so that its hash says nothing of the password."""
    return hashlib.sha256(verifier.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def own_id(verifier: Secret) -> str:
    """The id of a verifier that was given none; empty for no password."""
    return mark(verifier)[:ID_LENGTH] if verifier else ""
