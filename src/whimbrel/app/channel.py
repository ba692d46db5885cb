"""Messages between the processes of a server: small JSON objects over a socket pair, with descriptors beside them."""

from __future__ import annotations

import array
import contextlib
import json
import socket

TYPE_CHECKING = False  # As `typing` has it, whose half megabyte the supervisor does without.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MAX = 131_072
"""Octets of a message."""
MOST_SOCKETS = 200
"""Descriptors with one message; the system allows 253. unix(7)"""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a channel that keeps messages whole and in order."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(channel: socket.socket, message: dict[str, Any], sockets: Sequence[socket.socket] = ()) -> bool:
    """False: nobody is at the other end any more."""
    rights = array.array("i", [sock.fileno() for sock in sockets[:MOST_SOCKETS]])
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if sockets else []
    try:
        channel.sendmsg([json.dumps(message).encode()], ancillary)
    except OSError:
        return False
    return True


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[socket.socket]] | None:
    """One message. None: the other end is closed. BlockingIOError where the channel does not block."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, MAX, MOST_SOCKETS)
    except BlockingIOError:
        raise
    except OSError:
        return None
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    if not data:
        for sock in sockets:
            sock.close()
        return None
    message: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        message = json.loads(data)
    return message, sockets
