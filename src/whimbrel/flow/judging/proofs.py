"""What is proven of a message's senders: facts that filters of mail authentication give and others build on.

Whoever lets mail pass for a name (allow lists, correspondents, bypass rules) asks for `DomainVerified`: a From without
it may be forged.
"""

from dataclasses import dataclass

from whimbrel.flow.assessment import Assessment, Fact


@dataclass(frozen=True, slots=True)
class SpfChecked(Fact):
    """Whether a host may send for a domain. RFC 7208"""

    identity: str
    """`mailfrom` or `helo`."""
    domain: str
    result: str
    """none, neutral, pass, fail, softfail, temperror, permerror."""
    ip: str
    """The host that was asked about: the client, or who gave the message to a trusted relay."""
    sender: str = ""
    mechanism: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SignatureChecked(Fact):
    """One DKIM signature. RFC 6376"""

    result: str
    """pass, fail, policy, neutral, temperror, permerror."""
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    value: str = ""
    """The first letters of it."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ArcChecked(Fact):
    """The chain of seals. RFC 8617"""

    result: str
    """pass, fail, temperror."""
    sealer: str = ""
    """The last one, of a chain that holds."""
    vouched: bool = False
    """It is trusted here, and says that DMARC passed there."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DmarcChecked(Fact):
    """What the author's domain says of this message. RFC 9989"""

    result: str
    """none, pass, fail, temperror, permerror."""
    domain: str = ""
    """In From."""
    policy: str = "none"
    """What its owner wants done with mail that fails: none, quarantine, reject."""
    of: str = ""
    """Whose record it is."""
    organization: str = ""
    disposition: str = "none"
    """What we did of it: for the owner's aggregate report."""
    reason: str = ""
    testing: bool = False


@dataclass(frozen=True, slots=True)
class DomainVerified(Fact):
    """The only domain in From is proven, by SPF or DKIM for it or, if it has a DMARC record, for its organization."""

    domain: str
    method: str
    """`spf` or `dkim`."""


def domain_verified(known: Assessment, domain: str) -> bool:
    """Whether mail may be taken for that of `domain` (in lower case)."""
    return any(fact.domain == domain for fact in known.facts(DomainVerified))


def sender_verified(known: Assessment, domain: str) -> bool:
    """Whether a report to an address of `domain` reaches who sent the message: SPF of its reverse-path, or its From."""
    spf = any(
        fact.result == "pass" and fact.identity == "mailfrom" and fact.domain == domain
        for fact in known.facts(SpfChecked)
    )
    return spf or domain_verified(known, domain)
