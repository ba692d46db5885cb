"""kill -9 while users.cfg changes by way of its journal: what was acknowledged is there, the file well-formed."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from lxml import etree

from tests.crash.editor import HOST, USERS, opened
from tests.crash.test_crash import ENV, ROOT
from tests.support.fakes import MemoryLog
from whimbrel.core.directory import Kind


def begun(folder: Path) -> None:
    people = "".join(f'    <user name="user{n}"/> <!-- {n} -->\n' for n in range(USERS))
    text = (
        f'<users version="1.0">\n  <domain name="{HOST}">\n    <primary>yes</primary>\n{people}  </domain>\n</users>\n'
    )
    (folder / "users.cfg").write_text(text)


def life(folder: Path, tag: str, seconds: float, mutant: str) -> list[list[str]]:
    """One life of a process that edits, cut off; what it said."""
    command = [sys.executable, "-m", "tests.crash.editor", str(folder), tag, *([mutant] if mutant else [])]
    process = subprocess.Popen(command, cwd=ROOT, env=ENV, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == b"ready\n"
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    return [line.split() for line in rest[: rest.rfind(b"\n") + 1].decode().splitlines()]


def wrong(folder: Path, said: list[list[str]]) -> list[str]:
    """What an offline command finds that is not as it was acknowledged."""
    etree.fromstring((folder / "users.cfg").read_bytes())
    log = MemoryLog()
    editor = opened(folder, log)
    editor.close()
    found = [f"{record['names']}: set aside" for record in log.named("config.changes-aside")]
    assert not (folder / "users.cfg.changes").exists()
    assert not list(folder.glob(".users.cfg*"))
    root = etree.fromstring((folder / "users.cfg").read_bytes())
    there = {str(user.get("name")): user.findtext("full-name", "") for user in root.iter("user")}
    assert len(there) == len(list(root.iter("user")))
    begins = {tuple(words[1:]) for words in said if words[0] == "begin"}
    done = [tuple(words[1:]) for words in said if words[0] == "done"]
    removed = {user for word, _, user, _ in begins if word == "gone"}
    last: dict[str, str] = {}
    for word, _, user, name in done:
        if word == "set":
            last[user] = name
        elif word == "add" and user not in removed and user not in there:
            found.append(f"{user} is missing")
        elif word == "gone" and user in there:
            found.append(f"{user} is back")
    for user, name in last.items():
        later = {other for word, _, who, other in begins if word == "set" and who == user}
        # The one that was under way may have been made.
        if there[user] != name and not (there[user] in later and number(there[user]) == number(name) + 1):
            found.append(f"{user} is {there[user]}, not {name}")
    # An index that was kept in step is the one that a start finds right.
    editor = opened(folder, log)
    entry = asyncio.run(editor.entry(Kind.USER, HOST, "user0"))
    assert entry is not None and entry.values["full-name"] == there["user0"]
    editor.close()
    return found


def number(name: str) -> int:
    return int(name.rpartition("-")[2])


def lives(folder: Path, rounds: int, seed: int, mutant: str = "") -> list[str]:
    begun(folder)
    chance, found, total = random.Random(seed), list[str](), 0
    for round_ in range(rounds):
        said = life(folder, f"r{round_}", chance.uniform(0.1, 0.5), mutant)
        total += sum(words[0] == "done" for words in said)
        found += wrong(folder, said)
    assert total > 50, "the process did not get far enough to prove anything"
    return found


def test_acknowledged_changes_survive_kill_9(tmp_path: Path) -> None:
    assert lives(tmp_path, 6, seed=1) == []


def test_the_kill_test_finds_a_build_that_acknowledges_early(tmp_path: Path) -> None:
    assert lives(tmp_path, 3, seed=2, mutant="early") != []
