"""check_host(): may this address send mail for that domain?

It asks the port Resolver and nothing else; the caller owns the deadline (4.6.4: at least 20 seconds). A failure of the
name system is the result `temperror`, never an exception.

Standards: RFC 7208 2.6 (results), 4 (check_host), 4.6.4 (limits), 5 (mechanisms), 6 (redirect, exp), RFC 4291 2.5.5.2
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal, TypeVar

from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Resolver
from whimbrel.mail.auth.spf.macros import Subject, cut, expand
from whimbrel.mail.auth.spf.record import Mechanism, PermError, Record, macro_string, parse, selected

_T = TypeVar("_T")
Result = Literal["none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"]
MAX_LOOKUPS: Final = 10
"""Terms that ask the name system, in all records of one check. 4.6.4"""
MAX_VOID: Final = 2
"""Look-ups without an answer. 4.6.4"""
MAX_NAMES: Final = 10
"""Servers of one mx, names of one ptr. 4.6.4"""
_LABELS: Final = re.compile(r"(?=.{1,253}\Z)(?:[^.\s]{1,63}\.)+[^.\s]{1,63}\Z")


class _TempError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    mechanism: str = ""
    """The one that matched, as it stands in the record; empty: none did."""
    reason: str = ""
    """Why a record cannot be used, or who did not answer."""
    explanation: str = ""
    """Of the domain's owner, for the sender; with `fail` only. Text of strangers."""
    lookups: int = 0
    """Terms that asked the name system."""


