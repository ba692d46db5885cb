"""The Resolver port on dnspython: cached, with equal look-ups joined and a bound on those under way.

Standards: RFC 1035, RFC 5321 5.1 (MX order), RFC 7505 (null MX), RFC 6891 (EDNS), RFC 5782 2.1 (lists).
"""

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.txtbase
import dns.resolver
import dns.reversename

from whimbrel.backends.dns.cache import Answer, Cache
from whimbrel.backends.dns.settings import DnsSettings
from whimbrel.core.address import Domain
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.net import Mx, NoSuchName

if TYPE_CHECKING:
    from dns.rdata import Rdata

PAYLOAD = 1232
"""The largest UDP answer that is safe from fragments (DNS flag day 2020)."""
MAX_RECORDS = 100
"""Records kept of one answer. MX of the worst preference fall out first."""
RESOLV_CONF = "/etc/resolv.conf"
_TOLD = 1000
"""Characters of an answer that the debug log shows."""
_RECHECK = 10.0
NO_SERVICE = Mx(0, ".")
"""The null MX: this domain takes no mail. RFC 7505"""


class DnsResolver:
    """For one event loop. `close` ends what is under way."""

    def __init__(
        self,
        config: ConfigStore,
        clock: Clock,
        log: Log,
        *,
        resolv_conf: str = RESOLV_CONF,
        ipv6: Callable[[], bool] | None = None,
        seed: bytes | None = None,
    ) -> None:
        """`ipv6` says whether IPv6 goes out (asked of the routes unless given); `seed` orders equal MX."""
        self._config, self._clock, self._log = config, clock, log
        self._resolv_conf = resolv_conf
        self._cache = Cache(lambda: self._config.section(DnsSettings).cache_entries)
        self._flying: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._slots = asyncio.Semaphore(config.section(DnsSettings).max_queries)
        self._ipv6, self._routes, self._routes_until = ipv6, False, 0.0
        # Other servers, and our other processes, see another order: the load spreads. RFC 5321 5.1
        self._seed = os.urandom(16) if seed is None else seed
        self._stub: dns.asyncresolver.Resolver | None = None
        self._stub_of: tuple[DnsSettings, tuple[int, int, int]] | None = None
        self._checked = 0.0

    # The port

    async def mx(self, domain: str) -> list[Mx]:
        """By preference; equals in an order that is this process's own. A null MX is [Mx(0, ".")]."""
        records = []
        for record in await self._ask(domain, "MX"):
            preference, _, host = record.partition(" ")
            records.append(Mx(int(preference), host))
        if len(records) > 1:
            # RFC 7505 3: a null MX beside others says nothing.
            records = [entry for entry in records if entry.host != "."] or [NO_SERVICE]
            records.sort(key=lambda entry: (entry.preference, self._rank(domain, entry.host)))
        elif records and records[0].host == ".":
            return [NO_SERVICE]
        return records[:MAX_RECORDS]

    async def addresses(self, host: str) -> list[str]:
        """IPv6 before IPv4 where IPv6 goes out at all; an address literal is its own answer."""
        if (literal := _literal(host)) is not None:
            return [literal]
        six, four = await self._both(host)
        if not six.records and not four.records:
            # One family's failure hides addresses that may be there.
            for answer in (four, six):
                if answer.failure:
                    raise _failed(host, answer.failure)
            if not six.exists and not four.exists:
                raise NoSuchName(host)
        first, second = (six, four) if self._prefers_ipv6() else (four, six)
        return [*first.records, *second.records]

    async def family(self, host: str, version: int) -> list[str]:
        return list(await self._ask(host, "A" if version == 4 else "AAAA"))

    async def txt(self, name: str) -> list[str]:
        """The strings of each record joined; what is not UTF-8 is replaced."""
        return list(await self._ask(name, "TXT"))

    async def exists(self, name: str) -> bool:
        try:
            return bool(await self._ask(name, "A"))
        except NoSuchName:
            return False

    async def reverse(self, ip: str) -> list[str]:
        """Without the final dot. ValueError if `ip` is none."""
        pointer = ipaddress.ip_address(ip).reverse_pointer
        return list(await self._ask(pointer, "PTR"))

    async def records(self, name: str, kind: str) -> list[str]:
        """Of any type; from the cache, as all look-ups."""
        return list(await self._ask(name, kind))

    # What wiring uses

    async def close(self) -> None:
        tasks = list(self._flying.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self) -> None:
        """Empties the cache (an administrator asked for it)."""
        self._cache.clear()

    # Inside

    async def _ask(self, name: str, kind: str) -> tuple[str, ...]:
        answer = await self._look_up(name, kind)
        if answer.failure:
            raise _failed(name, answer.failure)
        if not answer.exists:
            raise NoSuchName(name)
        return answer.records

    async def _both(self, host: str) -> tuple[Answer, Answer]:
        """AAAA and A at once; from the cache without the two tasks that this takes."""
        wire = _wire_name(host)
        if wire is not None and self._servers() is not None:
            now = self._clock.monotonic()
            six, four = self._cache.get(wire, "AAAA", now), self._cache.get(wire, "A", now)
            if six is not None and four is not None:
                return six, four
        return await asyncio.gather(self._look_up(host, "AAAA"), self._look_up(host, "A"))

    async def _look_up(self, name: str, kind: str) -> Answer:
        wire = _wire_name(name)
        if wire is None:
            return Answer(exists=False)  # What cannot be a name in the system has none.
        stub = self._servers()
        cached = self._cache.get(wire, kind, self._clock.monotonic())
        if cached is not None:
            return cached
        if stub is None:
            return Answer(failure="no name server is configured")
        task = self._flying.get((wire, kind))
        if task is None:
            task = asyncio.get_running_loop().create_task(self._query(stub, wire, kind))
            self._flying[wire, kind] = task
            task.add_done_callback(lambda done: self._landed(wire, kind, done))
        # One of those who wait may be cancelled; the others still want the answer.
        return await asyncio.shield(task)

    def _landed(self, wire: str, kind: str, task: asyncio.Task[Answer]) -> None:
        self._flying.pop((wire, kind), None)
        if not task.cancelled():
            task.exception()  # Seen, should nobody be left to wait for it.

    async def _query(self, stub: dns.asyncresolver.Resolver, wire: str, kind: str) -> Answer:
        ttl = 0.0
        try:
            async with self._slots:
                response = await stub.resolve(wire, kind, raise_on_no_answer=False, search=False)
            records = tuple(_text(record) for record in response.rrset) if response.rrset is not None else ()
            answer = Answer(_bounded(records, kind))
            ttl = response.chaining_result.minimum_ttl
        except dns.resolver.NXDOMAIN as error:
            answer, ttl = Answer(exists=False), _negative_ttl(error)
        except dns.resolver.YXDOMAIN:
            answer = Answer(exists=False)  # A DNAME made the name too long. RFC 6672 2.2
        except dns.exception.Timeout:
            answer = Answer(failure="no answer in time")
        except (dns.exception.DNSException, OSError, EOFError) as error:
            answer = Answer(failure=_reason(error))
        if answer.failure:
            self._log.debug("dns.failed", name=wire, type=kind, reason=answer.failure)
        elif self._log.debugs("dns"):
            told = ", ".join(map(str, answer.records)) or ("no records" if answer.exists else "no such name")
            self._log.debug("dns.answered", name=wire, type=kind, records=told[:_TOLD], seconds=round(ttl))
        self._cache.put(wire, kind, answer, ttl, self._clock.monotonic())
        return answer

    def _servers(self) -> dns.asyncresolver.Resolver | None:
        """The stub resolver for the settings and the system's file as they are now."""
        settings, now = self._config.section(DnsSettings), self._clock.monotonic()
        if self._stub_of is not None and settings is self._stub_of[0] and now < self._checked + _RECHECK:
            return self._stub
        self._checked = now
        identity = (settings, (0, 0, 0) if settings.server else _identity(self._resolv_conf))
        if identity != self._stub_of:
            if self._stub_of is not None:
                self._cache.clear()
            self._stub = _stub(settings, self._resolv_conf)
        self._stub_of = identity
        return self._stub

    def _rank(self, domain: str, host: str) -> bytes:
        return blake2b(f"{domain.lower()} {host}".encode(), digest_size=8, key=self._seed).digest()

    def _prefers_ipv6(self) -> bool:
        if self._ipv6 is not None:
            return self._ipv6()
        now = self._clock.monotonic()
        if now >= self._routes_until:
            self._routes, self._routes_until = _ipv6_goes_out(), now + 60
        return self._routes


