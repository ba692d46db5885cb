"""Accepts connections on sockets that other processes hold too, while the loop keeps up.

One listening socket per address is shared by all workers (no SO_REUSEPORT): whoever is free takes the next connection.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

from whimbrel.backends.net.names import host_and_port
from whimbrel.core.log import Log

EXHAUSTED: Final = 1.0
"""Seconds without accepting after an error that trying again at once would only repeat."""
_THEIRS: Final = frozenset(
    {
        errno.EPROTO, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.ENONET, errno.EPERM,
    }
)  # fmt: skip
"""Of the connection that was to be accepted, not of ours: the next one may be well. accept(2)"""


class Acceptor:
    """For one service, in one event loop. Whoever watches the loop calls `pause` and `resume`."""

    def __init__(self, name: str, log: Log, admit: Callable[[socket.socket, str], None]) -> None:
        """`admit` owns the connection that it is given, with the host it comes from (IPv4 without its IPv6 form)."""
        self._name, self._log, self._admit = name, log, admit
        self._sockets: list[socket.socket] = []
        self._accepting = False
        self._not_before = 0.0

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts on these from now on. Those before are closed when it returns."""
        self.pause()
        for sock in self._sockets:
            sock.close()
        self._sockets = list(sockets)
        for sock in self._sockets:
            sock.setblocking(False)
        self.resume()

    def resume(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._accepting and loop.time() >= self._not_before:
            self._accepting = True
            for sock in self._sockets:
                loop.add_reader(sock.fileno(), self.accept, sock)

    def pause(self) -> None:
        if self._accepting:
            self._accepting = False
            loop = asyncio.get_running_loop()
            for sock in self._sockets:
                loop.remove_reader(sock.fileno())

    def accept(self, sock: socket.socket) -> None:
        """One connection of `sock`, which is ready."""
        # One for each readiness: the other workers are awake too, and the loop comes back if more are waiting.
        try:
            connection, address = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._log.error("accept.failed", service=self._name, error=error.strerror or str(error))
            if error.errno not in _THEIRS:  # No descriptors, no memory: without a pause this would spin.
                self.pause()
                self._not_before = asyncio.get_running_loop().time() + EXHAUSTED  # Then the lag watch resumes.
            return
        try:
            # As the session will know it: IPv4 without its IPv6 form.
            self._admit(connection, host_and_port(address)[0])
        except Exception:
            connection.close()  # A bug must not keep it, as its traceback would.
            raise
