"""The files of messages: one of them, a piece of it, or many in one go.

Standards: RFC 2180 4.1.1 (a message that was expunged is still read for a while)
"""

import os
from collections.abc import Sequence

from whimbrel.backends.store.disk.directory import Directory
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.core.errors import Condition, MailboxError

_AT_ONCE = 32 * 1024
"""Most messages are smaller: one read."""
_BLOCK = 8 << 20


def read_file(index: FolderIndex, uid: int, start: int, length: int | None) -> bytes | None:
    for path in (index.file(uid), index.deleted_file(uid)):
        try:
            with open(path, "rb", buffering=0) as file:
                if start:
                    file.seek(start)
                return file.read() if length is None else _read_exactly(file.fileno(), length)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MailboxError(Condition.UNAVAILABLE, "The message cannot be read", detail=str(error)) from None
    return None


def read_files(index: FolderIndex, uids: Sequence[int]) -> "list[bytes | None]":
    """Whole messages. Those that were expunged, and where there is any trouble, in the long way."""
    try:
        with Directory(index.messages) as folder:
            if folder.descriptor is not None:
                return _by_descriptor(index, uids, folder.descriptor)
    except FileNotFoundError:
        pass  # The whole directory was taken away.
    return [read_file(index, uid, 0, None) for uid in uids]


def _by_descriptor(index: FolderIndex, uids: Sequence[int], at: int) -> "list[bytes | None]":
    found: list[bytes | None] = []
    open_, read, close, flags = os.open, os.read, os.close, os.O_RDONLY | os.O_CLOEXEC
    for uid in uids:
        try:
            descriptor = open_(b"%08x.eml" % uid, flags, dir_fd=at)
            try:
                data = read(descriptor, _AT_ONCE)
                if len(data) == _AT_ONCE:
                    data += _read_exactly(descriptor, 1 << 62)
            finally:
                close(descriptor)
            found.append(data)
        except OSError:
            found.append(read_file(index, uid, 0, None))
    return found


def _read_exactly(descriptor: int, length: int) -> bytes:
    blocks = []
    while length > 0 and (block := os.read(descriptor, min(length, _BLOCK))):
        blocks.append(block)
        length -= len(block)
    return b"".join(blocks)