@lru_cache(4096)
def _wire_name(name: str) -> str | None:
    """`name` as A-labels in lower case without the final dot; None if it can be no name."""
    name = name.rstrip(".").lower()
    try:
        if not name.isascii():
            name = str(Domain(name))
        if not name or "\\" in name:
            return None
        return dns.name.from_text(name + ".").to_text(omit_final_dot=True)
    except (ValueError, dns.exception.DNSException):
        return None


def _text(record: "Rdata") -> str:
    if isinstance(record, dns.rdtypes.ANY.MX.MX):
        host = record.exchange.to_text(omit_final_dot=True) or "."
        return f"{record.preference} {host.lower()}"
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return b"".join(record.strings).decode("utf-8", "replace")
    text = record.to_text()
    return text.rstrip(".").lower() if record.rdtype == dns.rdatatype.PTR else text


def _bounded(records: tuple[str, ...], kind: str) -> tuple[str, ...]:
    if len(records) <= MAX_RECORDS:
        return records
    if kind == "MX":
        records = tuple(sorted(records, key=lambda record: int(record.partition(" ")[0])))
    return records[:MAX_RECORDS]


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> float:
    """RFC 2308 5: the lesser of the SOA's TTL and its minimum; 60 s where there is no SOA."""
    responses: dict[dns.name.Name, dns.message.Message] = error.kwargs.get("responses") or {}
    for response in responses.values():
        for rrset in response.authority:
            if rrset.rdtype == dns.rdatatype.SOA and len(rrset):
                return float(min(rrset.ttl, getattr(rrset[0], "minimum", rrset.ttl)))
    return 60.0


