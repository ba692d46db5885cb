"""DMARC: does the domain that readers see in From stand behind this message?

What its owner wants done with mail that fails is a wish. Lists and forwarders break signatures of honest mail, so
that `p=reject` alone refuses nothing here: it counts as `p=quarantine`, with points besides. It is obeyed for domains
that an administrator names, and where the points of other filters reach the blocking score together with these.

Standards: RFC 9989 5.3.6, 5.4 (policy is local), 7.4 (indirect mail flows), RFC 7372 3.3 (X.7.26)
"""

from collections.abc import Sequence
from typing import Literal

from whimbrel.core.address import Domain
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.settings import setting
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Action, Assessment, Fact, Finding, Stage, Symbol
from whimbrel.flow.judging.filter import Filter, WaitingSettings
from whimbrel.flow.judging.proofs import ArcChecked, DmarcChecked, DomainVerified, SignatureChecked, SpfChecked
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.auth.authors import author_domains
from whimbrel.mail.auth.dmarc.evaluation import Outcome, Proof, evaluate
from whimbrel.mail.structure.header import fields


class DmarcSettings(WaitingSettings, tag="dmarc"):
    """Whether the domain in From stands behind a message, and what its owner wants done with mail that it does not."""

    enabled: bool = setting(True, help="Look at DMARC records of authors.")
    on_fail: Literal["log", "score", "junk", "quarantine"] = setting(
        "junk",
        help="What becomes of mail that fails where its owner wants it kept away (quarantine or reject): it is noted "
        "only, it gets points, it goes to Junk, or it is held for an administrator. It gets points in each case but "
        "the first.",
    )
    quarantine_score: float = setting(
        3.0, minimum=0, maximum=100, help="Points of mail that fails where its owner wants it in quarantine."
    )
    reject_score: float = setting(
        5.0, minimum=0, maximum=100, help="Points of mail that fails where its owner wants it refused."
    )
    refuse: tuple[str, ...] = setting(
        (),
        item="refuse-domain",
        help="Domains whose wish to have failing mail refused is obeyed, such as bank.example, with all below them; "
        "* is every domain. Mail of theirs through mailing lists and forwarders is lost.",
    )
    trust: tuple[Domain, ...] = setting(
        (),
        item="trust-domain",
        help="Domains whose failing mail is noted only, such as that of a partner who signs wrongly, with all below "
        "them.",
    )


class Dmarc(Filter):
    name, stage, peers = "dmarc", Stage.DATA, OUTSIDERS
    settings = DmarcSettings
    gives = frozenset[type[Fact]]({DmarcChecked, DomainVerified})
    needs = frozenset[type[Fact]]({SpfChecked, SignatureChecked, ArcChecked})

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        settings = self.ports.config.section(DmarcSettings)
        if not settings.enabled:
            return NOTHING
        authors = author_domains(fields(tx.header.raw))
        outcome = await evaluate(self.ports.resolver, authors, _proofs(known))
        vouching = next((fact.sealer for fact in known.facts(ArcChecked) if fact.vouched), "")
        finding, disposition = self._finding(outcome, settings, vouching)
        testing = outcome.record is not None and outcome.record.testing
        fact = DmarcChecked(
            outcome.result, outcome.domain, outcome.policy, outcome.of, outcome.organization, disposition,
            outcome.reason, testing,
        )  # fmt: skip
        facts: tuple[Fact, ...] = (fact,)
        if outcome.by and len(authors) == 1:
            facts = (fact, DomainVerified(outcome.domain, outcome.by[0].method))
        return Finding(finding.symbols, finding.action, reply=finding.reply, facts=facts)

    def _finding(self, outcome: Outcome, settings: DmarcSettings, vouching: str) -> tuple[Finding, str]:
        """And what it comes to: none, quarantine, reject. `vouching`: a trusted server says that it passed there."""
        domain, policy = outcome.domain, outcome.policy
        if outcome.result == "pass":
            methods = " and ".join(dict.fromkeys(proof.method.upper() for proof in outcome.by))
            return Finding((Symbol("DMARC_PASS", 0.0, f"{domain} stands behind it, by {methods}"),)), "none"
        if outcome.result == "temperror":
            if settings.when_down == "defer":
                reply = MailError(451, "4.7.26", "DMARC could not be checked now", detail=outcome.reason)
                return Finding(action=Action.DEFER, reply=reply), "none"
            words = f"the DMARC record of {domain} was not to be had: {outcome.reason}"
            return Finding((Symbol("DMARC_TEMPERROR", 0.0, words),)), "none"
        if outcome.result != "fail":
            return NOTHING, "none"
        words = f"{domain} does not stand behind it: {outcome.reason}; its owner wants " + (
            "nothing done" if policy == "none" else "it kept away" if policy == "quarantine" else "it refused"
        )
        score = {"none": 0.0, "quarantine": settings.quarantine_score, "reject": settings.reject_score}[policy]
        symbol = Symbol(f"DMARC_{policy.upper()}", score, words)
        if vouching:
            words = f"{domain} stood behind it where {vouching} took it, and it was changed since"
            return Finding((Symbol("DMARC_ARC", 0.0, words),)), "none"
        if policy == "none" or settings.on_fail == "log" or _named(settings.trust, domain):
            return Finding((symbol._replace(score=0.0),)), "none"
        if policy == "reject" and _named([name if name == "*" else _ascii(name) for name in settings.refuse], domain):
            reply = MailError(
                550, "5.7.26", f"{domain} does not stand behind this message and wants it refused (DMARC)"
            )
            return Finding((symbol,), Action.REFUSE, reply=reply), "reject"
        action = {"junk": Action.JUNK, "quarantine": Action.QUARANTINE}.get(settings.on_fail, Action.ACCEPT)
        return Finding((symbol,), action), "quarantine"


def _proofs(known: Assessment) -> list[Proof]:
    proofs = [Proof("dkim", fact.domain) for fact in known.facts(SignatureChecked) if fact.result == "pass"]
    spf = [Proof("spf", fact.domain) for fact in known.facts(SpfChecked) if fact.result == "pass"]
    return [*dict.fromkeys((*spf, *proofs))]


def _named(domains: Sequence[str], domain: str) -> bool:
    return any(name == "*" or domain == name or domain.endswith(f".{name}") for name in domains)


def _ascii(name: str) -> str:
    """As names are compared; what is none fits nothing."""
    try:
        return str(Domain(name))
    except ValueError:
        return ""
