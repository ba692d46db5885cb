"""SPF: may this host send mail of the domain in MAIL FROM, and under the name that it says?

It is asked at MAIL, so that its result is known to what decides about recipients (greylisting). Of what trusted relays
hand in the host before them is asked about, when the header is there. A failure of the name system is a result, not a
failure of ours: nobody can switch SPF off for others with a name server of his that is down.

Standards: RFC 7208 2.3 (HELO), 2.4 (MAIL FROM), 8 (what to do with results), RFC 7372 3.2 (X.7.23, X.7.24)
"""

from typing import Final, Literal

from whimbrel.core.address import Domain
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.settings import setting
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import NOTHING, OUTSIDERS, Action, Assessment, Finding, Stage, Symbol
from whimbrel.flow.judging.filter import Filter, WaitingSettings
from whimbrel.flow.judging.proofs import SpfChecked
from whimbrel.flow.judging.trusted import Source, relayed, source
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.auth.spf.evaluation import Outcome, check_host


class SpfSettings(WaitingSettings, tag="spf"):
    """Whether a host may send mail of a domain, as that domain's SPF record says."""

    enabled: bool = setting(True, help="Look at SPF records of senders.")
    deadline: Duration = setting(
        Duration("20s"), minimum=1, maximum=300, help="Longest time it may take for a message.", advanced=True
    )
    on_fail: Literal["log", "score", "refuse"] = setting(
        "score",
        help="What becomes of mail whose domain says that this host may not send it (fail): it is noted only, it gets "
        "points, or it is refused. Forwarded mail often fails.",
    )
    fail_score: float = setting(
        3.0, minimum=0, maximum=100, help="Points of mail that fails.", shown_if="on-fail = score"
    )
    softfail_score: float = setting(
        1.0, minimum=0, maximum=100, help="Points of mail whose domain says that this host probably may not send it."
    )


_WORDS: Final = {
    "pass": "{ip} may send mail of {domain}",
    "fail": "{domain} says that {ip} may not send its mail",
    "softfail": "{domain} says that {ip} probably may not send its mail",
    "neutral": "{domain} does not say whether {ip} may send its mail",
    "permerror": "the SPF record of {domain} cannot be used: {reason}",
    "temperror": "the SPF record of {domain} was not to be had: {reason}",
}


class Spf(Filter):
    name, stage, peers = "spf", Stage.MAIL, OUTSIDERS
    settings = SpfSettings
    gives = frozenset({SpfChecked})

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        if not self.ports.config.section(SpfSettings).enabled or relayed(self.ports.config, tx):
            return NOTHING
        return await self._about(tx, Source(tx.client.ip, tx.client.helo))

    async def _about(self, tx: Transaction, host: Source) -> Finding:
        helo = _domain(host.helo)
        facts: list[SpfChecked] = []
        if tx.sender is not None and (domain := _domain(str(tx.sender.domain))):
            outcome = await self._asked(host, domain, tx.sender.local, helo)
            facts.append(_fact("mailfrom", domain, host, outcome, str(tx.sender)))
        elif helo:  # 2.4: a report has no other sender.
            outcome = await self._asked(host, helo, "postmaster", helo)
            facts.append(_fact("helo", helo, host, outcome, ""))
        if not facts:
            return NOTHING
        return self._finding(facts[0], outcome, tuple(facts))

    async def _asked(self, host: Source, domain: str, local: str, helo: str) -> Outcome:
        return await check_host(
            self.ports.resolver,
            host.ip,
            domain,
            local=local,
            helo=helo,
            receiver=self.ports.config.section(SmtpSettings).hostname,
            now=self.ports.clock.now(),
        )

    def _finding(self, fact: SpfChecked, outcome: Outcome, facts: tuple[SpfChecked, ...]) -> Finding:
        settings, result = self.ports.config.section(SpfSettings), fact.result
        if result == "none":
            return Finding(facts=facts)
        words = _WORDS[result].format(ip=fact.ip, domain=fact.domain, reason=fact.reason)
        score = 0.0
        action, reply = Action.ACCEPT, None
        if result == "softfail":
            score = settings.softfail_score
        elif result == "fail" and settings.on_fail == "score":
            score = settings.fail_score
        elif result == "fail" and settings.on_fail == "refuse":
            action, reply = Action.REFUSE, MailError(550, "5.7.23", f"SPF: {words}", detail=outcome.mechanism)
        elif result == "temperror" and settings.when_down == "defer":
            action, reply = Action.DEFER, MailError(451, "4.7.24", "SPF could not be checked now", detail=fact.reason)
        return Finding((Symbol(f"SPF_{result.upper()}", score, words),), action, reply=reply, facts=facts)


class RelayedSpf(Spf):
    """Of what trusted relays hand in."""

    name, stage = "spf-relayed", Stage.DATA

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        config = self.ports.config
        if not config.section(SpfSettings).enabled or not relayed(config, tx):
            return NOTHING
        host = source(config, tx)
        return NOTHING if host is None else await self._about(tx, host)


def _fact(identity: str, domain: str, host: Source, outcome: Outcome, sender: str) -> SpfChecked:
    return SpfChecked(identity, domain, outcome.result, host.ip, sender, outcome.mechanism, outcome.reason)


def _domain(name: str) -> str:
    """In A-labels; empty: it is none that could have a record."""
    try:
        domain = str(Domain(name))
    except ValueError:
        return ""
    return domain if "." in domain and not domain.replace(".", "").isdigit() else ""
