"""What is asked of SQLite is what it does: a statement behind one that answers runs only if the cursor is run out."""

from pathlib import Path

import apsw
import pytest

from whimbrel.backends.queue import database as queue
from whimbrel.backends.state import database as state
from whimbrel.backends.store.disk import database as store
from whimbrel.backends.store.disk import index

NORMAL = 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[apsw.Connection]:
    """Every connection that is made."""
    made: list[apsw.Connection] = []
    monkeypatch.setattr(apsw, "connection_hooks", [made.append])
    return made


def test_a_commit_leaves_durability_to_the_barrier(tmp_path: Path, opened: list[apsw.Connection]) -> None:
    store.open_database(tmp_path / "index.fld", index.SCHEMA, index.VERSION, create=True)
    queue.open_database(tmp_path / "queue.db")
    state.StateDatabase(tmp_path / "state.db")
    assert len(opened) == 3
    for connection in opened:
        assert connection.pragma("synchronous") == NORMAL
        assert connection.pragma("journal_mode") == "wal"
        connection.close()