def _reason(error: Exception) -> str:
    if isinstance(error, dns.resolver.NoNameservers):
        tried = error.kwargs.get("errors") or []
        return "; ".join(sorted({_attempt(entry[3]) for entry in tried if len(entry) > 3})) or "no server answered"
    return _attempt(error)


def _attempt(error: object) -> str:
    if isinstance(error, dns.exception.DNSException):
        return str(error) or type(error).__name__
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, str) else type(error).__name__


@lru_cache(maxsize=1024)
def _literal(host: str) -> str | None:
    """In its usual form; None if it is a name. Kept: finding out takes longer than the look-up in the cache."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _failed(name: str, reason: str) -> MailError:
    return MailError(451, "4.4.3", "Domain name look-up failed, try again later", detail=f"{name}: {reason}")


def _stub(settings: DnsSettings, resolv_conf: str) -> dns.asyncresolver.Resolver | None:
    stub = dns.asyncresolver.Resolver(configure=False)
    if settings.server:
        stub.nameservers = [dns.nameserver.Do53Nameserver(entry.host, entry.port) for entry in settings.server]
    else:
        try:
            stub.read_resolv_conf(resolv_conf)
        except (OSError, ValueError, dns.exception.DNSException):
            return None
        if not stub.nameservers:
            return None
    stub.cache = None
    stub.lifetime = float(settings.timeout)
    stub.timeout = max(1.0, float(settings.timeout) / 3)  # A lost datagram is asked again, a dead server passed over.
    stub.use_edns(0 if settings.edns else -1, 0, PAYLOAD)
    stub.flags = dns.flags.RD | dns.flags.AD
    return stub


def _identity(path: str) -> tuple[int, int, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (stat.st_dev, stat.st_ino, stat.st_mtime_ns)


def _ipv6_goes_out() -> bool:
    """Is there a route to the IPv6 internet? Connecting a UDP socket asks the routes and sends nothing."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect(("2000::1", 9))
            return True
    except OSError:
        return False


if TYPE_CHECKING:
    from whimbrel.core.net import Records, Resolver

    def _port(config: ConfigStore, clock: Clock, log: Log) -> Resolver:
        return DnsResolver(config, clock, log)

    def _records(resolver: DnsResolver) -> Records:
        return resolver
