"""The message files of a folder as they lie in `#msgs`: which of them are messages, how one gets its rows, and where it
goes if its story is unclear."""

import os
import re
import time
from pathlib import Path

import apsw

from whimbrel.backends.store.disk.columns import INSERT_META, INSERT_MSG, Described, email_id
from whimbrel.backends.store.disk.database import passing
from whimbrel.core.log import Log
from whimbrel.core.uids import MAX_UID

NAME = re.compile(r"([0-9a-f]{8})\.eml\Z")
GAP = 1000
"""How far `uid_next` jumps where the last given UIDs are not known for certain."""
RECENT = 120
"""Seconds before a crash in which data may not have reached the disk."""


def list_messages(messages: Path, *, locked: bool) -> tuple[dict[int, int], list[str]]:
    """uid -> size of each message file, and the names of foreign files. Empty files are no messages (a power cut
    leaves unacknowledged links with 0 bytes): under the account's lock they are removed."""
    numbered: dict[int, int] = {}
    foreign: list[str] = []
    messages.mkdir(mode=0o700, exist_ok=True)
    with os.scandir(messages) as items:
        for item in items:
            if not item.is_file(follow_symlinks=False):
                continue
            size = item.stat(follow_symlinks=False).st_size
            match = NAME.match(item.name)
            if match and 0 < int(match[1], 16) < MAX_UID:
                if size:
                    numbered[int(match[1], 16)] = size
                elif locked:
                    os.unlink(item.path)
            elif size and item.name.lower().endswith(".eml") and not item.name.startswith("."):
                foreign.append(item.name)
    return numbered, sorted(foreign)


def insert_file(
    connection: apsw.Connection,
    file: Path,
    uid: int,
    old: tuple[int, str, int, int, str] | None,
    modseq: int,
    log: Log,
    wanted: str = "",
) -> bool:
    """One bad file costs one message and one warning. `wanted`: the EMAILID it must have, if that is known."""
    try:
        content, status = file.read_bytes(), file.stat()
    except OSError as error:
        if passing(error, file):
            raise  # It says nothing about this file; the index is made anew when there is enough of what is missing.
        log.warning("store.unreadable", file=str(file), error=error.strerror or str(error))
        return False
    if not content.strip(b"\0") or (wanted and email_id(content) != wanted):
        # It has its length, but its data never reached the disk: never acknowledged.
        set_lost(file)
        log.warning("store.file-lost", folder=str(file.parent.parent), uid=uid)
        return False
    described = Described(content)
    flags, keywords, date, saved, recipient = old or (0, "", int(status.st_mtime), 0, "")
    # Unknown: linked into this folder no later than the file last changed. Its date would be far too early, and what
    # counts days since then, such as a clean-out rule, would take old mail that came here yesterday.
    saved = saved or int(status.st_ctime)
    connection.execute(
        INSERT_MSG,
        (
            uid,
            modseq,
            flags,
            keywords,
            date,
            saved,
            described.size,
            described.octets,
            described.email_id,
            described.thread_id,
            recipient,
        ),
    )
    connection.execute(INSERT_META, (uid, *described.meta))
    return True


def set_lost(file: Path) -> None:
    lost = file.parent.parent / "#lost"
    lost.mkdir(mode=0o700, exist_ok=True)
    os.replace(file, lost / f"{file.stem}-{time.time_ns():x}.eml")
