"""What is known of a move of the store: `DIR/store-move.json`, written anew before and after each step that matters.

Which store is in force is decided by mailserver.cfg alone, never by this file.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from whimbrel.core.store_move import Left, Move, Plan

NAME: Final = "store-move.json"
MOVED: Final = "store.moved"
"""In a store that is not in force any more, in the place of its mark."""


def read(directory: Path) -> Plan:
    """OSError. A file that cannot be understood is none: what is in force does not depend on it."""
    try:
        text = (directory / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Plan()
    try:
        known = json.loads(text)
        move = Move(**known["move"]) if known["move"] else None
        return Plan(move, tuple(Left(**each) for each in known["left"]))
    except (ValueError, TypeError, KeyError):
        return Plan()


def write(directory: Path, plan: Plan) -> None:
    """OSError"""
    move = asdict(plan.move) if plan.move else None
    write_durably(directory / NAME, {"version": "1.0", "move": move, "left": [asdict(each) for each in plan.left]})


def write_durably(path: Path, content: Mapping[str, object]) -> None:
    """As a whole or not at all. OSError"""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """OSError"""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def mark_moved(store: Path, target: str, mark: str) -> None:
    """The store is not in force any more, and says where it went; its own mark goes. Doing it again is harmless.
    OSError"""
    if not (store / MOVED).exists():
        write_durably(store / MOVED, {"version": "1.0", "id": mark, "to": target, "at": time.time()})
    try:
        os.unlink(store / "store.id")
    except FileNotFoundError:
        return
    sync_folder(store)


def moved_to(store: Path) -> str:
    """Where the store went; empty: it is not one that was moved. OSError"""
    return marked(store / MOVED).get("to", "")


def marked(path: Path) -> dict[str, str]:
    """The texts in a mark. OSError, but for one that is not there."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            content = json.loads(file.read(8192))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError:
        return {"to": "another directory", "id": ""}
    return {str(name): str(value) for name, value in content.items()} if isinstance(content, dict) else {}
