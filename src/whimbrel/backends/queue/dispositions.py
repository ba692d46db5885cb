"""Dispositions as text in the queue's rows: JSON with what differs from a plain copy in INBOX.

Side messages are not among them: they enter the queue in the same commit as the entry. Edits are not either: the
content of the entry has them. What a later release adds is passed over.
"""

import json
from typing import Any, Final

from whimbrel.core.disposition import IN_INBOX, Disposition, Place
from whimbrel.core.mailbox import INBOX, SpecialUse

_USES: Final = {use.value: use for use in SpecialUse}


def text_of(disposition: Disposition | None) -> str:
    """Empty for what goes into INBOX: nearly always."""
    if disposition is None or disposition == IN_INBOX:
        return ""
    if disposition.side or disposition.parked or any(place.changes for place in disposition.places):
        raise ValueError("the queue keeps places only")
    record: dict[str, Any] = {"places": [_place(place) for place in disposition.places]}
    if disposition.rule:
        record["rule"] = disposition.rule
    return json.dumps(record)


def disposition_of(text: str) -> Disposition | None:
    if not text:
        return None
    record = json.loads(text)
    return Disposition(tuple(_read(place) for place in record.get("places", ())), rule=str(record.get("rule", "")))


def _place(place: Place) -> dict[str, Any]:
    special = isinstance(place.folder, SpecialUse)
    record: dict[str, Any] = {"use" if special else "folder": str(place.folder)}
    if place.flags:
        record["flags"] = place.flags
    if place.keywords:
        record["keywords"] = sorted(place.keywords)
    if place.create:
        record["create"] = True
    return record


def _read(record: dict[str, Any]) -> Place:
    folder: str | SpecialUse = _USES.get(record.get("use", ""), str(record.get("folder", INBOX)))
    return Place(
        folder,
        int(record.get("flags", 0)),
        frozenset(map(str, record.get("keywords", ()))),
        bool(record.get("create", False)),
    )
