"""Signs what leaves for other servers, over what is really sent.

A message may be sent in two forms: as it came (its lines healed where they are too long), and in seven bits for a
server that takes no others. Each form is signed once, when the message is taken; the signatures are kept with the
queue's entry, and no retry, no other key and no other clock changes them.

Signed is what signed-in users, our own networks and we ourselves send, if its only From is of a domain that has keys;
of a user's mail only what is from the domain of the own account.
What is only passed on (forwarded, redirected) is not: somebody else wrote it, and our name on a forged From would be
the best forgery there is.

Standards: RFC 6376 5.3 (normalise before signing), 5.4, RFC 6152 3
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.commit import Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool
from whimbrel.core.signing import SigningKey, SigningKeys
from whimbrel.flow.assessment import Peer
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.auth.authors import author_domains
from whimbrel.mail.auth.dkim.signing import Signing
from whimbrel.mail.structure.header import fields
from whimbrel.mail.structure.octets import Octets
from whimbrel.mail.structure.outline import Outline, TooComplex
from whimbrel.mail.writing.convert import Unconvertible, edits
from whimbrel.mail.writing.edit import Rewriter

_PIECE: Final = 256 * 1024
_SIGNERS: Final = frozenset({Peer.USER, Peer.NETWORK, Peer.OURSELVES})


@dataclass(frozen=True, slots=True)
class Signed:
    """Fields for the front of each form; empty: it is not signed."""

    as_it_is: bytes = b""
    seven_bit: bytes = b""
    """Of the form in seven bits; empty if that is the same, or cannot be made."""


UNSIGNED: Final = Signed()


class Signer:
    """`keys` None: nothing is signed."""

    def __init__(self, keys: SigningKeys | None, pool: Pool | None, clock: Clock, log: Log) -> None:
        self._keys, self._pool, self._clock, self._log = keys, pool, clock, log

    async def signed(self, tx: Transaction, rendition: Rendition) -> Signed:
        """Never raises: mail that cannot be signed is sent unsigned, and the log says so."""
        if self._keys is None or not _ours(tx):
            return UNSIGNED
        authors = author_domains(fields(tx.header.raw))
        if len(authors) != 1 or not _may_sign(tx, authors[0]):
            return UNSIGNED
        try:
            keys = await self._keys.signing(authors[0])
            if not keys:
                return UNSIGNED
            made = await self._forms(keys, rendition)
        except (MailError, TooComplex) as error:
            self._log.warning("dkim.unsigned", queue_id=tx.queue_id, domain=authors[0], reason=_reason(error))
            return UNSIGNED
        if self._log.debugs("message"):
            selectors = " ".join(key.selector for key in keys)
            self._log.debug("dkim.signed", queue_id=tx.queue_id, domain=authors[0], selectors=selectors)
        return made

    async def _forms(self, keys: Sequence[SigningKey], rendition: Rendition) -> Signed:
        octets, signing, outline, now = Octets(), Signing(), Outline(), self._clock.now()
        large = rendition.size > _PIECE
        async for piece in _pieces(rendition):
            octets.feed(piece)
            await self._run(signing.feed, piece, large=large)
        octets.end()
        if not (octets.eight_bit or octets.long_line):  # Nearly always.
            return Signed(signing.fields(keys, now))
        async for piece in _pieces(rendition):
            await self._run(outline.feed, piece, large=large)
        outline.end()
        as_it_is = signing.fields(keys, now)
        if octets.long_line:
            as_it_is = await self._converted(keys, rendition, outline, now, seven_bit=False)
        try:
            seven = await self._converted(keys, rendition, outline, now, seven_bit=True) if octets.eight_bit else b""
        except Unconvertible:
            seven = b""  # It is returned rather than sent in seven bits.
        return Signed(as_it_is, seven)

    async def _converted(
        self, keys: Sequence[SigningKey], rendition: Rendition, outline: Outline, now: float, *, seven_bit: bool
    ) -> bytes:
        rewriter, signing = Rewriter(edits(outline, seven_bit=seven_bit)), Signing()
        async for piece in _pieces(rendition):
            await self._run(lambda part: signing.feed(rewriter.feed(part)), piece, large=rendition.size > _PIECE)
        return signing.fields(keys, now)

    async def _run(self, work: Callable[[bytes], None], piece: bytes, *, large: bool) -> None:
        if large and self._pool is not None:
            await self._pool.run(work, piece)
        else:
            work(piece)


def _ours(tx: Transaction) -> bool:
    if tx.peer not in _SIGNERS:
        return False
    if tx.origin is Origin.INTERNAL:
        # Of what the queue resumes only what says so was written by us: redirected mail is not.
        return tx.resumed is None or tx.options.own
    return True


def _may_sign(tx: Transaction, domain: str) -> bool:
    """A signature says that the domain stands behind it: a user speaks for the domain of the own account alone."""
    return tx.account is None or tx.account.address.domain == domain


async def _pieces(rendition: Rendition) -> AsyncIterator[bytes]:
    if rendition.prefix:
        yield rendition.prefix
    size = rendition.content.size
    for start in range(0, size, _PIECE):
        yield await rendition.content.read(start, min(_PIECE, size - start))


def _reason(error: Exception) -> str:
    return error.detail or error.text if isinstance(error, MailError) else str(error)
