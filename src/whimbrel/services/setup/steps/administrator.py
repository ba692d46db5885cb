"""The step `administrator`: the first user, who may do everything."""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.values import Secret
from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Kind, Values, Wrong, login, secret
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

GOOD: Final = 10
"""Characters below which a password is guessed sooner or later by who has what is stored of it."""


def weakness(password: str, *names: str) -> str:
    """Why a password that may be set is guessed sooner than others, in a sentence; empty: it is not."""
    folded = password.casefold()
    if any(name and folded.startswith(name.casefold()) for name in names):
        return "It begins with a name that everybody knows."
    if len(password) < GOOD:
        return f"It has {len(password)} characters; at least {GOOD} are better."
    if len(set(password)) < 5 or password.isdigit():
        return "It is made of too few different characters."
    return ""


def _strength(values: Values, _machine: Machine) -> Sequence[Finding]:
    """Of a password that may be set; what may not is refused at its field."""
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
    if text := making.password_refusal(making.password, local):
        raise Wrong([("administrator.password", text)])


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
