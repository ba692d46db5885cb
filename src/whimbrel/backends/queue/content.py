"""The file of a new entry.

Content in memory is written under its name at once: a file without a name first, which then is linked, costs half as
much again, and protects from nothing here. The name is given inside the transaction that inserts the row, so that
whoever looks sees both or neither, and what a crash leaves half-written has no row (`recovery.py`). Large content has a
file already, which is copied before the queue is locked, and what a mailbox has written too is shared with it.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from whimbrel.backends.disk.spool import HeldContent, materialise
from whimbrel.backends.queue.checksum import checksum
from whimbrel.backends.queue.database import failure
from whimbrel.core.commit import Rendition

_CREATE: Final[int] = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def prepare(rendition: Rendition, spool_folder: Path) -> int:
    """The checksum of what will be written; large content is copied now, while nobody waits for the queue. In the
    committer's thread. MailError if the disk is full."""
    if not isinstance(rendition.content, HeldContent):
        materialise(rendition, spool_folder, None)
    return checksum(rendition)


def write(rendition: Rendition, path: str, spool_folder: Path) -> None:
    """In the committer's thread. FileExistsError if there is such a name; MailError if the disk is full."""
    content = rendition.content
    if not isinstance(content, HeldContent) or rendition.prefix in content.materialised:
        materialise(rendition, spool_folder, None).link(path)
        return
    try:
        descriptor = os.open(path, _CREATE, 0o600)
    except FileExistsError:
        raise
    except OSError as error:
        raise failure(error) from None
    try:
        try:
            written = os.writev(descriptor, (rendition.prefix, content.content))
            if written != rendition.size:  # The disk has been filled: what is left says so.
                left = memoryview(rendition.prefix + content.content)[written:]
                while left:
                    left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise failure(error) from None
