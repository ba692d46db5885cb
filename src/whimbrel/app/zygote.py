"""The zygote: loads everything once, then forks the workers, which share its memory.

One thread, nothing open but its channel to the supervisor: forking is safe. It asks the supervisor for the listening
sockets, forks the workers with them, restarts those that end, and marks the store as cleanly stopped.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from whimbrel.app.installation import Installation
from whimbrel.app.processes import PROCESSES
from whimbrel.app.server import ServerSettings
from whimbrel.app.services import SERVICES, load
from whimbrel.app.worker import Role, run_worker
from whimbrel.backends.store.disk import generation
from whimbrel.core.config import ConfigError
from whimbrel.services.admin.table import all_calls
from whimbrel.services.session.services import ServicesSettings

with contextlib.suppress(ImportError):  # Shared, like everything that is loaded before the fork.
    import uvloop  # noqa: F401

EX_CONFIG = 78
STOP_DEADLINE = 20.0
_BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(slots=True)
class Child:
    role: Role
    pid: int
    life: int
    """Our end of its life line: when we end, it sees the end of file and stops."""
    ready: int
    """It writes a byte here once it serves."""
    started: float
    is_ready: bool = False


class Zygote:
    def __init__(self, directory: Path, channel: socket.socket) -> None:
        self._installation = Installation(directory)
        self._channel = channel
        self._children: dict[int, Child] = {}
        self._due: list[tuple[float, Role]] = []
        self._later: list[Role] = []
        self._failures: dict[str, int] = {}
        self._stopping = False
        self._told = False
        self._sockets: dict[str, list[socket.socket]] = {}
        self._refused: list[dict[str, object]] = []
        self._generation = 0
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        try:
            config = self._installation.load_config()
        except ConfigError as error:
            print(f"whimbrel: the configuration is refused:\n{error}", file=sys.stderr)
            return EX_CONFIG
        load()  # Modules that are loaded when first asked for: here, so that all workers share them.
        all_calls()
        self._bind(config.section(ServicesSettings))
        store = self._installation.store
        self._generation = generation.begin(store)
        settings = config.section(ServerSettings)
        self._later = [
            Role(process, number)
            for process in PROCESSES
            for number in range(1, min(process.count(settings), len(process.slots)) + 1)
        ]
        del config
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        gc.collect()
        gc.freeze()
        assert threading.active_count() == 1, "the zygote must have one thread only"
        self._fork_due()
        clean = self._watch()
        if clean:
            generation.end(store, self._generation)
        return 0

    def _bind(self, services: ServicesSettings) -> None:
        for name in (service.name for service in SERVICES):
            service = services.named(name)
            if not service.enabled:
                continue
            for address in service.listen:
                request = {"do": "bind", "service": name, "host": address.host, "port": address.port}
                self._channel.send(json.dumps(request).encode())
                data, descriptors, _, _ = socket.recv_fds(self._channel, 65536, 1)
                if descriptors:
                    self._sockets.setdefault(name, []).append(socket.socket(fileno=descriptors[0]))
                    continue
                why = json.loads(data)["error"]
                print(f"whimbrel: {name} cannot listen on {address}: {why}; the other services start", file=sys.stderr)
                self._refused.append({"service": name, "address": str(address), "error": why})

    def _fork(self, role: Role) -> None:
        life_read, life_write = os.pipe()
        ready_read, ready_write = os.pipe()
        pid = os.fork()
        if pid:
            os.close(life_read)
            os.close(ready_write)
            self._children[pid] = Child(role, pid, life_write, ready_read, time.monotonic())
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (life_write, ready_read, self._wake_read, self._wake_write):
                os.close(descriptor)
            for child in self._children.values():
                os.close(child.life)
                if not child.is_ready:
                    os.close(child.ready)
            self._channel.close()
            mine = {service.name for service in SERVICES if service.process == role.process.name}
            for name, sockets in self._sockets.items():
                for sock in sockets if name not in mine else ():
                    sock.close()
            kept = {name: sockets for name, sockets in self._sockets.items() if name in mine}
            status = run_worker(self._installation, role, SERVICES, kept, self._generation, life_read, ready_write)
        except BaseException as error:  # noqa: BLE001 - the last line of defence of a forked process.
            import traceback

            traceback.print_exception(error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _watch(self) -> bool:
        """Until all children have ended after a stop. False if one had to be killed, or died on its own at the end."""
        stopped_at, clean = 0.0, True
        while self._children or not self._stopping:
            waiting = [child.ready for child in self._children.values() if not child.is_ready]
            timeout = 0.25 if self._stopping or self._due else 5.0
            ready, _, _ = select.select([self._channel.fileno(), self._wake_read, *waiting], [], [], timeout)
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            if self._channel.fileno() in ready and not self._channel.recv(65536):
                self._stopping = True  # The supervisor has gone.
            self._note_ready(ready)
            clean &= self._reap()
            if self._stopping and not stopped_at:
                stopped_at = time.monotonic()
                for child in self._children.values():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGTERM)
            if stopped_at and time.monotonic() - stopped_at > STOP_DEADLINE:
                clean = False
                for child in self._children.values():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGKILL)
            now = time.monotonic()
            for due, role in [entry for entry in self._due if entry[0] <= now]:
                self._due.remove((due, role))
                if not self._stopping:
                    self._fork(role)
        return clean

    def _note_ready(self, ready: list[int]) -> None:
        for child in self._children.values():
            if not child.is_ready and child.ready in ready and os.read(child.ready, 1):
                os.close(child.ready)
                child.is_ready = True
        self._fork_due()
        if not self._told and not any(role.process.needed for role in self._later) and self._serve_all():
            self._told = True
            services = {
                name: [list(sock.getsockname()[:2]) for sock in sockets] for name, sockets in self._sockets.items()
            }
            state = {"services": services, "refused": self._refused, "generation": self._generation}
            self._channel.send(json.dumps({"do": "ready", "state": state}).encode())

    def _fork_due(self) -> None:
        """Those whose forerunners serve."""
        waiting = {role.process.name for role in self._later}
        waiting |= {child.role.process.name for child in self._children.values() if not child.is_ready}
        waiting |= {role.process.name for _, role in self._due}
        due = [role for role in self._later if not waiting & set(role.process.after)]
        self._later = [role for role in self._later if role not in due]
        for role in due:
            self._fork(role)

    def _serve_all(self) -> bool:
        """All serve that are needed."""
        waited = [child for child in self._children.values() if child.role.process.needed]
        return bool(waited) and (
            all(child.is_ready for child in waited) and not any(role.process.needed for _, role in self._due)
        )

    def _reap(self) -> bool:
        clean = True
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            child = self._children.pop(pid, None)
            if child is None:
                continue
            os.close(child.life)
            if not child.is_ready:
                os.close(child.ready)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                clean &= code == 0
                continue
            name = str(child.role)
            steady = time.monotonic() - child.started > 30.0
            failures = self._failures[name] = 1 if steady else self._failures.get(name, 0) + 1
            pause = _BACK_OFF[min(failures, len(_BACK_OFF)) - 1]
            print(f"whimbrel: {name} ended with status {code}, starting again in {pause:g} s", file=sys.stderr)
            self._due.append((time.monotonic() + pause, child.role))
        return clean

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return Zygote(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))).run()


if __name__ == "__main__":
    sys.exit(main())
