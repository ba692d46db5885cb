"""`flags.bak`: what files cannot tell, compact and rebuilt at leisure; used if `index.fld` is gone.

A line with uidvalidity, uidnext, modseq; then `uid flags internal-date keywords...` for each message.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from whimbrel.backends.store.disk.database import passing, reading, rows
from whimbrel.backends.store.disk.index import FolderIndex


def write_backup(index: FolderIndex) -> None:
    """The compact copy used when index.fld is gone. Atomic; losing the newest one is no harm."""
    with index.lock, reading(index.connection):
        status = index.status()
        messages = rows(index.connection, "SELECT uid, flags, internal_date, keywords FROM msg ORDER BY uid")
    lines = [f"WFLAGS 1 {status.uid_validity} {status.uid_next} {status.highest_modseq}"]
    lines += [f"{uid} {flags} {date} {words}".rstrip() for uid, flags, date, words in messages]
    temporary = index.folder / "flags.bak.new"
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.chmod(temporary, 0o600)
    os.replace(temporary, index.folder / "flags.bak")


def backup_modseq(folder: Path) -> int:
    """Of which modseq flags.bak is; 0 if there is none."""
    try:
        with (folder / "flags.bak").open(encoding="utf-8", errors="replace") as file:
            return int(file.readline().split(" ")[4])
    except (OSError, ValueError, IndexError):
        return 0


def read_backup(path: Path) -> Iterator[tuple[int, int, int, list[tuple[int, int, int, str]]]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        magic, version, validity, uid_next, modseq = lines[0].split(" ")
        if (magic, version) != ("WFLAGS", "1"):
            return
        messages = []
        for line in lines[1:]:
            uid, flags, date, *words = line.split(" ", 3)
            messages.append((int(uid), int(flags), int(date), words[0] if words else ""))
        yield int(validity), int(uid_next), int(modseq), messages
    except OSError as error:
        if passing(error, path):
            raise
    except (ValueError, IndexError):
        return
