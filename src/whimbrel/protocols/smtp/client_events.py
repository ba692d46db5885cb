"""What the sending side of SMTP tells of the peer."""

from dataclasses import dataclass

from whimbrel.protocols.smtp.extensions import Extensions
from whimbrel.protocols.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Greeting:
    """The peer is willing: say hello()."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Ready:
    """hello() was answered; start_tls(), sign_in() or transaction() may follow."""

    extensions: Extensions


@dataclass(frozen=True, slots=True)
class TlsReady:
    """Start TLS now, then tls_started(), then hello() again."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Refused:
    """The connection ("connect") or a command ("EHLO", "STARTTLS", "AUTH") was refused. The session can go on if
    `client.reusable`."""

    command: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class NeedContent:
    """Now content(), content_end(). `results` are the answers to RCPT; at least one is ok."""

    results: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The transaction is over; `results` are the final answers, one for each recipient, in order."""

    results: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class WasReset:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Goodbye:
    """QUIT was answered, or the peer closes a connection on which nothing was under way (421)."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection ended, or the peer broke the protocol. Recipients not answered for have `reply` (421 4.4.2) in
    `results`, which is empty outside a transaction."""

    reply: Reply
    results: tuple[Reply, ...]
    unknown: bool = False
    """All content had been sent, and a recipient was accepted: nobody knows what became of it. RFC 1047"""


ClientEvent = Greeting | Ready | TlsReady | SignedIn | Refused | NeedContent | Finished | WasReset | Goodbye | Lost
