"""What an SMTP or LMTP client did, as the session sees it. Blocks of content are plain `bytes` among these.

All but blocks and `Chunk` wait for their reply; `DataEnd` in LMTP for one reply to each accepted recipient, and so
after 353 where the client asked for PRDR, which has one more for the message as a whole.

Standards: RFC 5321 4.1.1, RFC 2033 (LHLO), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 3030 2 (BDAT), RFC 3461 4
(DSN), RFC 6531 3.4 (SMTPUTF8), RFC 8689 2 (REQUIRETLS), draft-hall-prdr-00.
"""

from dataclasses import dataclass

from whimbrel.core.address import Address, ReversePath
from whimbrel.core.envelope import PLAIN, MailOptions, Notify
from whimbrel.protocols.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO, EHLO or LHLO with the name that the client gives itself."""

    name: str
    extended: bool


@dataclass(slots=True)
class Mail:
    """Made by the parser, its parameters filled in one by one; a value from then on."""

    sender: ReversePath
    options: MailOptions = PLAIN
    prdr: bool = False
    """After the content the client takes an answer for each recipient."""


@dataclass(slots=True)
class Rcpt:
    """Like Mail. `address` None is `<postmaster>` without a domain. RFC 5321 4.1.1.3"""

    address: Address | None
    notify: frozenset[Notify] = frozenset()
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """Answer 354, and blocks and a DataEnd follow."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """BDAT: not answered itself; blocks follow, then ChunkEnd, or DataEnd after the last one."""

    size: int
    last: bool


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """A chunk that is not the last has come: answer 250, or refuse the message."""

    size: int
    """Octets of the message so far."""
    oversize: bool
    """More than the limit: answer 552 5.3.4."""


@dataclass(frozen=True, slots=True)
class DataEnd:
    size: int
    oversize: bool
    """Blocks past the limit were dropped: answer 552 5.3.4."""
    bare: bool
    """A CR or LF stood alone where that is not mended: answer 550 5.5.2 (SMTP smuggling)."""


@dataclass(frozen=True, slots=True)
class Rset:
    pass


@dataclass(frozen=True, slots=True)
class Noop:
    pass


@dataclass(frozen=True, slots=True)
class Quit:
    """Answer 221 and close."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    text: str


@dataclass(frozen=True, slots=True)
class Expn:
    text: str


@dataclass(frozen=True, slots=True)
class Help:
    topic: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """Answer 220 and start TLS, or refuse."""


@dataclass(frozen=True, slots=True)
class Auth:
    """`initial` is the decoded initial response, None if there was none. Answer 334 (AuthResponse follows), 235, or
    refuse."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """Decoded; None: the client cancelled with `*`, answer 501 5.7.0."""

    data: bytes | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Not well formed, or out of order: send `reply` as it is. With 421 close. `counts` is false for what follows
    from a refusal that a pipelining client could not have known."""

    reply: Reply
    counts: bool = True


ServerEvent = (
    bytes
    | Helo
    | Mail
    | Rcpt
    | Data
    | Chunk
    | ChunkEnd
    | DataEnd
    | Rset
    | Noop
    | Quit
    | Vrfy
    | Expn
    | Help
    | StartTls
    | Auth
    | AuthResponse
    | Fault
)
