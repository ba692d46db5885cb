"""A fresh file system for each run: ext4 with a journal, as Debian installs it, in an image file mounted by loop.

So no run pays for what the one before deleted: ext4 without a journal leaves the inodes of deleted files alone
for minutes, and searches past them at each create. Needs root, as the peer does.
"""

import atexit
import subprocess
import tempfile
from pathlib import Path

_SIZE = 4 << 30
_made: list[Path] = []


def fresh() -> Path:
    """An empty file system that others may enter; unmounted and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="wb-", dir="/tmp"))
    folder.chmod(0o755)
    image, mounted = folder / "image", folder / "m"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(_SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True)
    _made.append(folder)
    return mounted


@atexit.register
def _remove() -> None:
    for folder in _made:
        subprocess.run(["umount", "-l", str(folder / "m")], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", str(folder)], check=False)
