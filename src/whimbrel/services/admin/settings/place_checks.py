"""What a directory is that a setting would name: there, whose, how much room it has. For a pool thread."""

import os
import pwd
import shutil
from pathlib import Path

from whimbrel.core.counting import counted
from whimbrel.core.values import Size
from whimbrel.services.probing.ports import ProbeStep

_MARK = "store.id"
"""In every store (`app/store_mark.py`)."""


def look_at_directory(name: str) -> list[ProbeStep]:
    """Steps for people; what keeps a store from being there is a problem of one."""
    place = Path(name)
    if not place.is_absolute():
        return [ProbeStep("result", f"{name} lies in the directory of the configuration")]
    above = next(each for each in (place, *place.parents) if each.exists())
    try:
        room = shutil.disk_usage(above)
        steps = [ProbeStep("look-up", f"{_size(room.free)} of {_size(room.total)} are free there")]
        if above != place:
            why = f"{place} is not there"
            return [*steps, ProbeStep("result", why, 0.0, {}, (f"{why}; move the store first.",))]
        if not place.is_dir():
            why = f"{place} is no directory"
            return [*steps, ProbeStep("result", why, 0.0, {}, (f"{why}.",))]
        status, names = place.stat(), os.listdir(place)
    except OSError as error:
        why = f"{name}: {error.strerror}"
        return [ProbeStep("result", why, 0.0, {}, (f"{why}.",))]
    open_to = status.st_mode & 0o077
    wrong = (f"{place} is open to others (mode {status.st_mode & 0o777:o}).",) if open_to else ()
    steps.append(ProbeStep("look-up", f"it belongs to {_owner(status.st_uid)}", 0.0, {}, wrong))
    if _MARK in names:
        return [*steps, ProbeStep("result", "it holds a store of mail")]
    why = f"it holds no store of mail, but {counted(len(names), 'other file')}" if names else "it is empty"
    return [*steps, ProbeStep("result", why, 0.0, {}, (f"{why[0].upper()}{why[1:]}: move the store there first.",))]


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"


def _size(octets: int) -> str:
    return str(Size(octets >> 30 << 30)) if octets >> 30 else str(Size(octets >> 20 << 20))
