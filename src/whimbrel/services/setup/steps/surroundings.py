"""The step `surroundings`: the machine that the server is to run on, and the ports that it is to have there."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from whimbrel.core.values import HostPort
from whimbrel.services.admin.calls import nearest
from whimbrel.services.admin.settings.configuration import setting_text
from whimbrel.services.session.services import ServiceSettings
from whimbrel.services.setup.answers import Making, ServiceAnswer
from whimbrel.services.setup.field import Field, Kind, Values, Wrong, server_or_nothing, text_or_nothing
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

Services = Mapping[str, ServiceSettings]
"""Those that this release has, as they are if nothing is said of them."""

LATER: Final = frozenset({"ldap", "ldaps", "managesieve", "http", "https"})
"""Names that are kept for services of releases to come."""
_LITTLE_MEMORY: Final = 512 << 20
_WRONG_BY: Final = 5.0
"""Seconds: more is seen in the dates of mail, and breaks one-time passwords."""


def read_services(known: Services, value: object) -> dict[str, ServiceAnswer]:
    """Wrong tells every fault."""
    if not isinstance(value, Mapping):
        raise ValueError("a table is meant: [services]")
    faults: list[tuple[str, str]] = []
    services = {}
    for name, answers in value.items():
        way = f".{name}"
        if name not in known:
            missing = f"there is no such service{nearest(name, known)}"
            faults.append((way, "this release does not have that service yet" if name in LATER else missing))
        elif not isinstance(answers, Mapping):
            faults.append((way, f"a table is meant: [services{way}]"))
        else:
            services[name] = _service(answers, way, faults)
    if faults:
        raise Wrong(faults)
    return services


def _service(answers: Mapping[str, Any], way: str, faults: list[tuple[str, str]]) -> ServiceAnswer:
    for name in answers:
        if name not in ("listen", "enabled"):
            faults.append((f"{way}.{name}", f"unknown{nearest(name, ('listen', 'enabled'))}"))
    enabled, listen = answers.get("enabled"), answers.get("listen")
    if enabled is not None and not isinstance(enabled, bool):
        faults.append((f"{way}.enabled", "true or false is meant"))
        enabled = None
    if listen is None:
        return ServiceAnswer(None, enabled)
    if not isinstance(listen, list) or not all(isinstance(item, str) for item in listen):
        faults.append((f"{way}.listen", 'a list is meant: ["127.0.0.1:2525"]'))
        return ServiceAnswer(None, enabled)
    addresses = []
    for item in listen:
        try:
            addresses.append(HostPort(item))
        except ValueError as error:
            faults.append((f"{way}.listen", str(error)))
    return ServiceAnswer(tuple(addresses), enabled)


def read_settings(value: object) -> dict[str, str | tuple[str, ...]]:
    """Any settings, as texts; what they mean is told where the whole is checked."""
    if not isinstance(value, Mapping):
        raise ValueError("a table is meant: [settings]")
    settings: dict[str, str | tuple[str, ...]] = {}
    faults = []
    for path, each in value.items():
        if isinstance(each, list):
            settings[path] = tuple(setting_text(item) for item in each)
        elif isinstance(each, Mapping):
            faults.append((f".{path}", 'write the path in quotes: "smtp/max-message-size" = "80M"'))
        else:
            settings[path] = setting_text(each)
    if faults:
        raise Wrong(faults)
    return settings


def listening(known: Services, values: Values) -> Iterator[tuple[str, tuple[HostPort, ...]]]:
    """Each service that is to run, and where."""
    answers: Mapping[str, ServiceAnswer] = values.get("services") or {}
    for name, service in known.items():
        answer = answers.get(name, ServiceAnswer())
        if service.enabled if answer.enabled is None else answer.enabled:
            yield name, tuple(service.listen) if answer.listen is None else answer.listen


def _ports(known: Services, values: Values, machine: Machine) -> Sequence[Finding]:
    findings, free = [], []
    for name, addresses in listening(known, values):
        for address in addresses:
            if not address.port:
                continue
            holder = machine.holder(address)
            if not holder:
                free.append(f"{name} {address.port}")
                continue
            other = machine.another(address)
            offer = {name: {"listen": [str(each) for each in addresses if each != address] + [str(other)]}}
            findings.append(
                Finding(
                    Level.WARNING,
                    f"{name}: {address} is {holder}.",
                    "Stop that program; or " + (f"use {other}; or " if other else "") + "leave the service off.",
                    f"services.{name}",
                    offer if other else None,
                )
            )
    return [*findings, *([ok(f"Free: {', '.join(free)}.")] if free else [])]


def _dns(_values: Values, machine: Machine) -> Sequence[Finding]:
    if fault := machine.resolver_fault():
        advice = "Name a DNS server in /etc/resolv.conf that answers; without one no mail goes out."
        return [Finding(Level.ERROR, f"DNS does not work: {fault}.", advice)]
    return [ok("DNS works.")]


def _port_25(values: Values, machine: Machine) -> Sequence[Finding]:
    host = values.text("port-25-host")
    if not host:
        text = "Whether port 25 goes out was not tried: no mail server is named."
        return [Finding(Level.UNKNOWN, text, "Name one of yours elsewhere, or that of a friend.", "port-25-host")]
    dialogue = machine.greeting(host)
    if dialogue.fault:
        advice = "Many providers close port 25: ask yours to open it, or send through a relay."
        text = f"Port 25 of {host} cannot be reached: {dialogue.fault}."
        return [Finding(Level.WARNING, text, advice, "port-25-host", lines=dialogue.lines)]
    return [ok(f"Port 25 goes out: {host} answers.", lines=dialogue.lines)]


def _clock(_values: Values, machine: Machine) -> Sequence[Finding]:
    clock = machine.clock()
    if clock.synchronised is None:
        return [Finding(Level.UNKNOWN, "The system does not tell whether its clock is right.")]
    if not clock.synchronised or clock.error > _WRONG_BY:
        advice = "Install chrony, or switch on systemd-timesyncd."
        return [Finding(Level.WARNING, "Nothing keeps the clock of this machine right.", advice)]
    return [ok("The clock is kept right.")]


def _memory(_values: Values, machine: Machine) -> Sequence[Finding]:
    try:
        total, available = machine.memory()
    except OSError as error:
        return [Finding(Level.UNKNOWN, f"How much memory there is could not be found out: {error.strerror or error}.")]
    say = f"{available >> 20} MB of {total >> 20} MB of memory can be had."
    if available < _LITTLE_MEMORY:
        return [Finding(Level.WARNING, say, "A small server needs 512 MB.")]
    return [ok(say)]


def _own_user(machine: Machine, _values: Values) -> str:
    """The one that packages make."""
    return "" if machine.user_fault("whimbrel") else "whimbrel"


def _user(name: str, machine: Machine) -> str:
    """Root alone is asked for it, and it is not to be root."""
    fault = machine.user_fault(name) if name else ""
    return f"{fault}; make one, for example: useradd --system whimbrel" if fault else ""


def _add(values: Values, making: Making) -> None:
    making.services |= values.get("services") or {}
    making.settings |= values.get("settings") or {}
    if host := values.text("port-25-host"):
        making.put("health/port-25-host", host, "port-25-host")
    if name := values.text("run-as"):
        making.put("server/run-as", name, "run-as")


def _words(known: Services, values: Values) -> Sequence[str]:
    services = [
        f"{name} ({', '.join(str(each.port) for each in addresses)})" for name, addresses in listening(known, values)
    ]
    words = [f"Services: {', '.join(services)}."]
    if name := values.text("run-as"):
        words.append(f"The server runs as the user {name}.")
    return words


def surroundings(known: Services) -> Step:
    return Step(
        "surroundings",
        "This machine",
        "What the server finds here: ports and who holds them, DNS, clock, memory.",
        (
            Field(
                name="services",
                title="Services",
                help="Where each service listens, and which are off.",
                kind=Kind.SERVICES,
                read=partial(read_services, known),
                default={},
            ),
            Field(
                name="run-as",
                title="User that the server runs as",
                help="A user of its own without rights; only the first process stays root, which binds the ports.",
                read=text_or_nothing,
                judge=_user,
                default="",
                ask=_own_user,
                root=True,
            ),
            Field(
                name="port-25-host",
                title="Mail server to call",
                help="One of yours elsewhere, called now and then to see whether port 25 goes out; nothing: not tried.",
                read=server_or_nothing,
                default="",
            ),
            Field(
                name="settings",
                title="Further settings",
                help="Any setting of mailserver.cfg by its path.",
                kind=Kind.SETTINGS,
                read=read_settings,
                default={},
                rare=True,
            ),
        ),
        (
            Check("ports", "Ports", partial(_ports, known)),
            Check("dns", "DNS", _dns),
            Check("port-25", "Outgoing port 25", _port_25),
            Check("clock", "Clock", _clock),
            Check("memory", "Memory", _memory),
        ),
        add=_add,
        words=partial(_words, known),
    )
