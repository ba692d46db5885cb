"""Flags and keywords of messages, within a transaction on their folder: which rows change, and what that makes of the
folder's counts.

Standards: RFC 9051 6.4.6 (STORE), RFC 7162 3.1.3 (UNCHANGEDSINCE)
"""

from whimbrel.backends.store.disk.counts import Counts
from whimbrel.backends.store.disk.database import row
from whimbrel.backends.store.disk.index import FolderIndex, where
from whimbrel.core.mailbox import DELETED, SEEN, SYSTEM_FLAGS, FlagChange, FlagOp, FlagsStored
from whimbrel.core.rows import FlagRow
from whimbrel.core.uids import UidSet


def set_flags(
    index: FolderIndex,
    counts: Counts,
    uids: UidSet,
    change: FlagChange,
    words: str,
    unchanged_since: int | None,
    modseq: int,
) -> FlagsStored:
    """`words`: the keywords of `change` as they are stored. `counts` follow, and have `modseq` if anything changed."""
    if not change.keywords and change.op is not FlagOp.REPLACE and unchanged_since is None:
        return _set_bits(index, counts, uids, change, modseq)
    before = counts.modseq
    rows: list[FlagRow] = []
    modified: list[int] = []
    updates: list[tuple[int, str, int, int]] = []
    wanted, flags = change.keywords, change.flags & SYSTEM_FLAGS
    for stored in index.flags(uids):
        uid, old, old_words, old_modseq = stored
        if unchanged_since is not None and old_modseq > unchanged_since:
            modified.append(uid)
            continue
        if change.op is FlagOp.ADD:
            new = old | flags
            new_words = " ".join(sorted({*old_words.split(), *wanted})) if wanted else old_words
        elif change.op is FlagOp.REMOVE:
            new = old & ~flags
            new_words = " ".join(w for w in old_words.split() if w not in wanted) if wanted else old_words
        else:
            new, new_words = flags, words
        if new == old and new_words == old_words:
            rows.append(stored)
            continue
        updates.append((new, new_words, modseq, uid))
        rows.append((uid, new, new_words, modseq))
        counts.unseen += (old & SEEN and 1) - (new & SEEN and 1)
        counts.deleted += (new & DELETED and 1) - (old & DELETED and 1)
    changed = UidSet.of(update[3] for update in updates)
    if updates:
        index.connection.executemany("UPDATE msg SET flags=?, keywords=?, modseq=? WHERE uid=?", updates)
        counts.modseq = max(before, modseq)
    return FlagsStored(rows, changed, UidSet.of(modified), counts.modseq, before)


def _set_bits(index: FolderIndex, counts: Counts, uids: UidSet, change: FlagChange, modseq: int) -> FlagsStored:
    """Adds or removes system flags alone: one statement for all messages."""
    connection = index.connection
    bits, adding = change.flags & SYSTEM_FLAGS, change.op is FlagOp.ADD
    value, condition, compared = (
        ("flags | ?", "flags & ? <> ?", (bits, bits)) if adding else ("flags & ~?", "flags & ? <> 0", (bits,))
    )
    before, step, changed = counts.modseq, 1 if adding else -1, 0
    for clause, values in where("uid", uids):
        for bit in (SEEN, DELETED):
            if bits & bit:
                query = f"SELECT count(*) FROM msg WHERE {clause} AND flags & ? {'= 0' if adding else '<> 0'}"
                (count,) = row(connection, query, (*values, bit))
                if bit is SEEN:
                    counts.unseen -= step * count
                else:
                    counts.deleted += step * count
        connection.execute(
            f"UPDATE msg SET flags = {value}, modseq = ? WHERE {clause} AND {condition}",
            (bits, modseq, *values, *compared),
        )
        changed += connection.changes()
    rows = index.flags(uids)
    if not changed:
        return FlagsStored(rows, UidSet(), UidSet(), before, before)
    # The modseq is this change's alone. Mostly all are changed, and neighbours.
    if changed == len(rows) == rows[-1][0] - rows[0][0] + 1:
        different = UidSet([(rows[0][0], rows[-1][0])])
    else:
        different = UidSet.of([row[0] for row in rows if row[3] == modseq])
    counts.modseq = max(before, modseq)
    return FlagsStored(rows, different, UidSet(), counts.modseq, before)
