"""Pages of the queue for people: filtered, ordered by any column, each beginning behind the last row of the one before,
whatever was delivered meanwhile."""

import json
from collections.abc import Mapping
from typing import Final

import apsw

from whimbrel.backends.queue import rows
from whimbrel.core.queue import QueueFilter, QueuePage

_WAITING: Final = "coalesce((SELECT {} FROM recipient WHERE entry = entry.id AND state = 'waiting'), '')"
KEYS: Final[Mapping[str, str]] = {
    "created": "created",
    "id": "id",
    "sender": "lower(sender)",
    "recipients": _WAITING.format("lower(min(address))"),
    "status": f"CASE WHEN held = 1 THEN 'held: ' || parked ELSE {_WAITING.format('lower(min(status))')} END",
    "next_attempt": "CASE WHEN held = 1 THEN coalesce(parked_until, 0) ELSE next_attempt END",
    "attempts": "attempts",
    "size": "size",
    "held": "held",
    "message_id": "lower(message_id)",
    "client": "client",
}
"""What each column is ordered by."""


def page(
    connection: apsw.Connection, which: QueueFilter, limit: int, order: str, after: str, skip: int = 0
) -> QueuePage:
    """ValueError: there is no such order, or `after` is none of it."""
    name = order.removeprefix("-")
    if name not in KEYS:
        raise ValueError(f"the queue is not ordered by {name}")
    beyond, turn = ("<", " DESC") if order.startswith("-") else (">", "")
    condition, values = rows.where(which)
    place = _place(after, name)
    begin = f"WHERE (key, id) {beyond} (?, ?)" if place else ""
    total = rows.integer(connection.execute(f"SELECT count(*) FROM entry WHERE {condition}", values).get)
    chosen = connection.execute(
        f"SELECT id, key FROM (SELECT id, {KEYS[name]} AS key FROM entry WHERE {condition}) {begin} "
        f"ORDER BY key{turn}, id{turn} LIMIT ? OFFSET ?",
        (*values, *place, limit + 1, max(0, skip)),
    ).fetchall()
    ids = [str(id) for id, _ in chosen[:limit]]
    items = {item.id: item for item in rows.read(connection, f"id IN {rows.NAMED}", (rows.names(ids),))}
    more = json.dumps([name, chosen[limit - 1][1], ids[-1]]) if len(chosen) > limit else ""
    # One that was delivered between the two statements is left out.
    return QueuePage(tuple(items[id] for id in ids if id in items), total, more)


def _place(after: str, name: str) -> tuple[str | int | float, ...]:
    """Key and id of the last row of the page before. ValueError."""
    if not after:
        return ()
    try:
        column, key, id = json.loads(after)
        place = (key if isinstance(key, str) else float(key), str(id))
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"'{after[:100]}' is not where a list ended") from None
    if column != name:
        raise ValueError(f"'{after[:100]}' is where a list in another order ended")
    return place
