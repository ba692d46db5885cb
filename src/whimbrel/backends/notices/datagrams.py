"""Notices between processes: one Unix datagram a hint, to each other process of the installation.

Each process binds `DIR/run/notices/<name>.sock`. A receiver takes about ten datagrams before its socket is full; the
sender then keeps one set of hints for that peer and sends it when the socket is writable again. A peer that is gone is
forgotten. A restarted process hears everything from then on; a timer of its clients covers the gap.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.notices.local import LocalNotices

_MAX = 4096
_RETRY = 0.01


class DatagramNotices(LocalNotices):
    """Binds in the constructor; `start` inside the loop."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._path = folder, folder / f"{name}.sock"
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._peers: list[str] = []
        self._listed = 0.0
        self._waiting: dict[str, set[bytes]] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._receive)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        if self._retry is not None:
            self._retry.cancel()
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def publish(self, topic: str, key: str = "") -> None:
        self.dispatch(topic, key)
        data = f"{topic}\n{key}".encode()[:_MAX]
        for peer in self._others():
            self._send(peer, data)

    def _others(self) -> list[str]:
        # The list of peers is read from the folder at most once a second.
        now = self._loop.time() if self._loop else 0.0
        if now - self._listed > 1.0 or not self._loop:
            self._listed = now
            own = self._path.name
            with contextlib.suppress(OSError):
                self._peers = [
                    str(self._folder / name)
                    for name in os.listdir(self._folder)
                    if name.endswith(".sock") and name != own
                ]
        return self._peers

    def _send(self, peer: str, data: bytes) -> None:
        waiting = self._waiting.get(peer)
        if waiting is not None:
            waiting.add(data)
            return
        try:
            self._socket.sendto(data, peer)
        except BlockingIOError:
            self._waiting[peer] = {data}
            if self._retry is None and self._loop is not None:
                self._retry = self._loop.call_later(_RETRY, self._send_waiting)
        except OSError:
            self._forget(peer)

    def _send_waiting(self) -> None:
        self._retry = None
        for peer, waiting in list(self._waiting.items()):
            try:
                while waiting:
                    data = next(iter(waiting))
                    self._socket.sendto(data, peer)
                    waiting.discard(data)
            except BlockingIOError:
                continue
            except OSError:
                self._forget(peer)
            self._waiting.pop(peer, None)
        if self._waiting and self._loop is not None:
            self._retry = self._loop.call_later(_RETRY, self._send_waiting)

    def _forget(self, peer: str) -> None:
        self._waiting.pop(peer, None)
        if peer in self._peers:
            self._peers.remove(peer)

    def _receive(self) -> None:
        for _ in range(256):
            try:
                data = self._socket.recv(_MAX)
            except BlockingIOError:
                return
            except OSError:
                return
            topic, _, key = data.decode(errors="replace").partition("\n")
            self.dispatch(topic, key)


if TYPE_CHECKING:
    from whimbrel.core.notices import Notices

    _port: Notices = DatagramNotices(Path(), "")
