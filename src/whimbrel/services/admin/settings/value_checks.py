"""What can try the value of a setting before it is saved: one function and one line in `CHECKS`, named by `check=`
where a setting is declared.

Nothing is changed by it. Other machines are called by the tools' own dialler, which never reaches private addresses
that were not typed as such; no secret is sent.
"""

import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName
from whimbrel.core.urls import SecretUrl
from whimbrel.core.values import HostPort, Secret
from whimbrel.flow.delivery.settings import relay_hosts
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.aliases import alias_check
from whimbrel.services.admin.settings.place_checks import look_at_directory
from whimbrel.services.alerts.settings import AlertSettings
from whimbrel.services.probing.certificate import chain_steps
from whimbrel.services.probing.names import look_up
from whimbrel.services.probing.ports import Chain, Probes, ProbeStep
from whimbrel.services.probing.smtp_dial import dial
from whimbrel.services.probing.wire import in_words


@dataclass(frozen=True, slots=True)
class Trial:
    """A value as it would be."""

    ctx: AdminContext
    path: str
    values: tuple[str, ...]
    """One, or the members of a list; none of it is empty. Of a secret that is in use: as it is shown."""
    secret: Secret | None
    """A secret that is to be tried; None: the one in use, or it is no secret."""
    beside: Callable[[str], str]
    """The value that a setting beside it would have, by its name; empty if there is none."""
    hostname: str
    chain: Chain
    """Of a connection that was made."""

    @property
    def probes(self) -> Probes:
        return need(self.ctx.probes, "A test")


ValueCheck = Callable[[Trial], AsyncIterator[ProbeStep]]


async def _own_name(trial: Trial) -> AsyncIterator[ProbeStep]:
    """The name leads to this machine, and the machine's address back to the name."""
    name, began = trial.values[0], time.monotonic()
    async for step in look_up(trial.probes.records, name, ("A", "AAAA")):
        yield step
    try:
        addresses = await trial.probes.resolver.addresses(name)
    except (MailError, NoSuchName):
        addresses = []
    health = need(trial.ctx.health, "A test")
    for address in addresses:
        own = await health.ctx.pool.run(health.ctx.machine.own, address)
        try:
            names = [each.rstrip(".") for each in await trial.probes.resolver.reverse(address)]
        except (MailError, NoSuchName):
            names = []
        where = "this machine's own" if own else "none of this machine; behind a router that is right"
        back = f"its reverse name is {', '.join(names)}" if names else "it has no reverse name"
        wrong = () if name in names else (f"{address} does not lead back to {name}: other servers distrust that.",)
        yield ProbeStep("look-up", f"{address} is {where}; {back}", time.monotonic() - began, {}, wrong)
    if not addresses:
        text = f"{name} has no address: other servers do not accept mail from a name that leads nowhere"
        yield ProbeStep("result", text, time.monotonic() - began, {}, (f"{text}.",))


async def _mail_servers(trial: Trial) -> AsyncIterator[ProbeStep]:
    """Each greets and offers TLS. It is not signed in to: the password is not sent where nobody has saved it to go."""
    port = trial.beside("relay-port") or trial.beside("port") or "25"
    for host, at in relay_hosts(trial.values[0], int(port)):
        async for step in dial(trial.probes.dialler, [host], at, trial.hostname, trial.chain):
            yield step


async def _webhook(trial: Trial) -> AsyncIterator[ProbeStep]:
    """It takes a test event."""
    began, in_use = time.monotonic(), trial.ctx.config.section(AlertSettings).webhook_at(trial.path)
    url = in_use if trial.secret is None else SecretUrl(trial.secret.reveal())
    error = await need(trial.ctx.alerts, "A test of a webhook").test_webhook(url)
    text = f"{url}: {error}" if error else f"{url} took a test event"
    yield ProbeStep("result", text, time.monotonic() - began, {}, (f"{text}.",) if error else ())


async def _certificate(trial: Trial) -> AsyncIterator[ProbeStep]:
    """What is in the file. Whether the key belongs to it is looked at where it is saved, too."""
    pool = need(trial.ctx.health, "A test").ctx.pool
    for step in await pool.run(partial(_chain_in, trial.values[0], trial.ctx.clock.now())):
        yield step


