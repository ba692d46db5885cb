"""A directory whose files are linked or moved by the thousand: by its descriptor where the system can do that, which
spares walking the whole path for each."""

import contextlib
import errno
import os
import shutil

DESCRIPTORS = os.link in os.supports_dir_fd and os.rename in os.supports_dir_fd
"""Directories are used by descriptor: it means the same one, whatever its path becomes."""


class Directory:
    """Use as a context manager. `path` ends in a slash."""

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor: int | None = None

    def __enter__(self) -> "Directory":
        if DESCRIPTORS:
            self.descriptor = os.open(self.path, os.O_RDONLY)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def name(self, file: str) -> str:
        """What a call that is given `descriptor` takes."""
        return self.path + file if self.descriptor is None else file


def link(source: Directory, name: str, target: Directory, new: str) -> None:
    """Raises OSError."""
    os.link(source.name(name), target.name(new), src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)


def link_or_copy(source: Directory, name: str, target: Directory, new: str) -> None:
    """As `link`; where a file has too many links (65,000 on ext4), or the file system has none, a copy of its own."""
    try:
        link(source, name, target, new)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EXDEV, errno.EPERM):
            raise
        try:
            shutil.copy2(source.path + name, target.path + new)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(target.path + new)
            raise


def move(source: Directory, name: str, target: Directory, new: str) -> None:
    """Raises OSError."""
    os.replace(source.name(name), target.name(new), src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)
