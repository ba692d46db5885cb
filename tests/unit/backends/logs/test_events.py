"""The table of events is the whole of what is logged, and nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from whimbrel.backends.logs.events import BY_NAME, EVENTS, LOGS
from whimbrel.core.log import LogEvent

SRC = Path(__file__).resolve().parents[4] / "src" / "whimbrel"
LEVELS = ("debug", "info", "warning", "error", "exception")
OWN = {"log.dropped", "log.rotated"}
"""Written by the log itself, or by whoever rotates it."""


def calls() -> Iterator[tuple[str, str]]:
    """(event, place) of each call that logs."""
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            of = node.func.value
            logs = (isinstance(of, ast.Name) and of.id == "log") or (
                isinstance(of, ast.Attribute) and of.attr in ("log", "_log")
            )
            if logs and node.func.attr in LEVELS:
                for name in ast.walk(node.args[0]):
                    if isinstance(name, ast.Constant) and isinstance(name.value, str):
                        yield name.value, f"{path.relative_to(SRC)}:{node.lineno}"


def test_every_event_that_is_logged_is_declared() -> None:
    assert {event: place for event, place in calls() if event not in BY_NAME} == {}


def test_every_event_is_declared_once_and_in_use() -> None:
    names = [event.name for event in EVENTS]
    assert len(names) == len(set(names))
    text = "\n".join(path.read_text() for path in SRC.rglob("*.py") if path.name != "events.py")
    assert [name for name in names if f'"{name}"' not in text and name not in OWN] == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_declared_whole(event: LogEvent) -> None:
    assert event.log in LOGS and event.title and event.meaning.endswith(".")
    assert len(set(event.fields)) == len(event.fields)
