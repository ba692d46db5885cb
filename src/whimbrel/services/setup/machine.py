"""What the steps of the set-up ask of the machine they run on. All of it may block; tests have one of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from whimbrel.core.values import HostPort, Secret


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of a folder, or of the nearest one above it that exists."""

    free: int
    total: int
    kind: str
    """`ext4`; empty: not known."""
    writable: bool
    separate: bool
    """Not the file system of the root directory."""
    missing: str = ""
    """The first directory above the folder that is not there; empty: all are."""


@dataclass(frozen=True, slots=True)
class Clock:
    synchronised: bool | None
    """None: the system does not tell."""
    error: float = 0.0
    """Seconds by which it may be wrong at most."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay host as it was answered; `tls` as in `delivery/relay-tls`."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation with a mail server: its lines with `C: ` or `S: ` before each, without secrets."""

    lines: tuple[str, ...]
    fault: str = ""
    """Why it failed, in a sentence; empty: it did what was asked."""


@dataclass(frozen=True, slots=True)
class PairLook:
    """A certificate with its key, looked at."""

    names: tuple[str, ...] = ()
    """Host names that it is good for."""
    ends: float = 0.0
    """Seconds since 1970."""
    faults: tuple[str, ...] = ()
    """Why it cannot be shown."""
    doubts: tuple[str, ...] = ()
    """What clients may object to."""


class Machine(Protocol):
    @property
    def root(self) -> bool:
        """Whoever sets up is the superuser: the server needs a user to run as."""
        ...

    def hostname(self) -> str:
        """The full name of this machine, as the name service has it; empty: it has none."""
        ...

    def addresses(self, name: str) -> Sequence[str]:
        """The IP addresses of a host name. OSError: the name service does not answer, or knows none."""
        ...

    def own(self, address: str) -> bool:
        """An address of this machine."""
        ...

    def resolver_fault(self) -> str:
        """Why the DNS servers of this machine do not answer; empty: they do."""
        ...

    def holder(self, address: HostPort) -> str:
        """Why nothing can listen there, as `held by postfix's master (pid 812, unit postfix.service)`; empty: it is
        free."""
        ...

    def another(self, address: HostPort) -> HostPort | None:
        """A free port at the same address."""
        ...

    def greeting(self, host: str) -> Dialogue:
        """Calls port 25 of a host, and takes its leave."""
        ...

    def converse(self, relay: Relay) -> Dialogue:
        """Connects to a relay host, with TLS as wanted, and signs in if there is a name."""
        ...

    def clock(self) -> Clock: ...

    def memory(self) -> tuple[int, int]:
        """Octets: all, and those that can be had. OSError: not known."""
        ...

    def disk(self, folder: str) -> Disk:
        """`folder` is below the installation, or a whole path. OSError."""
        ...

    def store_fault(self, folder: str) -> str:
        """Why a new installation may not have this store; empty: it may."""
        ...

    def scanners(self, folder: str) -> Sequence[str]:
        """Programs that look at files there when they are opened, as `ESET (oaeventd, pid 71)`."""
        ...

    def user_fault(self, name: str) -> str:
        """Why the server cannot run as this user, or must not; empty: it can."""
        ...

    def look_at(self, certificate: bytes, key: bytes) -> PairLook: ...
