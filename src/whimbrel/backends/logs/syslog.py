"""Copies of log lines for syslog, sent by a thread of its own: nobody who logs ever waits for it.

While syslog cannot be reached the copies are held, within a bound; what is beyond it is counted and told.

Standards: RFC 5424 6 (form), RFC 5426 3 (UDP), RFC 6587 3.4.1 (octet counting over TCP), RFC 3164 4.1 (the old form)
"""

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from whimbrel.backends.logs.settings import LogSettings, SyslogSettings
from whimbrel.backends.logs.stamp import LENGTH, MONTHS

HELD: Final = 10_000
"""Records in memory at most."""
MAX_MESSAGE: Final = 8000
"""Octets of one record: what receivers take. RFC 5424 6.1"""
FACILITIES: Final = {
    "kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "authpriv": 10,
    **{f"local{number}": 16 + number for number in range(8)},
}  # fmt: skip
SEVERITIES: Final = {"error": 3, "warning": 4, "info": 6, "debug": 7}
_TIMEOUT: Final = 5.0
_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Copy:
    """One line for syslog."""

    at: float
    level: str
    event: str
    log: str
    line: str


def form(copy: Copy, settings: SyslogSettings, facility: str, host: str) -> bytes:
    """The record on the wire, without framing."""
    priority = FACILITIES[facility] * 8 + SEVERITIES[copy.level]
    text = copy.line[LENGTH:]
    if settings.form == "rfc3164":
        at = time.localtime(copy.at)
        stamp = f"{MONTHS[at.tm_mon - 1]} {at.tm_mday:2d} {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
        # A daemon on this machine knows our name; over a network it needs it.
        name = "" if settings.transport == "unix" else f"{host.partition('.')[0]} "
        head = f"<{priority}>{stamp} {name}whimbrel[{os.getpid()}]: "
    else:
        stamp = datetime.fromtimestamp(copy.at).astimezone().isoformat(timespec="milliseconds")
        head = f"<{priority}>1 {stamp} {host} whimbrel {os.getpid()} {copy.event[:32] or '-'} - "
    made = (head + text).encode("utf-8", "replace")
    if len(made) > MAX_MESSAGE:
        made = made[:MAX_MESSAGE].decode("utf-8", "ignore").encode()
    return made


class Syslog:
    """The way of one process to syslog. After a fork the child makes its own."""

    def __init__(
        self, settings: Callable[[], LogSettings], tell: Callable[[str, dict[str, str | int]], None], held: int = HELD
    ) -> None:
        """`tell(event, fields)` writes a warning to our own log."""
        self._settings, self._tell, self._held = settings, tell, held
        self._waiting: deque[Copy] = deque()
        self._dropped = 0
        self._some = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._link: socket.socket | None = None
        self._linked: SyslogSettings | None = None
        self._failures = 0

    def wants(self, log: str) -> bool:
        return log in self._settings().syslog.logs

    def put(self, copy: Copy) -> None:
        """Never waits, never fails."""
        if len(self._waiting) >= self._held:
            self._dropped += 1
            return
        self._waiting.append(copy)
        self._some.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="syslog", daemon=True)
            with contextlib.suppress(RuntimeError):  # No thread to be had: the next record tries again.
                self._thread.start()

    def close(self, seconds: float = 1.0) -> None:
        """Sends what is held, if that can be done in so many seconds."""
        self._closed = True
        self._some.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    # In the thread

    def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closed:
                    break
                self._some.wait()
                self._some.clear()
                continue
            if not self._send() and (self._closed or not self._pause()):
                break
        self._unlink()

    def _pause(self) -> bool:
        """Waits before syslog is tried again. False: the end has come."""
        ends = time.monotonic() + _PAUSES[min(self._failures, len(_PAUSES)) - 1]
        while not self._closed and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
        return not self._closed

    def _send(self) -> bool:
        """Sends a batch of what waits. What was not sent stays first in the line."""
        settings = self._settings()
        syslog = settings.syslog
        if not syslog.logs:  # Switched off meanwhile.
            self._waiting.clear()
            self._dropped = 0
            return True
        host = syslog.hostname or socket.gethostname() or "-"
        batch = [self._waiting[at] for at in range(min(_BATCH, len(self._waiting)))]
        made = [form(copy, syslog, settings.of(copy.log).facility, host) for copy in batch]
        try:
            link = self._connected(syslog)
            if syslog.transport == "tcp":
                link.sendall(b"".join([b"%d " % len(record) + record for record in made]))  # RFC 6587 3.4.1
                self._sent(len(made))
            else:
                for record in made:
                    link.send(record)
                    self._sent(1)
        except OSError as error:
            self._unlink()
            if not self._failures:
                self._tell("log.syslog-down", {"server": _address(syslog), "reason": error.strerror or str(error)})
            self._failures += 1
            return False
        self._failures = 0
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._tell("log.syslog-dropped", {"server": _address(syslog), "count": count})
        return True

    def _sent(self, number: int) -> None:
        for _ in range(number):
            self._waiting.popleft()

    def _connected(self, settings: SyslogSettings) -> socket.socket:
        link = self._link
        if link is not None and self._linked == settings:
            if settings.transport == "tcp" and _ended(link):
                raise ConnectionResetError(104, "the connection was closed")
            return link
        self._unlink()
        if settings.transport == "unix":
            link = _unix(settings.socket)
        elif settings.transport == "udp":
            address = socket.getaddrinfo(settings.server.host, settings.server.port, type=socket.SOCK_DGRAM)[0]
            link = socket.socket(address[0], socket.SOCK_DGRAM)
            link.connect(address[4])
        else:
            link = socket.create_connection((settings.server.host, settings.server.port), _TIMEOUT)
        link.settimeout(_TIMEOUT)
        self._link, self._linked = link, settings
        return link

    def _unlink(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = self._linked = None


def _unix(path: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link


def _ended(link: socket.socket) -> bool:
    """The other side has closed: what is sent now would be lost without a word. Syslog never answers."""
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(0)) and link.recv(4096) == b""


def _address(settings: SyslogSettings) -> str:
    return settings.socket if settings.transport == "unix" else f"{settings.transport}:{settings.server}"
