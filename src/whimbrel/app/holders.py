"""Who holds a port: program, pid and service unit, for the message of a failed bind (S07). On Linux, from /proc."""

import os
import socket
from pathlib import Path


def describe_holder(host: str, port: int, *, datagrams: bool = False) -> str:
    """`postfix's master (pid 812, unit postfix.service)`, or "" where that is not known."""
    sockets = _bound("udp", "07") if datagrams else _bound("tcp", "0A")
    inodes = {inode for inode, at in sockets if at == port}
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


def _bound(protocol: str, state: str) -> list[tuple[int, int]]:
    """(inode, port) of sockets in that state: 0A is a TCP socket that listens, 07 a UDP socket. proc(5)"""
    rows = []
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == state:
                rows.append((int(fields[9]), int(fields[1].rpartition(":")[2], 16)))
    return rows


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
