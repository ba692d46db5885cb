"""The Log port: records are collected in memory and written in batches by a thread of their own.

A caller pays about a microsecond: formatting and writing happen in the thread. It neither waits nor fails, whatever
the disk does: what cannot be held or written is counted and told later.
"""

import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.logs.append import LogAppender
from whimbrel.backends.logs.record import RecordForm
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.stamp import LENGTH
from whimbrel.backends.logs.syslog import Copy, Syslog
from whimbrel.backends.logs.throttle import WINDOW, Throttle
from whimbrel.core.log import Value

HELD = 10_000
"""Records in memory at most: about 5 MiB."""
BATCH = 250
"""Records (about 64 KiB) that are written at once rather than after the interval."""
INTERVAL = 0.1
_CLOSE_TIMEOUT = 3.0
_FRAMES = 12

_THROTTLED = frozenset({"warning", "error"})
"""Logs in which a flood tells nothing new. What fail2ban counts and what tells of mail is written whole."""

Counting = Callable[[Mapping[str, Value], Mapping[str, Value]], None]
"""Called with the fields of a log and those of a record."""
_Record = tuple[float, str, str, Mapping[str, Value], Mapping[str, Value]]


class Journal:
    """The records of one process on their way to the files. Survives a fork: the child begins with none."""

    def __init__(self, folder: Path, *, interval: float = INTERVAL, held: int = HELD, presence: Presence = ANY) -> None:
        self._files, self._form = LogAppender(folder, presence), RecordForm()
        self._interval, self._held = interval, held
        self._pending: deque[_Record] = deque()
        self._dropped = 0
        self._closed = False
        self._settings: Callable[[], LogSettings] = _defaults
        self._counted: Mapping[str, Counting] = {}
        self._uncounted: set[str] = set()
        self._begin()
        _journals.add(self)

    def use(self, settings: Callable[[], LogSettings]) -> None:
        """From now on lines are copied to syslog as `settings` say, which are asked each time."""
        self._settings = settings

    def count(self, counted: Mapping[str, Counting]) -> None:
        """From now on each record of these events is counted as it comes, whether it can be written or not."""
        self._counted = counted

    def put(self, level: str, event: str, bound: Mapping[str, Value], fields: Mapping[str, Value]) -> None:
        counting = self._counted.get(event)
        if counting is not None:
            try:
                counting(bound, fields)
            except Exception as error:  # noqa: BLE001 - who logs is not to fail for it; the record itself is written.
                self._not_counted(event, error)
        pending = self._pending
        waiting = len(pending)
        if waiting >= self._held:
            self._dropped += 1
            return
        pending.append((time.time(), level, event, bound, fields))
        if not self._roused:
            self._rouse()
        elif waiting == BATCH:
            self._hurry.set()

    def _not_counted(self, event: str, error: Exception) -> None:
        """Told once of each event: numbers that stand still look like a quiet server."""
        if event not in self._uncounted:
            self._uncounted.add(event)
            self.put("error", "log.not-counted", {}, {"event": event, "error": _told(error), "at": _place(error)})

    def flush(self, timeout: float = _CLOSE_TIMEOUT) -> None:
        """Writes what is held now, in the caller's thread. Gives up after `timeout` seconds if the disk hangs."""
        if not self._writing.acquire(timeout=timeout):
            return
        try:
            self._write()
        finally:
            self._writing.release()

    def close(self) -> None:
        """Writes what is held; records that come later are written at once."""
        self._closed = True
        self._something.set()
        self._hurry.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_TIMEOUT)
        self.flush()
        self._syslog.close()

    # Inside

    def _begin(self) -> None:
        self._roused = False
        self._thread: threading.Thread | None = None
        self._something, self._hurry, self._writing = threading.Event(), threading.Event(), threading.Lock()
        self._throttle = Throttle()
        self._syslog = Syslog(self._asked, self._tell)

    def after_fork(self) -> None:
        """In the child: the parent writes its own records, and its thread is not here."""
        self._pending.clear()
        self._dropped = 0
        self._files.forget()
        self._begin()

    def _rouse(self) -> None:
        self._roused = True
        if self._closed:
            self.flush()
            return
        self._something.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            with contextlib.suppress(RuntimeError):  # No thread to be had: the next record tries again.
                self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            # What was held back is told when its window ends, also if nothing else happens.
            self._something.wait(WINDOW if self._throttle.holds else None)
            self._something.clear()
            self._hurry.wait(self._interval)
            self._hurry.clear()
            with self._writing:
                self._write()

    def _write(self) -> None:
        # Lowered before the queue is emptied: whoever appends from now on wakes the thread again.
        self._roused = False
        batches: dict[str, list[str]] = {}
        pending, form, syslog = self._pending, self._form, self._settings().syslog.logs
        while True:
            try:
                at, level, event, bound, fields = pending.popleft()
            except IndexError:
                break
            log, line = form.line(at, level, event, {**bound, **fields} if bound else fields)
            if log in _THROTTLED and not self._throttle.admits(at, log, event, line[LENGTH:]):
                continue
            batches.setdefault(log, []).append(line)
            failed = level == "error" and log != "error"
            if failed:
                batches.setdefault("error", []).append(line)
            if syslog and (log in syslog or (failed and "error" in syslog)):
                self._syslog.put(Copy(at, level, event, log, line))
        now = time.time()
        for held in self._throttle.due(now, everything=self._closed):
            values: dict[str, Value] = {"event": held.event, "count": held.count, "seconds": held.seconds}
            batches.setdefault(held.log, []).append(form.line(now, "warning", "log.repeated", values)[1])
        dropped, self._dropped = self._dropped, 0
        if dropped:
            batches.setdefault("warning", []).append(self._dropped_line(None, dropped, "too many at once"))
        gaps: list[str] = []
        for log, lines in batches.items():
            lost = self._files.lost(log)
            if lost.count:
                lines.insert(0, self._dropped_line(log, lost.count, lost.reason))
            if self._files.append(log, lines) and lost.count and log != "warning":
                gaps.append(lines[0])
        if gaps:  # Where the gap is, and where somebody looks for what is wrong.
            self._files.append("warning", gaps)

    def _asked(self) -> LogSettings:
        return self._settings()

    def _tell(self, event: str, fields: Mapping[str, Value]) -> None:
        self.put("warning", event, {}, fields)

    def _dropped_line(self, log: str | None, count: int, reason: str) -> str:
        values: dict[str, Value] = {"log": log, "count": count, "reason": reason}
        return self._form.line(time.time(), "warning", "log.dropped", values)[1]


