"""Checks of what the machine gives us: disk, memory, clock; and of the certificates that lie on it."""

from collections.abc import Sequence
from typing import Final

from whimbrel.core.counting import lasting, octets_in_words
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.health.check import Certificate, Check, HealthContext, Level, Verdict, ok, unknown
from whimbrel.services.health.forecast import record, seconds_until
from whimbrel.services.health.settings import HealthSettings

INACCURATE: Final = 5.0
"""Seconds by which the clock may be wrong: time-based codes, Kerberos and log lines of several servers bear that."""
SHORT: Final = 0.05
"""Part of the memory that is available at least."""
VERY_SHORT: Final = 0.02


async def _disk(ctx: HealthContext) -> Verdict:
    disk = await ctx.pool.run(ctx.machine.disk)
    free, hard = octets_in_words(disk.free), octets_in_words(disk.hard)
    advice = "Delete what is not needed, or move the store to a larger disk."
    left = None
    if ctx.state is not None:
        left = seconds_until(await record(ctx.state, "disk", ctx.clock.now(), disk.free), disk.hard)
        for each in await ctx.pool.run(ctx.machine.holdings):
            await record(ctx.state, f"disk-{each.name}", ctx.clock.now(), each.octets)
    soon = "" if left is None else f" At the growth of the last days it is full in {lasting(left)}."
    if disk.word == "read-only":
        return Verdict(
            Level.ERROR,
            f"The file system of {disk.folder} is read-only: no mail is taken in.",
            "See the kernel's messages: a disk that fails is made read-only. Then mount it for writing again.",
            "dmesg",
        )
    if disk.word == "full":
        return Verdict(
            Level.ERROR,
            f"The disk of {disk.folder} is full: {free} are left, and below {hard} no mail is taken in. Mail is put "
            "off by those who send it, nothing is lost.",
            advice,
        )
    text = f"{free} of {octets_in_words(disk.total)} are free in {disk.folder}; below {hard} no mail is taken in.{soon}"
    if disk.word == "low" or (left is not None and left <= ctx.config.section(HealthSettings).disk_forecast):
        return Verdict(Level.WARNING, text, advice)
    return ok(text)


async def _memory(ctx: HealthContext) -> Verdict:
    memory = await ctx.pool.run(ctx.machine.memory)
    processes = (await ctx.status.running()).processes if ctx.status is not None else ()
    ours = sum(process.memory for process in processes)
    available = f"{octets_in_words(memory.available)} of {octets_in_words(memory.total)} are available"
    text = (
        f"Our {len(processes)} processes have {octets_in_words(ours)}; {available}." if processes else f"{available}."
    )
    part = memory.available / memory.total if memory.total else 1.0
    if part < SHORT:
        return Verdict(
            Level.ERROR if part < VERY_SHORT else Level.WARNING,
            f"Memory is short: {text[:1].lower()}{text[1:]}",
            "See which programs have it; when there is none left the system ends one of them.",
        )
    limit = ctx.config.section(HealthSettings).process_memory
    large = [process for process in processes if process.memory > limit]
    if large:
        shown = ", ".join(f"{process.name} ({octets_in_words(process.memory)})" for process in large[:5])
        return Verdict(
            Level.WARNING,
            f"More memory than is usual: {shown}. {text}",
            "SIGHUP to the server replaces its processes one after the other, without an interruption.",
        )
    return ok(text)


async def _clock(ctx: HealthContext) -> Verdict:
    state = await ctx.pool.run(ctx.machine.clock)
    if not state.synchronised:
        return Verdict(
            Level.WARNING,
            "No program keeps the clock of this machine in time, as far as its kernel knows.",
            "Run systemd-timesyncd, chrony or ntpd; in a container or virtual machine its host may do that.",
            "timedatectl",
        )
    if state.error > INACCURATE:
        return Verdict(
            Level.WARNING,
            f"The clock may be wrong by {state.error:.1f} seconds.",
            "See whether the time servers can be reached.",
            "timedatectl",
        )
    return ok(f"The clock is kept in time, to {max(state.error, 0.001):.3f} seconds.")


async def _certificates(ctx: HealthContext) -> Verdict:
    certificates = await ctx.pool.run(ctx.machine.certificates)
    if not certificates:
        return unknown("No certificate is set, and none was made yet.")
    now, left = ctx.clock.now(), ctx.config.section(HealthSettings).certificate_left
    wrong = [verdict for each in certificates if (verdict := _ending(each, now, left)) is not None]
    if wrong:
        return _worst(wrong)
    first = min(certificates, key=lambda each: each.ends)
    return ok(f"The certificate is good for {lasting(first.ends - now)} more ({', '.join(first.names[:3])}).")


def _ending(each: Certificate, now: float, left: float) -> Verdict | None:
    """What is wrong with the time or the file of one of them."""
    renew = "Put a new certificate in its place; it is taken into use within seconds."
    if each.fault:
        return Verdict(Level.ERROR, f"{each.file}: {each.fault}.", renew)
    names = ", ".join(each.names[:3]) or each.file
    if each.ends <= now:
        return Verdict(Level.ERROR, f"The certificate of {names} ended {lasting(now - each.ends)} ago.", renew)
    if each.ends - now <= left and each.path:  # Our own is renewed by us.
        return Verdict(Level.WARNING, f"The certificate of {names} ends in {lasting(each.ends - now)}.", renew)
    return None


async def _certificate_names(ctx: HealthContext) -> Verdict:
    certificates = [each for each in await ctx.pool.run(ctx.machine.certificates) if not each.fault]
    if not certificates:
        return unknown("There is no certificate that can be read.")
    hostname = ctx.config.section(SmtpSettings).hostname
    wrong = []
    for each in certificates:
        names = ", ".join(each.names[:3]) or each.file
        main = each.path in ("", "tls/certificate")
        if main and not any(_covers(name, hostname) for name in each.names):
            text = f"The certificate is for {names}, not for {hostname}: clients warn, or do not connect."
            wrong.append(Verdict(Level.WARNING, text, f"Use a certificate that names {hostname}."))
        elif each.self_signed:
            text = f"The certificate of {names} is self-signed: mail programs ask whether they may trust it."
            wrong.append(Verdict(Level.WARNING, text, "Use one of a public authority."))
    return _worst(wrong) if wrong else ok(f"The certificate names {hostname}.")


def _worst(wrong: Sequence[Verdict]) -> Verdict:
    """The worst of several, with the words of all."""
    level = max((verdict.level for verdict in wrong), key=list(Level).index)
    advice = next(verdict.advice for verdict in wrong if verdict.level is level)
    return Verdict(level, " ".join(verdict.text for verdict in wrong[:5]), advice)


def _covers(pattern: str, name: str) -> bool:
    """RFC 9525 6.3: a star stands for the whole first label."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


DISK: Final = Check("disk", "Disk", _disk, "/storage", "whimbrel config list space")
MEMORY: Final = Check("memory", "Memory", _memory, "/", "whimbrel status")
CLOCK: Final = Check("clock", "Clock", _clock, "/", "timedatectl")
CERTIFICATE_NAMES: Final = Check(
    "certificate-names",
    "Names of certificates",
    _certificate_names,
    "/settings/security?tab=tls",
    "whimbrel config list tls",
)
CERTIFICATES: Final = Check(
    "certificates", "Certificates", _certificates, "/settings/security?tab=tls", "whimbrel config list tls"
)
