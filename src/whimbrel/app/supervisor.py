"""The supervisor: the only privileged process. Binds on request, starts the zygote, watches it, stops everything.

Standard library only, no event loop, no thread, no open database: as little as can be wrong in a process that may run
as root. Everything else runs in the zygote and its workers as the user `server/run-as`.
"""

import array
import contextlib
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
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import FrameType

from whimbrel.app.holders import describe_holder

BACKLOG = 1024
STOP_DEADLINE = 25.0
_BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY = 60.0
"""Seconds a zygote must have run for its end to count as the first failure again."""
_EX_CONFIG = 78
"""sysexits.h: something is configured wrongly."""
_MAPPED_FROM = "196608"
"""Octets from which glibc maps memory for itself, so that large buffers (of uploads, and of uvloop's outgoing TLS) go
back to the system. It would learn to take them from the heap, over pages that others have used."""


class Refused(Exception):
    """The server cannot start; the text says why and what to do."""


class Supervisor:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._run = directory / "run"
        self._sockets: dict[tuple[str, str, int], socket.socket] = {}
        self._stopping = False
        self._zygote: subprocess.Popen[bytes] | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        """Until SIGTERM or SIGINT. The exit status."""
        if not (self._directory / "mailserver.cfg").is_file():
            raise Refused(
                f"{self._directory / 'mailserver.cfg'} is not there: set the server up first, with "
                f"`whimbrel --dir {self._directory} setup`"
            )
        user = self._run_as()
        self._run.mkdir(mode=0o700, exist_ok=True)
        if user is not None:
            self._hand_over(user)
        lock = self._lock()
        signal.set_wakeup_fd(self._wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, lambda number, frame: None)
        failures, status = 0, 0
        try:
            while not self._stopping:
                started = time.monotonic()
                status = self._serve(user)
                if self._stopping or status == _EX_CONFIG:  # Starting again would not help.
                    break
                failures = 0 if time.monotonic() - started > _STEADY else failures + 1
                pause = _BACK_OFF[min(failures, len(_BACK_OFF)) - 1]
                print(f"whimbrel: stopped with status {status}, starting again in {pause:g} s", file=sys.stderr)
                self._sleep(pause)
        finally:
            for sock in self._sockets.values():
                sock.close()
            with contextlib.suppress(OSError):
                (self._run / "ready.json").unlink()
            os.close(lock)
        return status

    def _serve(self, user: pwd.struct_passwd | None) -> int:
        """Starts a zygote and answers it until it ends; its exit status."""
        with contextlib.suppress(OSError):
            (self._run / "ready.json").unlink()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "whimbrel.app.zygote", str(self._directory), str(theirs.fileno())]
        try:
            self._zygote = subprocess.Popen(
                command,
                env={"MALLOC_MMAP_THRESHOLD_": _MAPPED_FROM, **os.environ},
                pass_fds=(theirs.fileno(),),
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
            theirs.close()
            return _EX_CONFIG
        theirs.close()
        stopped_at = 0.0
        with ours:
            while True:
                ready, _, _ = select.select([ours.fileno(), self._wake_read], [], [], 0.5)
                if self._wake_read in ready:
                    os.read(self._wake_read, 4096)
                if ours.fileno() in ready and not self._answer(ours):
                    break
                if self._stopping and not stopped_at:
                    stopped_at = time.monotonic()
                    self._zygote.send_signal(signal.SIGTERM)
                if stopped_at and time.monotonic() - stopped_at > STOP_DEADLINE:
                    os.killpg(self._zygote.pid, signal.SIGKILL)
                    break
        try:
            return self._zygote.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            os.killpg(self._zygote.pid, signal.SIGKILL)
            return self._zygote.wait()

    def _answer(self, channel: socket.socket) -> bool:
        """One request of the zygote. False at its end."""
        try:
            data = channel.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        request = json.loads(data)
        if request["do"] == "bind":
            self._bind(channel, str(request["service"]), str(request["host"]), int(request["port"]))
        elif request["do"] == "ready":
            state = {"pid": os.getpid(), "zygote": self._zygote.pid if self._zygote else 0} | request["state"]
            temporary = self._run / "ready.json.new"
            temporary.write_text(json.dumps(state, indent=1) + "\n")
            os.replace(temporary, self._run / "ready.json")
        return True

    def _bind(self, channel: socket.socket, service: str, host: str, port: int) -> None:
        """Sends the listening socket, or why there is none. A socket once bound is kept over a zygote's end."""
        key = (service, host, port)
        sock = self._sockets.get(key)
        if sock is None:
            try:
                sock = self._listen(host, port)
            except OSError as error:
                text = error.strerror or str(error)
                if error.errno == 98:
                    holder = describe_holder(host, port)
                    text = f"the port is held by {holder}" if holder else "the port is in use"
                elif error.errno == 13:
                    text = "ports below 1024 need root"
                channel.send(json.dumps({"error": text}).encode())
                return
            self._sockets[key] = sock
        rights = array.array("i", [sock.fileno()])
        channel.sendmsg([b"{}"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    @staticmethod
    def _listen(host: str, port: int) -> socket.socket:
        # Any address is IPv6 with IPv4 mapped in, where the system has IPv6: one socket for both.
        both = host == "*" and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # No REUSEPORT: a second server must notice.
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
            sock.bind(("::" if both else "0.0.0.0" if host == "*" else host, port))  # noqa: S104 - as configured
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
        return sock

    def _run_as(self) -> pwd.struct_passwd | None:
        """The user for everything else. Only this one element is read here; the zygote validates the whole."""
        name, text = "", (self._directory / "mailserver.cfg").read_bytes()
        if b"<!DOCTYPE" not in text:  # No entities here; the codec refuses the file with its line.
            with contextlib.suppress(ElementTree.ParseError):
                name = (ElementTree.fromstring(text).findtext("server/run-as") or "").strip()  # noqa: S314
        if os.geteuid() != 0:
            return None
        if not name:
            raise Refused(
                "Started as root, and server/run-as names no user to run as. Set it with "
                f"`whimbrel --dir {self._directory} config set server/run-as USER` "
                "(a user of its own; `root` only for trials)"
            )
        if name == "root":
            return None
        try:
            return pwd.getpwnam(name)
        except KeyError:
            raise Refused(f"server/run-as: there is no user {name} on this system") from None

    def _hand_over(self, user: pwd.struct_passwd) -> None:
        """The installation belongs to the user who runs it: what root made by setup is given to it."""
        for folder, folders, files in os.walk(self._directory):
            for name in (".", *folders, *files):
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    if os.lstat(path).st_uid == 0:
                        os.lchown(path, user.pw_uid, user.pw_gid)
            folders[:] = [name for name in folders if folder != str(self._directory) or name not in ("store",)]
        store = self._directory / "store"
        if store.is_dir():
            for item in (store, *store.iterdir()):
                if item.lstat().st_uid == 0:
                    os.lchown(item, user.pw_uid, user.pw_gid)

    def _lock(self) -> int:
        """One server, or one offline command, for an installation."""
        lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Refused(f"A server, or a command, is already at work in {self._directory}") from None
        return lock

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            if select.select([self._wake_read], [], [], left)[0]:
                os.read(self._wake_read, 4096)


def main(directory: Path) -> int:
    """`whimbrel serve`. The exit status."""
    try:
        return Supervisor(directory.absolute()).run()
    except Refused as refused:
        print(f"whimbrel: {refused}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
