"""Whether the store is under its name: by its mark, and by what had it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier, Touched
from whimbrel.backends.disk.presence import ANY, Presence, StoreGone
from whimbrel.backends.logs.append import LogAppender
from whimbrel.core.errors import Condition, MailboxError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    (made / "mail").mkdir(parents=True)
    (made / "store.id").write_text(json.dumps({"version": "1.0", "id": "abc"}))
    return made


def elsewhere(store: Path) -> Path:
    return store.with_name("elsewhere")


def test_what_has_gone_is_said_once_and_so_is_that_it_is_back(store: Path) -> None:
    presence, log = Presence(store, "abc"), MemoryLog()
    presence.log = log
    assert presence.here()
    store.rename(elsewhere(store))
    for _ in range(3):
        assert not presence.here()
    store.mkdir()
    with pytest.raises(StoreGone, match="mounted"):
        presence.require()
    with pytest.raises(MailboxError) as caught:
        presence.check()
    assert caught.value.condition is Condition.UNAVAILABLE and str(store) not in caught.value.text
    presence.make((store / "mail",))
    assert list(store.iterdir()) == []
    store.rmdir()
    elsewhere(store).rename(store)
    for _ in range(3):
        assert presence.here()
    assert [len(log.named(name)) for name in ("store.gone", "store.back")] == [1, 1]


def test_a_directory_that_is_as_it_was_is_looked_at_once(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presence = Presence(store, "abc")
    monkeypatch.setattr("time.time_ns", lambda: os.stat(store).st_ctime_ns + 3_000_000_000)
    assert presence.here()
    monkeypatch.setattr("whimbrel.backends.disk.presence.read_mark", lambda path: pytest.fail("read again"))
    assert presence.here()


@pytest.mark.parametrize("content", ["", "[]", "\0\0", '{"id": "another"}'])
def test_another_store_or_a_damaged_mark_is_not_the_store(store: Path, content: str) -> None:
    (store / "store.id").write_text(content)
    assert not Presence(store, "abc").here()


def test_the_mark_alone_may_be_deleted_under_a_running_server(store: Path) -> None:
    presence = Presence(store, "abc")
    assert presence.here()
    (store / "store.id").unlink()
    assert presence.here()
    shutil.rmtree(store / "mail")
    assert not presence.here()
    assert not Presence(store, "abc").here()


def test_a_store_without_a_known_mark_is_always_there(tmp_path: Path) -> None:
    assert Presence(tmp_path / "nothing").here() and ANY.here()


def test_logs_go_on_where_they_are_and_none_is_begun_in_the_empty_place(store: Path) -> None:
    presence = Presence(store, "abc")
    appender = LogAppender(store / "logs", presence)
    assert appender.append("mail", ["one"])
    store.rename(elsewhere(store))
    store.mkdir()
    assert appender.append("mail", ["two"]) and appender.append("error", ["first"])
    assert not LogAppender(store / "logs", presence).append("mail", ["of a new process"])
    assert list(store.iterdir()) == []
    store.rmdir()
    elsewhere(store).rename(store)
    assert appender.append("mail", ["three"])
    appender.forget()
    assert (store / "logs" / "mail.log").read_text() == "one\ntwo\nthree\n"
    assert (store / "logs" / "error.log").read_text() == "first\n"


def test_a_barrier_follows_to_the_file_system_that_has_the_name(store: Path) -> None:
    barrier = Barrier(store)
    synced: list[int] = []

    def syncfs(descriptor: int) -> int:
        synced.append(os.fstat(descriptor).st_ino)
        return 0

    barrier._syncfs = syncfs
    former = store.stat().st_ino
    store.rename(elsewhere(store))
    barrier.complete(Touched())  # Nothing is under the name: what was written is made durable where it is.
    store.mkdir()
    barrier.complete(Touched())
    assert synced == [former, former, former, store.stat().st_ino]
    barrier.close()