_MOST: Final = 1 << 20
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def _chain_in(file: str, now: float) -> list[ProbeStep]:
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(_MOST).decode("ascii", "replace")
    except OSError as error:
        why = f"{file}: {error.strerror}"
        return [ProbeStep("result", why, 0.0, {}, (f"{why}.",))]
    pieces = [f"{_BEGIN}{piece.partition(_END)[0]}{_END}" for piece in text.split(_BEGIN)[1:]]
    try:
        chain = [ssl.PEM_cert_to_DER_cert(piece) for piece in pieces]
    except ValueError as error:
        return [ProbeStep("result", f"{file}: {error}", 0.0, {}, (f"{file} is damaged: {error}.",))]
    if not chain:
        return [ProbeStep("result", f"{file} holds no certificate", 0.0, {}, (f"{file} holds no certificate (PEM).",))]
    return chain_steps(chain, "", now, 0.0, verified=True)


async def _directory(trial: Trial) -> AsyncIterator[ProbeStep]:
    pool = need(trial.ctx.health, "A test").ctx.pool
    for step in await pool.run(partial(look_at_directory, trial.values[0])):
        yield step


async def _addresses(trial: Trial) -> AsyncIterator[ProbeStep]:
    """Where mail to them would go."""
    for address in trial.values:
        way = await alias_check(trial.ctx, address)
        leads = ", ".join((*way.mailboxes, *way.remote)) or "nowhere"
        yield ProbeStep("result", f"{address} leads to {leads}", 0.0, {}, tuple(map(str, way.problems)))


async def _name_servers(trial: Trial) -> AsyncIterator[ProbeStep]:
    """Each answers a question over TCP. RFC 7766"""
    for text in trial.values:
        began, server = time.monotonic(), HostPort(text)
        try:
            answer = await _ask(trial.probes, server)
        except OSError as error:
            answer = in_words(error)
        said = f"{server} answers" if not answer else f"{server} does not answer as a name server: {answer}"
        yield ProbeStep("result", said, time.monotonic() - began, {}, (f"{said}.",) if answer else ())


_QUESTION: Final = struct.pack("!HHHHHH", 0x5742, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)
"""Which servers the root has. RFC 1035 4.1"""


async def _ask(probes: Probes, server: HostPort) -> str:
    """What is wrong with its answer; empty: nothing. OSError."""
    dialled = await probes.dialler.open(server.host, server.port)
    try:
        await dialled.link.write(struct.pack("!H", len(_QUESTION)) + _QUESTION)
        answer = b""
        while len(answer) < 6:
            piece = await dialled.link.read()
            if not piece:
                return "it ended the connection"
            answer += piece
    finally:
        await dialled.link.close()
    number, flags = struct.unpack("!HH", answer[2:6])
    if number != 0x5742 or not flags & 0x8000:
        return "what it says is no answer of DNS"
    return {0: "", 5: "it refuses to (REFUSED)", 2: "it cannot (SERVFAIL)"}.get(flags & 0xF, f"error {flags & 0xF}")


async def _proxy(trial: Trial) -> AsyncIterator[ProbeStep]:
    """Somebody listens there."""
    began, place = time.monotonic(), HostPort(trial.values[0].removeprefix("http://").removesuffix("/"))
    try:
        dialled = await trial.probes.dialler.open(place.host, place.port)
        await dialled.link.close()
    except OSError as error:
        why = f"{place} cannot be reached: {in_words(error)}"
        yield ProbeStep("connect", why, time.monotonic() - began, {}, (f"{why}.",))
    else:
        yield ProbeStep("connect", f"{place} takes connections", time.monotonic() - began)


async def _listen(trial: Trial) -> AsyncIterator[ProbeStep]:
    """Who holds the ports."""
    health = need(trial.ctx.health, "A test of ports")
    for text in trial.values:
        place = HostPort(text)
        holder = await health.ctx.pool.run(health.ctx.machine.holder, place.host, place.port)
        own = "whimbrel" in holder
        said = f"{place} is {f'held by {holder}' if holder else 'free'}"
        yield ProbeStep("connect", said, 0.0, {}, (f"{said}.",) if holder and not own else ())


CHECKS: Final[Mapping[str, ValueCheck]] = {
    "own-name": _own_name,
    "mail-server": _mail_servers,
    "webhook": _webhook,
    "certificate": _certificate,
    "directory": _directory,
    "address": _addresses,
    "name-server": _name_servers,
    "proxy": _proxy,
    "listen": _listen,
}
