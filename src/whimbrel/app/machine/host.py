"""The Machine port of the health checks: what the kernel, /proc and our own files say. On Linux; elsewhere less."""

import ctypes
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from whimbrel.app.holders import describe_holder
from whimbrel.app.machine.folders import FolderLook
from whimbrel.app.machine.scanners import scanners
from whimbrel.backends.disk.space import DiskSpace, SpaceSettings, octets
from whimbrel.backends.net.own import own_address
from whimbrel.backends.tls.contexts import SELF_SIGNED
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.config import ConfigStore
from whimbrel.services.health.check import Certificate, ClockState, Disk, Memory, Scanner, StoreLook

_UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC. adjtimex(2)"""
_CGROUP: Final = Path("/sys/fs/cgroup")


class HostMachine:
    """Of the installation whose store and TLS folder are given."""

    def __init__(self, config: ConfigStore, store: Path, queue: Path, tls: Path) -> None:
        self._config, self._store, self._tls = config, store, tls
        self._space = DiskSpace((store, store / "mail", queue), lambda: config.section(SpaceSettings))
        self._folders = FolderLook(store / "mail")

    def holder(self, host: str, port: int) -> str:
        return describe_holder(host, port)

    def own(self, address: str) -> bool:
        return own_address(address)

    def clock(self) -> ClockState:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            state = _Timex()  # modes 0: it is read, not set.
            result = libc.adjtimex(ctypes.byref(state))
        except AttributeError:
            raise OSError("this system does not say whether its clock is kept in time") from None
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return ClockState(not state.status & _UNSYNCHRONISED, state.maxerror / 1e6)

    def disk(self) -> Disk:
        room = self._space.look()
        status = os.statvfs(room.folder or self._store.parent)
        total = status.f_blocks * status.f_frsize
        hard = octets(self._config.section(SpaceSettings).hard_limit, total)
        return Disk(room.folder, room.free, total, hard, room.word)

    def memory(self) -> Memory:
        values = {}
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            values[name] = int(rest.split()[0]) << 10
        machine = Memory(values["MemTotal"], values.get("MemAvailable", values["MemFree"]))
        inner = _container()
        return inner if inner is not None and inner.available < machine.available else machine

    def certificates(self) -> Sequence[Certificate]:
        settings = self._config.section(TlsSettings)
        pairs = [(f"{path}/certificate", file) for path, file, _ in settings.named_pairs]
        own = self._tls / SELF_SIGNED
        if not settings.certificate and own.exists():
            pairs.insert(0, ("", str(own)))
        return [_certificate(path, file) for path, file in pairs]

    def scanners(self) -> Sequence[Scanner]:
        return scanners(self._store)

    def store(self) -> StoreLook:
        return self._folders.look()


class _Timex(ctypes.Structure):
    """`struct timex` as far as it is read; the rest is room for what the kernel writes. adjtimex(2)"""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


def _container() -> Memory | None:
    """Of the control group that we are alone in, where it has a limit. cgroups(7), version 2"""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return Memory(int(limit), max(0, int(limit) - used)) if limit.isdigit() else None


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
