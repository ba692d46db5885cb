"""Known programs that look at files when they are opened, and may take a message away (mission S09). On Linux."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whimbrel.services.health.check import Scanner

PRODUCTS: Final = {
    "clamonacc": "ClamAV on access",
    "wdavdaemon": "Microsoft Defender",
    "falcon-sensor": "CrowdStrike Falcon",
    "falcon-sensor-b": "CrowdStrike Falcon",
    "kesl": "Kaspersky Endpoint Security",
    "klnagent": "Kaspersky agent",
    "bdsecd": "Bitdefender",
    "ds_agent": "Trend Micro Deep Security",
    "ds_am": "Trend Micro Deep Security",
    "mfetpd": "Trellix Endpoint Security",
    "isectpd": "McAfee Endpoint Security",
    "savd": "Sophos Anti-Virus",
    "savscand": "Sophos Anti-Virus",
    "sophos_threat_d": "Sophos Protection",
    "oaeventd": "ESET",
    "esets_daemon": "ESET",
    "fsoasd": "WithSecure",
    "fsavd": "WithSecure",
    "drweb-spider": "Dr.Web SpIDer Guard",
    "drweb-spider-ki": "Dr.Web SpIDer Guard",
    "s1-agent": "SentinelOne",
    "cmdagent": "Comodo",
    "avastd": "Avast",
    "cbagentd": "Carbon Black",
}
"""What the kernel calls the process (15 characters), and whose it is. proc(5)"""
MOST: Final = 20
DESCRIPTORS: Final = 256
"""Looked at of one process."""
FANOTIFY: Final = "anon_inode:[fanotify]"
_MARK: Final = re.compile(r"fanotify (?:mnt_id:([0-9a-f]+)|sdev:([0-9a-f]+))", re.ASCII)
_MOUNT: Final = re.compile(r"^mnt_id:\s*(\d+)", re.MULTILINE | re.ASCII)


def scanners(folder: Path, proc: Path = Path("/proc")) -> tuple[Scanner, ...]:
    """Those that run, and programs that watch the file system of `folder` by fanotify, as far as we may see that."""
    seen = []
    mount, device = _place(folder, proc)
    with contextlib.suppress(OSError):
        for entry in os.scandir(proc):
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                name = Path(entry.path, "comm").read_text().strip()
            except OSError:
                continue
            watches = any(mark in (mount, device) for mark in _marks(Path(entry.path)))
            if watches or name in PRODUCTS:
                seen.append(Scanner(PRODUCTS.get(name, "A program that watches files"), name, int(entry.name), watches))
            if len(seen) >= MOST:
                break
    return tuple(seen)


def _marks(process: Path) -> Iterator[str]:
    """What a process watches by fanotify: `mount 29`, `device 8:1`. Only root sees that of others."""
    with contextlib.suppress(OSError):
        for number, descriptor in enumerate(os.scandir(process / "fd")):
            if number >= DESCRIPTORS:
                return
            if os.readlink(descriptor.path) == FANOTIFY:
                for mark in _MARK.finditer((process / "fdinfo" / descriptor.name).read_text()):
                    yield f"mount {int(mark[1], 16)}" if mark[1] else _device(int(mark[2], 16))


def _device(number: int) -> str:
    """As the kernel writes it: 20 bits for the minor number. include/linux/kdev_t.h"""
    return f"device {number >> 20}:{number & 0xFFFFF}"


def _place(folder: Path, proc: Path) -> tuple[str, str]:
    """The mount and the device of `folder`, as `_marks` names them; empty: it cannot be found out."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return "", ""
    mount = None
    try:
        device = os.fstat(descriptor).st_dev
        with contextlib.suppress(OSError):
            mount = _MOUNT.search((proc / "self" / "fdinfo" / str(descriptor)).read_text())
    finally:
        os.close(descriptor)
    return f"mount {mount[1]}" if mount else "", f"device {os.major(device)}:{os.minor(device)}"
