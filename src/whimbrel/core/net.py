"""Ports to the network for clients of ours: names and connections."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mx:
    preference: int
    host: str


class NoSuchName(Exception):
    """The name does not exist (NXDOMAIN)."""


class Resolver(Protocol):
    """DNS. A time-out or SERVFAIL is MailError 451 4.4.3; no data is an empty answer; no name is NoSuchName."""

    async def mx(self, domain: str) -> list[Mx]: ...

    async def addresses(self, host: str) -> list[str]:
        """AAAA and A, in the order to try them."""
        ...

    async def family(self, host: str, version: int) -> list[str]:
        """A (4) or AAAA (6) alone: SPF compares addresses of the client's family only. RFC 7208 5"""
        ...

    async def txt(self, name: str) -> list[str]: ...

    async def exists(self, name: str) -> bool:
        """Has an A record (DNS lists). RFC 5782 2.1"""
        ...

    async def reverse(self, ip: str) -> list[str]:
        """PTR names."""
        ...


class Records(Protocol):
    """DNS as it is, for a person who looks. Errors as those of Resolver."""

    async def records(self, name: str, kind: str) -> list[str]:
        """Records of a type (`MX`, `TXT`), as zone files write them."""
        ...


class TlsMode(Enum):
    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS if offered, any certificate. RFC 7435"""
    REQUIRED = "required"
    """Any certificate, but no plaintext."""
    VERIFIED = "verified"
    IMPLICIT = "implicit"
    """TLS from the first byte, verified."""


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """What a TLS connection is, for logs and Received fields."""

    version: str
    cipher: str
    bits: int
    verified: bool = False
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    mode: TlsMode = TlsMode.OPPORTUNISTIC
    server_name: str = ""
    """For SNI and verification."""


class Link(Protocol):
    """One outgoing connection. All errors are OSError; every wait has a deadline given by the caller's time-out."""

    @property
    def peer(self) -> str:
        """`ip:port`."""
        ...

    @property
    def local(self) -> str: ...

    @property
    def tls(self) -> TlsInfo | None: ...

    async def read(self) -> bytes:
        """At least one byte; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def start_tls(self) -> None:
        """By the policy given at `open`; OSError if the handshake or verification fails."""
        ...

    async def close(self) -> None: ...


class Connector(Protocol):
    async def open(self, host: str, port: int, source: str, tls: TlsPolicy) -> Link:
        """`host` is an IP address or a name; `source` the local address to bind, or empty."""
        ...


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate of ours, for a protocol that does TLS by itself."""

    chain: tuple[bytes, ...]
    """In DER, the server's own first."""
    key: bytes = field(repr=False)
    """In PEM."""


class OwnCertificates(Protocol):
    """The certificates that this server shows, as settings and files have them now."""

    def shown(self, name: str) -> ShownCertificate | None:
        """That for clients which ask for `name`, or for none (empty). None: there is none that can be used."""
        ...

    def names(self) -> Collection[str]:
        """The host names in all that are shown, in lower case; some are `*.example.org`."""
        ...

    def publicly_trusted(self, name: str) -> bool:
        """Whether clients believe that we are `name` by an authority that their systems came with."""
        ...
