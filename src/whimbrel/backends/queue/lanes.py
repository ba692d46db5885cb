"""Lanes: entries by destination, so that a dead or slow one neither stops the others nor is tried for each message.

`lane` has one row for each destination that has entries which are not held. Its `due` is when there is something to
lease, but never before the lane was last `served`: so lanes take turns, and one with a long line goes to the end of
the line of lanes each time. All of that can be computed from `entry`, and is at each start. Besides it is kept which
destinations are verified to answer (the column `proven`), also while nothing is there for them: they never stand in
line behind those that are not. Of these the one served longest ago comes first. Who never was is ordered by chance:
those who wait longest would be the dead.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

import apsw

from whimbrel.backends.queue import rows
from whimbrel.core.queue import LOCAL, MIXED, Deferral, LaneCounts, QueueItem

_FREE: Final = "held = 0 AND done = 0"
NEVER: Final = 1e18
"""`due` of a lane in which nothing stands."""
REMEMBERED: Final = 10_000
"""Lanes that are verified though nothing stands in them; those served longest ago are forgotten at a start."""
_ALWAYS: Final = (LOCAL, MIXED)
"""Verified by what they are."""
_PARKED: Final = "FROM entry WHERE held = 1 AND done = 0 AND parked_until IS NOT NULL"
RELEASED: Final = "held = 0, parked = '', parked_until = NULL"
"""What becomes of an entry that waits for nobody any more."""
_FIRST: Final = (
    "SELECT given.value, entry.id FROM json_each(?) AS given JOIN entry ON entry.id IN "
    f"(SELECT id FROM entry WHERE lane = given.value AND {_FREE} AND ready <= ? ORDER BY ready LIMIT ?) "
    "ORDER BY given.key, entry.ready"
)
"""The earliest entries of each lane that are due."""
CLOCKS: Final = 300.0
"""Seconds by which a clock may be set back without anything being made of it."""
LEASE: Final = 3600.0
"""Seconds for which nobody leases anything."""
TOGETHER: Final = 64
"""Lanes that are looked into at once; not many more than can be served."""
_IN_TURN: Final = {
    None: "ORDER BY due, served",
    True: "AND proven = 1 ORDER BY due, served",
    False: "AND proven = 0 ORDER BY served",
}
"""By what `due` is asked for."""
_CHANCE: Final = "abs(random() % 1000000) / 1000001.0"
"""`served` of a lane that never was."""


def arrived(connection: apsw.Connection, items: Iterable[QueueItem]) -> None:
    """New entries. A lane that is due by then is left as it is: nothing need be written."""
    due: dict[str, float] = {}
    for item in items:
        if not item.held:
            due[item.lane] = min(item.next_attempt, due.get(item.lane, item.next_attempt))
    for lane, at in due.items():
        connection.execute(
            f"INSERT INTO lane(name, due, served, proven) VALUES(?1, ?2, {_CHANCE}, ?3) ON CONFLICT(name) "
            "DO UPDATE SET due = max(excluded.due, lane.served) WHERE due > max(excluded.due, lane.served)",
            (lane, at, lane in _ALWAYS),
        )


def refresh(connection: apsw.Connection, names: Collection[str], served: float = 0.0) -> None:
    """After a change to entries of these lanes; `served` is the time if something was leased."""
    # A few statements however many lanes they are: each that a thread runs costs it a wait for the others.
    lanes = rows.names(names)
    connection.execute(
        f"INSERT INTO lane(name, due, served, proven) "
        f"SELECT value, max(first, ?2), max(?2, {_CHANCE}), value IN (?3, ?4) FROM "
        f"(SELECT value, (SELECT min(ready) FROM entry WHERE lane = value AND {_FREE}) AS first FROM json_each(?1)) "
        "WHERE first IS NOT NULL ON CONFLICT(name) "
        "DO UPDATE SET due = max(excluded.due, lane.served), served = max(lane.served, ?2)",
        (lanes, served, *_ALWAYS),
    )
    if connection.changes() < len(names):
        empty = f"name IN {rows.NAMED} AND NOT EXISTS (SELECT 1 FROM entry WHERE lane = name AND {_FREE})"
        connection.execute(f"UPDATE lane SET due = {NEVER!r} WHERE proven = 1 AND {empty}", (lanes,))
        if connection.changes() < len(names):
            connection.execute(f"DELETE FROM lane WHERE proven = 0 AND {empty}", (lanes,))


def verify(connection: apsw.Connection, names: Mapping[str, bool]) -> None:
    """In a transaction."""
    connection.execute(
        f"INSERT INTO lane(name, due, proven) SELECT value, {NEVER!r}, 1 FROM json_each(?) WHERE true "
        "ON CONFLICT(name) DO UPDATE SET proven = 1",
        (rows.names(name for name, answers in names.items() if answers),),
    )
    silent = rows.names(name for name, answers in names.items() if not answers)
    connection.execute(f"DELETE FROM lane WHERE name IN {rows.NAMED} AND due = {NEVER!r}", (silent,))
    connection.execute(f"UPDATE lane SET proven = 0 WHERE name IN {rows.NAMED}", (silent,))


def restrain(connection: apsw.Connection, now: float, longest: float) -> None:
    """In a transaction."""
    set_back(connection, now)
    connection.execute(
        "UPDATE entry SET next_attempt = ?1 + abs(random() % 60) WHERE next_attempt > ?1 + ?2 AND done = 0",
        (now, longest),
    )
    connection.execute("UPDATE entry SET lease_until = ?1 WHERE lease_until > ?1 + ?2", (now, LEASE))
    connection.execute("UPDATE lane SET served = ?1 WHERE served > ?1", (now,))
    rebuild(connection)


def set_back(connection: apsw.Connection, now: float) -> None:
    """What was to wait an hour must not wait for years."""
    connection.execute(
        "UPDATE entry SET next_attempt = ?1 + max(0, next_attempt - created), created = ?1 WHERE created > ?1 + ?2",
        (now, CLOCKS),
    )


def rebuild(connection: apsw.Connection) -> None:
    """All lanes anew, those of entries that another release wrote included."""
    fresh = rows.read(connection, "lane = ?", (rows.UNASSIGNED,))
    connection.executemany("UPDATE entry SET lane = ? WHERE id = ?", [(item.lane, item.id) for item in fresh])
    connection.execute("UPDATE lane SET due = ?", (NEVER,))
    connection.execute(
        "DELETE FROM lane WHERE proven = 0 OR name NOT IN (SELECT name FROM lane WHERE proven = 1 "
        "ORDER BY served DESC LIMIT ?)",
        (REMEMBERED,),
    )
    connection.execute(
        f"INSERT INTO lane(name, due, served, proven) SELECT lane, min(ready), {_CHANCE}, lane IN (?, ?) FROM entry "
        f"WHERE {_FREE} GROUP BY lane ON CONFLICT(name) DO UPDATE SET due = excluded.due",
        _ALWAYS,
    )


def next_due(connection: apsw.Connection) -> float | None:
    query = f"SELECT min(ifnull((SELECT min(due) FROM lane), ?1), ifnull((SELECT min(parked_until) {_PARKED}), ?1))"
    due = rows.real(connection.execute(query, (NEVER,)).fetchall()[0][0])
    return due if due < NEVER else None


def parked_due(connection: apsw.Connection, now: float) -> bool:
    """Something was parked until a time that has come."""
    return bool(connection.execute(f"SELECT 1 {_PARKED} AND parked_until <= ? LIMIT 1", (now,)).fetchall())


def unpark(connection: apsw.Connection, now: float) -> None:
    """What was parked until a time that has come stands in its lane from now on. In a transaction."""
    where = _PARKED.removeprefix("FROM entry ")
    changed = connection.execute(
        f"UPDATE entry SET {RELEASED} {where} AND parked_until <= ? RETURNING lane", (now,)
    ).fetchall()
    refresh(connection, {str(row[0]) for row in changed})


def due(connection: apsw.Connection, now: float, limit: int, full: set[str], *, verified: bool | None) -> list[str]:
    """Up to `limit` lanes that may have something to lease, whose turn comes first first; `verified` or not, or None:
    all."""
    query = f"SELECT name FROM lane WHERE due <= ? {_IN_TURN[verified]} LIMIT ?"
    ready = (str(name) for (name,) in connection.execute(query, (now, limit + len(full))))
    return list(islice((name for name in ready if name not in full), limit))


def lease(
    connection: apsw.Connection,
    now: float,
    limit: int,
    until: float,
    *,
    each: int,
    room: Mapping[str, int],
    verified: bool | None,
) -> list[rows.Row]:
    """For `rows.items`, leased. In a transaction."""
    full = {name for name, left in room.items() if left <= 0}
    served: list[str] = []
    chosen: list[str] = []
    while len(chosen) < limit:
        names = due(connection, now, min(limit - len(chosen), TOGETHER), full, verified=verified)
        if not names:
            break
        full.update(names)  # Once in a round: it has had its turn.
        earliest: dict[str, list[str]] = {name: [] for name in names}
        most = max(room.get(name, each) for name in names)
        for name, entry in connection.execute(_FIRST, (rows.names(names), now, most)):
            earliest[str(name)].append(str(entry))
        for name, ids in earliest.items():
            if len(chosen) < limit:
                chosen += ids[: min(room.get(name, each), limit - len(chosen))]
                served.append(name)
    if not served:
        return []
    query = f"UPDATE entry SET lease_until = ? WHERE id IN {rows.NAMED} RETURNING {rows.COLUMNS}"
    leased = {str(row[0]): row for row in connection.execute(query, (until, rows.names(chosen))).fetchall()}
    refresh(connection, served, now)
    return [leased[entry] for entry in chosen]


def defer(connection: apsw.Connection, deferrals: Sequence[Deferral]) -> int:
    """A few statements for all, however long the lanes. In a transaction."""
    put_off = 0
    by_moments: dict[tuple[float, ...], list[Deferral]] = {}
    for deferral in deferrals:
        by_moments.setdefault(deferral.ages, []).append(deferral)
    for ages, some in by_moments.items():  # Of one set of settings, but for the moment in which they change.
        put_off += _defer(connection, some, ages)
    refresh(connection, {deferral.lane for deferral in deferrals})
    return put_off


def _defer(connection: apsw.Connection, deferrals: Sequence[Deferral], ages: Sequence[float]) -> int:
    # An entry whose moment has come since its attempt was planned is left for whoever leases it.
    now = "(given.value ->> 'now')"
    looked = " ".join(f"AND NOT (created + {age!r} BETWEEN next_attempt AND {now})" for age in ages)
    if ages:
        looked += f" AND next_attempt <= created + {ages[-1]!r}"
    moments = "".join(f", iif(created + {age!r} > {now}, created + {age!r}, {NEVER!r})" for age in ages)
    # By lane what is due, and by name what is leased: of a lane that is not meant as a whole only that.
    meant = [
        {"lane": deferral.lane, "id": name, "now": deferral.now, "until": deferral.until, "spread": deferral.spread}
        for deferral in deferrals
        for name in (*sorted(deferral.leased), *([None] if deferral.whole else []))
    ]
    deferred = connection.execute(
        "UPDATE entry SET lease_until = 0, next_attempt = min((given.value ->> 'until') + (given.value ->> 'spread') "
        f"* (abs(random() % 1000) / 1000.0), {NEVER!r}{moments}) FROM json_each(?) AS given "
        f"WHERE lane = (given.value ->> 'lane') AND {_FREE} AND urgent = 0 AND give_up = '' {looked} "
        f"AND iif((given.value ->> 'id') IS NULL, ready <= {now}, entry.id = (given.value ->> 'id')) "
        "RETURNING entry.id, entry.lane",
        (json.dumps(meant),),
    ).fetchall()
    by_lane = {deferral.lane: deferral for deferral in deferrals}
    connection.execute(
        "UPDATE recipient SET status = given.value ->> 1, remote = given.value ->> 2 FROM json_each(?) AS given "
        "WHERE entry = (given.value ->> 0) AND state = 'waiting' AND recipient.status = ''",
        (json.dumps([(name, by_lane[str(lane)].status, by_lane[str(lane)].remote) for name, lane in deferred]),),
    )
    return len(deferred)


def counts(connection: apsw.Connection, limit: int) -> Sequence[LaneCounts]:
    counted = connection.execute(
        "SELECT lane, count(*) FILTER (WHERE held = 0), count(*) FILTER (WHERE held = 1), total(size), min(created), "
        "min(next_attempt) FILTER (WHERE held = 0) FROM entry WHERE done = 0 "
        "GROUP BY lane ORDER BY count(*) DESC, lane LIMIT ?",
        (limit,),
    ).fetchall()
    return [
        LaneCounts(
            str(name),
            rows.integer(waiting),
            rows.integer(held),
            int(rows.real(size)),
            rows.real(oldest),
            None if following is None else rows.real(following),
            _status(connection, str(name), rows.real(oldest)),
        )
        for name, waiting, held, size, oldest, following in counted
    ]


def _status(connection: apsw.Connection, lane: str, oldest: float) -> str:
    row = connection.execute(
        "SELECT status FROM recipient WHERE state = 'waiting' AND entry = "
        "(SELECT id FROM entry WHERE lane = ? AND created = ? AND done = 0 LIMIT 1) ORDER BY place LIMIT 1",
        (lane, oldest),
    ).fetchone()
    return "" if row is None else str(row[0])
