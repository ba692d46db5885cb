"""Authentication-Results: what we found is told to readers and their rules, and nobody else tells it in our name.

Standards: RFC 8601 4.1 (where it stands), 5 (removing), 7.1 (forged fields)
"""

from whimbrel.core.address import Domain
from whimbrel.core.directory import Account
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Assessment, Fact, Finding, Peer, Stage
from whimbrel.flow.judging.filter import QuickFilter
from whimbrel.flow.judging.filters.dkim import DkimSettings
from whimbrel.flow.judging.filters.dmarc import DmarcSettings
from whimbrel.flow.judging.filters.spf import SpfSettings
from whimbrel.flow.judging.proofs import ArcChecked, DmarcChecked, SignatureChecked, SpfChecked
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.auth.results import NAME, Method, claiming, written
from whimbrel.mail.structure.header import fields
from whimbrel.mail.writing.changes import AddField, RemoveExactly


class ForeignResults(QuickFilter):
    """Takes off what was written in our name, whoever brings it."""

    name, stage = "foreign-results", Stage.DATA
    peers = frozenset({Peer.OUTSIDER, Peer.NETWORK, Peer.USER})

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        if not tx.header.begin(NAME):
            return NOTHING  # Nearly always.
        ours = str(Domain(self.ports.config.section(SmtpSettings).hostname))
        forged = claiming(fields(tx.header.raw), frozenset({ours}))
        return Finding(changes=(RemoveExactly(forged),)) if forged else NOTHING


class AuthenticationResults(QuickFilter):
    name, stage, peers = "authentication-results", Stage.DATA, OUTSIDERS
    needs = frozenset[type[Fact]]({SpfChecked, SignatureChecked, ArcChecked, DmarcChecked})

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        section = self.ports.config.section
        methods = [_spf(fact) for fact in known.facts(SpfChecked)]
        signatures = known.facts(SignatureChecked)
        methods += [_dkim(fact) for fact in signatures]
        if not signatures and section(DkimSettings).enabled:
            methods.append(Method("dkim", "none"))
        methods += [Method("arc", fact.result, fact.reason) for fact in known.facts(ArcChecked)]
        methods += [_dmarc(fact) for fact in known.facts(DmarcChecked)]
        if not (section(SpfSettings).enabled or section(DkimSettings).enabled or section(DmarcSettings).enabled):
            return NOTHING
        return Finding(changes=(AddField(written(section(SmtpSettings).hostname, methods)),))


def _spf(fact: SpfChecked) -> Method:
    if fact.identity == "helo":
        return Method("spf", fact.result, fact.reason, (("smtp.helo", fact.domain),))
    return Method("spf", fact.result, fact.reason, (("smtp.mailfrom", fact.sender or fact.domain),))


def _dkim(fact: SignatureChecked) -> Method:
    properties = (("header.d", fact.domain), ("header.s", fact.selector), ("header.a", fact.algorithm),
                  ("header.b", fact.value))  # fmt: skip
    return Method("dkim", fact.result, fact.reason, properties)


def _dmarc(fact: DmarcChecked) -> Method:
    policy = fact.policy if fact.result in ("pass", "fail") else ""
    return Method("dmarc", fact.result, fact.reason, (("header.from", fact.domain), ("policy.dmarc", policy)))
