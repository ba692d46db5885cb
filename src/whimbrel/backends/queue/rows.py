"""The queue's tables, and how an entry becomes rows and back.

An entry is a row of `entry` and one row of `recipient` for each recipient; its content is the file `<id>.eml` beside
the database. `done` marks an entry whose last recipient is done with: it is invisible from then on, its file is removed
once that is durable, and the row last, so that a crash never leaves a file that nobody can explain.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

import apsw

from whimbrel.backends.queue import options
from whimbrel.backends.queue.dispositions import disposition_of, text_of
from whimbrel.backends.queue.options import Value
from whimbrel.core.address import Address
from whimbrel.core.disposition import Parked
from whimbrel.core.envelope import Notify, Recipient
from whimbrel.core.queue import (
    QueueFilter,
    QueueItem,
    QueueRecipient,
    RecipientState,
)

FORMAT: Final = (1, 5)
"""Major and minor version of the queue on disk (architecture, section 9)."""

SCHEMA: Final = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entry(
    id TEXT PRIMARY KEY, sender TEXT NOT NULL, created REAL NOT NULL, next_attempt REAL NOT NULL,
    lease_until REAL NOT NULL DEFAULT 0, size INTEGER NOT NULL, attempts INTEGER NOT NULL, held INTEGER NOT NULL,
    message_id TEXT NOT NULL, user TEXT NOT NULL, client TEXT NOT NULL, envid TEXT NOT NULL,
    ret_full INTEGER NOT NULL, utf8 INTEGER NOT NULL, body_8bit INTEGER NOT NULL, origin TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX entry_done ON entry(id) WHERE done = 1;
CREATE TABLE recipient(
    entry TEXT NOT NULL, place INTEGER NOT NULL, address TEXT NOT NULL, notify TEXT NOT NULL, orcpt TEXT NOT NULL,
    state TEXT NOT NULL, status TEXT NOT NULL, remote TEXT NOT NULL, reported_delay INTEGER NOT NULL,
    local INTEGER NOT NULL, account TEXT NOT NULL, PRIMARY KEY(entry, place)
) WITHOUT ROWID;
"""
"""Format 1.0; a new queue is made of it and of what follows, like one that is migrated."""

UNASSIGNED: Final = "?"
"""Lane of an entry that a release before 1.1 has written."""

LANES: Final = """
ALTER TABLE entry ADD COLUMN lane TEXT NOT NULL DEFAULT '?';
ALTER TABLE entry ADD COLUMN require_tls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN tls_optional INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN unchecked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN give_up TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN ready REAL GENERATED ALWAYS AS (max(next_attempt, lease_until)) VIRTUAL;
DROP INDEX IF EXISTS entry_due;
CREATE INDEX entry_lane ON entry(lane, ready) WHERE held = 0 AND done = 0;
CREATE TABLE lane(
    name TEXT PRIMARY KEY, due REAL NOT NULL, served REAL NOT NULL DEFAULT 0, proven INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX lane_due ON lane(due);
CREATE INDEX lane_proven ON lane(due) WHERE proven = 1;
"""
"""What 1.1 adds. `ready` is computed, so that a release that knows nothing of it keeps it right."""

RETURNS: Final = "ALTER TABLE entry ADD COLUMN ret_hdrs INTEGER NOT NULL DEFAULT 0"
"""What 1.2 adds."""

CHECKSUM: Final = "ALTER TABLE entry ADD COLUMN checksum INTEGER"
"""What 1.3 adds. NULL: a release before has added the entry, now or then."""

TURNS: Final = """
DROP INDEX lane_proven;
CREATE INDEX lane_proven ON lane(due, served) WHERE proven = 1;
CREATE INDEX lane_stranger ON lane(served, due) WHERE proven = 0;
"""
"""What 1.4 adds: whose turn it is can be read off, however many lanes are due, or served and not due."""

OPTIONS: Final = """
ALTER TABLE entry ADD COLUMN options TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN parked TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN parked_until REAL;
ALTER TABLE recipient ADD COLUMN disposition TEXT NOT NULL DEFAULT '';
CREATE INDEX entry_parked ON entry(parked_until) WHERE held = 1 AND done = 0 AND parked_until IS NOT NULL;
"""
"""What 1.5 adds: `options.py`, `dispositions.py`, and why an entry is held. For the release before, what is parked is
held, and what was to go into Junk goes into INBOX."""

COLUMNS: Final = (
    "id, sender, created, next_attempt, size, attempts, held, message_id, user, client, origin, tls_optional, "
    f"unchecked, give_up, urgent, checksum, lane, parked, parked_until, {options.COLUMNS}"
)
_OPTIONS: Final = COLUMNS.count(",") + 1 - options.NUMBER
"""Where they begin."""
_RECIPIENT: Final = "address, notify, orcpt, state, status, remote, reported_delay, local, account, disposition"
_INTO_ENTRY: Final = f"INSERT INTO entry({COLUMNS})"
_INTO_RECIPIENT: Final = f"INSERT INTO recipient(entry, place, {_RECIPIENT})"
_ENTRY_COLUMNS: Final = COLUMNS.count(",") + 1
_RECIPIENT_COLUMNS: Final = _RECIPIENT.count(",") + 3
_TOGETHER: Final = 16
"""Rows by one statement; there are as many statements, and they are to stay prepared."""

