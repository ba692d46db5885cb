"""DMARC: does the domain in From stand behind this message, and what does it want done if not?

Where an organization ends is read from the name system by a walk up the tree, not from a list of public suffixes. A
walk asks eight times at most, and each name once for a message, whatever domains stand in it.

Standards: RFC 9989 4.4 (alignment), 4.9 (several authors), 4.10 (tree walk, policy and organization), 5.3 (evaluation)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Resolver
from whimbrel.mail.auth.dmarc.record import Policy, Record, read

MAX_QUERIES: Final = 8
"""4.10: names with more labels lose those on the left."""
MAX_AUTHORS: Final = 5
"""Domains in From that are looked at; a message with more is taken for one that proves none of them."""
Result = Literal["none", "pass", "fail", "temperror", "permerror"]
_GRAVITY: Final[dict[Policy, int]] = {"none": 0, "quarantine": 1, "reject": 2}


@dataclass(frozen=True, slots=True)
class Proof:
    """A domain for which SPF or DKIM said `pass`."""

    method: Literal["spf", "dkim"]
    domain: str


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    domain: str = ""
    """Of the author."""
    policy: Policy = "none"
    """What its owner wants done with a message that fails."""
    of: str = ""
    """The domain whose record that is."""
    organization: str = ""
    by: tuple[Proof, ...] = ()
    """What proves it."""
    reason: str = ""
    record: Record | None = None


class _Walk:
    """The records of one message's domains, each asked for once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._records: dict[str, Record | None] = {}

    async def record(self, domain: str) -> Record | None:
        if domain not in self._records:
            try:
                texts = await self._resolver.txt(f"_dmarc.{domain}")
            except NoSuchName:
                texts = []
            self._records[domain] = read(texts)
        return self._records[domain]

    async def up(self, domain: str) -> list[tuple[str, Record]]:
        """Records from `domain` towards the root, as far as the walk goes."""
        way: list[tuple[str, Record]] = []
        for name in steps(domain):
            record = await self.record(name)
            if record is not None:
                way.append((name, record))
                if record.psd != "u":
                    break
        return way

    async def organization(self, domain: str) -> str:
        return organization(domain, await self.up(domain))

    async def exists(self, domain: str) -> bool:
        """3.2.13: a name for which there is nothing at all does not exist."""
        try:
            await self._resolver.addresses(domain)
            return True
        except NoSuchName:
            pass
        try:
            await self._resolver.mx(domain)
        except NoSuchName:
            return False
        return True


def steps(domain: str) -> list[str]:
    """Names whose `_dmarc` is asked for, in order. 4.10"""
    labels = domain.split(".")
    rest = labels[1:] if len(labels) <= MAX_QUERIES else labels[1 - MAX_QUERIES :]
    return [domain, *(".".join(rest[at:]) for at in range(len(rest)))]


def organization(domain: str, way: Sequence[tuple[str, Record]]) -> str:
    """4.10.2"""
    for name, record in way:
        if record.psd == "n":
            return name
        if record.psd == "y" and name != domain:
            return ".".join(domain.split(".")[-(name.count(".") + 2) :])
    return way[-1][0] if way else domain


async def evaluate(resolver: Resolver, authors: Sequence[str], proofs: Iterable[Proof]) -> Outcome:
    """`authors` are the domains in From, in A-labels. Of several, the one that wants most done with what fails counts.
    A failure of the name system is the result `temperror`."""
    proofs = tuple(proofs)
    if not authors:
        return Outcome("permerror", reason="From names no domain")
    if len(authors) > MAX_AUTHORS:
        return Outcome("permerror", authors[0], reason="From names too many domains")
    walk = _Walk(resolver)
    outcomes = []
    for author in dict.fromkeys(authors):
        try:
            outcomes.append(await _of(walk, author, proofs))
        except MailError as error:
            outcomes.append(Outcome("temperror", author, reason=error.detail or error.text))
    return max(outcomes, key=_weight)


def _weight(outcome: Outcome) -> tuple[int, int]:
    order = {"fail": 3, "temperror": 2, "none": 1, "permerror": 1, "pass": 0}
    return (order[outcome.result], _GRAVITY[outcome.policy])


async def _of(walk: _Walk, author: str, proofs: tuple[Proof, ...]) -> Outcome:
    way = await walk.up(author)
    if not way:
        return Outcome("none", author, by=tuple(proof for proof in proofs if proof.domain == author))
    above = organization(author, way)
    by_name = dict(way)
    # 4.10.1: its own, that of its organization, that of the public suffix.
    of = next((name for name in (author, above) if name in by_name), way[-1][0])
    record = by_name[of]
    aligned, failure = list[Proof](), None
    for proof in proofs:
        strict = record.strict_dkim if proof.method == "dkim" else record.strict_spf
        try:
            if await _aligned(walk, proof.domain, author, above, strict=strict):
                aligned.append(proof)
        except MailError as error:
            failure = error
    if failure is not None and not aligned:
        raise failure
    below = of != author
    exists = True
    if below and record.nonexistent is not None and not aligned:
        exists = await walk.exists(author)
    policy = record.applied(below=below, exists=exists)
    if aligned:
        return Outcome("pass", author, policy, of, above, tuple(aligned), record=record)
    reason = "neither SPF nor DKIM proves a domain" if not proofs else "what SPF and DKIM prove is another domain"
    return Outcome("fail", author, policy, of, above, reason=reason, record=record)


async def _aligned(walk: _Walk, domain: str, author: str, above: str, *, strict: bool) -> bool:
    """4.4"""
    if domain == author:
        return True
    if strict or not (domain == above or domain.endswith(f".{above}")):
        return False  # An organization's domains all end in its name.
    return await walk.organization(domain) == above
