"""Values that calls answer with and that several of them share."""

from dataclasses import dataclass
from typing import NewType

Octets = NewType("Octets", int)
"""A number of bytes; people are shown KiB, MiB, GiB."""
Moment = NewType("Moment", float)
"""Seconds since 1970 UTC; people are shown local time. 0: never."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in one sentence."""

    text: str


def done(dry_run: bool, what: str) -> Done:
    """`Would have <what>` if nothing was changed."""
    return Done(f"Checked only, nothing was changed: {what}" if dry_run else what)
