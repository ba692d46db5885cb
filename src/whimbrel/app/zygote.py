"""The zygote: loads everything once, then forks the workers, which share its memory.

One thread, nothing open but its channels: forking is safe. It asks the supervisor for the sockets of the services,
forks the workers with them, restarts those that end, hands sockets to those that run when control wants a service to
move, start or stop, and marks the store as cleanly stopped. A zygote that replaces another takes its workers over one
by one: of control and queue there is never more than one; of those that serve sessions the old one accepts no more when
the new one serves, and ends with its last session.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from whimbrel.app import channel, console_address, store_mark
from whimbrel.app.bindings import Bindings, Supervisor
from whimbrel.app.children import Child, Children
from whimbrel.app.installation import Installation
from whimbrel.app.place import Place
from whimbrel.app.processes import PROCESSES
from whimbrel.app.processes.process import Process
from whimbrel.app.server import ServerSettings
from whimbrel.app.services import SERVICES, Service, load
from whimbrel.app.store_move.last_part import end_move
from whimbrel.app.worker import Role, run_worker
from whimbrel.backends.directory.records import schema_of
from whimbrel.backends.store.disk import generation
from whimbrel.backends.tls.contexts import SELF_SIGNED
from whimbrel.backends.tls.server import ServerContexts
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.config import ConfigError
from whimbrel.core.values import HostPort
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.admin.table import all_calls
from whimbrel.services.session.services import ServicesSettings, console_url

with contextlib.suppress(ImportError):  # Shared, like everything that is loaded before the fork.
    import uvloop  # noqa: F401

EX_CONFIG = 78
STOP_DEADLINE = 20.0
ANSWER_DEADLINE = 20.0
"""Seconds in which a worker must have taken its sockets, or have ended as ordered; then it is killed."""
MOST_EVENTS = 100
"""Events held for the log until control can write them."""

Work = Generator[Callable[[], bool], None, None]
"""Something that takes several steps: it yields what must become true before it goes on."""


class Zygote:
    def __init__(
        self,
        installation: Installation,
        line: socket.socket,
        services: Sequence[Service] = SERVICES,
        processes: Sequence[Process] = PROCESSES,
    ) -> None:
        self._installation, self._services, self._processes = installation, services, processes
        self._supervisor = Supervisor(line)
        self._bindings = Bindings({service.name: service for service in services})
        self._children = Children()
        self._due: list[tuple[float, Role]] = []
        self._later: list[Role] = []
        self._work: deque[Work] = deque()
        self._until: tuple[Callable[[], bool], float] | None = None
        self._waiting: set[Child] = set()
        self._answers: list[dict[str, Any]] = []
        self._retired = 0
        """Answers of the zygote that this one replaces."""
        self._events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self._overrides: dict[str, bool] = {}
        self._last_state: dict[str, Any] = {}
        self._tls: ServerContexts | None = None
        self._tls_settings = TlsSettings()
        self._hostname = ""
        self._number = self._generation = 0
        self._stopping = self._announced = self._superseded = self._unclean = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        begin = self._supervisor.receive()
        if begin is None:
            return 0
        self._number, self._overrides = int(begin["number"]), dict(begin["overrides"])
        self._events.extend(begin["events"])
        replaces = begin["generation"] is not None
        try:
            if not replaces:
                self._events.extend(end_move(self._installation, _say))
            config = self._installation.load_config()
            store = self._installation.store
            store_mark.check(self._installation.directory, store)
            self._presence = store_mark.presence(self._installation.directory, store)
            self._generation = int(begin["generation"]) if replaces else generation.begin(store)
        except ConfigError as error:
            print(f"whimbrel: the configuration is refused:\n{error}", file=sys.stderr)
            return EX_CONFIG
        except store_mark.StoreMissing as error:
            print(f"whimbrel: {error}", file=sys.stderr)
            return EX_CONFIG
        except OSError as error:
            print(f"whimbrel: {store_mark.why(self._installation.store, error)}", file=sys.stderr)
            return EX_CONFIG
        # What is loaded or made when first asked for: here, so that all workers share it.
        load()
        all_calls()
        schema_of(RECORDS)
        self._bind(config.section(ServicesSettings), begin["held"])
        roles = {process.name: self._roles(process, config.section(ServerSettings)) for process in self._processes}
        self._tls_settings = config.section(TlsSettings)
        self._hostname = config.section(SmtpSettings).hostname
        del config
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        gc.collect()
        gc.freeze()
        assert threading.active_count() == 1, "the zygote must have one thread only"
        if replaces:
            self._work.append(self._replace(roles))
        else:
            self._later = [role for each in roles.values() for role in each]
            self._fork_due()
        clean = self._watch()
        if clean and not self._superseded and not self._unclean and self._presence.here():
            generation.end(store, self._generation)
        return 0 if clean else 1

    def _roles(self, process: Process, settings: ServerSettings) -> list[Role]:
        """Those that may overlap with a former zygote's have the other half of the slots."""
        if process.alone:
            return [Role(process, 1)]
        half = len(process.slots) // 2
        first = 1 + half * (self._number % 2)
        return [Role(process, first + at) for at in range(min(process.count(settings), half))]

    def _bind(self, settings: ServicesSettings, held: Sequence[tuple[str, str, int, bool]]) -> None:
        """`held`: what the supervisor has open since a former zygote."""
        for service in self._services:
            configured = settings.named(service.name)
            if not self._overrides.get(service.name, configured.enabled):
                continue
            self._bindings.bind(service.name, service.places(configured), self._supervisor)
            places = [Place(host, port, datagrams) for name, host, port, datagrams in held if name == service.name]
            self._bindings.take_back(service.name, places, self._supervisor)
        left = [key for key in held if Place(*key[1:]) not in self._bindings.sockets.get(key[0], ())]
        self._supervisor.send({"do": "release", "keys": left})
        for refused in self._bindings.state()["refused"]:
            print(
                f"whimbrel: {refused['service']} cannot listen on {refused['address']}: {refused['error']}; "
                "it is tried again, the other services start",
                file=sys.stderr,
            )

    # Workers

    def _fork(self, role: Role) -> Child:
        mine = {service.name for service in self._services if service.process == role.process.name}

        def run(line: socket.socket) -> int:
            self._supervisor.line.close()
            for descriptor in (self._wake_read, self._wake_write):
                os.close(descriptor)
            kept = {name: self._bindings.of(name) for name in mine if self._bindings.of(name)}
            for name, held in self._bindings.sockets.items():
                for sock in held.values() if name not in mine else ():
                    sock.close()
            services = [service for service in self._services if service.name in mine]
            tls = self._tls if services else None
            return run_worker(self._installation, role, services, kept, self._generation, line, tls)

        if mine and self._tls is None:
            self._tls = self._contexts()
        return self._children.fork(role, run)

    def _contexts(self) -> ServerContexts:
        """Made once, so that all workers share the keys of session tickets; each then follows its files and logs
        what is wrong with them. Control has made the self-signed certificate by now."""
        contexts = ServerContexts()
        with contextlib.suppress(OSError, ValueError):
            for loaded in contexts.refresh(self._tls_settings, self._installation.tls / SELF_SIGNED):
                if loaded.reason:
                    print(
                        f"whimbrel: the certificate {loaded.file} cannot be shown: {loaded.reason}; it is looked at "
                        "again",
                        file=sys.stderr,
                    )
        return contexts

    def _fork_due(self) -> None:
        """Those whose forerunners serve."""
        missing = {role.process.name for role in self._later}
        missing |= {child.role.process.name for child in self._children.all.values() if not child.ready}
        missing |= {role.process.name for _, role in self._due}
        due = [role for role in self._later if not missing & set(role.process.after)]
        self._later = [role for role in self._later if role not in due]
        for role in due:
            self._fork(role)

    def _serve_all(self) -> bool:
        """All serve that are needed."""
        if any(role.process.needed for role in [*self._later, *(role for _, role in self._due)]):
            return False
        needed = [child for child in self._children.all.values() if child.role.process.needed]
        return bool(needed) and all(child.ready for child in needed)

    def _watch(self) -> bool:
        """Until all children have ended after a stop. False if one had to be killed, or died on its own at the end."""
        stopped_at, clean = 0.0, True
        while self._children.all or not (self._stopping or self._superseded):
            self._hear(0.25 if self._stopping or self._due or self._until else 5.0)
            clean &= self._reap()
            if self._stopping and not stopped_at:
                stopped_at = time.monotonic()
                self._children.signal(signal.SIGTERM)
            if stopped_at and time.monotonic() - stopped_at > STOP_DEADLINE:
                clean = False
                self._children.signal(signal.SIGKILL)
            now = time.monotonic()
            for due, role in [entry for entry in self._due if entry[0] <= now]:
                self._due.remove((due, role))
                if not self._stopping:
                    self._fork(role)
            if not self._stopping:
                self._fork_due()
                self._go_on()
                if not self._announced and not self._work and self._serve_all():
                    self._announced = True
                    self._tell_ready()
        return clean

    def _reap(self) -> bool:
        clean = True
        for ended in self._children.reap():
            child, code = ended.child, ended.status
            self._waiting.discard(child)
            if self._stopping or child.leaving:
                clean &= code == 0
                continue
            again = f"starting again in {ended.pause:g} s"
            print(f"whimbrel: {child.role} ended with status {code}, {again}", file=sys.stderr)
            self._event("server.process-died", "error", process=str(child.role), status=code, seconds=ended.pause)
            self._due.append((time.monotonic() + ended.pause, child.role))
        return clean

    # What others want of it

    def _hear(self, timeout: float) -> None:
        lines = {child.line.fileno(): child for child in self._children.all.values()}
        if self._supervisor.heard:
            timeout = 0
        descriptors = [self._supervisor.line.fileno(), self._wake_read, *lines]
        ready, _, _ = select.select(descriptors, [], [], timeout)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if self._supervisor.heard or self._supervisor.line.fileno() in ready:
            self._obey(self._supervisor.receive())
        for descriptor in ready:
            child = lines.get(descriptor)
            if child is not None and (received := channel.receive(child.line)) is not None:
                self._answer(child, received[0])

    def _obey(self, message: dict[str, Any] | None) -> None:
        if message is None:
            self._stopping = True  # The supervisor has gone.
            return
        match message.get("do"):
            case "unclean":
                self._unclean = True
            case "retired":
                self._retired += 1
            case "retire":
                everyone, last = bool(message["all"]), bool(message["last"])
                self._work.append(self._retire(str(message["process"]), everyone=everyone, last=last))
            case "end":
                self._send(self._children.all.values(), {"do": "end", "services": message["services"]})

    def _answer(self, child: Child, message: dict[str, Any]) -> None:
        """Workers talk to the internet: only control may want something."""
        match message.get("do"):
            case "ready":
                child.ready = True
                if child.role.process.name == "control":
                    self._tell_control()
            case "done":
                if child in self._waiting:
                    self._waiting.discard(child)
                    self._answers.append(message)
            case "listen" if child.role.process.name == "control":
                self._work.append(self._listen(child, message))
            case "restart" if child.role.process.name == "control":
                self._supervisor.send({"do": "restart"})
            case "connections" if child.role.process.name == "control":
                self._work.append(self._connections(child, message))

    def _go_on(self) -> None:
        """The next steps of what is under way."""
        while self._work:
            if self._until is not None:
                true, deadline = self._until
                if time.monotonic() > deadline:
                    for child in self._waiting:  # One that is to go on is started again.
                        print(f"whimbrel: {child.role} does not answer; it is ended", file=sys.stderr)
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(child.pid, signal.SIGKILL)
                    self._waiting.clear()
                if not true():
                    return
            try:
                self._until = next(self._work[0]), time.monotonic() + ANSWER_DEADLINE
            except StopIteration:
                self._work.popleft()
                self._until = None

    def _ask(
        self, children: Sequence[Child], message: dict[str, Any], sockets: Sequence[socket.socket] = ()
    ) -> Callable[[], bool]:
        """True when all have answered; the answers are then in `_answers`."""
        self._waiting = {child for child in children if channel.send(child.line, message, sockets)}
        self._answers = []
        return lambda: not self._waiting

    def _send(self, children: "Sequence[Child] | Any", message: dict[str, Any]) -> None:
        for child in children:
            channel.send(child.line, message)

    # Services that start, stop and move

    def _listen(self, asker: Child, request: dict[str, Any]) -> Work:
        """What is new is bound first, then what is not wanted any more is closed: a service whose new port is refused
        goes on where it was. What stands in the way of itself or of another closes in between."""
        wanted: dict[str, list[Place]] = {
            str(name): [Place(*place) for place in addresses]
            for name, addresses in request["wanted"].items()
            if name in self._bindings.services
        }
        ending = [str(name) for name in request["end"]]
        self._overrides = {str(name): bool(on) for name, on in request["overrides"].items()}
        if ending:
            self._supervisor.send({"do": "end", "services": ending})  # To what a former zygote left.
        for name, addresses in wanted.items():
            self._bindings.bind(name, addresses, self._supervisor)
        yield from self._make_way(wanted)
        for name, addresses in wanted.items():
            yield from self._close(name, self._bindings.leaving(name, addresses), end=name in ending)
            if name in ending and addresses:  # It begins anew.
                yield self._hand_out(name, end=False)
        self._tell_control(answers=request.get("id"))
        if self._announced:
            self._tell_ready()

    def _make_way(self, wanted: dict[str, list[Place]]) -> Work:
        ways = self._bindings.giving_way(wanted)
        for name, addresses in ways.items():
            yield from self._close(name, addresses, end=False)
        for name, addresses in wanted.items() if ways else ():
            self._bindings.bind(name, addresses, self._supervisor)
        for name, addresses in ways.items():
            self._bindings.take_back(name, addresses, self._supervisor)

    def _close(self, name: str, addresses: Sequence[Place], *, end: bool) -> Work:
        """No holder has these sockets any more; the workers have all others."""
        keys = self._bindings.drop(name, addresses)
        if keys or end or name in self._bindings.fresh:
            yield self._hand_out(name, end=end)
        if keys:
            self._supervisor.send({"do": "release", "keys": keys})

    def _hand_out(self, name: str, *, end: bool) -> Callable[[], bool]:
        """All its sockets to its workers; with `end` none, and its sessions end."""
        self._bindings.fresh.discard(name)
        process = self._bindings.services[name].process
        message = {"do": "listen", "service": name, "end": end}
        return self._ask(self._children.named(process), message, () if end else self._bindings.of(name))

    def _connections(self, asker: Child, request: dict[str, Any]) -> Work:
        serving = {service.process for service in self._services}
        yield self._ask([child for name in serving for child in self._children.named(name)], {"do": "connections"})
        counts: dict[str, int] = {}
        for answer in self._answers:
            for name, count in answer.get("connections", {}).items():
                counts[name] = counts.get(name, 0) + int(count)
        channel.send(asker.line, {"do": "answer", "id": request.get("id"), "connections": counts})

    def _state(self) -> dict[str, Any]:
        return {
            **self._bindings.state(),
            "overrides": self._overrides,
            "generation": self._generation,
            "first": self._first_lines(),
        }

    def _first_lines(self) -> list[str]:
        """What a start says first of all: where the console is, and how its certificate is known."""
        listen = [HostPort(str(place)) for place in self._bindings.sockets.get("console", ()) if not place.datagrams]
        shown = self._tls.of_name(None) if self._tls is not None else None
        fingerprint = console_address.fingerprint(shown[1].chain[0]) if shown is not None else ""
        return console_address.lines(console_url(self._hostname, listen), fingerprint)

    def _tell_ready(self) -> None:
        state = self._state()
        if state != self._last_state:
            self._last_state = state
            self._supervisor.send({"do": "ready", "state": state})

    def _tell_control(self, answers: object = None) -> None:
        """How the services stand, and what happened meanwhile."""
        for child in self._children.named("control"):
            if child.ready:
                channel.send(child.line, {"do": "state", "id": answers, "state": self._state()})
                while self._events:
                    channel.send(child.line, self._events.popleft())

    def _event(self, name: str, level: str, **fields: object) -> None:
        self._events.append({"do": "event", "name": name, "level": level, "fields": fields})
        for child in self._children.named("control"):
            while child.ready and self._events:
                channel.send(child.line, self._events.popleft())

    # One zygote after another

    def _replace(self, roles: dict[str, list[Role]]) -> Work:
        """Takes over the workers of the one before, kind by kind in the order of the table, one by one."""
        for process in self._processes:
            for role in roles[process.name]:
                last = role is roles[process.name][-1]
                if not process.alone:
                    child = self._fork(role)
                    yield lambda child=child: child.ready or child.pid not in self._children.all  # type: ignore[misc]
                before = self._retired
                ends = last and process is self._processes[-1]
                self._supervisor.send({"do": "retire", "process": process.name, "all": last, "last": ends})
                yield lambda before=before: self._retired > before  # type: ignore[misc]
                if process.alone:
                    child = self._fork(role)
                    yield lambda child=child: child.ready or child.pid not in self._children.all  # type: ignore[misc]
        self._event("server.replaced", "info", processes=sum(map(len, roles.values())))

    def _retire(self, process: str, *, everyone: bool, last: bool) -> Work:
        """Of this kind one, or all that are left, make room for those of a new zygote."""
        leaving = self._children.named(process)[: None if everyone else 1]
        for child in leaving:
            child.leaving = True
            if child.role.process.alone:
                os.kill(child.pid, signal.SIGTERM)
        self._due = [(at, role) for at, role in self._due if role.process.name != process]
        if leaving and leaving[0].role.process.alone:
            self._waiting = set(leaving)
            yield lambda: not any(child.pid in self._children.all for child in leaving)
        else:
            yield self._ask(leaving, {"do": "drain"})
        if last:
            self._superseded = True
            self._bindings.close()
        self._supervisor.send({"do": "retired", "process": process})

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _say(text: str) -> None:
    """To whoever reads what the server prints; the log is in the store that moves."""
    print(f"whimbrel: the store moves: {text}", file=sys.stderr)


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    line = socket.socket(fileno=int(sys.argv[2]))
    return Zygote(Installation(Path(sys.argv[1])), line).run()


if __name__ == "__main__":
    sys.exit(main())
