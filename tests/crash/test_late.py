"""A message that the queue has judged goes on exactly once, whenever the server is killed: its copies in folders, what
goes to other servers, and the messages that come of it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.test_crash import ENV, ROOT

COMMITS = 2
"""Of a life without a kill: the judged message goes on; then its copies are filed."""


def live(store: Path, kill: int, mutant: str) -> str:
    command = [sys.executable, "-m", "tests.crash.judge", str(store), str(kill), *([mutant] if mutant else [])]
    done = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (-9 if kill else 0), done.stderr
    return done.stdout


def outcome(store: Path, kill: int, mutant: str = "") -> tuple[Counter[str], Counter[str]]:
    """What was sent, and how many messages each folder has, after a life that ends so and another."""
    store.mkdir()
    if kill:
        live(store, kill, mutant)
    folders = (line.rsplit(" ", 1) for line in live(store, 0, mutant).splitlines())
    sent = Counter((store / "sent").read_text().split())
    return sent, Counter({name: int(number) for name, number in folders})


@pytest.mark.parametrize("kill", range(COMMITS + 1))
def test_a_late_message_goes_on_exactly_once(tmp_path: Path, kill: int) -> None:
    sent, folders = outcome(tmp_path / "store", kill)
    assert sent == {"out@else.test": 1, "side@else.test": 1}
    assert folders == {"INBOX": 1, "Copies": 1}


@pytest.mark.parametrize(("mutant", "kill"), [("apart", 1), ("unmarked", 2)])
def test_the_test_finds_work_that_is_done_twice(tmp_path: Path, mutant: str, kill: int) -> None:
    sent, folders = outcome(tmp_path / "store", kill, mutant)
    assert max([*sent.values(), *folders.values()]) > 1
