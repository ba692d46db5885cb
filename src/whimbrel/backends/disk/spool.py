"""Content on its way in: small in memory, large in an unnamed file; then written once and linked where it is wanted."""

import contextlib
import errno
import os
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.core.commit import Rendition
from whimbrel.core.errors import MailError
from whimbrel.core.pool import Pool
from whimbrel.core.spool import Spooled

SMALL = 256 * 1024
"""Octets of a message that are held in memory however many there are."""
IN_MEMORY = 4 << 20
"""Octets of a message that are held in memory while there is room: a file for it in between would be written twice."""
ROOM = 16 << 20
"""Octets for messages above `SMALL`, all of a process together."""
MOST_BLOCKS = 256
"""Pieces held apart: of two octets each, they would take twenty times their size."""
HEAD = 64 * 1024
_COPY = 1 << 20
_TMPFILE: int = getattr(os, "O_TMPFILE", 0)


def _full(error: OSError) -> MailError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MailError(452, "4.3.1", "Insufficient system storage", detail=str(error))
    return MailError(451, "4.3.0", "Storage failure, try again later", detail=str(error))


class DiskSpool:
    """Unnamed files live on the store's file system, so that they can be linked into it."""

    def __init__(self, folder: Path, pool: Pool, presence: Presence = ANY) -> None:
        self.folder, self._pool, self._room = folder, pool, Room(ROOM)
        presence.make((folder,))

    def start(self) -> "DiskSpoolWriter":
        return DiskSpoolWriter(self.folder, self._pool, self._room)

    def hold(self, content: bytes) -> "HeldContent":
        return HeldContent(content)


class Room:
    """How much memory is left for large messages. Used in the loop's thread."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


class HeldContent:
    """Content in memory; `taken` of `room` is given back at the end."""

    __slots__ = ("_room", "_taken", "content", "crlf", "materialised")

    def __init__(self, content: bytes, room: Room | None = None, taken: int = 0, *, crlf: bool = False) -> None:
        self.content, self._room, self._taken, self.crlf = content, room, taken, crlf
        self.materialised: dict[bytes, UnnamedFile] = {}

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def head(self) -> bytes:
        return self.content

    async def read(self, start: int = 0, length: int | None = None) -> bytes:
        return self.content[start:] if length is None else self.content[start : start + length]

    def close(self) -> None:
        for file in self.materialised.values():
            file.close()
        self.materialised = {}
        if self._room is not None:
            self._room.left += self._taken
            self._room = None


class FileContent:
    """Content in an unnamed file; `checksum` is its CRC-32."""

    __slots__ = ("_head", "_pool", "checksum", "descriptor", "materialised", "size")

    def __init__(self, descriptor: int, size: int, checksum: int, head: bytes, pool: Pool) -> None:
        self.descriptor, self.size, self.checksum, self._head, self._pool = descriptor, size, checksum, head, pool
        self.materialised: dict[bytes, UnnamedFile] = {}

    @property
    def head(self) -> bytes:
        return self._head

    async def read(self, start: int = 0, length: int | None = None) -> bytes:
        return await self._pool.run(_pread, self.descriptor, start, self.size - start if length is None else length)

    def close(self) -> None:
        for file in self.materialised.values():
            file.close()
        self.materialised = {}
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class DiskSpoolWriter:
    def __init__(self, folder: Path, pool: Pool, room: Room) -> None:
        self._folder, self._pool, self._room = folder, pool, room
        self._blocks: list[bytes] = []
        self._held = self._size = self._taken = self._checksum = 0
        self._head = b""
        self._descriptor = -1

    async def write(self, data: bytes) -> None:
        self._blocks.append(data)
        self._held += len(data)
        self._size += len(data)
        if len(self._blocks) >= MOST_BLOCKS:
            self._blocks = [b"".join(self._blocks)]
        if self._held > SMALL and not self._fits():
            self._give_back()
            await self._pool.run(self._flush)

    async def finish(self, *, crlf: bool = False) -> Spooled:
        if self._descriptor < 0:
            content = b"".join(self._blocks)
            self._blocks, taken, self._taken = [], self._taken, 0
            return HeldContent(content, self._room, taken, crlf=crlf)
        if self._blocks:
            await self._pool.run(self._flush)
        done = FileContent(self._descriptor, self._size, self._checksum, self._head, self._pool)
        self._descriptor = -1
        return done

    def discard(self) -> None:
        self._blocks = []
        self._give_back()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _fits(self) -> bool:
        """Takes the room for what is held, while there is enough; a message that is in a file already stays there."""
        more = self._held - self._taken
        if self._descriptor >= 0 or self._held > IN_MEMORY or more > self._room.left:
            return False
        self._room.left -= more
        self._taken = self._held
        return True

    def _give_back(self) -> None:
        self._room.left += self._taken
        self._taken = 0

    def _flush(self) -> None:
        data = b"".join(self._blocks)
        self._blocks, self._held = [], 0
        try:
            if self._descriptor < 0:
                self._head = data[:HEAD]
                self._descriptor = _open_unnamed(self._folder)
            _write_all(self._descriptor, data)
        except OSError as error:
            raise _full(error) from None
        self._checksum = zlib.crc32(data, self._checksum)


class UnnamedFile:
    """A written rendition that has no name yet, or names in several folders. Used in the committer's thread."""

    __slots__ = ("_path", "descriptor", "first", "size")

    def __init__(self, descriptor: int, path: str, size: int) -> None:
        self.descriptor, self._path, self.size = descriptor, path, size
        self.first = ""
        """Where it was linked first."""

    def link(self, target: str) -> None:
        """Gives it a name. FileExistsError if there is one such; MailError if the disk is full."""
        try:
            if self._path:
                os.link(self._path, target)
            else:
                # Python passes AT_SYMLINK_FOLLOW only when a directory descriptor is given too.
                os.link(f"/proc/self/fd/{self.descriptor}", target, src_dir_fd=self.descriptor, follow_symlinks=True)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in (errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOENT):
                raise _full(error) from None
            self._copy(target)
        if not self.first:
            self.first = target

    def _copy(self, target: str) -> None:
        """Too many links (65,000 on ext4), another file system, or links not allowed: a copy of its own."""
        try:
            copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            try:
                at = 0
                while block := _pread(self.descriptor, at, _COPY):
                    _write_all(copy, block)
                    at += len(block)
                stat = os.fstat(self.descriptor)
                if os.utime in os.supports_fd:
                    os.utime(copy, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
            finally:
                os.close(copy)
        except FileExistsError:
            raise
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise _full(error) from None

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            if self._path:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)


