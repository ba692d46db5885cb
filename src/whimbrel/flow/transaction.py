"""One message on its way in: from MAIL to the answer after its content.

Standards: RFC 5321 3.3 (mail transactions), RFC 2033 4.2, draft-hall-prdr-00 (answers), RFC 8689 4.1.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from whimbrel.core.address import ReversePath
from whimbrel.core.directory import Account
from whimbrel.core.envelope import PLAIN, MailOptions, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.core.mailbox import AccountId
from whimbrel.core.queue import QueueItem
from whimbrel.core.spool import Spooled
from whimbrel.flow.assessment import PEERS, Assessment

if TYPE_CHECKING:
    from whimbrel.flow.routing.route import Expansion

HEAD: Final = 64 * 1024
"""Bytes in which a header is looked for; `Spooled.head` has at least as many."""


class Answers(Enum):
    """Who hears that the message is refused after its content has come."""

    __hash__ = object.__hash__  # As Origin.

    EACH = "each"
    """The client, for each recipient: LMTP (RFC 2033 4.2) and PRDR."""
    ONE = "one"
    """The client, once for all recipients."""
    NOBODY = "nobody"
    """It was taken before: what the queue resumes, what we make ourselves, fetched mail."""


@dataclass(frozen=True, slots=True)
class Result:
    """How it went for each addressee, in the order of RCPT: None is accepted (delivered, queued or reported)."""

    queue_id: str
    outcomes: tuple[MailError | None, ...]


class Addressee:
    """One recipient of the envelope, from RCPT to its outcome."""

    __slots__ = ("error", "expansion", "known", "recipient")

    def __init__(self, recipient: Recipient, expansion: "Expansion", error: MailError | None = None) -> None:
        self.recipient, self.expansion = recipient, expansion
        """`expansion`: all that it stands for."""
        self.known: Assessment | None = None
        """What filters said of this recipient, a child of the transaction's; None: nothing."""
        self.error = error
        """Why it gets nothing, for the answer to it or for a report. None: it is taken, and in the end delivered or
        queued."""


class Transaction:
    """What filters, routing and placement know. Made by `Reception.mail`; `take_content` once it has arrived."""

    __slots__ = (
        "account",
        "addressees",
        "answers",
        "arrived",
        "client",
        "content",
        "destinations",
        "differs",
        "header",
        "known",
        "max_size",
        "message_id",
        "options",
        "origin",
        "peer",
        "queue_id",
        "reserved",
        "resumed",
        "sender",
        "started",
        "trying",
    )

    def __init__(
        self,
        queue_id: str,
        origin: Origin,
        client: Client,
        account: Account | None,
        sender: ReversePath,
        options: MailOptions = PLAIN,
        started: float = 0.0,
        answers: Answers = Answers.ONE,
    ) -> None:
        self.queue_id, self.origin, self.client, self.account = queue_id, origin, client, account
        self.sender, self.options, self.started, self.answers = sender, options, started, answers
        self.addressees: list[Addressee] = []
        """In the order of RCPT: those that were taken then, and of a message that we made those that were not, too:
        its sender cannot be answered, only told."""
        self.arrived = started
        """When its content had come to its end, by the monotonic clock; before that, as `started`."""
        self.max_size = 0
        """Largest message that the signed-in user may send; 0: the server's limit."""
        self.destinations = 0
        """Mailboxes and addresses in all expansions."""
        self.resumed: QueueItem | None = None
        """Of a message from our queue: the entry, which has not been judged."""
        self.reserved: dict[AccountId, int] = {}
        """Octets of this message that the quotas of mailboxes count already."""
        self.trying: Addressee | None = None
        """The recipient that stage RCPT is about."""
        self.peer = PEERS[origin]
        """Whose mail it is, for the filters."""
        self.known = Assessment()
        """What filters said of the message; a child of the session's once that has any."""
        self.differs = False
        """They said something of a recipient, which is not known of the others."""
        self.content: Spooled | None = None
        self.header = Header(b"")
        self.message_id = ""

    def take_content(self, content: Spooled) -> None:
        """Its header is looked for in its first `HEAD` bytes; if it is longer, `read_header` must follow."""
        self.content = content
        head = content.head
        self.header = Header(head if len(head) <= HEAD else head[:HEAD])
        self.message_id = self.header.value(b"message-id")

    @property
    def header_goes_on(self) -> bool:
        """The header is longer than what `take_content` has looked at."""
        return not self.header.complete and len(self.header.raw) < self.size

    async def read_header(self, most: int) -> None:
        """Of a header that goes on: its first `most` octets, and one more if there are more."""
        if self.content is not None and most >= HEAD:
            self.header = Header(await self.content.read(0, most + 4))

    @property
    def size(self) -> int:
        """Of the content; what MAIL said before it is here."""
        return self.content.size if self.content is not None else self.options.size

    @property
    def tls_optional(self) -> bool:
        """The sender's wish in the header, of whatever message: it gives way to REQUIRETLS. RFC 8689 4.1"""
        return not self.options.require_tls and self.header.value(b"tls-required").lower() == "no"

    @property
    def per_recipient(self) -> bool:
        """Whoever brought the message hears how it went for each recipient: the client, or the queue."""
        return self.answers is Answers.EACH or self.resumed is not None

    @property
    def trusted(self) -> bool:
        """From a signed-in user or from ourselves: mail to other domains is sent on."""
        return self.origin is Origin.SUBMISSION or self.origin is Origin.INTERNAL


