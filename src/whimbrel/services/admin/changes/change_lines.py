"""Lines of the config log read back as what was changed: the other half of `audit.py`.

A line that a former release wrote has no id; what it says can be shown, and not be undone.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from whimbrel.core.log import LogLine
from whimbrel.core.rights import Grants, Right

ID: Final = re.compile(r"c[0-9a-f]{8}-[0-9a-f]{8}\Z")
SETTING: Final = "setting"
RECORDS: Final = "records"
"""Kind of a line that stands for records that were not named."""
CHANGED, ADDED, REMOVED, MOVED = "changed", "added", "removed", "moved"
MASK: Final = "********"
"""What stands for the value of a secret."""
_ACTIONS: Final = {"": CHANGED, "add": ADDED, "remove": REMOVED, "order": MOVED}


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One value that was changed, or one record that was added or removed. `old` and `new` as the log has them."""

    at: float
    id: str
    user: str
    origin: str
    kind: str
    """setting, domain, user, alias, group; `records`: so many more."""
    action: str
    """changed, added, removed; moved: entries of a list of settings have another order."""
    subject: str
    """Path of a setting; a domain; `name@domain`."""
    field: str
    """Of a record, as it is called in users.cfg."""
    old: str
    new: str
    cut: str
    """Of which of the two the log does not have all."""

    @property
    def domain(self) -> str:
        """Of a record."""
        return self.subject.rpartition("@")[2] if self.kind != SETTING else ""

    @property
    def name(self) -> str:
        """What is named in the domain; empty for a domain itself."""
        return self.subject.rpartition("@")[0] if self.kind != SETTING else ""

    @property
    def secret(self) -> bool:
        """Its values are in no log."""
        return MASK in self.old or MASK in self.new

    @property
    def idle(self) -> bool:
        """What was changed was changed back."""
        return self.action == CHANGED and self.kind != RECORDS and self.old == self.new and not self.secret

    @property
    def place(self) -> tuple[str, str, str]:
        """What was changed, whatever it was changed to."""
        return self.kind, self.subject, self.field

    def visible_to(self, grants: Grants) -> bool:
        """Settings are seen by whoever sees the server's; records by who administers them."""
        if self.kind in (SETTING, RECORDS):
            return grants.domains(Right.SERVER_READ, reads=True) is None
        right = Right.DOMAIN if self.kind == "domain" else Right.ACCOUNTS
        within = grants.domains(right, reads=True)
        return within is None or self.domain in within


def change_line(line: LogLine) -> ChangeLine | None:
    """None: it tells of no change of values."""
    fields = fields_of(line)
    id = fields.get("Change", "")
    action = _ACTIONS.get(fields.get("Action", ""), CHANGED)
    kind, _, subject = fields.get("Record", "").partition(" ")
    made = ChangeLine(
        line.at, id if ID.match(id) else "", fields.get("User", ""), fields.get("Origin", ""), kind, action, subject,
        fields.get("Field", ""), fields.get("Old", ""), fields.get("New", ""), fields.get("Cut", ""),
    )  # fmt: skip
    if line.title == "Record":
        values = fields.get("Values", "")
        return replace(made, new=values) if action == ADDED else replace(made, old=values)
    if line.title != "Changed":
        return None
    if "Setting" in fields:
        return replace(made, kind=SETTING, subject=fields["Setting"])
    if "Count" in fields:
        return replace(made, kind=RECORDS, subject=f"{fields['Count']} more")
    return made if subject else None


def fields_of(line: LogLine) -> dict[str, str]:
    """The first of each label counts: ours stand before those that a value may look like."""
    fields: dict[str, str] = {}
    for label, value in line.fields:
        fields.setdefault(label, value)
    return fields


def summed_up(lines: Iterable[ChangeLine]) -> list[ChangeLine]:
    """One line for each thing that a change changed, from its first value to its last; lines in the order of time."""
    sums: dict[tuple[str, ...], ChangeLine] = {}
    for line in lines:
        key = (*line.place, line.action)
        before = sums.get(key) if line.action == CHANGED else None
        if before is None:
            sums[key] = line
        else:
            sums[key] = replace(before, new=line.new, cut=" ".join(filter(None, (before.cut, line.cut))))
    return [line for line in sums.values() if not line.idle]


def begun(id: str) -> float:
    """The second in which the call began that made the change."""
    return float(int(id[1:9], 16))
