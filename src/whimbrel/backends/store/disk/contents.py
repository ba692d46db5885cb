"""The files of messages: one of them, a piece of it, or many in one go, each as clients get it.

What has bare LFs is converted (`barelines.py`).

Standards: RFC 2180 4.1.1 (a message that was expunged is still read for a while)
"""

import os
from collections.abc import Sequence

from whimbrel.backends.store.disk.columns import thread_id
from whimbrel.backends.store.disk.database import Row
from whimbrel.backends.store.disk.directory import Directory
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import ExpungedMessage
from whimbrel.core.uids import UidSet
from whimbrel.mail.scan import scan
from whimbrel.mail.structure.lines import for_clients

Content = bytes | MailboxError | None

_AT_ONCE = 32 * 1024
"""Most messages are smaller: one read."""
_BLOCK = 8 << 20


def read_file(index: FolderIndex, uid: int, start: int, length: int | None) -> bytes | None:
    """MailboxError UNAVAILABLE if it cannot be read; None if it is gone."""
    for path in (index.file(uid), index.deleted_file(uid)):
        try:
            with open(path, "rb", buffering=0) as file:
                if uid in index.bare.among(UidSet([(uid, uid)])):
                    return index.bare.read(file.fileno(), uid, start, length)
                if length is None and not start and index.size(uid) is None:
                    return index.bare.expunged(uid, file.read())
                if start:
                    file.seek(start)
                return file.read() if length is None else _read_exactly(file.fileno(), length)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MailboxError(Condition.UNAVAILABLE, "The message cannot be read", detail=str(error)) from None
    return None


def read_files(index: FolderIndex, uids: Sequence[int]) -> list[Content]:
    """Whole messages. Those that were expunged, and where there is any trouble, in the long way; one that cannot be
    read costs itself alone."""
    try:
        with Directory(index.messages) as folder:
            if folder.descriptor is not None:
                return _by_descriptor(index, uids, folder.descriptor)
    except FileNotFoundError:
        pass  # The whole directory was taken away.
    return [_alone(index, uid) for uid in uids]


def describe(row: Row, content: bytes | None) -> ExpungedMessage:
    """`row`: of `FolderIndex.expunged`; `content` None: it is not there any more, or not wanted."""
    if content is None:
        return ExpungedMessage((*row, "", b"", b""), None)
    scanned = scan(content)
    ids = row[6], thread_id(scanned, row[6])
    return ExpungedMessage((*row[:5], len(content), *ids, scanned.envelope, scanned.bodystructure), scanned.parts)


def _alone(index: FolderIndex, uid: int) -> Content:
    try:
        return read_file(index, uid, 0, None)
    except MailboxError as error:
        return error


def _by_descriptor(index: FolderIndex, uids: Sequence[int], at: int) -> list[Content]:
    contents: list[Content] = []
    open_, read, close, flags = os.open, os.read, os.close, os.O_RDONLY | os.O_CLOEXEC
    bare = index.bare.among(UidSet.of(uids))
    for uid in uids:
        try:
            descriptor = open_(b"%08x.eml" % uid, flags, dir_fd=at)
            try:
                data = read(descriptor, _AT_ONCE)
                if len(data) == _AT_ONCE:
                    data += _read_exactly(descriptor, 1 << 62)
            finally:
                close(descriptor)
            contents.append(for_clients(data) if uid in bare else data)
        except OSError:
            contents.append(_alone(index, uid))
    return contents


def _read_exactly(descriptor: int, length: int) -> bytes:
    blocks = []
    while length > 0 and (block := os.read(descriptor, min(length, _BLOCK))):
        blocks.append(block)
        length -= len(block)
    return b"".join(blocks)