class Header:
    """The header section of a message as far as flow needs it: which fields there are. RFC 5322 2.2"""

    __slots__ = ("_folded", "complete", "raw")

    def __init__(self, head: bytes) -> None:
        """`head` are the first bytes of the message."""
        end = 0 if head.startswith(b"\r\n") else head.find(b"\r\n\r\n") + 2
        self.complete = end != 1
        """The empty line after the header was found (or there is a message without one, all header)."""
        self.raw = head[:end] if self.complete else head
        """The fields, with the CRLF that ends the last."""
        self._folded = b""

    @property
    def _lower(self) -> bytes:
        if not self._folded:
            self._folded = b"\r\n" + self.raw.lower()
        return self._folded

    def count(self, name: bytes) -> int:
        """How many fields are called `name` (in lower case)."""
        return self._lower.count(b"\r\n" + name + b":")

    def has(self, name: bytes) -> bool:
        return b"\r\n" + name + b":" in self._lower

    def begin(self, *names: bytes) -> bool:
        """A field begins with one of `names` (in lower case): it may be called so, with white space before the colon
        too, or longer."""
        lower = self._lower
        for name in names:  # noqa: SIM110 - for each message, and `any` calls for each name.
            if b"\n" + name in lower:
                return True
        return False

    @property
    def fields(self) -> int:
        """How many fields there are; continuation lines don't count."""
        raw = self.raw
        return raw.count(b"\r\n") - raw.count(b"\r\n ") - raw.count(b"\r\n\t")

    def value(self, name: bytes) -> str:
        """The first value of field `name` (in lower case), unfolded and without blanks around; "" if there is none."""
        start = self._lower.find(b"\r\n" + name + b":")
        return self._value(start + len(name) + 1) if start >= 0 else ""

    def values(self, name: bytes) -> list[str]:
        """All of them, in order."""
        values_, sought, start = list[str](), b"\r\n" + name + b":", -1
        while (start := self._lower.find(sought, start + 1)) >= 0:
            values_.append(self._value(start + len(name) + 1))
        return values_

    def _value(self, start: int) -> str:
        """`start`: where it begins in `raw`; `_lower` has two octets more in front, the name is followed by a colon."""
        end = start
        while True:
            end = self.raw.find(b"\r\n", end)
            if end < 0:
                end = len(self.raw)
                break
            if self.raw[end + 2 : end + 3] not in (b" ", b"\t"):
                break
            end += 2
        return self.raw[start:end].replace(b"\r\n", b"").decode("utf-8", "replace").strip()
