"""What went wrong, in the words a peer may hear and the words for our log."""

from enum import Enum


class MailError(Exception):
    """Ends a command, transaction or delivery: `text` for the peer, `detail` for our log.

    `code` is an SMTP reply code (RFC 5321 4.2), `enhanced` an enhanced status code (RFC 3463).
    Each front door translates it once: SMTP as it is, IMAP to NO with a response code, POP3 to -ERR.
    """

    def __init__(self, code: int, enhanced: str, text: str, *, detail: str = "") -> None:
        super().__init__(f"{code} {enhanced} {text}" + (f" ({detail})" if detail else ""))
        self.code, self.enhanced, self.text, self.detail = code, enhanced, text, detail

    @property
    def temporary(self) -> bool:
        """Trying again later can help. RFC 5321 4.2.1"""
        return self.code // 100 == 4


class Condition(Enum):
    """Why a mailbox operation was refused; the values are IMAP response codes (RFC 5530, RFC 9051 7.1)."""

    NONEXISTENT = "NONEXISTENT"
    ALREADYEXISTS = "ALREADYEXISTS"
    INUSE = "INUSE"
    OVERQUOTA = "OVERQUOTA"
    LIMIT = "LIMIT"
    CANNOT = "CANNOT"
    NOPERM = "NOPERM"
    UNAVAILABLE = "UNAVAILABLE"
    TOOBIG = "TOOBIG"


_REPLIES: dict[Condition, tuple[int, str]] = {
    Condition.NONEXISTENT: (550, "5.2.0"),
    Condition.ALREADYEXISTS: (550, "5.2.0"),
    Condition.INUSE: (450, "4.2.0"),
    Condition.OVERQUOTA: (452, "4.2.2"),
    Condition.LIMIT: (452, "4.2.0"),
    Condition.CANNOT: (550, "5.2.0"),
    Condition.NOPERM: (550, "5.7.1"),
    Condition.UNAVAILABLE: (451, "4.3.0"),
    Condition.TOOBIG: (552, "5.3.4"),
}


class MailboxError(MailError):
    """A mailbox cannot do what was asked: `condition` says why, for IMAP; code and enhanced code for SMTP."""

    def __init__(self, condition: Condition, text: str, *, detail: str = "") -> None:
        super().__init__(*_REPLIES[condition], text, detail=detail)
        self.condition = condition
