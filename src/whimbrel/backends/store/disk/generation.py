"""The store's generation: raised at each start that followed no clean stop, or another boot of the machine.

A folder or account whose own generation is older is reconciled at its first access: until then nothing it says about
the time before the crash is trusted.
"""

import json
import os
from pathlib import Path


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def begin(store: Path) -> int:
    """Called once by the server's first process, before any other opens the store. Gives the generation to use."""
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = store / "generation"
    try:
        record = json.loads(path.read_text())
        generation, boot, clean = int(record["generation"]), str(record["boot"]), bool(record["clean"])
    except (OSError, ValueError, KeyError, TypeError):
        generation, boot, clean = 0, "", False
    if not clean or boot != _boot_id():
        generation += 1
    _write(path, generation, clean=False)
    return generation


def end(store: Path, generation: int) -> None:
    """After a clean stop, when everything is durable."""
    _write(store / "generation", generation, clean=True)


def _write(path: Path, generation: int, *, clean: bool) -> None:
    temporary = path.with_name("generation.new")
    with temporary.open("w") as file:
        json.dump({"version": "1.0", "generation": generation, "boot": _boot_id(), "clean": clean}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
