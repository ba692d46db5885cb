"""The installation's key: 32 random octets in a file of its own, from which keys for single purposes are derived.

Created on first use; the same in each process and after each start. It reveals which users exist.
"""

import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

LENGTH: Final = 32


class KeyFile:
    """The key in the file `path`, whose folder only the server's user can enter."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def derived(self, purpose: str) -> bytes:
        """Returns the key for one purpose, which reveals nothing about the others. OSError"""
        if not self._key:
            self._key = self._read() or self._make()
        return hmac.digest(self._key, purpose.encode(), "sha256")

    def _read(self) -> bytes:
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            return b""
        if len(key) != LENGTH:
            raise OSError(f"{self._path} is not a key of {LENGTH} octets; put it back from a backup, or remove it")
        return key

    def _make(self) -> bytes:
        """Creates the file atomically; a process that comes second uses the first one's key."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(secrets.token_bytes(LENGTH))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._read()
