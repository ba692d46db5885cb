"""Where a recipient's mail goes: the values that routing makes."""

from dataclasses import dataclass, field

from whimbrel.core.address import Address
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError


@dataclass(frozen=True, slots=True)
class Local:
    """Into a mailbox here."""

    account: Account
    through: tuple[Address, ...] = field(default=(), compare=False)
    """Addresses of ours that sent it on, the recipient's first; none if the recipient is the mailbox itself."""


@dataclass(frozen=True, slots=True)
class Remote:
    """To a server that is responsible for the address."""

    address: Address
    through: tuple[Address, ...] = field(default=(), compare=False)
    """As in Local."""


@dataclass(frozen=True, slots=True)
class Onward:
    """The address stands for others: an alias, a group, a forwarding."""

    members: tuple[Address, ...]
    name: str
    account: Account | None = None
    """Whose forwarding it is."""
    keeps: bool = False
    """The account gets a copy too."""


Step = Local | Remote | Onward


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A member of an alias, group or forwarding that gets nothing; the sender is told."""

    address: Address
    error: MailError


@dataclass(frozen=True, slots=True)
class Expansion:
    """All that one recipient stands for, each mailbox and address once."""

    local: tuple[Local, ...] = ()
    remote: tuple[Remote, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()
    relayed: bool = False
    """The recipient itself belongs to another server: only some may send there through us."""
    via: tuple[str, ...] = ()
    """Entries that were passed (aliases, groups, forwardings), for the trace."""
    own: bool = False
    """A mailbox of this very address is among them: it is delivered there, and sent on besides."""

    @property
    def several(self) -> bool:
        """An alias or group for more than one: a report calls it expanded. RFC 3461 5.2.7.3"""
        return bool(self.via) and not self.own and len(self.local) + len(self.remote) + len(self.unreachable) > 1