async def check_host(
    resolver: Resolver,
    ip: str,
    domain: str,
    *,
    local: str = "",
    sender_domain: str = "",
    helo: str = "",
    receiver: str = "unknown",
    now: float = 0,
) -> Outcome:
    """`domain` is that of MAIL FROM, or HELO; `local` and `sender_domain` complete the sender for macros."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return Outcome("none", reason="the client has no address")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    domain = domain.removesuffix(".")
    subject = Subject(address, local or "postmaster", sender_domain or domain, helo, receiver, int(now))
    return await _Check(resolver, subject).outcome(domain)


def _checkable(domain: str) -> bool:
    """A name of several labels. 4.3"""
    return _LABELS.match(domain) is not None


class _Check:
    """One check with its limits."""

    def __init__(self, resolver: Resolver, subject: Subject) -> None:
        self._resolver, self._subject = resolver, subject
        self._lookups = self._void = 0
        self._names: list[str] | None = None
        """The client's names, proven forward."""

    async def outcome(self, domain: str) -> Outcome:
        try:
            made = await self._host(domain, explain=True)
        except PermError as error:
            made = Outcome("permerror", reason=str(error))
        except _TempError as error:
            made = Outcome("temperror", reason=str(error))
        return replace(made, lookups=self._lookups)

    async def _host(self, domain: str, *, explain: bool) -> Outcome:
        if not _checkable(domain):
            return Outcome("none", reason="there is no domain that could be checked")
        texts = await self._asked(domain, lambda: self._resolver.txt(domain), counted=False)
        text = selected(texts)
        if text is None:
            return Outcome("none")
        record = parse(text)
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                words = ""
                if mechanism.qualifier == "fail" and explain and record.exp:
                    words = await self._explanation(record.exp, domain)
                return Outcome(mechanism.qualifier, str(mechanism), explanation=words)
        if record.redirect:
            return await self._redirected(record, domain, explain=explain)
        return Outcome("neutral")

    async def _redirected(self, record: Record, domain: str, *, explain: bool) -> Outcome:
        self._count()
        target = await self._domain(record.redirect or "", domain)
        made = await self._host(target, explain=explain)
        if made.result == "none":  # 6.1
            raise PermError(f"redirect={target} leads to no record")
        return made

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        match mechanism.name:
            case "all":
                return True
            case "ip4" | "ip6":
                return self._within(str(mechanism.network), mechanism)
        self._count()
        target = await self._domain(mechanism.domain, domain) if mechanism.domain else domain
        match mechanism.name:
            case "include":
                return await self._included(target)
            case "a":
                return self._any(await self._addresses(target), mechanism)
            case "mx":
                return await self._mx(target, mechanism)
            case "ptr":
                return any(_below(name, target) for name in await self._validated())
        return bool(await self._asked(target, lambda: self._resolver.family(target, 4)))  # exists

    async def _included(self, target: str) -> bool:
        """5.2"""
        result = (await self._host(target, explain=False)).result
        if result == "none":
            raise PermError(f"include:{target} has no record")
        return result == "pass"

    async def _mx(self, target: str, mechanism: Mechanism) -> bool:
        hosts = [record.host for record in await self._asked(target, lambda: self._resolver.mx(target))]
        if len(hosts) > MAX_NAMES:
            raise PermError(f"mx:{target} has more than {MAX_NAMES} servers")
        for host in hosts:
            if host.strip(".") and self._any(await self._addresses(host), mechanism):
                return True
        return False

    # The name system

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            raise PermError(f"more than {MAX_LOOKUPS} terms ask the name system")

    async def _asked(
        self, name: str, ask: Callable[[], Awaitable[Sequence[_T]]], *, counted: bool = True
    ) -> Sequence[_T]:
        """Empty where there is nothing; of those answers only a few are borne (`counted`)."""
        answer: Sequence[_T] = ()
        try:
            if _named(name):
                answer = await ask()
        except NoSuchName:
            pass
        except MailError as error:
            raise _TempError(error.detail or error.text) from None
        if not answer and counted:
            self._void += 1
            if self._void > MAX_VOID:
                raise PermError(f"more than {MAX_VOID} look-ups had no answer")
        return answer

    async def _addresses(self, host: str) -> Sequence[str]:
        """Of the client's family."""
        return await self._asked(host, lambda: self._resolver.family(host, self._subject.ip.version))

    async def _validated(self) -> list[str]:
        """Names of the client whose address it is: 5.5. Failures make it nameless."""
        if self._names is None:
            self._names = []
            ip = self._subject.ip
            try:
                names = await self._asked("ptr.invalid", lambda: self._resolver.reverse(str(ip)), counted=False)
            except _TempError:
                return self._names
            for name in names[:MAX_NAMES]:
                if await self._leads_to(name, ip):
                    self._names.append(name.removesuffix(".").lower())
        return self._names

    async def _leads_to(self, name: str, ip: IPv4Address | IPv6Address) -> bool:
        try:
            addresses = await self._asked(name, lambda: self._resolver.family(name, ip.version), counted=False)
        except _TempError:
            return False
        return any(_same(address, ip) for address in addresses)

    async def _domain(self, spec: str, domain: str) -> str:
        return cut(await expand(spec, self._subject, domain, lambda: self._name(domain)))

    async def _name(self, domain: str) -> str:
        """`%{p}`: the domain itself rather than one below it, rather than any. 7.3"""
        names = await self._validated()
        domain = domain.lower()
        for fits in (lambda name: name == domain, lambda name: _below(name, domain), lambda _: True):
            for name in names:
                if fits(name):
                    return name
        return "unknown"

    async def _explanation(self, spec: str, domain: str) -> str:
        """Nothing that goes wrong here is an error. 6.2"""
        try:
            target = await self._domain(spec, domain)
            texts = await self._asked(target, lambda: self._resolver.txt(target), counted=False)
        except (_TempError, PermError):
            return ""
        if len(texts) != 1 or not texts[0].isascii() or not macro_string(texts[0].replace(" ", "")):
            return ""
        return await expand(texts[0], self._subject, domain, lambda: self._name(domain), explaining=True)

    # Addresses

    def _any(self, addresses: Sequence[str], mechanism: Mechanism) -> bool:
        return any(self._within(address, mechanism) for address in addresses)

    def _within(self, address: str, mechanism: Mechanism) -> bool:
        ip = self._subject.ip
        try:
            start = ip_address(address)
        except ValueError:
            return False
        if start.version != ip.version:
            return False
        return ip in ip_network((start, mechanism.cidr4 if ip.version == 4 else mechanism.cidr6), strict=False)


def _named(name: str) -> bool:
    """It can be asked for at all."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= 254 and all(0 < len(label.encode("utf-8", "replace")) <= 63 for label in labels)


def _below(name: str, domain: str) -> bool:
    name, domain = name.lower(), domain.removesuffix(".").lower()
    return name == domain or name.endswith(f".{domain}")


def _same(text: str, ip: IPv4Address | IPv6Address) -> bool:
    try:
        return ip_address(text) == ip
    except ValueError:
        return False
