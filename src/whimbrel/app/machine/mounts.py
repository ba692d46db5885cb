"""On which kind of file system a folder is, from the mount table. proc(5)"""

import contextlib
import os
from pathlib import Path


def nearest(folder: Path) -> Path:
    """The nearest folder above it that exists, if it does not itself. OSError."""
    while not folder.exists():
        folder = folder.parent
    return folder


def file_system(folder: Path) -> str:
    """`ext4`; of a folder that is to be made, that of the nearest one above it. Empty: not known. OSError."""
    device = nearest(folder).stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields, _, rest = line.partition(" - ")
            if fields.split()[2] == wanted:
                return rest.split()[0]
    return ""
