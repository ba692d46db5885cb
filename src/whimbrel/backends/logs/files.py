"""Where the files of a log are, and putting full ones aside: mail.log, mail.log.1 (younger), mail.log.2 (older)...

One process rotates; the others notice the new file before their next batch.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from whimbrel.backends.logs.events import LOGS
from whimbrel.backends.logs.settings import LogSettings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAX_FILES = 1000


def current(folder: Path, log: str) -> Path:
    return folder / f"{log}.log"


def aside(folder: Path, log: str) -> list[Path]:
    """The files put aside, the youngest first."""
    numbers = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            stem, _, number = name.rpartition(".")
            if stem == f"{log}.log" and number.isdigit() and len(number) <= 4:
                numbers.append(int(number))
    return [folder / f"{log}.log.{number}" for number in sorted(numbers)][:MAX_FILES]


def rotate(folder: Path, settings: LogSettings, logs: Sequence[str] = LOGS, *, always: bool = False) -> list[str]:
    """Puts aside the files over the size (with `always`: any that are not empty); deletes those beyond the number
    kept. Returns the logs that were rotated. OSError if the folder does not let it."""
    rotated = []
    with _locked(folder):
        for log in logs:
            try:
                size = os.stat(current(folder, log)).st_size
            except FileNotFoundError:
                continue
            if size > settings.max_size or (always and size):
                _shift(folder, log, settings.keep)
                rotated.append(log)
    return rotated


def _shift(folder: Path, log: str, keep: int) -> None:
    older = aside(folder, log)
    for path in older[max(0, keep - 1) :]:
        path.unlink(missing_ok=True)
    kept = older[: max(0, keep - 1)]
    for number in range(len(kept), 0, -1):
        os.replace(kept[number - 1], folder / f"{log}.log.{number + 1}")
    if keep:
        os.replace(current(folder, log), folder / f"{log}.log.1")
    else:
        current(folder, log).unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The command line without a server may rotate too."""
    if fcntl is None or not folder.is_dir():
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
