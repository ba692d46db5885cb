"""The supervisor: the only privileged process. Binds on request, starts the zygote, watches it, stops everything.

Standard library only, no event loop, no thread, no open database: as little as can be wrong in a process that may run
as root. Everything else runs in the zygote and its workers as the user `server/run-as`.

A zygote is replaced by a new one after `REFRESH`, and at SIGHUP: the new one loads the code anew, makes TLS contexts
with new keys for session tickets, and takes over one worker after the other while the sockets stay open.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from whimbrel import __version__
from whimbrel.app import channel, interpreter, store_lock
from whimbrel.app.holders import describe_holder, overlap
from whimbrel.app.ownership import Refused, basics, closed, hand_over, owner

TYPE_CHECKING = False  # As `typing` has it, whose half megabyte the supervisor does without.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

BACKLOG = 1024
STOP_DEADLINE = 25.0
REFRESH = 6 * 86_400.0
"""Seconds after which the zygote is replaced: keys of session tickets live for a week at most. RFC 8446 4.6.1"""
REPLACE_AGAIN = 3600.0
"""Seconds until another attempt, if a new zygote could not take over."""
HANDOVER_DEADLINE = 120.0
"""Seconds in which a new zygote takes over, or is given up."""
_BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY = 60.0
"""Seconds a zygote must have run for its end to count as the first failure again."""
_EX_CONFIG = 78
"""sysexits.h: something is configured wrongly."""
_MAPPED_FROM = "196608"
"""Octets from which glibc maps memory for itself, so that large buffers (of uploads, and of uvloop's outgoing TLS) go
back to the system. It would learn to take them from the heap, over pages that others have used."""

Key = tuple[str, str, int, bool]
"""Service, host, port, and whether it is for datagrams."""


class Zygote:
    """A zygote as the supervisor sees it."""

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket, number: int) -> None:
        self.process, self.line, self.number = process, line, number
        self.started = time.monotonic()
        self.state: dict[str, Any] | None = None
        """What it said of itself when it was ready."""
        self.ended = False
        """Its end of the channel is closed."""


class Supervisor:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._run = directory / "run"
        self._sockets: dict[Key, socket.socket] = {}
        self._overrides: dict[str, bool] = {}
        """Services that a person started or stopped; it holds until the server starts again."""
        self._events: list[dict[str, Any]] = []
        """For the log, which the next zygote can reach."""
        self._stopping = self._refresh = False
        self._again = False
        """All ends, and begins anew: somebody wants work done while nothing runs."""
        self._zygotes: list[Zygote] = []
        """The last one serves; those before it only finish their sessions, or are being replaced."""
        self._unclean = False
        self._taking = False
        """The last zygote has begun to take workers over."""
        self._not_before = 0.0
        """When a zygote may be replaced again."""
        self._number = 0
        self._announced = False
        self._stores: dict[Path, int] = {}
        """The locks of those that were used."""
        self._in_use: store_lock.StoreInUse | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        """Until SIGTERM or SIGINT. The exit status."""
        user = owner(self._directory)
        if user is not None and (reason := closed(user, self._directory)):
            raise Refused(reason)
        self._run.mkdir(mode=0o700, exist_ok=True)
        lock = self._lock()
        self._lock_store()
        self._forget_ready()
        if user is not None:
            self._mend(user)
        signal.set_wakeup_fd(self._wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        failures, status = 0, 0
        try:
            while not self._stopping:
                started = time.monotonic()
                status = self._serve(user)
                if self._stopping or status == _EX_CONFIG:  # Starting again would not help.
                    break
                if self._again:
                    self._again = False
                    continue
                failures = 0 if time.monotonic() - started > _STEADY else failures + 1
                pause = _BACK_OFF[min(failures, len(_BACK_OFF)) - 1]
                self._event("server.zygote-died", "error", status=status, seconds=pause)
                print(f"whimbrel: stopped with status {status}, starting again in {pause:g} s", file=sys.stderr)
                self._sleep(pause)
        finally:
            for sock in self._sockets.values():
                sock.close()
            self._forget_ready()
            os.close(lock)
            for held in self._stores.values():
                os.close(held)
        if self._in_use is not None:
            raise self._in_use
        return status

    # Zygotes

    def _serve(self, user: pwd.struct_passwd | None) -> int:
        """Starts a zygote, and those that replace it; answers them until all have ended. The exit status."""
        self._forget_ready()
        self._unclean = False
        if not self._spawn(user):
            return _EX_CONFIG
        stopped_at, status = 0.0, 0
        while self._zygotes:
            for zygote in self._heard():
                if not self._answer(zygote):
                    zygote.ended = True
            for zygote in [each for each in self._zygotes if each.ended]:
                status = self._reap(zygote, user)
            if self._ending and not stopped_at:
                stopped_at = time.monotonic()
                self._terminate()
            elif not self._ending and self._due():
                self._refresh = False
                self._spawn(user)
            now = time.monotonic()
            for at, zygote in enumerate(self._zygotes):
                late = at and zygote.state is None and now - zygote.started > HANDOVER_DEADLINE
                if late or (stopped_at and now - stopped_at > STOP_DEADLINE):
                    os.killpg(zygote.process.pid, signal.SIGKILL)
        return status

    @property
    def _ending(self) -> bool:
        return self._stopping or self._again

    def _heard(self) -> list[Zygote]:
        lines = {zygote.line.fileno(): zygote for zygote in self._zygotes}
        ready, _, _ = select.select([*lines, self._wake_read], [], [], 0.5)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        return [lines[descriptor] for descriptor in ready if descriptor in lines]

    def _due(self) -> bool:
        """Is it time for a new zygote? Not while one takes over, nor while a former one still finishes sessions; then
        that one's must end."""
        last = self._zygotes[-1] if self._zygotes else None
        if last is None or last.state is None:
            return False
        now = time.monotonic()
        if now < self._not_before or (not self._refresh and now - last.started < REFRESH):
            return False
        for former in self._zygotes[:-1]:
            former.process.send_signal(signal.SIGTERM)
        return len(self._zygotes) == 1

    def _terminate(self) -> None:
        """All at the end. The last one marks the store as cleanly stopped: when those before it have ended."""
        for zygote in self._zygotes[:-1] or self._zygotes:
            zygote.process.send_signal(signal.SIGTERM)

    def _spawn(self, user: pwd.struct_passwd | None) -> bool:
        """A new zygote, which replaces the one that serves, if one does. False: it cannot be started."""
        ours, theirs = channel.pair()
        try:
            process = subprocess.Popen(
                self._command(theirs),
                env={"MALLOC_MMAP_THRESHOLD_": _MAPPED_FROM, **interpreter.environment()},
                pass_fds=(theirs.fileno(),),
                cwd="/",
                start_new_session=True,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=os.getgrouplist(user.pw_name, user.pw_gid) if user else None,
                umask=0o077,
            )
        except PermissionError as error:
            name = user.pw_name if user else "this user"
            print(
                f"whimbrel: {name} (server/run-as) may not execute {sys.executable}: {error.strerror}. "
                "Install Whimbrel where that user can read it, or set server/run-as to another user.",
                file=sys.stderr,
            )
            ours.close()
            return False
        finally:
            theirs.close()
        former = self._zygotes[-1].state if self._zygotes else None
        begin = {
            "do": "begin",
            "number": self._number,
            "overrides": self._overrides,
            "generation": former["generation"] if former else None,
            "events": self._events,
            "held": list(self._sockets),
        }
        self._events = []
        channel.send(ours, begin)
        self._taking = False
        self._zygotes.append(Zygote(process, ours, self._number))
        self._number += 1
        return True

    def _command(self, line: socket.socket) -> list[str]:
        return interpreter.command("whimbrel.app.zygote", str(self._directory), str(line.fileno()))

    def _reap(self, zygote: Zygote, user: pwd.struct_passwd | None) -> int:
        zygote.line.close()
        try:
            status = zygote.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            os.killpg(zygote.process.pid, signal.SIGKILL)
            status = zygote.process.wait()
        last = zygote is self._zygotes[-1]
        self._zygotes.remove(zygote)
        if not last:
            self._unclean |= status != 0
            if self._ending and len(self._zygotes) == 1:
                self._tell_stop(self._zygotes[-1])
            return status
        if self._zygotes and zygote.state is None:  # It could not take over.
            self._event("server.replacement-failed", "error", status=status)
            print(f"whimbrel: a new zygote ended with status {status}", file=sys.stderr)
            self._not_before = time.monotonic() + REPLACE_AGAIN
            if not self._taking:  # The one before it still has all workers.
                return 0
        for former in self._zygotes:
            former.process.send_signal(signal.SIGTERM)
        return status

    def _tell_stop(self, zygote: Zygote) -> None:
        if self._unclean:
            channel.send(zygote.line, {"do": "unclean"})
        zygote.process.send_signal(signal.SIGTERM)

    def _answer(self, zygote: Zygote) -> bool:
        """One request of a zygote. False at its end."""
        received = channel.receive(zygote.line)
        if received is None:
            return False
        request, _ = received
        match request.get("do"):
            case "bind":
                key = (
                    str(request["service"]), str(request["host"]), int(request["port"]), bool(request["datagrams"])
                )  # fmt: skip
                self._bind(zygote.line, key)
            case "release":
                for service, host, port, datagrams in request["keys"]:
                    if (sock := self._sockets.pop((service, host, port, datagrams), None)) is not None:
                        sock.close()
            case "retire" | "end":  # What a new zygote wants of those before it.
                self._taking |= request["do"] == "retire"
                for former in self._zygotes:
                    if former.number < zygote.number:
                        channel.send(former.line, request)
            case "retired":
                for later in self._zygotes:
                    if later.number > zygote.number:
                        channel.send(later.line, request)
            case "restart":
                self._again = True
            case "ready":
                try:
                    self._lock_store()  # It has made the store, if this is the first start.
                except store_lock.StoreInUse as error:
                    self._in_use, self._stopping = error, True
                    return True
                zygote.state = request["state"]
                self._overrides = dict(request["state"].get("overrides", {}))
                self._write_ready(zygote)
        return True

    # What the state is, for people and programs

    def _write_ready(self, zygote: Zygote) -> None:
        state = {"pid": os.getpid(), "zygote": zygote.process.pid} | (zygote.state or {})
        # The folder belongs to another user: no link in it is followed.
        folder = os.open(self._run, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink("ready.json.new", dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open("ready.json.new", flags, 0o644, dir_fd=folder), "w") as file:
                file.write(json.dumps(state, indent=1) + "\n")
            os.replace("ready.json.new", "ready.json", src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)
        if not self._announced:
            self._announced = True
            places = [
                f"{name} {', '.join(_shown(host, port) for host, port in addresses)}"
                for name, addresses in state["services"].items()
            ]
            with contextlib.suppress(OSError):  # Whoever read it has gone.
                print(
                    *(zygote.state or {}).get("first", ()),
                    f"Whimbrel {__version__} runs in {self._directory}, process {os.getpid()}; SIGTERM or Ctrl-C stops "
                    f"it, `whimbrel --dir {self._directory} status` shows it\n"
                    f"Listening: {'; '.join(places) or 'nowhere'}",
                    sep="\n",
                    flush=True,
                )

    def _forget_ready(self) -> None:
        with contextlib.suppress(OSError):
            (self._run / "ready.json").unlink()

    def _event(self, name: str, level: str, **fields: object) -> None:
        self._events = [*self._events[-50:], {"do": "event", "name": name, "level": level, "fields": fields}]

    # Sockets

    def _bind(self, line: socket.socket, key: Key) -> None:
        """Sends the socket, or why there is none. One that was bound is kept over a zygote's end."""
        sock = self._sockets.get(key)
        if sock is None:
            _, host, port, datagrams = key
            try:
                sock = bound(host, port, datagrams=datagrams)
            except OSError as error:
                channel.send(line, {"do": "bound", **self._refusal(key, error)})
                return
            self._sockets[key] = sock
        channel.send(line, {"do": "bound"}, [sock])

    def _refusal(self, key: Key, error: OSError) -> dict[str, Any]:
        """Why there is no socket; `own`, if only sockets of our own are in its way: the keys of these."""
        _, host, port, datagrams = key
        if error.errno == errno.EACCES:
            return {"error": "ports below 1024 need root"}
        if error.errno != errno.EADDRINUSE:
            if error.errno == errno.EADDRNOTAVAIL:
                return {"error": "this machine has no such address"}
            return {"error": error.strerror or str(error)}
        ours = [os.fstat(sock.fileno()).st_ino for sock in self._sockets.values()]
        if holder := describe_holder(host, port, datagrams=datagrams, ours=ours):
            return {"error": f"the port is held by {holder}"}
        own = [each for each in self._sockets if each[2:] == (port, datagrams) and overlap(each[1], host)]
        names = " and ".join(sorted({each[0] for each in own}))
        return {"error": f"the port is held by this server's own {names}" if own else "the port is in use", "own": own}

    # Files and signals

    def _mend(self, user: pwd.struct_passwd) -> None:
        count = hand_over(self._directory, user)
        store = basics(self._directory).store
        if count and (store / "generation").exists():  # Before the first start all is root's, as it must be.
            things = "1 file or folder" if count == 1 else f"{count} files and folders"
            print(
                f"whimbrel: {things} in {self._directory} or {store} now belong to {user.pw_name}, as whom the server "
                "runs",
                file=sys.stderr,
            )
            self._event("server.ownership-mended", "warning", count=count, user=user.pw_name)

    def _lock(self) -> int:
        """One server, or one offline command, for an installation."""
        lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Refused(f"A server, or a command, is already at work in {self._directory}") from None
        return lock

    def _lock_store(self) -> None:
        """One server for a store, whose installations may be two. StoreInUse."""
        store = basics(self._directory).store
        for former in [each for each in self._stores if not (each / store_lock.NAME).exists()]:
            os.close(self._stores.pop(former))  # Renamed with its lock, which is that of the new name now.
        if store not in self._stores and (held := store_lock.lock(self._directory, store)) is not None:
            self._stores[store] = held

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        self._refresh = True

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            if select.select([self._wake_read], [], [], left)[0]:
                os.read(self._wake_read, 4096)


def bound(host: str, port: int, *, datagrams: bool = False) -> socket.socket:
    """A socket at that address; one for connections listens. OSError."""
    # Any address is IPv6 with IPv4 mapped in, where the system has IPv6: one socket for both.
    both = host == "*" and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    try:
        if not datagrams:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # No REUSEPORT: a second server must notice.
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        sock.bind(("::" if both else "0.0.0.0" if host == "*" else host, port))  # noqa: S104 - as configured
        if not datagrams:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def main(directory: Path, setup_listen: str = "", setup_from: Sequence[str] = ()) -> int:
    """`whimbrel serve`. Where nothing is set up, that is waited for first, at `setup_listen` (empty: where the console
    will be) and for the networks `setup_from` besides the private ones. The exit status."""
    directory = directory.absolute()
    try:
        if not (directory / "mailserver.cfg").is_file():
            from whimbrel.app.setup.waiting import FROM, LISTEN, until_set_up

            status = until_set_up(directory, setup_listen or LISTEN, (*FROM, *setup_from), bound)
            if status is not None:
                return status
            # Anew: what that has loaded would stay in memory for as long as the server runs.
            words = interpreter.command("whimbrel.app.supervisor", str(directory))
            os.execve(words[0], words, interpreter.environment())  # noqa: S606
        return Supervisor(directory).run()
    except Refused as refused:
        print(f"whimbrel: {refused}", file=sys.stderr)
        return _EX_CONFIG if isinstance(refused, store_lock.StoreInUse) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "".join(sys.argv[2:3]), sys.argv[3:]))