Row = Sequence[object]
Values = tuple[Value, ...]


def insert(connection: apsw.Connection, items: Sequence[QueueItem], checksums: Sequence[int]) -> None:
    """New entries with the checksum of each. Many rows by one statement: each that a thread runs costs it a wait for
    the others."""
    entries = [_entry_values(item, checksum) for item, checksum in zip(items, checksums, strict=True)]
    _insert(connection, _INTO_ENTRY, _ENTRY_COLUMNS, entries)
    recipients = [_recipient_values(item.id, at, each) for item in items for at, each in enumerate(item.recipients)]
    _insert(connection, _INTO_RECIPIENT, _RECIPIENT_COLUMNS, recipients)


def _insert(connection: apsw.Connection, into: str, columns: int, values: Sequence[Values]) -> None:
    row = f"({','.join('?' * columns)})"
    for start in range(0, len(values), _TOGETHER):
        some = values[start : start + _TOGETHER]
        connection.execute(f"{into} VALUES{','.join([row] * len(some))}", tuple(chain.from_iterable(some)))


def _entry_values(item: QueueItem, checksum: int) -> Values:
    return (
        item.id,
        str(item.sender) if item.sender else "",
        item.created,
        item.next_attempt,
        item.size,
        item.attempts,
        item.held,
        item.message_id,
        item.user,
        item.client,
        item.origin,
        item.tls_optional,
        item.unchecked,
        item.give_up,
        item.urgent,
        checksum,
        item.lane,
        *_parked_values(item.parked),
        *options.values(item.options),
    )


def update(connection: apsw.Connection, items: Sequence[QueueItem]) -> dict[str, str]:
    """Writes how attempts went, of different entries: by id the lane in which each stood, but for those that have gone
    meanwhile. `held` stays: a person sets it; so does the wish to give it up, at once, that came during the attempt."""
    query = f"SELECT id, lane FROM entry WHERE id IN {NAMED} AND done = 0"
    lane_of = {str(name): str(lane) for name, lane in connection.execute(query, (names(item.id for item in items),))}
    there = [item for item in items if item.id in lane_of]
    values = [
        (item.id, item.give_up, item.next_attempt, item.attempts, not item.waiting,
         item.lane if item.waiting else lane_of[item.id])
        for item in there
    ]  # fmt: skip
    connection.execute(
        "UPDATE entry SET next_attempt = iif(give_up <> given.value ->> 1, created, given.value ->> 2), "
        "attempts = given.value ->> 3, lease_until = 0, urgent = 0, done = given.value ->> 4, lane = given.value ->> 5 "
        "FROM json_each(?) AS given WHERE entry.id = given.value ->> 0",
        (json.dumps(values),),
    )
    record(connection, {item.id: dict(enumerate(item.recipients)) for item in there if item.waiting})
    return lane_of


