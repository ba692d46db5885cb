"""ARC: whether servers that passed a message on can be believed about what they saw of it.

A chain that holds proves who sealed it, nothing more: it is used only where an administrator trusts the last sealer
(a mailing list's host, a forwarding provider), whose word that DMARC passed there then spares the message DMARC's
consequences here. We seal nothing ourselves.

Standards: RFC 8617 5.2 (validation), 7.2 (a chain is not a proof of good mail)
"""

import re
from typing import Final

from whimbrel.core.address import Domain
from whimbrel.core.directory import Account
from whimbrel.core.settings import setting
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Assessment, Finding, Stage, Symbol
from whimbrel.flow.judging.filter import Filter, WaitingSettings
from whimbrel.flow.judging.proofs import ArcChecked
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.auth.arc import ArcVerifier

_PIECE: Final = 256 * 1024
_PASSED: Final = re.compile(rb";[ \t\r\n]*dmarc[ \t\r\n]*=[ \t\r\n]*pass\b", re.IGNORECASE)


class ArcSettings(WaitingSettings, tag="arc"):
    """What servers that passed a message on say of it (ARC)."""

    enabled: bool = setting(True, help="Verify ARC seals.", advanced=True)
    trust: tuple[Domain, ...] = setting(
        (),
        item="trust-sealer",
        help="Domains of servers whose word is taken, such as that of a mailing list's host: mail that passed DMARC "
        "there goes through although it was changed on the way.",
    )


class Arc(Filter):
    name, stage, peers = "arc", Stage.DATA, OUTSIDERS
    settings = ArcSettings
    gives = frozenset({ArcChecked})

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        settings = self.ports.config.section(ArcSettings)
        if not settings.enabled or tx.content is None or not tx.header.begin(b"arc-"):
            return NOTHING
        verifier = ArcVerifier(tx.header.raw)
        if verifier.wants_body:
            await self._feed(tx, verifier)
        chain = await verifier.chain(self.ports.resolver)
        if chain.result == "none":
            return NOTHING
        sealer = chain.sealers[0] if chain.sealers else ""
        trusted = sealer in settings.trust
        passed = trusted and _PASSED.search(b";" + chain.results) is not None
        fact = ArcChecked(chain.result, sealer, passed, chain.reason)
        words = f"sealed by {', '.join(chain.sealers[:3])}" if chain.sealers else chain.reason
        return Finding((Symbol(f"ARC_{chain.result.upper()}", 0.0, words),), facts=(fact,))

    async def _feed(self, tx: Transaction, verifier: ArcVerifier) -> None:
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
