"""A name system in memory, as the port Resolver, with the records that mail authentication asks for."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, NoSuchName

TIMEOUT = "TIMEOUT"
"""In place of a value: no answer comes."""


class Names:
    """`{"example.test": [("TXT", "v=spf1 -all"), ("A", "192.0.2.1"), "TIMEOUT"]}`; a CNAME leads on."""

    def __init__(self, zone: Mapping[str, Sequence[Any]] | None = None) -> None:
        self._zone = {name.lower(): list(records) for name, records in (zone or {}).items()}
        self.asked: list[tuple[str, str]] = []

    def add(self, name: str, kind: str, *values: str) -> None:
        self._zone.setdefault(name.lower(), []).extend((kind, value) for value in values)

    async def mx(self, domain: str) -> list[Mx]:
        return [Mx(int(preference), str(host)) for preference, host in map(_exchange, self._ask(domain, "MX"))]

    async def addresses(self, host: str) -> list[str]:
        return [*await self.family(host, 6), *await self.family(host, 4)]

    async def family(self, host: str, version: int) -> list[str]:
        return self._ask(host, "A" if version == 4 else "AAAA")

    async def txt(self, name: str) -> list[str]:
        return [text if isinstance(text, str) else "".join(text) for text in self._ask(name, "TXT")]

    async def exists(self, name: str) -> bool:
        try:
            return bool(await self.family(name, 4))
        except NoSuchName:
            return False

    async def reverse(self, ip: str) -> list[str]:
        try:
            return self._ask(ipaddress.ip_address(ip).reverse_pointer, "PTR")
        except NoSuchName:
            return []

    def _ask(self, name: str, kind: str, links: int = 0) -> list[Any]:
        name = name.rstrip(".").lower()
        self.asked.append((name, kind))
        if name not in self._zone:
            if any(each.endswith(f".{name}") for each in self._zone):
                return []
            raise NoSuchName(name)
        listed, silent = list[Any](), False
        for record in self._zone[name]:
            if record == TIMEOUT:
                silent = True
                continue
            of, value = record
            if of == "CNAME" and kind != "CNAME" and links < 5:
                return self._ask(str(value), kind, links + 1)
            if of == kind:
                silent = silent or value == TIMEOUT
                listed += [value] if value != TIMEOUT else []
        if silent and not listed:
            raise MailError(451, "4.4.3", "Domain name look-up failed, try again later", detail=f"{name}: no answer")
        return listed


def _exchange(value: Any) -> Sequence[Any]:
    return value.split() if isinstance(value, str) else value
