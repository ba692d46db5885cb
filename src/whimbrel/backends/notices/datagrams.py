"""Notices between processes: Unix datagrams, to those of the installation that listen to their topic.

Each process binds `DIR/run/notices/<name>@<topics>.sock`, so a sender sees who wants what. The first hint goes at once;
those of the next few milliseconds go together in one datagram, each once. A receiver takes about ten datagrams before
its socket is full; the sender then keeps the hints for that peer and sends them when it can. A peer that is gone is
forgotten. A restarted process hears everything from then on; a timer of its clients covers the gap.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.disk.sockets import short_name
from whimbrel.backends.notices.local import LocalNotices

_MAX = 8192
"""Bytes in a datagram."""
_RETRY = 0.01
_PAUSE = 0.01
"""Seconds between two sendings: under load hints are gathered, since each datagram costs as much as a small message."""
_END = b"\0"


class DatagramNotices(LocalNotices):
    """Binds in the constructor; `start` inside the loop."""

    def __init__(self, folder: Path, name: str, topics: Collection[str]) -> None:
        """`topics`: those that this process wants to hear of from others."""
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob(f"{name}@*.sock"):  # Of a process of this name that was killed.
            old.unlink(missing_ok=True)
        self._folder, self._path = folder, folder / f"{name}@{'+'.join(sorted(topics))}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with short_name(self._path) as short:
            self._socket.bind(short)
        self._peers: dict[str, frozenset[str]] = {}
        self._listed = self._sent = 0.0
        self._fresh: dict[str, str] = {}
        """Hints that were sent to no peer yet, with their topics."""
        self._waiting: dict[str, dict[bytes, None]] = {}
        self._sending: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._receive)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        if self._sending is not None:
            self._sending.cancel()
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def publish(self, topic: str, key: str = "") -> None:
        self.dispatch(topic, key)
        # One message to a hundred mailboxes is a hundred hints: who wants them is asked once, when they are sent.
        self._fresh[f"{topic}\n{key}"] = topic
        if self._sending is None and self._loop is not None:
            self._sending = self._loop.call_at(self._sent + _PAUSE, self._send)

    def _others(self) -> dict[str, frozenset[str]]:
        # The folder is read at most once a second.
        now = self._loop.time() if self._loop else 0.0
        if now - self._listed > 1.0 or not self._loop:
            self._listed = now
            with contextlib.suppress(OSError):
                self._peers = {
                    name: frozenset(name.removesuffix(".sock").rpartition("@")[2].split("+"))
                    for name in os.listdir(self._folder)
                    if name.endswith(".sock") and name != self._path.name
                }
        return self._peers

    def _send(self) -> None:
        self._sending = None
        if self._loop is not None:
            self._sent = self._loop.time()
        if self._fresh:
            fresh, self._fresh = self._fresh, {}
            for peer, topics in self._others().items():
                wanted = {hint.encode()[:_MAX]: None for hint, topic in fresh.items() if topic in topics}
                if wanted:
                    self._waiting.setdefault(peer, {}).update(wanted)
        for peer, hints in list(self._waiting.items()):
            if self._send_to(peer, hints):
                del self._waiting[peer]
        if self._waiting and self._loop is not None:
            self._sending = self._loop.call_later(_RETRY, self._send)

    def _send_to(self, peer: str, hints: dict[bytes, None]) -> bool:
        """All that fits into its socket. False: some are left."""
        while hints:
            together: list[bytes] = []
            size = 0
            for hint in hints:
                size += len(hint) + 1
                if size > _MAX and together:
                    break
                together.append(hint)
            try:
                with short_name(self._folder / peer) as short:
                    self._socket.sendto(_END.join(together), short)
            except BlockingIOError:
                return False
            except OSError:
                self._peers.pop(peer, None)
                return True
            for hint in together:
                del hints[hint]
        return True

    def _receive(self) -> None:
        for _ in range(256):
            try:
                data = self._socket.recv(2 * _MAX)
            except BlockingIOError:
                return
            except OSError:
                return
            for hint in data.decode(errors="replace").split("\0"):
                topic, _, key = hint.partition("\n")
                self.dispatch(topic, key)


if TYPE_CHECKING:
    from whimbrel.core.notices import Notices

    _port: Notices = DatagramNotices(Path(), "", ())
