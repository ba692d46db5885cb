"""Lanes: entries by destination, so that a dead or slow one neither stops the others nor is tried for each message.

`lane` has one row for each destination that has entries which are not held. Its `due` is when there is something to
lease, but never before the lane was last `served`: so lanes take turns, and one with a long line goes to the end of
the line of lanes each time. All of that can be computed from `entry`, and is at each start. Besides it is kept which
destinations are `proven` to answer, also while nothing is there for them: they never stand in line behind strangers.
Of strangers the one served longest ago comes first. Who never was is ordered by chance: those who wait longest would
be the dead.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

import apsw

from whimbrel.backends.queue import rows
from whimbrel.core.queue import LOCAL, MIXED, Deferral, LaneCounts, QueueItem

_FREE: Final = "held = 0 AND done = 0"
NEVER: Final = 1e18
"""`due` of a lane in which nothing stands."""
REMEMBERED: Final = 10_000
"""Lanes that are proven though nothing stands in them; those served longest ago are forgotten at a start."""
_ALWAYS: Final = (LOCAL, MIXED)
"""Proven by what they are."""
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


def refresh(connection: apsw.Connection, names: Iterable[str], served: float = 0.0) -> None:
    """After a change to entries of these lanes; `served` is the time if something was leased."""
    for name in names:
        row = connection.execute(
            f"SELECT ready FROM entry WHERE lane = ? AND {_FREE} ORDER BY ready LIMIT 1", (name,)
        ).fetchone()
        if row is None:
            connection.execute("UPDATE lane SET due = ? WHERE name = ? AND proven = 1", (NEVER, name))
            if not connection.changes():
                connection.execute("DELETE FROM lane WHERE name = ?", (name,))
        else:
            connection.execute(
                f"INSERT INTO lane(name, due, served, proven) VALUES(?1, max(?2, ?3), max(?3, {_CHANCE}), ?4) "
                "ON CONFLICT(name) "
                "DO UPDATE SET due = max(?2, served, ?3), served = max(served, ?3)",
                (name, rows.real(row[0]), served, name in _ALWAYS),
            )


def prove(connection: apsw.Connection, names: Mapping[str, bool]) -> None:
    """In a transaction."""
    for name, answers in names.items():
        if answers:
            connection.execute(
                "INSERT INTO lane(name, due, proven) VALUES(?, ?, 1) ON CONFLICT(name) DO UPDATE SET proven = 1",
                (name, NEVER),
            )
        else:
            connection.execute("UPDATE lane SET proven = 0 WHERE name = ? AND due < ?", (name, NEVER))
            if not connection.changes():
                connection.execute("DELETE FROM lane WHERE name = ?", (name,))


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
    due = rows.real(connection.execute("SELECT ifnull(min(due), ?) FROM lane", (NEVER,)).fetchall()[0][0])
    return due if due < NEVER else None


def due(connection: apsw.Connection, now: float, limit: int, full: set[str], *, proven: bool | None) -> list[str]:
    """Up to `limit` lanes that may have something to lease, whose turn comes first first; `proven` or not, or None:
    all."""
    query = f"SELECT name FROM lane WHERE due <= ? {_IN_TURN[proven]} LIMIT ?"
    found = (str(name) for (name,) in connection.execute(query, (now, limit + len(full))))
    return list(islice((name for name in found if name not in full), limit))


def lease(
    connection: apsw.Connection,
    now: float,
    limit: int,
    until: float,
    *,
    each: int,
    room: Mapping[str, int],
    proven: bool | None,
) -> list[rows.Row]:
    """For `rows.items`, leased. In a transaction."""
    full = {name for name, left in room.items() if left <= 0}
    leased: list[rows.Row] = []
    while len(leased) < limit:
        names = due(connection, now, limit - len(leased), full, proven=proven)
        if not names:
            break
        for name in names:
            wanted = min(room.get(name, each), limit - len(leased))
            chosen = f"SELECT id FROM entry WHERE lane = ? AND {_FREE} AND ready <= ? ORDER BY ready LIMIT ?"
            found = connection.execute(
                f"UPDATE entry SET lease_until = ? WHERE id IN ({chosen}) RETURNING {rows.COLUMNS}",
                (until, name, now, wanted),
            ).fetchall()
            leased += sorted(found, key=rows.planned)
            refresh(connection, [name], now)
            full.add(name)  # Once in a round: it has had its turn.
            if len(leased) >= limit:
                break
    return leased


def defer(connection: apsw.Connection, deferral: Deferral) -> int:
    """One statement for the whole lane, however long. In a transaction."""
    # An entry whose moment has come since its attempt was planned is left for whoever leases it.
    looked = " ".join(f"AND NOT (created + {age!r} BETWEEN next_attempt AND :now)" for age in deferral.ages)
    moments = "".join(
        f", CASE WHEN created + {age!r} > :now THEN created + {age!r} ELSE 1e18 END" for age in deferral.ages
    )
    bindings: dict[str, rows.Value] = {
        "lane": deferral.lane,
        "now": deferral.now,
        "until": deferral.until,
        "spread": deferral.spread,
    }
    put_off = (
        f"UPDATE entry SET lease_until = 0, next_attempt = "
        f"min(:until + :spread * (abs(random() % 1000) / 1000.0), 1e18{moments}) "
        f"WHERE lane = :lane AND {_FREE} AND urgent = 0 AND give_up = '' {looked}"
    )
    due_now = f"{put_off} AND ready <= :now RETURNING id"
    found = connection.execute(due_now, bindings).fetchall() if deferral.whole else []
    for name in sorted(deferral.leased):
        found += connection.execute(f"{put_off} AND id = :id RETURNING id", bindings | {"id": name}).fetchall()
    connection.executemany(
        "UPDATE recipient SET status = ?, remote = ? WHERE entry = ? AND state = 'waiting' AND status = ''",
        [(deferral.status, deferral.remote, str(row[0])) for row in found],
    )
    refresh(connection, [deferral.lane])
    return len(found)


def counts(connection: apsw.Connection, limit: int) -> Sequence[LaneCounts]:
    found = connection.execute(
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
        for name, waiting, held, size, oldest, following in found
    ]


def _status(connection: apsw.Connection, lane: str, oldest: float) -> str:
    row = connection.execute(
        "SELECT status FROM recipient WHERE state = 'waiting' AND entry = "
        "(SELECT id FROM entry WHERE lane = ? AND created = ? AND done = 0 LIMIT 1) ORDER BY place LIMIT 1",
        (lane, oldest),
    ).fetchone()
    return "" if row is None else str(row[0])
