"""The step `outgoing`: how mail leaves, by itself or through a relay host."""

from collections.abc import Sequence
from typing import Final

from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import (
    Field,
    Kind,
    Values,
    Wrong,
    choice,
    number,
    secret_or_nothing,
    server,
    text_or_nothing,
)
from whimbrel.services.setup.machine import Machine, Relay
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

_MODES: Final = (
    ("direct", "Directly to the servers of the recipients"),
    ("relay", "Through a relay host, such as that of a provider"),
    ("hold", "Not yet: mail to others waits in the queue"),
)
_TLS: Final = (
    ("opportunistic", "TLS where the relay has it"),
    ("required", "TLS always, with any certificate"),
    ("verified", "TLS always, with a certificate that is checked"),
    ("implicit", "TLS from the first octet on (port 465), with a certificate that is checked"),
)
_RELAY: Final = ("outgoing.mode", "relay")


def _trial(values: Values, machine: Machine) -> Sequence[Finding]:
    if values.text("outgoing.mode") != "relay" or not values.text("outgoing.host"):
        return []
    relay = Relay(
        values.text("outgoing.host"),
        int(values.get("outgoing.port") or 587),
        values.text("outgoing.tls") or "verified",
        values.text("outgoing.user"),
        values.secret("outgoing.password"),
    )
    dialogue = machine.converse(relay)
    where = f"{relay.host}:{relay.port}"
    if dialogue.fault:
        advice = "Compare host, port, TLS, name and password with what its provider says."
        return [Finding(Level.ERROR, f"{where}: {dialogue.fault}.", advice, "outgoing.host", lines=dialogue.lines)]
    done = "answers and takes the name and the password" if relay.user else "answers"
    return [ok(f"{where} {done}.", lines=dialogue.lines)]


def _add(values: Values, making: Making) -> None:
    mode = values.text("outgoing.mode")
    if mode == "hold":
        making.put("delivery/hold-remote", "yes", "outgoing.mode")
    if mode != "relay":
        return
    making.put("delivery/relay-host", values.text("outgoing.host"), "outgoing.host")
    making.put("delivery/relay-port", str(values.get("outgoing.port")), "outgoing.port")
    making.put("delivery/relay-tls", values.text("outgoing.tls"), "outgoing.tls")
    if user := values.text("outgoing.user"):
        if not values.secret("outgoing.password"):
            raise Wrong([("outgoing.password", f"is missing: {user} signs in with one")])
        making.put("delivery/relay-user", user, "outgoing.user")
        making.put("delivery/relay-password", values.secret("outgoing.password").reveal(), "outgoing.password")


def _words(values: Values) -> Sequence[str]:
    mode = values.text("outgoing.mode")
    if mode == "relay":
        user = values.text("outgoing.user")
        signed = f", signed in as {user}" if user else ""
        return [f"Mail to others goes through {values.text('outgoing.host')}:{values.get('outgoing.port')}{signed}."]
    if mode == "hold":
        return ["Mail to others waits in the queue until delivery/hold-remote is set to no."]
    return ["Mail to others goes directly to their servers."]


OUTGOING = Step(
    "outgoing",
    "Outgoing mail",
    "How mail to others leaves this server.",
    (
        Field(
            name="outgoing.mode",
            title="Outgoing mail",
            help="Directly needs port 25 open to the outside and a reverse DNS name.",
            kind=Kind.CHOICE,
            choices=_MODES,
            read=choice(*(word for word, _ in _MODES)),
            default="direct",
        ),
        Field(
            name="outgoing.host", title="Relay host", help="Its name: smtp.example.net.", read=server, shown_if=_RELAY
        ),
        Field(
            name="outgoing.port",
            title="Port",
            help="587 or 465 of most providers, 25 of a relay of your own.",
            kind=Kind.NUMBER,
            read=number(1, 65535),
            default=587,
            shown_if=_RELAY,
        ),
        Field(
            name="outgoing.tls",
            title="TLS",
            help="A name and a password are never sent without it.",
            kind=Kind.CHOICE,
            choices=_TLS,
            read=choice(*(word for word, _ in _TLS)),
            default="verified",
            shown_if=_RELAY,
        ),
        Field(
            name="outgoing.user",
            title="Name to sign in with",
            help="Nothing: do not sign in.",
            read=text_or_nothing,
            default="",
            shown_if=_RELAY,
        ),
        Field(
            name="outgoing.password",
            title="Password at the relay host",
            help="It stands in mailserver.cfg, which only the server's user can read.",
            kind=Kind.SECRET,
            read=secret_or_nothing,
            default="",
            shown_if=_RELAY,
        ),
    ),
    (Check("relay", "Relay host", _trial, on_demand=True),),
    add=_add,
    words=_words,
)
