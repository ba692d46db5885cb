"""The step `names`: what the server is called, and the domain whose mail it has."""

import contextlib
from collections.abc import Sequence

from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Values, domain, host
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok


def _hostname(machine: Machine, _values: Values) -> str:
    with contextlib.suppress(ValueError):
        return str(host(machine.hostname()))
    return ""


def _domain(_machine: Machine, values: Values) -> str:
    """The hostname without its first label."""
    hostname = values.text("hostname")
    return hostname.partition(".")[2] if hostname.count(".") > 1 else hostname


def _resolves(values: Values, machine: Machine) -> Sequence[Finding]:
    hostname = values.text("hostname")
    if not hostname:
        return []
    advice = f"Publish an A (and AAAA) record of {hostname} with the address of this machine."
    try:
        addresses = machine.addresses(hostname)
    except OSError as error:
        reason = error.strerror or error
        return [Finding(Level.WARNING, f"{hostname} has no address yet: {reason}.", advice, "hostname")]
    shown = ", ".join(addresses[:4])
    if any(machine.own(address) for address in addresses):
        return [ok(f"{hostname} resolves to this machine: yes ({shown})")]
    return [
        Finding(
            Level.WARNING,
            f"{hostname} resolves to this machine: no, to {shown}.",
            "That is right behind a router or a load balancer that hands connections on; else: " + advice,
            "hostname",
        )
    ]


def _reachable(values: Values, _machine: Machine) -> Sequence[Finding]:
    """Names that are well formed, and by which nobody outside reaches this server."""
    hostname, domain = values.text("hostname"), values.text("domain")
    findings = []
    if hostname == "localhost":
        text = "localhost is this machine for each machine: other servers refuse mail of a server that is called so."
        findings.append(Finding(Level.WARNING, text, "Give the full name, such as mail.example.org.", "hostname"))
    if domain and "." not in domain:
        text = f"{domain} has no dot: nobody outside of this network can write to addresses in it."
        findings.append(Finding(Level.WARNING, text, "Give a domain of yours, such as example.org.", "domain"))
    return findings


def _add(values: Values, making: Making) -> None:
    making.hostname, making.domain = values.get("hostname"), values.get("domain")


def _words(values: Values) -> Sequence[str]:
    return [f"The server is called {values.text('hostname')} and has the mail of {values.text('domain')}."]


NAMES = Step(
    "names",
    "Names",
    "The name by which other servers and mail programs reach this one, and the first domain of its mail.",
    (
        Field(
            name="hostname",
            title="Internet hostname of this server",
            help="As its A record, its reverse DNS and the MX record of your domain have it: mail.example.org.",
            read=host,
            ask=_hostname,
        ),
        Field(
            name="domain",
            title="Primary mail domain",
            help="What stands behind the @ of your addresses: example.org. Its users sign in by the bare name.",
            read=domain,
            ask=_domain,
        ),
    ),
    (Check("name", "Names", _reachable), Check("resolves", "Address of the name", _resolves)),
    add=_add,
    words=_words,
)
