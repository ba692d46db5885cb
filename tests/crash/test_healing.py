"""Index files that are deleted, renamed or cut short under load cost no acknowledged message, and no UID."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.crash.test_crash import ENV, ROOT
from tests.crash.writer import ACCOUNTS, message, open_store
from tests.support.fakes import MemoryLog
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.notices.local import LocalNotices
from whimbrel.backends.store.disk.account_seq import AccountSeq
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.core.uids import ALL

GENERATION = 1
"""Of the processes that work on the store until the last look at it, which is one after an unclean stop."""


class Appender:
    """One of two processes at work on the folder; started again when it dies, as the zygote does."""

    def __init__(self, store: Path, name: str) -> None:
        self._store, self._name, self._lives = store, name, 0
        self.acknowledged: dict[str, int] = {}
        self.trouble: list[str] = []
        self.stopping = False
        self.started = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self.stopping:
            self._lives += 1
            command = [
                sys.executable,
                "-m",
                "tests.crash.appender",
                str(self._store),
                f"{self._name}{self._lives}",
                str(GENERATION),
            ]
            self._process = subprocess.Popen(command, cwd=ROOT, env=ENV, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            for line in self._process.stdout:
                words = line.rstrip("\n").split(" ")
                self.started.set()
                if words[0] == "done" and len(words) == 3 and line.endswith("\n"):
                    self.acknowledged[words[1]] = int(words[2])
                elif words[0] == "trouble":
                    self.trouble.append(line)
            self._process.wait()

    def stop(self) -> None:
        self.stopping = True
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._thread.join()


def damage(path: Path, way: str) -> None:
    try:
        if way == "delete":
            path.unlink()
        elif way == "rename":
            path.rename(path.with_name(path.name.replace("index.fld", "index.bad")))
        else:
            os.truncate(path, 0)
    except FileNotFoundError:
        pass


def wait_for_more(appenders: list[Appender], count: int) -> None:
    """Until so many messages more were acknowledged, however busy the machine is."""
    wanted = sum(len(appender.acknowledged) for appender in appenders) + count
    end = time.monotonic() + 60
    while sum(len(appender.acknowledged) for appender in appenders) < wanted and time.monotonic() < end:
        time.sleep(0.02)


@pytest.mark.parametrize("file", ["index.fld", "index.fld-wal", "index.fld-shm"])
@pytest.mark.parametrize("way", ["delete", "rename", "truncate"])
def test_damage_under_load_from_two_processes_loses_nothing(tmp_path: Path, file: str, way: str) -> None:
    store = tmp_path / "store"
    asyncio.run(_create(store))
    appenders = [Appender(store, name) for name in ("a", "b")]
    try:
        for appender in appenders:
            assert appender.started.wait(30)
        folder = store / "mail" / "example.test" / "user0" / "INBOX"
        for _ in range(4):
            wait_for_more(appenders, 6)
            damage(folder / file, way)
        wait_for_more(appenders, 6)
    finally:
        for appender in appenders:
            appender.stop()
    assert not any(appender.trouble for appender in appenders), appenders[0].trouble + appenders[1].trouble
    acknowledged = appenders[0].acknowledged | appenders[1].acknowledged
    assert len(acknowledged) > 20
    assert asyncio.run(_wrong(store, acknowledged)) == []


def test_an_index_that_lost_its_last_rows_is_noticed_before_the_counters_are_made_anew_from_it(tmp_path: Path) -> None:
    """All processes die, the last one in the middle of a batch, and the -wal is cut short: what SQLite then shows is an
    older index, whole and valid. Were it believed, every message would be one of unclear story after the next crash."""
    store = tmp_path / "store"
    asyncio.run(_create(store))
    appender = Appender(store, "a")
    try:
        assert appender.started.wait(30)
        wait_for_more([appender], 6)
    finally:
        appender.stop()
    account = store / "mail" / "example.test" / "user0"
    damage(account / "INBOX" / "index.fld-wal", "truncate")
    counters = AccountSeq(account / "account.seq")
    with counters.locked():
        counters.allocate()  # And is never committed.
    counters.close()
    asyncio.run(_look(store))
    assert asyncio.run(_wrong(store, appender.acknowledged)) == []


async def _look(folder: Path) -> None:
    """A worker that is started again, without an unclean stop of the server, and only reads."""
    committer, pool = Committer(Barrier(folder), MemoryLog()), ThreadPool(4)
    store = DiskStore(
        folder, committer=committer, pool=pool, notices=LocalNotices(), log=MemoryLog(), generation=GENERATION
    )
    inbox = await store.find(ACCOUNTS[0], "INBOX")
    assert inbox is not None
    await store.flags(inbox.ref, ALL)
    committer.close()
    store.close()


async def _create(folder: Path) -> None:
    store, committer, _ = open_store(folder, MemoryLog())
    assert await store.find(ACCOUNTS[0], "INBOX")
    committer.close()
    store.close()


async def _wrong(folder: Path, acknowledged: dict[str, int]) -> list[str]:
    store, committer, _ = open_store(folder, MemoryLog())
    inbox = await store.find(ACCOUNTS[0], "INBOX")
    assert inbox is not None
    snapshot = await store.snapshot(inbox.ref)
    rows = await store.flags(inbox.ref, ALL)
    contents = await store.contents(inbox.ref, [row[0] for row in rows])
    committer.close()
    store.close()
    wrong = [f"{len(rows)} rows, counted {snapshot.status.messages}"] if len(rows) != snapshot.status.messages else []
    found = {row[0]: content for row, content in zip(rows, contents, strict=True)}
    for tag, uid in acknowledged.items():
        if found.get(uid) != message(tag):
            wrong.append(f"{tag} is not at UID {uid}")
    return wrong
