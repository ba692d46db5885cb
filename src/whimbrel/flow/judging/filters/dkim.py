"""DKIM: which domains have signed this message, and is it still what they signed?

The content is read in pieces, only if there is a signature that could be valid; large ones are hashed beside the loop.
Whoever cannot be asked for a key now leaves that signature without a result; others count.

Standards: RFC 6376 6 (verifying), RFC 7372 3.1 (X.7.20), RFC 8601 2.7.1
"""

from typing import Final

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.settings import setting
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Action, Assessment, Finding, Stage, Symbol
from whimbrel.flow.judging.filter import Filter, WaitingSettings
from whimbrel.flow.judging.proofs import SignatureChecked
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.auth.authors import author_domains
from whimbrel.mail.auth.dkim.verification import Verified, Verifier
from whimbrel.mail.structure.header import fields

_PIECE: Final = 256 * 1024
_SHOWN: Final = 3


class DkimSettings(WaitingSettings, tag="dkim"):
    """Signatures of the domains that a message came through."""

    enabled: bool = setting(True, help="Verify DKIM signatures.")
    broken_score: float = setting(
        0.5,
        minimum=0,
        maximum=100,
        help="Points of mail that has signatures, none of which is valid. Mailing lists often break them.",
    )
    max_signatures: int = setting(
        8, minimum=1, maximum=50, help="Signatures of one message that are verified.", advanced=True
    )


class Dkim(Filter):
    name, stage, peers = "dkim", Stage.DATA, OUTSIDERS
    settings = DkimSettings
    gives = frozenset({SignatureChecked})

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        settings, raw = self.ports.config.section(DkimSettings), tx.header.raw
        if not settings.enabled or tx.content is None or not tx.header.begin(b"dkim-signature"):
            return NOTHING
        authors = author_domains(fields(raw))
        verifier = Verifier(
            raw, now=self.ports.clock.now(), prefer=authors[0] if authors else "", most=settings.max_signatures
        )
        if verifier.wants_body:
            await self._feed(tx, verifier)
        results = await verifier.results(self.ports.resolver)
        facts = tuple(
            SignatureChecked(each.result, each.domain, each.selector, each.algorithm, each.value, each.reason)
            for each in results
        )
        return self._finding(results, facts) if facts else NOTHING

    async def _feed(self, tx: Transaction, verifier: Verifier) -> None:
        assert tx.content is not None
        start, size = len(tx.header.raw) + 2, tx.content.size
        while start < size:
            piece = await tx.content.read(start, min(_PIECE, size - start))
            if not piece:
                return
            if size > _PIECE:
                await self.ports.pool.run(verifier.feed, piece)
            else:
                verifier.feed(piece)
            start += len(piece)

    def _finding(self, results: list[Verified], facts: tuple[SignatureChecked, ...]) -> Finding:
        settings = self.ports.config.section(DkimSettings)
        valid = [each.domain for each in results if each.result == "pass"]
        if valid:
            words = f"signed by {', '.join(dict.fromkeys(valid[:_SHOWN]))}"
            return Finding((Symbol("DKIM_VALID", 0.0, words),), facts=facts)
        failure = results[0]
        words = f"the signature of {failure.domain or 'somebody'} is not valid: {failure.reason}"
        if any(each.result == "temperror" for each in results):
            if settings.when_down == "defer":
                reply = MailError(451, "4.7.20", "Signatures could not be verified now", detail=failure.reason)
                return Finding(action=Action.DEFER, reply=reply, facts=facts)
            return Finding((Symbol("DKIM_TEMPERROR", 0.0, words),), facts=facts)
        return Finding((Symbol("DKIM_INVALID", settings.broken_score, words),), facts=facts)
