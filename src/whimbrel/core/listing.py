"""A page of records as a person looks at them: filtered, in any order, with how many there are in all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from whimbrel.core.record import Kind


class BadPlace(ValueError):
    """`after` is not where a page in this order ended."""


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which records are wanted: those for which all holds that is said. Values are named by their XML elements."""

    kind: Kind
    domains: frozenset[str] | None = None
    """Only of these domains; None: of all."""
    search: str = ""
    """Part of name, full name or description."""
    having: Mapping[str, str] = field(default_factory=dict)
    """Values that they have, as text; what a record does not say has its default."""
    filled: Mapping[str, bool] = field(default_factory=dict)
    """Values that are set at all, or are not."""
    among: frozenset[str] | None = None
    """Only these addresses, folded; None: any."""
    outside: frozenset[str] = frozenset()
    """None of these addresses, folded."""
    sort: str = ""
    """The value by which they are ordered; empty: domain, then name. What is alike stands in that order too."""
    ranks: Mapping[str, float] | None = None
    """Numbers by which they are ordered, where the directory does not know these: by address, folded; 0 without one."""
    descending: bool = False
    after: str = ""
    """`more` of the page before; in the order of names an address or domain will do, whether it is there or not."""
    skip: int = 0
    """So many of those that would come first are left out: for a jump into a long list."""
    limit: int = 100
