"""Where the files of a log are, and putting old ones aside: mail.log, mail.log.1 (younger), mail.log.2 (older)...

Each has its index beside it (mail.log.idx, mail.log.1.idx). One process rotates; the others notice the new file before
their next batch, and what they still write goes to the end of the file put aside.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from whimbrel.backends.logs.events import LOGS
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.stamp import LENGTH, moment, same_period

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAX_FILES = 1000
AHEAD = 2 * 86_400
"""Seconds by which a file's first line may be in the future: more than any change of the clocks or of the zone."""


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


def index_of(path: Path) -> Path:
    """`mail.log` -> `mail.log.idx`."""
    return path.with_name(f"{path.name}.idx")


def rotate(
    folder: Path, settings: LogSettings, logs: Sequence[str] = LOGS, *, now: float = 0.0, always: bool = False
) -> list[str]:
    """Puts aside the files that are over their size or of a former hour, day, week or month (with `always`: any that
    are not empty); deletes those beyond the number kept. Returns the logs that were rotated. `now` 0: sizes only.
    OSError if the folder does not let it."""
    rotated = []
    with _locked(folder):
        for log in logs:
            rules = settings.of(log)
            try:
                status = os.stat(current(folder, log))
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode):  # Whatever it is, it is no log, and was not put there by us.
                continue
            size = status.st_size
            if size > rules.max_size or (size and (always or (now and _over(current(folder, log), rules.rotate, now)))):
                _shift(folder, log, rules.keep)
                rotated.append(log)
            elif len(older := aside(folder, log)) > rules.keep:  # Fewer are to be kept than before.
                for path in older[rules.keep :]:
                    _remove(path)
    return rotated


def _over(path: Path, period: str, now: float) -> bool:
    """The period in which the file was begun has ended. A clock that was set back a little begins no new one; a file
    begun days in the future, while the clock was wrong, would otherwise not end before they come."""
    if period == "never":
        return False
    with path.open("rb") as file:
        began = moment(file.read(LENGTH))
    if began > now:
        return began > now + AHEAD
    return bool(began) and not same_period(period, began, now)


def _shift(folder: Path, log: str, keep: int) -> None:
    older = aside(folder, log)
    for path in older[max(0, keep - 1) :]:
        _remove(path)
    kept = older[: max(0, keep - 1)]
    for number in range(len(kept), 0, -1):
        _move(kept[number - 1], folder / f"{log}.log.{number + 1}")
    if keep:
        _move(current(folder, log), folder / f"{log}.log.1")
    else:
        _remove(current(folder, log))


def _move(path: Path, to: Path) -> None:
    # Between the two an index lies beside the wrong file: it fits it not, which is seen by its first octets.
    os.replace(path, to)
    try:
        os.replace(index_of(path), index_of(to))
    except FileNotFoundError:
        index_of(to).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    index_of(path).unlink(missing_ok=True)


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
