"""A DMARC policy record.

Standards: RFC 9989 4.7 (tags), 4.8 (formal definition), 4.10 (records that do not count); tags of RFC 7489 that are
gone (pct, rf, ri) are passed over like all that are unknown
"""

from dataclasses import dataclass
from typing import Final, Literal

from whimbrel.mail.auth.tags import TagError, tags

Policy = Literal["none", "quarantine", "reject"]
_POLICIES: Final[dict[str, Policy]] = {"none": "none", "quarantine": "quarantine", "reject": "reject"}
_MILDER: Final[dict[Policy, Policy]] = {"reject": "quarantine", "quarantine": "none", "none": "none"}
_TEXT: Final = 16_384


@dataclass(frozen=True, slots=True)
class Record:
    """Without a tag its default stands here."""

    policy: Policy = "none"
    subdomains: Policy | None = None
    """sp="""
    nonexistent: Policy | None = None
    """np="""
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    """y: a public suffix, whose children are organizations; n: an organization; u: not said."""
    testing: bool = False
    """t=y: the policy is tried out; it applies a degree milder."""
    reports_to: tuple[str, ...] = ()
    """rua="""

    def applied(self, *, below: bool, exists: bool) -> Policy:
        """To a domain: `below` the one that has the record; `exists`: the name system knows it. 4.7"""
        policy = self.policy
        if below:
            policy = self.subdomains or self.policy
            if not exists and self.nonexistent is not None:
                policy = self.nonexistent
        return _MILDER[policy] if self.testing else policy


def read(texts: list[str]) -> Record | None:
    """The record among the TXT records of `_dmarc.<domain>`; None if there is none, or several. 4.10"""
    records = [text for text in texts if _is_record(text)]
    return _parsed(records[0]) if len(records) == 1 else None


def _is_record(text: str) -> bool:
    first, _, _ = text[:64].partition(";")
    name, _, value = first.partition("=")
    return name.strip().lower() == "v" and value.strip() == "DMARC1"


def _parsed(text: str) -> Record | None:
    if len(text) > _TEXT:
        return None
    try:
        named = {name.lower(): value for name, value in tags(text).items()}
    except TagError:
        return None
    reports = tuple(uri.strip() for uri in named.get("rua", "").split(",") if uri.strip().lower().startswith("mailto:"))
    policy = _POLICIES.get(named.get("p", "none").lower())
    if policy is None:
        if not reports:
            return None
        policy = "none"
    return Record(
        policy,
        _POLICIES.get(named.get("sp", "").lower()),
        _POLICIES.get(named.get("np", "").lower()),
        named.get("adkim", "r").lower() == "s",
        named.get("aspf", "r").lower() == "s",
        psd if (psd := named.get("psd", "u").lower()) in ("y", "n") else "u",
        named.get("t", "n").lower() == "y",
        reports[:10],
    )
