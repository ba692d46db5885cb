"""The routing rules: each answers for the addresses it knows, and leaves all others to the next.

A rule returns a `Step`, or None if the address is not its business, or raises the MailError with which the address is
refused. Their order is the table in `flow/routing/__init__.py`.

Standards: RFC 5321 3.6 (relaying), 4.1.3 (address literals), 4.5.1 (postmaster), RFC 3463 3.2 and 3.3
"""

import ipaddress
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account, Directory, LocalDomain, Target, TargetKind
from whimbrel.core.errors import MailError
from whimbrel.flow.routing.closed import refuse_closed
from whimbrel.flow.routing.relay import RelayDenied
from whimbrel.flow.routing.route import Local, Onward, Remote, Step
from whimbrel.flow.routing.settings import RoutingSettings
from whimbrel.flow.settings import SmtpSettings

POSTMASTER: Final = "postmaster"


class Lookup:
    """One address on its way through the rules; what an earlier rule found out stands here for the later ones."""

    __slots__ = ("address", "config", "directory", "domain", "local_ip", "target")

    def __init__(self, address: Address, local_ip: str, directory: Directory, config: ConfigStore) -> None:
        self.address, self.local_ip = address, local_ip
        self.directory, self.config = directory, config
        self.domain: LocalDomain | None = None
        """Set by `remote_domain`: rules after it are about addresses of ours."""
        self.target: Target | None = None
        """Set by `account`: what the directory has; a catch-all counts only after everything else."""

    @property
    def kind(self) -> TargetKind | None:
        """What the directory has under this very address."""
        return self.target.kind if self.target is not None else None

    @property
    def known(self) -> bool:
        """There is an entry that means this address, not just a catch-all."""
        return self.target is not None and self.target.kind is not TargetKind.CATCH_ALL


async def address_literal(at: Lookup) -> Step | None:
    """`user@[192.0.2.1]`: our own is good for postmaster alone, any other is another server."""
    literal = at.address.domain
    if not literal.startswith("["):
        return None
    ip = ipaddress.ip_address(literal[1:-1].removeprefix("IPv6:"))
    if _same(ip, at.local_ip):
        if at.address.local.casefold() == POSTMASTER:
            return await _postmaster(at, await at.directory.primary())
        raise _unknown(at.address)
    return Remote(at.address)


async def remote_domain(at: Lookup) -> Step | None:
    """Domains that are not ours."""
    at.domain = await at.directory.domain(at.address.domain)
    if at.domain is not None:
        return None
    own = at.config.section(SmtpSettings).hostname
    if at.address.domain == own and at.address.local.casefold() == POSTMASTER:
        return await _postmaster(at, await at.directory.primary())
    return Remote(at.address)


async def account(at: Lookup) -> Step | None:
    """A user's address."""
    at.target = await at.directory.resolve(at.address)
    if at.target is None or at.target.kind is not TargetKind.ACCOUNT or at.target.account is None:
        return None
    return into(at.target.account)


async def entry(at: Lookup) -> Step | None:
    """An alias, wildcard ones too, or a group."""
    if at.target is None or not at.known:
        return None
    return Onward(at.target.members, at.target.name)


async def hidden_route(at: Lookup) -> Step | None:
    """`user%remote@local`, `"user@remote"@local`, `remote!user@local`: routes of old, and tricks of today.
    RFC 5321 3.6.1 and appendix C forbid what they ask for."""
    if any(sign in at.address.local for sign in "@%!"):
        raise RelayDenied(detail="a route in the local part")
    return None


async def plus_address(at: Lookup) -> Step | None:
    """`user+tag`: the tag stays in the envelope, for rules to sort by. RFC 5233"""
    base, plus, _ = at.address.local.partition("+")
    if not (plus and base and at.config.section(RoutingSettings).plus_addressing):
        return None
    target = await at.directory.resolve(Address(base, at.address.domain))
    if target is None or target.kind is TargetKind.CATCH_ALL:
        return None
    return into(target.account) if target.account is not None else Onward(target.members, target.name)


async def postmaster(at: Lookup) -> Step | None:
    """Every domain that takes mail has a postmaster."""
    if at.address.local.casefold() != POSTMASTER or at.domain is None:
        return None
    return await _postmaster(at, None)


async def catch_all(at: Lookup) -> Step | None:
    """What nobody else in the domain has."""
    return Onward(at.target.members, at.target.name) if at.target is not None else None


async def unknown(at: Lookup) -> Step | None:
    raise _unknown(at.address)


def into(account: Account) -> Step:
    """The mailbox of an account, or where it forwards to."""
    refuse_closed(account)
    if not account.forward_to:
        return Local(account)
    # Forwarding to oneself is an old way of saying that a copy is kept.
    onward = tuple(member for member in account.forward_to if member.key != account.address.key)
    keeps = account.keep_copy or len(onward) < len(account.forward_to)
    return Onward(onward, f"forward:{account.address}", account, keeps)


async def _postmaster(at: Lookup, domain: LocalDomain | None) -> Step:
    """Who reads mail for postmaster. `domain` is asked for the address first, if it is given."""
    if domain is not None:
        return Onward((Address(POSTMASTER, domain.name),), POSTMASTER)
    set_address = at.config.section(RoutingSettings).postmaster
    if set_address:
        return Onward((Address.parse(set_address),), POSTMASTER)
    administrators = await at.directory.administrators()
    if not administrators:
        raise _unknown(at.address)
    return Onward(tuple(each.address for each in administrators), POSTMASTER)


def _unknown(address: Address) -> MailError:
    return MailError(550, "5.1.1", "User unknown", detail=str(address))


def _same(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, text: str) -> bool:
    try:
        return ip == ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