def finish(connection: apsw.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Marks entries of which all recipients are done with; the lane of each that was still there, by its id."""
    finished = connection.execute(
        f"UPDATE entry SET done = 1, lease_until = 0 WHERE id IN {NAMED} AND done = 0 RETURNING id, lane", (names(ids),)
    ).fetchall()
    return {str(name): str(lane) for name, lane in finished}


def record(connection: apsw.Connection, entries: Mapping[str, Mapping[int, QueueRecipient]]) -> None:
    """How it went for recipients, by entry and place."""
    values = [
        (r.state.value, r.status, r.remote, r.reported_delay, entry, place, text_of(r.disposition))
        for entry, recipients in entries.items()
        for place, r in recipients.items()
    ]
    if values:
        connection.execute(
            "UPDATE recipient SET state = given.value ->> 0, status = given.value ->> 1, remote = given.value ->> 2, "
            "reported_delay = given.value ->> 3, disposition = given.value ->> 6 "
            "FROM json_each(?) AS given WHERE entry = given.value ->> 4 AND place = given.value ->> 5",
            (json.dumps(values),),
        )


def record_instead(
    connection: apsw.Connection, queue_id: str, recipients: Mapping[int, QueueRecipient]
) -> dict[int, QueueRecipient]:
    """As `record`, of one entry; the recipients as they were."""
    before = [recipient for item in read(connection, "id = ?", (queue_id,)) for recipient in item.recipients]
    record(connection, {queue_id: recipients})
    return {place: before[place] for place in recipients if place < len(before)}


def remove(connection: apsw.Connection, ids: Iterable[str]) -> None:
    """Takes rows out for good; their files must be gone."""
    if (keys := names(ids)) != "[]":
        connection.execute(f"DELETE FROM recipient WHERE entry IN {NAMED}", (keys,))
        connection.execute(f"DELETE FROM entry WHERE id IN {NAMED}", (keys,))


def read(connection: apsw.Connection, condition: str, values: Values = ()) -> list[QueueItem]:
    """Entries that meet `condition` (what stands after WHERE, ORDER BY and LIMIT included)."""
    return items(
        connection, connection.execute(f"SELECT {COLUMNS} FROM entry WHERE done = 0 AND {condition}", values).fetchall()
    )


def items(connection: apsw.Connection, rows: Sequence[Row]) -> list[QueueItem]:
    """Entries with their recipients, of rows that have `COLUMNS`."""
    if not rows:
        return []
    # All recipients by one statement: one for each entry costs more than reading them.
    recipients: dict[str, list[QueueRecipient]] = {}
    keys = names(str(row[0]) for row in rows)
    for entry, *values_ in connection.execute(
        f"SELECT entry, {_RECIPIENT} FROM recipient WHERE entry IN {NAMED} ORDER BY entry, place", (keys,)
    ):
        recipients.setdefault(str(entry), []).append(_recipient(values_))
    return [_item(row, recipients.get(str(row[0]), ())) for row in rows]


def planned(row: Row) -> float:
    """When its attempt was planned."""
    return real(row[3])


NAMED: Final = "(SELECT value FROM json_each(?))"
"""One value however many names they are: SQLite counts variables."""


def names(ids: Iterable[str]) -> str:
    """What goes into `NAMED`."""
    return json.dumps(list(ids))


def where(which: QueueFilter) -> tuple[str, Values]:
    """SQL condition on `entry` for a filter; what is not done and fits every part."""
    parts, values = ["done = 0"], list[Value]()
    if which.ids:
        parts.append(f"id IN {NAMED}")
        values.append(names(sorted(which.ids)))
    if which.sender:
        # "<>" means reports, which have the null reverse-path.
        parts.append("sender = ''" if which.sender == "<>" else r"sender LIKE ? ESCAPE '\'")
        values += [] if which.sender == "<>" else [_like(which.sender)]
    for column, wanted in (("address", which.recipient), ("status", which.status)):
        if wanted:
            parts.append(rf"id IN (SELECT entry FROM recipient WHERE state = 'waiting' AND {column} LIKE ? ESCAPE '\')")
            values.append(_like(wanted))
    if which.text:
        fits = r"(address LIKE ? ESCAPE '\' OR status LIKE ? ESCAPE '\')"
        waits = f"SELECT entry FROM recipient WHERE state = 'waiting' AND {fits}"
        parts.append(rf"(id LIKE ? ESCAPE '\' OR sender LIKE ? ESCAPE '\' OR id IN ({waits}))")
        values += [_like(which.text)] * 4
    if which.older_than is not None:
        parts.append("created < ?")
        values.append(which.older_than)
    if which.held is not None:
        parts.append("held = ?")
        values.append(int(which.held))
    if which.parked:
        parts.append("held = 1 AND parked = ?")
        values.append(which.parked)
    if which.size_over is not None:
        parts.append("size > ?")
        values.append(which.size_over)
    return " AND ".join(parts), tuple(values)


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _recipient_values(entry: str, place: int, r: QueueRecipient) -> Values:
    return (
        entry,
        place,
        str(r.recipient.address),
        " ".join(sorted(notify.value for notify in r.recipient.notify)),
        r.recipient.orcpt,
        r.state.value,
        r.status,
        r.remote,
        r.reported_delay,
        r.local,
        r.account,
        text_of(r.disposition),
    )


def _item(row: Row, recipients: Sequence[QueueRecipient]) -> QueueItem:
    sender = str(row[1])
    return QueueItem(
        id=str(row[0]),
        sender=Address.parse(sender) if sender else None,
        recipients=tuple(recipients),
        created=real(row[2]),
        next_attempt=real(row[3]),
        size=integer(row[4]),
        attempts=integer(row[5]),
        held=bool(row[6]),
        message_id=str(row[7]),
        user=str(row[8]),
        client=str(row[9]),
        options=options.read(row[_OPTIONS:]),
        origin=str(row[10]),
        tls_optional=bool(row[11]),
        unchecked=bool(row[12]),
        give_up=str(row[13]),
        urgent=bool(row[14]),
        checksum=None if row[15] is None else integer(row[15]),
        parked=_parked(bool(row[6]), row[17], row[18]),
    )


def _parked_values(parked: Parked | None) -> Values:
    return ("", None) if parked is None else (parked.reason, parked.until)


def _parked(held: bool, reason: object, until: object) -> Parked | None:
    """Nothing is parked that a release which knows nothing of it has released."""
    return Parked(str(reason), None if until is None else real(until)) if held and reason else None


def _recipient(row: Row) -> QueueRecipient:
    return QueueRecipient(
        recipient=Recipient(
            Address.parse(str(row[0])),
            frozenset(Notify(word) for word in str(row[1]).split()),
            str(row[2]),
        ),
        state=RecipientState(str(row[3])),
        status=str(row[4]),
        remote=str(row[5]),
        reported_delay=integer(row[6]),
        local=bool(row[7]),
        account=str(row[8]),
        disposition=disposition_of(str(row[9])),
    )


def integer(value: object) -> int:
    assert isinstance(value, int)
    return value


def real(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
