"""The workers as the zygote sees them: forked, reaped, started again with growing pauses."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from whimbrel.app import channel
from whimbrel.app.worker import Role

_BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY = 30.0
"""Seconds a worker must have run for its end to count as the first failure again."""


@dataclass(slots=True, eq=False)
class Child:
    role: Role
    pid: int
    line: socket.socket
    """Our end of its channel: when we end, it sees the end of it and stops."""
    started: float
    ready: bool = False
    """It serves."""
    leaving: bool = False
    """It ends now, or with its last session; another has its place."""


@dataclass(frozen=True, slots=True)
class Ended:
    child: Child
    status: int
    """As `os.waitstatus_to_exitcode` gives it."""
    pause: float
    """Seconds until it should be started again."""


class Children:
    def __init__(self) -> None:
        self.all: dict[int, Child] = {}
        self._failures: dict[str, int] = {}

    def fork(self, role: Role, run: Callable[[socket.socket], int]) -> Child:
        """`run` is what the child does with its end of the channel; its result is the exit status."""
        ours, theirs = channel.pair()
        pid = os.fork()
        if pid:
            theirs.close()
            child = self.all[pid] = Child(role, pid, ours, time.monotonic())
            return child
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()
            for other in self.all.values():
                other.line.close()
            status = run(theirs)
        except BaseException as error:  # noqa: BLE001 - the last line of defence of a forked process.
            import traceback

            traceback.print_exception(error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def named(self, process: str) -> list[Child]:
        """Those that serve or will serve; not those that are leaving."""
        return [child for child in self.all.values() if child.role.process.name == process and not child.leaving]

    def signal(self, number: int) -> None:
        """To all."""
        for child in self.all.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def reap(self) -> list[Ended]:
        """Those that have ended since it was last asked."""
        ended = []
        while self.all:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            child = self.all.pop(pid, None)
            if child is None:
                continue
            child.line.close()
            name = str(child.role)
            steady = time.monotonic() - child.started > _STEADY
            failures = self._failures[name] = 1 if steady else self._failures.get(name, 0) + 1
            pause = _BACK_OFF[min(failures, len(_BACK_OFF)) - 1]
            ended.append(Ended(child, os.waitstatus_to_exitcode(status), pause))
        return ended
