"""What must still be true of a store after its writer was cut off: every acknowledged step stands."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.crash.writer import KEYWORD, STATES, message, open_store
from tests.support.fakes import MemoryLog
from whimbrel.backends.store.disk import generation
from whimbrel.core.commit import Append, Appended, Rendition
from whimbrel.core.mailbox import SEEN, AccountId, Folder
from whimbrel.core.uids import ALL


@dataclass
class Life:
    begun: int = -1
    done: int = -1
    account: str = ""
    uid: int = 0


def read_log(text: str) -> dict[str, Life]:
    """The last step begun and acknowledged of each message. A line cut short by the kill is not one."""
    lives: dict[str, Life] = {}
    for line in text.split("\n")[:-1]:
        words = line.split(" ")
        if words[0] == "begin":
            lives.setdefault(words[1], Life()).begun = STATES.index(words[2])
        elif words[0] == "done":
            life = lives[words[1]]
            life.done, life.account, life.uid = STATES.index(words[2]), words[3], int(words[4])
    return lives


def verify(folder: Path, log: str) -> list[str]:
    """Everything that is wrong, found by a process of its own, as after a restart of the machine."""
    command = [sys.executable, "-m", "tests.crash.verify", str(folder)]
    done = subprocess.run(command, input=log, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.splitlines()


async def _verify(folder: Path, lives: dict[str, Life]) -> list[str]:
    log = MemoryLog()
    store, committer, spool = open_store(folder, log)
    wrong: list[str] = []
    places: dict[str, dict[str, tuple[int, int, str]]] = {}
    highest: dict[tuple[str, str], int] = {}
    accounts = {life.account for life in lives.values() if life.account}
    folders: dict[tuple[str, str], Folder] = {}
    for account in accounts:
        for name in ("INBOX", "Archive"):
            entry = await store.find(AccountId(account), name)
            if entry is None:
                wrong.append(f"{account} {name}: the folder has gone")
                continue
            folders[account, name] = entry
            snapshot = await store.snapshot(entry.ref)
            rows = await store.flags(entry.ref, ALL)
            contents = await store.contents(entry.ref, [row[0] for row in rows])
            if snapshot.status.messages != len(rows) or list(snapshot.uids) != [row[0] for row in rows]:
                wrong.append(f"{account} {name}: counters do not match the messages")
            for (uid, flags, words, _), content in zip(rows, contents, strict=True):
                if content is None:
                    wrong.append(f"{account} {name} {uid}: no file")
                    continue
                tag = content.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()
                if content != message(tag):
                    # Bytes that did not reach the disk: harmless only if nobody was told that they had.
                    if tag not in lives or lives[tag].done >= 0:
                        wrong.append(f"{account} {name} {uid}: {tag or 'a message'} is not as it was sent")
                    continue
                if name in places.setdefault(tag, {}) and tag != "after":
                    wrong.append(f"{tag} is twice in {name}")
                places[tag][name] = (uid, flags, words)
            highest[account, name] = snapshot.status.uid_next - 1
    for tag, life in lives.items():
        wrong += _check(tag, life, places.get(tag, {}))
        if life.done >= 0:
            name = "INBOX" if life.done < 2 else "Archive"
            if life.uid > highest.get((life.account, name), 0):
                wrong.append(f"{tag}: UID {life.uid} would be given twice in {name}")
    for (account, name), entry in folders.items():
        added = (await store.commit([Append(entry.ref, Rendition(b"", spool.hold(message("after"))))]))[0]
        if not isinstance(added, Appended) or added.uid <= highest[account, name]:
            wrong.append(f"{account} {name}: cannot be appended to: {added!r}")
    committer.close()
    store.close()
    generation.end(folder, store.generation)
    return wrong


def _check(tag: str, life: Life, found: dict[str, tuple[int, int, str]]) -> list[str]:
    if life.done < 0:
        return []
    inbox, archive = found.get("INBOX"), found.get("Archive")
    allowed = {life.done, life.begun}
    flagged = [uid for uid, flags, words in found.values() if flags & SEEN and KEYWORD in words]
    if allowed == {0} and (inbox is None or archive is not None):
        return [f"{tag}: acknowledged as appended (UID {life.uid}), found {found}"]
    if life.done == 0 and inbox is not None and inbox[0] != life.uid:
        return [f"{tag}: its UID was {life.uid}, now {inbox[0]}"]
    if life.done == 1 and not flagged:
        return [f"{tag}: acknowledged as flagged, found {found}"]
    if life.done == 2 and 3 not in allowed and (archive is None or inbox is not None or not flagged):
        return [f"{tag}: acknowledged as moved, found {found}"]
    if life.done == 2 and inbox is not None:
        return [f"{tag}: acknowledged as moved, still in INBOX"]
    if life.done == 3 and found:
        return [f"{tag}: acknowledged as expunged, found {found}"]
    if life.done < 3 and 3 not in allowed and not found:
        return [f"{tag}: acknowledged as {STATES[life.done]} and lost"]
    return []


if __name__ == "__main__":
    for line in asyncio.run(_verify(Path(sys.argv[1]), read_log(sys.stdin.read()))):
        print(line)
