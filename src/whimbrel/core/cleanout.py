"""Clean-out rules: messages that stayed in a folder for so many days are deleted by themselves.

A rule is written `deleted 30d`. Age counts from the day a message came into that folder, not from its own date: what
was thrown away yesterday stays in Deleted Items for its 30 days, however old it is. Rules of a user stand in for those
of the domain about the same folder; `deleted 0d` switches the domain's rule off.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from whimbrel.core.record import Part, value
from whimbrel.core.values import text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

DELETED: Final = "deleted"
JUNK: Final = "junk"
SENT: Final = "sent"
INBOX: Final = "inbox"
ALL: Final = "all"
FOLDERS: Final = (DELETED, JUNK, SENT, INBOX, ALL)
MAX_DAYS: Final = 36_500
DAY: Final = 86_400
_RULE = re.compile(r"([a-z]{1,20})\s{1,4}(\d{1,5})d?\Z")


class CleanOut(str):
    """`deleted 30d`, `junk 14d`, `sent 365d`, `inbox 90d`, or `all 3650d` for every folder without a rule of its own.
    0 days: never."""

    folder: str
    days: int

    def __new__(cls, text: str) -> "CleanOut":
        match = _RULE.match(str(text).strip().lower())
        if not match or match[1] not in FOLDERS:
            raise ValueError(
                f"'{text}' is not a clean-out rule: one of {', '.join(FOLDERS)} and days, as in deleted 30d"
            )
        if int(match[2]) > MAX_DAYS:
            raise ValueError(f"'{text}' has more than {MAX_DAYS} days")
        self = str.__new__(cls, f"{match[1]} {int(match[2])}d")
        self.folder, self.days = match[1], int(match[2])
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: "GetCoreSchemaHandler") -> "CoreSchema":
        return text_schema(cls, "clean-out")


@dataclass(frozen=True, slots=True)
class UserCleanOut(Part):
    """What is deleted by itself in a user's folders."""

    clean_out: tuple[CleanOut, ...] = value(
        (),
        help="Deletes what lay in a folder for so many days: deleted, junk, sent, inbox or all, as in deleted 30d; "
        "before the domain's rules, 0d: never.",
    )


@dataclass(frozen=True, slots=True)
class DomainRetention(Part):
    """How long mail of a domain is kept."""

    keep_deleted: str = value(
        "",
        pattern=r"^$|^\d{1,6}(s|m|h|d|w)$",
        like="a duration, such as 30d, or nothing",
        help="How long deleted mail of this domain can be restored, such as 30d; empty: as the server says.",
    )
    clean_out: tuple[CleanOut, ...] = value(
        (), help="Deletes what lay in a folder for so many days: deleted, junk, sent, inbox or all, as in deleted 30d."
    )


def in_force(user: Iterable[CleanOut], domain: Iterable[CleanOut]) -> tuple[CleanOut, ...]:
    """The rules for one account, one for each folder. Those of 0 days stay: they keep a folder from `all`."""
    rules = {rule.folder: rule for rule in domain} | {rule.folder: rule for rule in user}
    return tuple(rules[folder] for folder in FOLDERS if folder in rules)


def days_for(rules: Iterable[CleanOut], folder: str) -> int:
    """Days that messages stay in a folder of this kind (`""`: one without a word of its own); 0: for ever."""
    days = {rule.folder: rule.days for rule in rules}
    return days.get(folder, days.get(ALL, 0))
