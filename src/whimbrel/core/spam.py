"""What users and domains say of unwanted mail for themselves; the server's own is the section `rating`."""

from dataclasses import dataclass

from whimbrel.core.record import ChangedBy, Part, value


@dataclass(frozen=True, slots=True)
class UserScores(Part):
    """From which score on a user's mail goes to Junk. What is blocked is decided by the domain or the server."""

    junk_score: float | None = value(
        None,
        minimum=0,
        maximum=1000,
        changed_by=ChangedBy.OWNER,
        help="From this score on mail goes to Junk; 0: never. Without it as the domain says.",
    )


@dataclass(frozen=True, slots=True)
class DomainScores(Part):
    """From which score on mail for a domain goes to Junk, or is blocked."""

    junk_score: float | None = value(
        None,
        minimum=0,
        maximum=1000,
        help="From this score on mail goes to Junk; 0: never. Users may have their own; without it as the server says.",
    )
    block_score: float | None = value(
        None,
        minimum=0,
        maximum=1000,
        help="From this score on mail is blocked; 0: never. Without it as the server says.",
    )
