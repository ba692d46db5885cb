"""Checks of the domain name system: does it answer, and does it lead others to us?

Standards: RFC 5321 5.1 (MX, and addresses where there is none), RFC 7505 (null MX), RFC 6761 and RFC 6762 (names that
are not public).
"""

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from whimbrel.core.counting import counted
from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Resolver
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.health.check import Check, HealthContext, Level, Verdict, ok, unknown

MOST_DOMAINS: Final = 50
"""Looked at each time; the first by name."""
SHOWN: Final = 5
ANSWER: Final = 1.7
"""Seconds for a name server that answers at all."""
_TRIAL: Final = ("localhost", "test", "example", "invalid", "local", "internal", "lan", "home.arpa")
_NO_RESOLVER: Final = unknown("No server runs here, and only a running server looks names up.", "", "whimbrel serve")


def for_trials(name: str) -> bool:
    """A name that nobody outside can look up."""
    return any(name == last or name.endswith(f".{last}") for last in _TRIAL) or "." not in name


async def _resolver(ctx: HealthContext) -> Verdict:
    if ctx.resolver is None:
        return _NO_RESOLVER
    name = (await ctx.directory.primary()).name
    reason = ""
    try:
        async with asyncio.timeout(ANSWER):
            await ctx.resolver.mx(name)
    except NoSuchName:
        pass  # An answer.
    except TimeoutError:
        reason = f"no answer within {ANSWER:g} seconds"
    except MailError as error:
        reason = error.detail or error.text
    if reason:
        return Verdict(
            Level.ERROR,
            f"The name servers do not answer ({reason}): mail to other servers waits, and filters that ask for names "
            "rest.",
            "See whether the name servers are right and can be reached.",
        )
    return ok("The name servers answer.")


async def _hostname(ctx: HealthContext) -> Verdict:
    name = ctx.config.section(SmtpSettings).hostname
    if for_trials(name):
        return unknown(
            f"{name} is a name for trials, which nobody outside can look up.",
            "Give the server its name on the Internet.",
            "whimbrel config set smtp/hostname mail.your-domain",
        )
    if ctx.resolver is None:
        return _NO_RESOLVER
    addresses = await _addresses(ctx.resolver, name)
    if not addresses:
        return Verdict(
            Level.ERROR,
            f"{name} has no address in DNS: other servers cannot find this one.",
            f"Publish an A record for {name} (and AAAA, if IPv6 comes in).",
        )
    if not await _any_own(ctx, addresses):
        return Verdict(
            Level.WARNING,
            f"{name} leads to {_shown(addresses)}, which is no address of this machine: right behind a router that "
            "translates addresses or a load balancer, wrong anywhere else.",
            f"If it is wrong, change the A and AAAA records of {name}.",
        )
    return ok(f"{name} leads here ({_shown(addresses)}).")


async def _mx(ctx: HealthContext) -> Verdict:
    domains = [domain.name for domain in await ctx.directory.domains() if not for_trials(domain.name)]
    if not domains:
        return unknown("All domains have names for trials, which nobody outside can look up.")
    if ctx.resolver is None:
        return _NO_RESOLVER
    hostname = ctx.config.section(SmtpSettings).hostname
    known = frozenset(await _addresses(ctx.resolver, hostname)) if not for_trials(hostname) else frozenset()
    looked_at = sorted(domains)[:MOST_DOMAINS]
    said = await asyncio.gather(*(_domain(ctx, ctx.resolver, name, hostname, known) for name in looked_at))
    wrong = [verdict for verdict in said if verdict is not None]
    if not wrong:
        more = f" ({len(domains) - len(looked_at)} more were not looked at)" if len(domains) > len(looked_at) else ""
        return ok(f"Mail for {counted(len(looked_at), 'domain')} is led here{more}.")
    level = max((verdict.level for verdict in wrong), key=list(Level).index)
    text = " ".join(verdict.text for verdict in wrong[:SHOWN])
    rest = f" And {len(wrong) - SHOWN} more." if len(wrong) > SHOWN else ""
    return Verdict(level, text + rest, f"Publish an MX record that names {hostname} for each domain.")


async def _domain(
    ctx: HealthContext, resolver: Resolver, name: str, hostname: str, known: frozenset[str]
) -> Verdict | None:
    """What is wrong with the way to one domain; None: nothing."""
    try:
        hosts = [entry.host for entry in await resolver.mx(name)]
    except NoSuchName:
        return Verdict(Level.ERROR, f"{name} does not exist in DNS: nobody can write to it.")
    if hosts == ["."]:
        return Verdict(Level.ERROR, f"{name} has a null MX record, which says that it takes no mail.")
    if hostname in hosts:
        return None
    if not hosts and not await _addresses(resolver, name):
        return Verdict(Level.ERROR, f"{name} has neither an MX record nor an address: nobody can write to it.")
    addresses = [address for host in hosts[:SHOWN] or [name] for address in await _addresses(resolver, host)]
    if known.intersection(addresses) or await _any_own(ctx, addresses):
        return None
    where = f"its MX record names {_shown(hosts)}" if hosts else f"it has no MX record and leads to {_shown(addresses)}"
    return Verdict(
        Level.WARNING, f"Mail for {name} does not come here directly: {where} (right if that server passes it on)."
    )


async def _reverse(ctx: HealthContext) -> Verdict:
    name = ctx.config.section(SmtpSettings).hostname
    if for_trials(name):
        return unknown(f"{name} is a name for trials, which nobody outside can look up.")
    if ctx.resolver is None:
        return _NO_RESOLVER
    addresses = [each for each in await _addresses(ctx.resolver, name) if ipaddress.ip_address(each).is_global]
    if not addresses:
        return unknown(f"{name} leads to no public address, so there is no name to look up for it.")
    wrong = []
    for address in addresses[:SHOWN]:
        try:
            names = await ctx.resolver.reverse(address)
        except NoSuchName:
            names = []
        if name not in names:
            wrong.append(f"{address} is called {_shown(names)}" if names else f"{address} has no name")
    if wrong:
        return Verdict(
            Level.WARNING,
            f"{'; '.join(wrong)}: many servers refuse mail from an address whose name is not {name}.",
            f"Ask your provider for the PTR record {name}.",
        )
    return ok(f"{_shown(addresses)} {'is' if len(addresses) == 1 else 'are'} called {name}.")


async def _addresses(resolver: Resolver, name: str) -> list[str]:
    try:
        return list(await resolver.addresses(name))
    except NoSuchName:
        return []


async def _any_own(ctx: HealthContext, addresses: Iterable[str]) -> bool:
    for address in addresses:
        if await ctx.pool.run(ctx.machine.own, address):
            return True
    return False


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


RESOLVER: Final = Check("resolver", "Name servers", _resolver, "/settings/advanced?tab=dns", "whimbrel config list dns")
HOSTNAME: Final = Check(
    "hostname", "Our name in DNS", _hostname, "/settings/smtp?setting=smtp/hostname", "whimbrel config list smtp"
)
MX: Final = Check("mx", "Mail is led here", _mx, "/domains", "whimbrel domain list")
REVERSE: Final = Check(
    "reverse", "Names of our addresses", _reverse, "/settings/smtp?setting=smtp/hostname", "whimbrel config list smtp"
)
