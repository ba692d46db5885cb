"""The last part of a move: done while no process has the store open, before the server (or nobody) goes on.

In order: what changed since the copy, a barrier, the proof that both are the same; the mark of a store in the new one;
the ONE write of mailserver.cfg that decides; the old one marked as moved. Before that write the old store is in force
and whole, after it the new one is. Cut off anywhere, it is done again by the next start, or is given up with the old
store in force.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from whimbrel.app import store_mark
from whimbrel.app.installation import Installation
from whimbrel.app.store_move import plan as plans
from whimbrel.backends.disk.tree_copy import MARK, CopyFailed, TreeCopy, finish
from whimbrel.backends.store.settings import ANOTHER_STORE
from whimbrel.core.config import ConfigError
from whimbrel.core.store_move import Left, Move, Plan

ATTEMPTS: Final = 3
"""Starts that may die in the last part before it is given up."""
PATIENCE: Final = 30.0
"""Seconds for a process that still copies to notice that its server has ended."""

Event = dict[str, Any]
Say = Callable[[str], None]


def nothing(_text: str) -> None:
    """Nobody wants to know how far it is."""


def end_move(installation: Installation, say: Say = nothing) -> list[Event]:
    """For a start, before any process opens the store. What is to be logged. ConfigError: mailserver.cfg cannot be
    read. Everything else that goes wrong leaves the old store in force."""
    directory = installation.directory
    plan = plans.read(directory)
    move = plan.move
    if move is None or move.state != "ready":
        return []
    installation.load_config()
    source, target = Path(move.source), Path(move.target)
    started = time.monotonic()
    try:
        if installation.store == target:
            return _decided(directory, plan, move.stopped)
        if installation.store != source:
            raise CopyFailed(f"store/directory was set to {installation.store} meanwhile")
        if move.attempts >= ATTEMPTS:
            raise CopyFailed(f"{ATTEMPTS} starts of the server died while it was done")
        plan = plan.becomes("ready", attempts=move.attempts + 1)
        plans.write(directory, plan)
        if move.by_rename:
            _rename(installation, move)
            counts = move.files, move.octets
        else:
            counts = _copy_rest(directory, move, say)
        _decide(installation, move)
        stopped = time.monotonic() - started
        return _decided(directory, plan.becomes("ready", files=counts[0], octets=counts[1]), stopped)
    except (CopyFailed, OSError, ConfigError) as error:
        return _gave_up(installation, plan, str(error))


def _copy_rest(directory: Path, move: Move, say: Say) -> tuple[int, int]:
    """What changed since the copy that was made beside the server. CopyFailed, OSError."""
    source, target = Path(move.source), Path(move.target)
    with locked(target, move.id):
        # A former attempt may have come as far as this.
        (target / store_mark.NAME).unlink(missing_ok=True)
        copy = TreeCopy(source, target)
        try:
            for copied in copy.run(last=True):
                say(f"{copied.files} files looked at, {copied.fresh} octets copied")
            say("comparing both stores")
            files, octets = copy.verify()
        finally:
            copy.close()
        mark = plans.marked(directory / store_mark.NAME).get("id", "")
        plans.write_durably(target / store_mark.NAME, {"version": "1.0", "id": mark})
    return files, octets


def _rename(installation: Installation, move: Move) -> None:
    """OSError: nothing was renamed."""
    source, target = Path(move.source), Path(move.target)
    if source.exists():
        os.rename(source, target)  # Onto an empty directory, or onto nothing: rename(2).
        for folder in {source.parent, target.parent}:
            plans.sync_folder(folder)


def _decide(installation: Installation, move: Move) -> None:
    """Names the new store in mailserver.cfg. ConfigError, OSError."""
    config = installation.load_config()
    failure: Exception | None = None
    try:
        # What the danger warns of is done: the store is there.
        asyncio.run(config.change({"store/directory": move.target}, confirmed=ANOTHER_STORE))
    except (ConfigError, OSError) as error:
        failure = error  # The file tells whether it was written before that.
    installation.load_config()
    if installation.store != Path(move.target):
        raise failure or CopyFailed(f"{installation.config_file} could not be written")


def _decided(directory: Path, plan: Plan, stopped: float) -> list[Event]:
    """The new store is in force: what is left is to say so, in every place. A start that fails here begins here."""
    move = plan.move
    assert move is not None
    source, target = Path(move.source), Path(move.target)
    events: list[Event] = []
    plan = plan.without_left(move.target).becomes("done", ended=time.time(), stopped=round(stopped, 1))
    if not move.by_rename:
        try:
            mark = plans.marked(directory / store_mark.NAME).get("id", "")
            if source.is_dir():
                plans.mark_moved(source, move.target, mark)
                plan = plan.with_left(Left(move.source, "store", move.id, time.time()))
            finish(target)
        except OSError as error:  # Its disk has failed, perhaps that is why the store moved.
            events.append(_event("store.old-not-marked", "warning", folder=move.source, error=str(error)))
    with suppress(OSError):  # mailserver.cfg decides; the next start comes by here again.
        plans.write(directory, plan)
    fields = {"folder": move.target, "before": move.source, "files": plan.move.files if plan.move else 0}
    return [*events, _event("store.moved", "info", **fields, seconds=round(stopped, 1))]


def _gave_up(installation: Installation, plan: Plan, reason: str) -> list[Event]:
    """The old store stays in force. OSError: it could not get its name back; the next start tries again."""
    move = plan.move
    assert move is not None
    source, target = Path(move.source), Path(move.target)
    if move.by_rename and not source.exists() and (target / store_mark.NAME).exists():
        os.rename(target, source)  # mailserver.cfg still has the old name.
        plans.sync_folder(source.parent)
    elif not move.by_rename and (target / MARK).exists():
        (target / store_mark.NAME).unlink(missing_ok=True)
        plan = plan.with_left(Left(move.target, "copy", move.id, time.time()))
    with suppress(OSError):
        plans.write(installation.directory, plan.becomes("failed", ended=time.time(), error=reason))
    return [_event("store.move-failed", "error", folder=move.target, before=move.source, reason=reason)]


def _event(name: str, level: str, **fields: object) -> Event:
    return {"do": "event", "name": name, "level": level, "fields": fields}


@contextmanager
def locked(target: Path, move: str) -> Iterator[None]:
    """The unfinished copy at `target` is ours, and no other process works at it. CopyFailed"""
    try:
        mark = plans.marked(target / MARK)
        if mark.get("id") != move:
            raise CopyFailed(f"{target} is not the copy that this move has made: is its disk mounted?")
        descriptor = os.open(target / MARK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise CopyFailed(f"{target}: {error.strerror or error}") from None
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise CopyFailed(f"Another process still copies to {target}") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
