"""The step `administrator`: the first user, who may do everything."""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.values import Secret
from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Kind, Values, Wrong, login, secret
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

LEAST: Final = 8
"""Characters: who administers the server has no shorter password."""
SHORT: Final = 10
"""Characters below which a password is guessed sooner or later."""
_COMMON: Final = frozenset(
    {"password", "passwort", "kennwort", "letmein", "welcome", "administrator", "admin", "qwerty", "qwertz", "secret",
     "geheim", "changeme", "iloveyou", "123456", "1234567890", "abc123", "mailserver", "whimbrel"}
)  # fmt: skip


def weakness(password: str, *names: str) -> str:
    """Why it is soon guessed, in a sentence; empty: it is not."""
    folded = password.casefold()
    bare = folded.strip("0123456789!?.-_#$ ")
    if folded in _COMMON or bare in _COMMON:
        return "It is a word that is tried first."
    if any(name and (bare == name.casefold() or folded.startswith(name.casefold())) for name in names):
        return "It begins with a name that everybody knows."
    if len(password) < SHORT:
        return f"It has {len(password)} characters; at least {SHORT} are better."
    if len(set(password)) < 5 or password.isdigit():
        return "It is made of too few different characters."
    return ""


def refusal(given: Secret, *names: str) -> str:
    """Why an administrator may not have this password, in words; empty: it may. Weaker than `weakness`, which warns."""
    if not isinstance(password_or_verifier(given), Secret):
        return ""  # A verifier: nobody can say what it was made of.
    password = given.reveal()
    if len(password) < LEAST:
        return f"has {len(password)} characters, and needs {LEAST}: four words that do not belong together are good"
    folded = password.casefold()
    if folded in _COMMON or folded in {name.casefold() for name in names if name}:
        return "is a word that is tried first: four words that do not belong together are good"
    return ""


def _strength(values: Values, _machine: Machine) -> Sequence[Finding]:
    given = values.secret("administrator.password")
    if not given:
        return []
    if not isinstance(password_or_verifier(given), Secret):
        return [ok("The password was given as a verifier.")]
    domain = values.text("domain")
    names = (values.text("administrator.name"), domain, domain.partition(".")[0], values.text("hostname"))
    if text := weakness(given.reveal(), *names):
        advice = "Four words that do not belong together are good and easy to remember."
        return [Finding(Level.WARNING, f"The password is weak. {text}", advice, "administrator.password")]
    return [ok("The password is good.")]


def _add(values: Values, making: Making) -> None:
    local, _, rest = values.text("administrator.name").partition("@")
    if rest and making.domain and rest != making.domain:
        raise Wrong([("administrator.name", f"must be in the domain {making.domain}, or a bare name")])
    making.administrator, making.password = local, values.secret("administrator.password")
    if fault := refusal(making.password, local, making.domain or ""):
        raise Wrong([("administrator.password", fault)])


def _words(values: Values) -> Sequence[str]:
    local = values.text("administrator.name").partition("@")[0]
    return [f"{local}@{values.text('domain')} administers the server."]


ADMINISTRATOR = Step(
    "administrator",
    "Administrator",
    "The first user, who may change everything. Others can be given rights later.",
    (
        Field(
            name="administrator.name",
            title="Login name of the administrator",
            help="In the primary domain; it is a mail address as well.",
            read=login,
            default="admin",
        ),
        Field(
            name="administrator.password",
            title="Password",
            help="For the console and for mail. What is stored cannot be turned back into it.",
            kind=Kind.SECRET,
            read=secret,
        ),
    ),
    (Check("strength", "Password", _strength),),
    add=_add,
    words=_words,
)
