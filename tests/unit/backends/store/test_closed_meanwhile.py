"""An index that another thread closes before its user has locked it, since others were opened or the mailbox moves: who
writes notices nothing."""

from pathlib import Path

import pytest

from tests.unit.backends.store.house import ANN, Store, run
from whimbrel.backends.store.disk.account import Account
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import SEEN, FlagChange, FlagOp
from whimbrel.core.uids import ALL, UidSet
from whimbrel.core.undelete import Chosen


def close_under_writers(monkeypatch: pytest.MonkeyPatch, every: int) -> list[Entry]:
    """Of `every` indexes that are opened, one is closed at once, as another thread would. Those it befell."""
    closed: list[Entry] = []
    opens, original = 0, Account._open

    def closing(self: Account, entry: Entry) -> FolderIndex:
        nonlocal opens
        opens += 1
        index = original(self, entry)
        if opens % every == 0:
            self.forget(entry.mailbox)
            closed.append(entry)
        return index

    monkeypatch.setattr(Account, "_open", closing)
    return closed


def test_writers_open_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store) -> None:
        closed = close_under_writers(monkeypatch, 2)
        inbox, other = await store.folder(), await store.folder("Other")
        assert await store.fill(inbox, 6) == [1, 2, 3, 4, 5, 6]
        await store.ports.set_flags(inbox, UidSet.of([1]), FlagChange(FlagOp.ADD, SEEN))
        await store.ports.copy(inbox, UidSet.of([1, 2]), other)
        await store.ports.expunge(inbox, UidSet.of([5, 6]), marked=False)
        await store.undelete.restore(ANN, Chosen(folder="INBOX"))
        assert len(await store.ports.flags(inbox, ALL)) == 6
        assert len(await store.ports.flags(other, ALL)) == 2
        for ref in (inbox, other):  # Deleted by hand: a reader heals it, a writer too.
            (store.account / ("INBOX" if ref is inbox else "Other") / "index.fld").unlink()
            assert await store.fill(ref, 1)
        assert len(closed) > 8

    run(tmp_path, test)


def test_after_a_few_attempts_the_writer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(store: Store) -> None:
        inbox = await store.folder()
        close_under_writers(monkeypatch, 1)
        with pytest.raises(MailboxError) as refused:
            await store.ports.set_flags(inbox, ALL, FlagChange(FlagOp.ADD, SEEN))
        assert refused.value.condition is Condition.INUSE

    run(tmp_path, test)
