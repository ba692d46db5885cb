"""Who holds a port: program, pid and service unit, for the message of a failed bind (S07). On Linux, from /proc."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

TYPE_CHECKING = False  # As `typing` has it, whose half megabyte the supervisor does without.
if TYPE_CHECKING:
    from collections.abc import Collection


def describe_holder(host: str, port: int, *, datagrams: bool = False, ours: Collection[int] = ()) -> str:
    """`postfix's master (pid 812, unit postfix.service)`, or "" where that is not known. `ours`: inodes of sockets that
    do not count."""
    sockets = _bound("udp", "07") if datagrams else _bound("tcp", "0A")
    inodes = {inode for inode, at, there in sockets if there == port and overlap(host, at)}.difference(ours)
    if not inodes:
        return ""
    for entry in os.scandir("/proc") if os.path.isdir("/proc") else ():
        if not entry.name.isdigit():
            continue
        try:
            for descriptor in os.scandir(f"/proc/{entry.name}/fd"):
                target = os.readlink(descriptor.path)
                if target.startswith("socket:[") and int(target[8:-1]) in inodes:
                    return _describe(int(entry.name))
        except (OSError, ValueError):
            continue
    return "another program (run as root to see which)"


def overlap(host: str, other: str) -> bool:
    """A socket at one of these addresses can keep another from the same port of the other address."""
    if host == other or "*" in (host, other):
        return True
    # Any IPv6 address may mean any IPv4 address too; which, only the socket knows. ipv6(7)
    return "::" in (host, other) or (":" not in host + other and "0.0.0.0" in (host, other))  # noqa: S104


def _describe(pid: int) -> str:
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    unit = ""
    try:
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            for part in line.split("/"):
                if part.endswith(".service"):
                    unit = f", unit {part}"
    except OSError:
        pass
    return f"{name} (pid {pid}{unit})"


def _bound(protocol: str, state: str) -> list[tuple[int, str, int]]:
    """(inode, address, port) of sockets in that state: 0A is a TCP socket that listens, 07 a UDP socket. proc(5)"""
    rows = []
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == state:
                address, _, port = fields[1].rpartition(":")
                rows.append((int(fields[9]), _address(address), int(port, 16)))
    return rows


def _address(shown: str) -> str:
    """Of words of four octets, each in the order of this machine. proc(5)"""
    words = [bytes.fromhex(shown[at : at + 8]) for at in range(0, len(shown), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    text = socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
    return text.removeprefix("::ffff:") if "." in text else text


def free_port(host: str, wanted: int, tries: int = 200) -> int:
    """`wanted`, or the next port above it that can be bound at `host`. OSError if there is none."""
    for port in range(wanted, min(wanted + tries, 65536)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {wanted} to {wanted + tries} at {host}")
