"""The Machine port of the health checks: what the kernel, /proc and our own files say. On Linux; elsewhere less."""

import contextlib
import os
import re
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from whimbrel.app.holders import describe_holder
from whimbrel.app.machine import kernel
from whimbrel.app.machine.folders import FolderLook
from whimbrel.app.machine.scanners import scanners
from whimbrel.backends.disk.presence import ANY, Presence
from whimbrel.backends.disk.space import DiskSpace, SpaceSettings, octets
from whimbrel.backends.net.own import own_address
from whimbrel.backends.queue.database import LOST
from whimbrel.backends.tls.contexts import SELF_SIGNED
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.config import ConfigStore
from whimbrel.services.health.check import (
    Certificate,
    ClockState,
    Disk,
    Holding,
    Memory,
    QueueFiles,
    Scanner,
    StoreLook,
)

_ASIDE: Final = re.compile(r"\.log\.\d+(\.idx)?$")
"""A log file that was put aside, or its index: `backends.logs.files`."""
_ADDED: Final = 10.0
"""Seconds in which a file certainly has its entry."""


class HostMachine:
    """Of the installation whose store and TLS folder are given."""

    def __init__(self, config: ConfigStore, store: Path, queue: Path, tls: Path, presence: Presence = ANY) -> None:
        self._config, self._store, self._tls, self._presence = config, store, tls, presence
        self._queue = queue
        self._space = DiskSpace((store, store / "mail", queue), lambda: config.section(SpaceSettings))
        self._folders = FolderLook(store / "mail")

    def holder(self, host: str, port: int) -> str:
        return describe_holder(host, port)

    def own(self, address: str) -> bool:
        return own_address(address)

    def clock(self) -> ClockState:
        return kernel.clock()

    def disk(self) -> Disk:
        room = self._space.look()
        status = os.statvfs(room.folder or self._store.parent)
        total = status.f_blocks * status.f_frsize
        limits = self._config.section(SpaceSettings)
        hard, soft = octets(limits.hard_limit, total), octets(limits.soft_limit, total)
        return Disk(room.folder, room.free, total, hard, room.word, soft)

    def holdings(self) -> Sequence[Holding]:
        device = os.stat(self._space.look().folder or self._store.parent).st_dev
        queue = (*_sizes(self._queue, device), *_sizes(self._queue / LOST, device))
        logs = _sizes(self._store / "logs", device)
        aside = [size for name, size in logs if _ASIDE.search(name)]
        return [
            Holding("indexes", self._folders.known.indexes),
            Holding("queue", sum(size for _, size in queue)),
            Holding("logs", sum(size for _, size in logs), sum(aside), len(aside)),
        ]

    def memory(self) -> Memory:
        return kernel.memory()

    def certificates(self) -> Sequence[Certificate]:
        settings = self._config.section(TlsSettings)
        pairs = [(f"{path}/certificate", file) for path, file, _ in settings.named_pairs]
        own = self._tls / SELF_SIGNED
        if not settings.certificate and own.exists():
            pairs.insert(0, ("", str(own)))
        return [_certificate(path, file) for path, file in pairs]

    def scanners(self) -> Sequence[Scanner]:
        return scanners(self._store)

    def queue(self) -> QueueFiles:
        before = time.time() - _ADDED
        return QueueFiles(_messages(self._queue, before), _messages(self._queue / LOST, before))

    def store(self) -> StoreLook:
        if not self._presence.here():
            return StoreLook(0, (), (), complete=True, gone=str(self._store))
        return self._folders.look()


def _sizes(folder: Path, device: int) -> tuple[tuple[str, int], ...]:
    """Files there with their octets; none, if the folder is on another file system."""
    sizes: list[tuple[str, int]] = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as files:
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                status = file.stat()
                if status.st_dev == device and file.is_file():
                    sizes.append((file.name, status.st_size))
    return tuple(sizes)


def _messages(folder: Path, before: float) -> tuple[str, ...]:
    """Ids of the files there that are older than that. Their ctime tells: mtime is the message's."""
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as files:
        for file in files:
            if file.name.endswith(".eml"):
                with contextlib.suppress(FileNotFoundError):
                    if file.stat(follow_symlinks=False).st_ctime < before:
                        names.append(file.name.removesuffix(".eml"))
    return tuple(sorted(names))


def _certificate(path: str, file: str) -> Certificate:
    """The first certificate of a file. Not by `cryptography`: it would keep 12 MB for the life of the process."""
    try:
        with open(file, "rb"):  # The decoder says no reason.
            pass
        decode = getattr(ssl, "_ssl")._test_decode_cert  # noqa: B009  # There since 2.6; what getpeercert() is made by.
        decoded: dict[str, Any] = decode(file)
        names = tuple(str(value).lower() for _, value in decoded.get("subjectAltName", ()))
        ends = float(ssl.cert_time_to_seconds(decoded["notAfter"]))
    except (ssl.SSLError, ValueError, KeyError):
        return Certificate(path, file, fault="the file holds no certificate in PEM")
    except OSError as error:
        return Certificate(path, file, fault=error.strerror or "it cannot be read")
    return Certificate(path, file, names, ends, decoded.get("subject") == decoded.get("issuer"))


if TYPE_CHECKING:
    from whimbrel.services.health.check import Machine

    def _port(machine: HostMachine) -> Machine:
        return machine
