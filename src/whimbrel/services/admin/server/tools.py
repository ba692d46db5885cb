"""Tools to test with: look into DNS, call a mail server, look at TLS, send a message and follow it, try our own ports.

What is called for an administrator never is a private address or this machine, unless the address itself was typed
(`backends/net/guard.py`). Nothing is sent to anybody but by `--to` and by `test mail`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.mail.trace import trace
from whimbrel.services.admin.numbers import Between
from whimbrel.services.probing.ports import ProbeStep

if TYPE_CHECKING:
    from whimbrel.services.probing.ports import Dialled, Probes

RecordType = Literal["A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "PTR", "SRV", "CAA", "TLSA", "DS", "DNSKEY"]
StartTls = Literal["auto", "none", "smtp", "imap", "pop3"]
_PORT: Final = Between(1, 65535, such_as=25)
POLL: Final = 0.5
"""Seconds between two looks at a test message."""
BANNER: Final = 3.0
"""Seconds that one of our own services has to greet."""
SUBJECT: Final = "Test message"
TEXT: Final = (
    "An administrator of {hostname} sent this message to test whether mail arrives.\n\n"
    "It arrived; there is nothing to do.\n"
)


@call(
    "test", "dns", reads=True, right=Right.SERVER_READ, needs=Needs.SERVER, problems="problems", live=True,
    help="Looks a name up in DNS, as the server does; an address by its name in reverse.",
)  # fmt: skip
async def test_dns(
    ctx: AdminContext,
    name: Annotated[str, "A domain, host or address."],
    type: Annotated[tuple[RecordType, ...], "Type of records; unless said MX, A, AAAA, TXT and NS."] = (),
) -> AsyncIterator[ProbeStep]:
    from whimbrel.services.probing.names import look_up

    async for step in look_up(_probes(ctx).records, _host(name), type):
        yield step


@call(
    "test", "smtp", right=Right.SERVER_WRITE, needs=Needs.SERVER, problems="problems", live=True,
    help="Calls a mail server and shows all that is said. Sends nothing unless --to is given.",
)  # fmt: skip
async def test_smtp(
    ctx: AdminContext,
    name: Annotated[str, "A domain, whose MX is called, or a host or address."],
    port: Annotated[int, "Port.", _PORT] = 25,
    to: Annotated[str, "Send a short test message to this address, past the queue."] = "",
) -> AsyncIterator[ProbeStep]:
    from whimbrel.services.probing.smtp_dial import Letter, dial, servers

    probes, host, began = _probes(ctx), _host(name), time.monotonic()
    hostname = _hostname(ctx)
    letter = None
    if to:
        sender = f"postmaster@{(await ctx.directory.primary()).name}"
        recipient = _address(to)
        letter = Letter(sender, recipient, _letter(ctx, sender, recipient, hostname))
    hosts, steps = await servers(probes, host, began) if port == 25 else ([host], [])
    for step in steps:
        yield step
    if ctx.dry_run:
        yield ProbeStep("result", f"Checked only: {', '.join(hosts)} would be called at port {port}")
        return
    async for step in dial(probes.dialler, hosts, port, hostname, partial(shown_chain, ctx), letter):
        yield step


@call(
    "test", "tls", reads=True, right=Right.SERVER_WRITE, needs=Needs.SERVER, problems="problems", live=True,
    help="Looks at the TLS of a server: versions, cipher, certificates with names and end.",
)  # fmt: skip
async def test_tls(
    ctx: AdminContext,
    place: Annotated[str, "Host and port, such as mail.example.org:993; without a port 443 is meant."],
    starttls: Annotated[StartTls, "What is spoken before TLS; auto goes by the port."] = "auto",
) -> AsyncIterator[ProbeStep]:
    from whimbrel.services.probing.tls_look import look_at_tls

    host, port = _place(place)
    async for step in look_at_tls(
        _probes(ctx).dialler, host, port, _hostname(ctx), partial(shown_chain, ctx), starttls
    ):
        yield step


@call(
    "test", "mail", right=Right.SERVER_WRITE, needs=Needs.SERVER, problems="problems", live=True,
    help="Sends a test message by the server's own way and queue, and tells what becomes of it.",
)  # fmt: skip
async def test_mail(
    ctx: AdminContext,
    address: Annotated[str, "To whom."],
    seconds: Annotated[float, "How long it is followed.", Between(1, 600, such_as=60)] = 60.0,
) -> AsyncIterator[ProbeStep]:
    probes, recipient, began = _probes(ctx), _address(address), time.monotonic()
    if ctx.dry_run:
        yield ProbeStep("result", f"Checked only: a message would be sent to {recipient}")
        return
    queue_id = await probes.post.send((recipient,), SUBJECT, TEXT.format(hostname=_hostname(ctx)))
    facts = {"queue_id": queue_id, "to": recipient}
    yield ProbeStep("message", f"taken in as {queue_id}", 0.0, facts)
    queue, reason = need(ctx.queue, "The queue"), ""
    while (entry := await queue.get(queue_id)) is not None and time.monotonic() - began < seconds:
        if entry.reason != reason:
            reason = entry.reason
            yield ProbeStep("message", f"it waits: {reason}", _since(began), facts)
        await asyncio.sleep(POLL)
    async for step in _story(ctx, queue_id, began):
        yield step
    if entry is not None:
        why = f"After {seconds:g} seconds it still waits: {entry.reason or 'its first attempt has not ended'}."
        yield ProbeStep("result", f"it still waits; see `whimbrel trace {queue_id}`", _since(began), facts, (why,))


@call(
    "test", "ports", reads=True, right=Right.SERVER_READ, problems="problems", live=True,
    help="Tries each port of our services: is it open, does it greet, and who holds it if not.",
)  # fmt: skip
async def test_ports(ctx: AdminContext) -> AsyncIterator[ProbeStep]:
    from whimbrel.services.session.services import ServicesSettings

    health = need(ctx.health, "A test of ports")
    settings = ctx.config.section(ServicesSettings)
    for name in type(settings).model_fields:
        service = settings.named(name)
        for place in service.listen if service.enabled else ():
            holder = await health.ctx.pool.run(health.ctx.machine.holder, place.host, place.port)
            yield await _port(name, place.host, place.port, holder, greets=service.tls != "implicit", live=ctx.live)


async def _port(name: str, host: str, port: int, holder: str, *, greets: bool, live: bool) -> ProbeStep:
    where, began = f"{name} {host}:{port}", time.monotonic()
    facts = {"service": name, "address": f"{host}:{port}", "holder": holder}
    if not live:
        if holder:
            return ProbeStep("connect", f"{where}: held by {holder}", 0.0, facts, (f"{where} is held by {holder}.",))
        return ProbeStep("connect", f"{where}: free, no server runs", 0.0, facts)
    target = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        async with asyncio.timeout(BANNER):
            reader, writer = await asyncio.open_connection(target, port, limit=4096)
            try:
                greeting = (await reader.readline()).decode("ascii", "replace").strip() if greets else "(TLS)"
            finally:
                writer.close()
    except (OSError, ValueError) as error:  # TimeoutError is an OSError; ValueError: a line without an end.
        why = str(error) or f"no greeting within {BANNER:g} seconds"
        held = f"; the port is held by {holder}" if holder else ""
        return ProbeStep("connect", f"{where}: {why}{held}", _since(began), facts, (f"{where}: {why}{held}.",))
    shown = "".join(char if char.isprintable() else "?" for char in greeting)[:200]
    return ProbeStep("connect", f"{where}: {shown}", _since(began), facts | {"greeting": shown})


async def _story(ctx: AdminContext, queue_id: str, began: float) -> AsyncIterator[ProbeStep]:
    """What the logs have of it; they may be some moments late."""
    lines: Sequence[str] = ()
    for _ in range(6):
        try:
            steps = [step async for step in trace(ctx, queue_id)]
        except CallError:
            steps = []
        lines = [step.text for step in steps if step.log != "queue"]
        if any(step.event == "delivery.sent" or "Recipient" in step.fields for step in steps):
            break
        await asyncio.sleep(POLL)
    for line in lines:
        yield ProbeStep("message", line, _since(began), {"queue_id": queue_id})


async def shown_chain(ctx: AdminContext, dialled: "Dialled", seconds: float) -> Sequence[ProbeStep]:
    from whimbrel.services.probing.certificate import chain_steps

    health, info = need(ctx.health, "A look at certificates"), dialled.link.tls
    host = info.server_name if info is not None else ""
    verified = info is not None and info.verified
    work = partial(chain_steps, dialled.chain(), host, ctx.clock.now(), seconds, verified=verified)
    return await health.ctx.pool.run(work)


def _probes(ctx: AdminContext) -> "Probes":
    return need(ctx.probes, "A test")


def _hostname(ctx: AdminContext) -> str:
    from whimbrel.flow.settings import SmtpSettings  # Here: the command line's client needs it not.

    return str(ctx.config.section(SmtpSettings).hostname)


def _host(text: str) -> str:
    """A name or address as typed. CallError."""
    text = text.strip().rstrip(".").lower()
    if not text or len(text) > 255 or any(char in text for char in " /@,<>\\"):
        raise _wrong("name", f"'{text}' is no host name or address, such as mail.example.org")
    return text


def _place(text: str) -> tuple[str, int]:
    """CallError."""
    text = text.strip()
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not text.startswith("[")):
        return _host(text.strip("[]")), 443
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise _wrong("place", f"'{port}' is no port, such as 993")
    return _host(host.strip("[]")), int(port)


def _address(text: str) -> str:
    from whimbrel.core.address import Address

    try:
        return str(Address.parse(text.strip()))
    except ValueError as error:
        raise _wrong("address", str(error)) from None


def _letter(ctx: AdminContext, sender: str, recipient: str, hostname: str) -> str:
    """ASCII but for the addresses; no line begins with a dot."""
    lines = (
        f"From: <{sender}>", f"To: <{recipient}>", f"Subject: {SUBJECT}", f"Date: {ctx.clock.date()}",
        f"Message-ID: <test.{time.time_ns():x}@{hostname}>", "Auto-Submitted: auto-generated", "",
        *TEXT.format(hostname=hostname).splitlines(),
    )  # fmt: skip
    return "\r\n".join(lines)


def _wrong(name: str, text: str) -> CallError:
    return CallError(Failure.USAGE, text, FieldFault(name, text))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
