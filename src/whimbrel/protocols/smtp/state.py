"""Where a server's session stands, as the grammar of commands needs to know it, and how a command is refused.

Standards: RFC 5321 4.1.4 (order of commands), RFC 2033 4 (LMTP), RFC 3030 2 (BDAT).
"""

from dataclasses import dataclass
from enum import Enum

from whimbrel.protocols.smtp.reply import Reply


class Role(Enum):
    SMTP = "smtp"
    """From servers: port 25."""
    SUBMISSION = "submission"
    """From users who sign in: 587 and 465. RFC 6409"""
    LMTP = "lmtp"
    """From a program beside us. RFC 2033"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the session offers at this moment."""

    max_size: int
    starttls: bool = False
    mechanisms: tuple[str, ...] = ()
    require_tls: bool = False
    """REQUIRETLS may be asked for: TLS is active."""
    prdr: bool = False
    """An answer for each recipient may be asked for after the content."""
    max_recipients: int = 0
    """In one transaction; 0: not told."""
    max_transactions: int = 0
    """In one session; 0: no limit."""


class Refusal(Exception):
    """A command is not well formed or out of order; `reply` says so. `counts`: see Fault."""

    def __init__(self, code: int, enhanced: str, text: str, *, counts: bool = True) -> None:
        super().__init__(text)
        self.reply = Reply(code, enhanced, (text,))
        self.counts = counts


class State:
    """Changed by the engine alone; the grammar reads it."""

    __slots__ = (
        "authenticated",
        "chunking",
        "extended",
        "greeted",
        "mail",
        "mail_refused",
        "prdr",
        "recipients",
        "role",
        "terms",
        "tls",
        "utf8",
    )

    def __init__(self, role: Role, terms: Terms) -> None:
        self.role, self.terms = role, terms
        self.tls = self.authenticated = False
        self.forget()

    def forget(self) -> None:
        """As after connecting. RFC 3207 4.2"""
        self.greeted = self.extended = False
        self.end_transaction()

    def end_transaction(self) -> None:
        self.mail = self.mail_refused = self.utf8 = self.prdr = self.chunking = False
        self.recipients = 0
