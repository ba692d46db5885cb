"""Rights of a user beyond the own mailbox: a set of grants, each with its domains.

    server-write                    everything that is set anywhere
    server-read                     sees everything that is set, changes nothing
    domain example.org example.net  settings, users, aliases, groups and lists of these domains
    accounts example.org            users, aliases, groups and lists only
    mail-read                       other people's mail: source, undelete, quarantine, export
    self                            what concerns the user alone; everybody has it, nobody has to be given it

`domain` and `accounts` without domains apply to the user's own domain, `mail-read` without domains wherever the user
may administer accounts. No other right includes `mail-read`: administering a server does not permit reading mail.

In users.cfg `<rights>` has one of none, domain, server-read, server-write, as in the former release; each `<grant>`
adds one grant.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from whimbrel.core.address import Domain
from whimbrel.core.values import text_schema

MAX_DOMAINS: Final = 1000
"""Domains of one grant."""


class Right(StrEnum):
    """A right that can be granted, and that a call can require."""

    SELF = "self"
    ACCOUNTS = "accounts"
    DOMAIN = "domain"
    MAIL_READ = "mail-read"
    SERVER_READ = "server-read"
    SERVER_WRITE = "server-write"


GRANTABLE: Final = (Right.ACCOUNTS, Right.DOMAIN, Right.MAIL_READ, Right.SERVER_READ, Right.SERVER_WRITE)
OF_DOMAINS: Final = frozenset({Right.ACCOUNTS, Right.DOMAIN, Right.MAIL_READ})
"""Rights that can name domains."""


class Grant(str):
    """A grant in its text form: the right, then its domains. ValueError says what is wrong."""

    right: Right
    domains: frozenset[Domain]
    """Empty: the user's own domain; for `mail-read`, those that the user administers."""

    def __new__(cls, text: str) -> "Grant":
        if isinstance(text, Grant):
            return text
        word, *names = str(text).replace(",", " ").split() or [""]
        if word not in GRANTABLE:
            raise ValueError(f"'{word}' is not a right: one of {', '.join(GRANTABLE)}")
        right = Right(word)
        if names and right not in OF_DOMAINS:
            raise ValueError(f"{right} is for the whole server and names no domain")
        if len(names) > MAX_DOMAINS:
            raise ValueError(f"a grant names at most {MAX_DOMAINS} domains")
        domains = sorted({Domain(name) for name in names})
        self = str.__new__(cls, " ".join([right, *domains]))
        self.right, self.domains = right, frozenset(domains)
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return text_schema(cls, "grant")


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants of one user. `own` is the user's domain, to which grants without domains apply."""

    grants: frozenset[Grant] = frozenset()
    own: Domain | None = None

    @classmethod
    def of(cls, rights: str, more: Iterable[str] = (), own: Domain | None = None) -> "Grants":
        """Makes the set of `<rights>` (`none` or a right) and each `<grant>`. ValueError"""
        words = [word for word in (rights, *more) if word not in ("", "none")]
        return cls(frozenset(Grant(word) for word in words), own)

    def has(self, right: Right) -> bool:
        """True if this very right is granted, for whatever domains."""
        return any(grant.right is right for grant in self.grants)

    def allows(self, right: Right, domain: str = "", *, reads: bool = False) -> bool:
        """True if the user may do what requires `right` in `domain`; without a domain, in any domain at all. `reads`:
        it changes nothing."""
        if right is Right.SELF:
            return True
        within = self.domains(right, reads=reads)
        return within is None or (domain in within if domain else bool(within))

    def domains(self, right: Right, *, reads: bool = False) -> frozenset[Domain] | None:
        """Returns the domains in which the user has `right`; None: all. A right on the server gives all or none."""
        if right is Right.MAIL_READ:
            return self._mail()
        if self.has(Right.SERVER_WRITE) or (reads and self.has(Right.SERVER_READ)):
            return None
        if right is Right.ACCOUNTS:
            return self._named(Right.ACCOUNTS) | self._named(Right.DOMAIN)
        if right is Right.DOMAIN:
            return self._named(Right.DOMAIN)
        return None if right is Right.SERVER_READ and self.has(Right.SERVER_READ) else frozenset()

    def includes(self, other: "Grants") -> bool:
        """True if the user may do all that `other` may: only then may the user give these grants, or change the
        password of who has them."""
        for grant in other.grants:
            within = self.domains(grant.right)
            if within is None:
                continue
            theirs = other.domains(grant.right)
            if theirs is None or not theirs or not theirs <= within:
                return False
        return True

    def __str__(self) -> str:
        return ", ".join(sorted(self.grants)) or "none"

    def _named(self, right: Right) -> frozenset[Domain]:
        own = frozenset() if self.own is None else frozenset({self.own})
        return frozenset().union(*(grant.domains or own for grant in self.grants if grant.right is right))

    def _mail(self) -> frozenset[Domain] | None:
        granted = [grant.domains for grant in self.grants if grant.right is Right.MAIL_READ]
        if all(granted):
            return frozenset().union(*granted)
        administered = self.domains(Right.ACCOUNTS, reads=True)
        return None if administered is None else administered.union(*granted)


NOTHING: Final = Grants()
EVERYTHING: Final = Grants(frozenset({Grant("server-write"), Grant("mail-read")}))
"""For callers who can read the files anyway: the local socket, and the command line without a server."""