class FileLog:
    """The port over a journal, with the fields that all its records carry."""

    __slots__ = ("_categories", "_fields", "_journal", "_put", "_seen", "_settings", "_until")

    def __init__(
        self,
        journal: Journal,
        settings: Callable[[], LogSettings] | None = None,
        fields: Mapping[str, Value] | None = None,
    ) -> None:
        """`settings` is asked at each debug record, so a change counts at once."""
        self._journal, self._put, self._fields = journal, journal.put, dict(fields or {})
        self._settings = settings or _defaults
        self._seen: LogSettings | None = None
        self._categories: frozenset[str] = frozenset()
        self._until = 0.0

    def debugs(self, category: str) -> bool:
        settings = self._settings()
        if settings is not self._seen:
            self._seen, self._categories, self._until = settings, frozenset(settings.debug), settings.debug_end()
        wanted = self._categories
        return bool(wanted) and ("all" in wanted or category in wanted) and time.time() < self._until

    def debug(self, event: str, **fields: Value) -> None:
        if self.debugs(event.partition(".")[0]):
            self._put("debug", event, self._fields, fields)

    def info(self, event: str, **fields: Value) -> None:
        self._put("info", event, self._fields, fields)

    def warning(self, event: str, **fields: Value) -> None:
        self._put("warning", event, self._fields, fields)

    def error(self, event: str, **fields: Value) -> None:
        self._put("error", event, self._fields, fields)

    def exception(self, event: str, error: BaseException, **fields: Value) -> None:
        fields.setdefault("error", _told(error))
        fields["at"] = _place(error)
        self._put("error", event, self._fields, fields)

    def bind(self, **fields: Value) -> "FileLog":
        return FileLog(self._journal, self._settings, {**self._fields, **fields})


_DEFAULTS = LogSettings()


def _defaults() -> LogSettings:
    return _DEFAULTS


def _told(error: BaseException) -> str:
    """The error and what it came from, without the values of any variable."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(texts) < 4:
        text = str(cause)
        texts.append(f"{type(cause).__name__}: {text}" if text else type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return ", from ".join(texts)


def _place(error: BaseException) -> str:
    """The calls that led to it, innermost first: `fetch (imapd/fetch.py:12) < session (imapd/server.py:60)`."""
    frames = []
    for frame, line in walk_tb(error.__traceback__):
        file = "/".join(frame.f_code.co_filename.replace(os.sep, "/").rsplit("/", 2)[-2:])
        frames.append(f"{frame.f_code.co_name} ({file}:{line})")
    return " < ".join(frames[: -_FRAMES - 1 : -1])


_journals: "weakref.WeakSet[Journal]" = weakref.WeakSet()


def _forked() -> None:
    for journal in _journals:
        journal.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

if TYPE_CHECKING:
    from whimbrel.core.log import Log

    def _port(journal: Journal) -> Log:
        return FileLog(journal)
