"""Records reach their files in batches, and nothing that happens to the files reaches those who log."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from whimbrel.backends.logs import append
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.settings import LogSettings


def lines(folder: Path, log: str) -> list[str]:
    try:
        return (folder / f"{log}.log").read_text().splitlines()
    except FileNotFoundError:
        return []


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "logs", interval=0.01)


def test_records_are_written_soon_without_anyone_asking(journal: Journal, tmp_path: Path) -> None:
    FileLog(journal).info("message.received", queue_id="1", service="smtp")
    until(lambda: len(lines(tmp_path / "logs", "mail")) == 1)
    FileLog(journal).info("message.received", queue_id="2", service="smtp")
    until(lambda: len(lines(tmp_path / "logs", "mail")) == 2)
    journal.close()


def test_each_record_goes_to_its_log_and_errors_to_the_error_log_as_well(journal: Journal, tmp_path: Path) -> None:
    log = FileLog(journal)
    log.info("delivery.sent", queue_id="1")
    log.warning("signin.failed", service="imap", user="x")
    log.info("config.changed", paths="smtp/hostname")
    log.warning("store.message-gone", folder="INBOX")
    log.info("server.started", process="mail")
    log.error("server.stopping", process="mail")
    journal.close()
    counts = {path.stem: len(lines(tmp_path / "logs", path.stem)) for path in (tmp_path / "logs").iterdir()}
    assert counts == {"mail": 1, "security": 1, "config": 1, "warning": 1, "operations": 2, "error": 1}


def test_the_files_are_for_their_owner_alone(journal: Journal, tmp_path: Path) -> None:
    FileLog(journal).info("server.started")
    journal.close()
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "logs" / "operations.log").stat().st_mode & 0o777 == 0o600


def test_bound_fields_are_on_every_record(journal: Journal, tmp_path: Path) -> None:
    session = FileLog(journal).bind(service="imap", session_id="s7").bind(user="a@x.test")
    session.warning("imap.refused", command="SELECT")
    journal.close()
    assert lines(tmp_path / "logs", "warning")[0].endswith(
        "Command: SELECT, Service: imap, Session-ID: s7, User: a@x.test"
    )


def test_the_order_of_one_log_is_the_order_of_the_calls(journal: Journal, tmp_path: Path) -> None:
    log = FileLog(journal)
    for number in range(2000):
        log.info("server.started", number=number)
    journal.close()
    assert [int(line.rsplit(" ", 1)[1]) for line in lines(tmp_path / "logs", "operations")] == list(range(2000))


def test_records_of_many_threads_are_all_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path, interval=0.001, held=10**6)
    log = FileLog(journal)

    def work() -> None:
        for _ in range(3000):
            log.info("server.started")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert len(lines(tmp_path, "operations")) == 12_000


def test_a_file_put_aside_gets_nothing_more(journal: Journal, tmp_path: Path) -> None:
    log, folder = FileLog(journal), tmp_path / "logs"
    log.info("server.started")
    journal.flush()
    (folder / "operations.log").rename(folder / "operations.log.1")
    log.info("server.stopped")
    journal.flush()
    assert len(lines(folder, "operations")) == 1
    assert len((folder / "operations.log.1").read_text().splitlines()) == 1
    (folder / "operations.log").unlink()
    log.info("server.started")
    journal.flush()
    assert len(lines(folder, "operations")) == 1
    journal.close()


def test_over_the_bound_records_are_counted_and_told_in_one_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path, interval=0.01, held=100)
    log = FileLog(journal)
    with journal._writing:  # A disk that hangs.
        for _ in range(350):
            log.info("server.started")
    journal.close()
    assert len(lines(tmp_path, "operations")) == 100
    assert [line.split("] ")[1] for line in lines(tmp_path, "warning")] == [
        "Log records dropped: Count: 250, Reason: too many at once"
    ]


def test_a_full_disk_is_told_once_it_has_room_again(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, folder, write = FileLog(journal), tmp_path / "logs", os.write
    log.info("server.started")
    journal.flush()
    for _ in range(3):
        log.info("server.stopped")
        monkeypatch.setattr(append.os, "write", _failing_after_a_piece(write))
        journal.flush()
    monkeypatch.setattr(append.os, "write", write)
    log.info("server.started", process="mail")
    journal.close()
    told = lines(folder, "operations")
    assert told[-1].endswith("Server started: Process: mail")
    assert told[-2].endswith("Log records dropped: Log: operations, Count: 3, Reason: No space left on device")
    assert lines(tmp_path / "logs", "warning") == [told[-2]]


def _failing_after_a_piece(write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
    calls: list[int] = []

    def fail(descriptor: int, data: bytes) -> int:
        calls.append(1)
        if len(calls) == 1:
            return write(descriptor, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    return fail


def test_half_a_line_of_before_is_ended_before_a_new_one(journal: Journal, tmp_path: Path) -> None:
    half = "[24/Nov/2026 17:57:14] Recv: Queue"  # Then the power went.
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mail.log").write_text(half)
    FileLog(journal).info("message.received", queue_id="438dd9ea-00000000")
    journal.close()
    first, second = lines(tmp_path / "logs", "mail")
    assert first == half and second[23:].startswith("Recv: Queue-ID: 438dd9ea-00000000")


def test_a_folder_that_cannot_be_made_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "logs", interval=0.01)
    FileLog(journal).error("store.failed", account="x")
    journal.flush()
    journal.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_died_is_replaced(journal: Journal, tmp_path: Path) -> None:
    class Odd:
        def __str__(self) -> str:
            raise SystemExit  # Ends the thread without a word.

    log = FileLog(journal)
    log.info("server.started", process=Odd())  # type: ignore[arg-type]
    until(lambda: journal._thread is not None and not journal._thread.is_alive())
    journal._roused = False
    log.info("server.stopped")
    until(lambda: len(lines(tmp_path / "logs", "operations")) == 1)
    journal.close()


def test_a_record_after_the_end_is_written_at_once(journal: Journal, tmp_path: Path) -> None:
    journal.close()
    FileLog(journal).info("server.stopped")
    assert len(lines(tmp_path / "logs", "operations")) == 1


def test_a_forked_child_writes_its_own_records_and_not_its_parents(tmp_path: Path) -> None:
    journal = Journal(tmp_path, interval=10)
    log = FileLog(journal)
    log.info("server.started", process="parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log.info("server.started", process="child")
            journal.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    journal.close()
    assert sorted(line.rsplit(" ", 1)[1] for line in lines(tmp_path, "operations")) == ["child", "parent"]


def test_debug_is_off_unless_its_category_is_on(journal: Journal, tmp_path: Path) -> None:
    settings = [LogSettings()]
    log = FileLog(journal, lambda: settings[0])
    bound = log.bind(service="smtp")

    def told() -> int:
        for which in (log, bound):
            which.debug("smtp.command", verb="MAIL")
            which.debug("dns.failed", name="x")
            which.debug("strange.thing")
        journal.flush()
        count = len(lines(tmp_path / "logs", "debug"))
        (tmp_path / "logs" / "debug.log").unlink(missing_ok=True)
        return count

    assert told() == 0
    settings[0] = LogSettings(debug=("smtp",))
    assert told() == 2
    settings[0] = LogSettings(debug=("smtp", "dns"))
    assert told() == 4
    settings[0] = LogSettings(debug=("all",))
    assert told() == 6
    journal.close()


@pytest.mark.parametrize(
    ("until", "told"),
    [("", True), ("2999-01-01T00:00:00Z", True), ("2020-01-01T00:00:00Z", False), ("2999-02-30T00:00:00Z", False)],
)
def test_debug_falls_silent_when_its_time_is_over(journal: Journal, tmp_path: Path, until: str, told: bool) -> None:
    settings = LogSettings(debug=("all",), debug_until=until)
    FileLog(journal, lambda: settings).debug("smtp.command", verb="MAIL")
    journal.close()
    assert bool(lines(tmp_path / "logs", "debug")) == told


def test_a_bug_is_told_with_its_place_and_cause_but_no_variable(journal: Journal, tmp_path: Path) -> None:
    def inner(password: str) -> None:
        raise KeyError("mailbox")

    def outer() -> None:
        try:
            inner("hunter2")
        except KeyError as error:
            raise ValueError("no such thing") from error

    try:
        outer()
    except ValueError as error:
        FileLog(journal).exception("session.crashed", error, service="imap")
    journal.close()
    (line,) = lines(tmp_path / "logs", "error")
    assert "Session crashed: Service: IMAP, Error: ValueError: no such thing, from KeyError: 'mailbox'" in line
    assert "outer (logs/test_journal.py:" in line and "hunter2" not in line


def test_an_event_that_cannot_be_counted_is_told_once_and_written_all_the_same(
    journal: Journal, tmp_path: Path
) -> None:
    def broken(bound: object, fields: object) -> None:
        raise KeyError("service")

    journal.count({"message.received": broken, "delivery.sent": broken})
    log = FileLog(journal)
    for _ in range(50):
        log.info("message.received", queue_id="1", service="smtp")
    log.info("delivery.sent", queue_id="1")
    journal.close()
    assert len(lines(tmp_path / "logs", "mail")) == 51
    told = lines(tmp_path / "logs", "error")
    assert len(told) == 2 and "Event: message.received, Error: KeyError: 'service'" in told[0]
    assert "delivery.sent" in told[1]