def materialise(rendition: Rendition, folder: Path, modified: int | None) -> UnnamedFile:
    """Writes a rendition once; asked again for the same, gives the same file. `modified` is the file's time (s); None:
    now, as the system sets it.

    In the committer's thread. The content's `close` frees it. MailError if the disk is full.
    """
    content = rendition.content
    assert isinstance(content, HeldContent | FileContent)
    written = content.materialised.get(rendition.prefix)
    if written is not None:
        return written
    descriptor, path = -1, ""
    try:
        if _TMPFILE:
            descriptor = _open_unnamed(folder)
        else:
            descriptor, path = tempfile.mkstemp(dir=folder)
        if isinstance(content, HeldContent):
            # One call where it fits: most messages are a few KiB.
            size = len(rendition.prefix) + len(content.content)
            if os.writev(descriptor, (rendition.prefix, content.content)) != size:
                os.lseek(descriptor, 0, os.SEEK_SET)
                _write_all(descriptor, rendition.prefix + content.content)
        else:
            _write_all(descriptor, rendition.prefix)
            _copy_all(content.descriptor, descriptor, content.size)
        if modified is None:
            pass
        elif os.utime in os.supports_fd:
            os.utime(descriptor, (modified, modified))
        else:
            os.utime(path, (modified, modified))
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise _full(error) from None
    file = content.materialised[rendition.prefix] = UnnamedFile(descriptor, path, rendition.size)
    return file


def content_bytes(rendition: Rendition) -> bytes:
    """All of a rendition, in the committer's thread, for scanning."""
    content = rendition.content
    if isinstance(content, HeldContent):
        return rendition.prefix + content.content
    assert isinstance(content, FileContent)
    return rendition.prefix + _pread(content.descriptor, 0, content.size)


def only_crlf(rendition: Rendition) -> bool:
    """Each line of it is known to end in CRLF; ours in front do."""
    content = rendition.content
    return isinstance(content, HeldContent) and content.crlf


def _open_unnamed(folder: Path) -> int:
    if _TMPFILE:
        return os.open(folder, os.O_RDWR | _TMPFILE, 0o600)
    descriptor, path = tempfile.mkstemp(dir=folder)
    os.unlink(path)
    return descriptor


def _copy_all(source: int, target: int, size: int) -> None:
    at = 0
    while at < size:
        try:
            done = os.copy_file_range(source, target, size - at, at)
        except (AttributeError, OSError):
            done = 0
        if not done:
            block = _pread(source, at, _COPY)
            _write_all(target, block)
            done = len(block)
        at += done


def _pread(descriptor: int, start: int, length: int) -> bytes:
    blocks, left = [], length
    while left > 0:
        block = os.pread(descriptor, min(left, _COPY), start)
        if not block:
            break
        blocks.append(block)
        start += len(block)
        left -= len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if TYPE_CHECKING:
    from whimbrel.core.spool import Spool, SpoolWriter

    def _ports(spool: DiskSpool, writer: DiskSpoolWriter, held: HeldContent, file: FileContent) -> None:
        _1: Spool = spool
        _2: SpoolWriter = writer
        _3: Spooled = held
        _4: Spooled = file
