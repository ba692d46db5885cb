"""Bytes of users.cfg: single records of it, and their digest on their way into a file."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from whimbrel.backends.config.files import Identity


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[Callable[[int, int], bytes], Identity | None]]:
    """Reads single records; and which state of the file they are of."""
    with open(path, "rb", buffering=0) as file:

        def source(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        yield source, Identity.from_stat(os.fstat(file.fileno()))


def hashed(parts: Iterator[bytes | memoryview], digest: "hashlib._Hash") -> Iterator[bytes | memoryview]:
    for part in parts:
        digest.update(part)
        yield part
