"""The open indexes of a process stay few, whatever goes over it."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from whimbrel.backends.store.disk import open_indexes as module
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.backends.store.disk.open_indexes import OpenIndexes
from whimbrel.core.mailbox import MailboxId


def _index(modseq: int) -> FolderIndex:
    made: Any = SimpleNamespace(
        lock=threading.RLock(), current=True, status=lambda: SimpleNamespace(highest_modseq=modseq),
        close=lambda: None, path=Path(),
    )  # fmt: skip
    return cast(FolderIndex, made)


def test_a_backup_is_written_once_for_what_it_says_and_memory_of_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[FolderIndex] = []
    monkeypatch.setattr(module, "refresh_backup", written.append)
    monkeypatch.setattr(module, "REMEMBERED", 10)
    indexes = OpenIndexes(2)
    for _ in range(2):
        for number in range(5):
            indexes.put(MailboxId(f"{number}"), _index(7))
    indexes.close()
    assert len(written) == 5
    for number in range(100):
        indexes.put(MailboxId(f"new{number}"), _index(7))
    assert len(indexes._backed_up) <= 10 and len(indexes._open) == 2
