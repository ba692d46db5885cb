"""`make run`: a server to try, set up in one folder, with users, passwords and a certificate of its own.

    python -m whimbrel.app.demo var

The first start writes the installation; later ones keep its data and passwords. It listens on 127.0.0.1 alone, at 20000
plus the standard port or the next free one, and holds mail to other domains in its queue: nothing leaves the machine.
`var/demo.json` tells programs where everything is; it exists only while everything answers.
"""

import argparse
import contextlib
import ctypes
import json
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, Final

from whimbrel.app import interpreter
from whimbrel.app.demo_card import Endpoint, User, table, write, write_demo
from whimbrel.app.demo_numbers import Numbers
from whimbrel.app.services import SERVICES

DOMAIN: Final = "example.test"
HOST: Final = "127.0.0.1"
STANDARD: Final = {service.name: service.settings().listen[0].port for service in SERVICES}
USERS: Final = (("admin", "Administrator", "server-write"), ("alice", "Alice Adams", "none"),
                ("bob", "Bob Brown", "none"), ("carol", "Carol Clark", "none"))  # fmt: skip
READY_WITHIN: Final = 60.0
STOP_WITHIN: Final = 30.0
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


class DemoError(Exception):
    """The demonstration cannot start; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m whimbrel.app.demo", description="Runs a server to try.")
    parser.add_argument("directory", nargs="?", default="var", type=Path, help="folder of the installation")
    directory = parser.parse_args(arguments).directory.absolute()
    try:
        return run(directory)
    except DemoError as error:
        print(f"whimbrel: {error}", file=sys.stderr)
        return 1


def run(directory: Path) -> int:
    """Until Ctrl-C, SIGTERM, or the server's own end. Its exit status."""
    started = time.monotonic()
    # Remembered, not raised: a signal may come at any moment, also between starting the server and knowing it.
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    first = not (directory / "mailserver.cfg").exists()
    users = prepare(directory)
    card = directory / "demo.json"
    with contextlib.suppress(FileNotFoundError):
        card.unlink()
    server = _start(directory)
    try:
        state = _await_ready(directory, server, stopping)
        if state.get("refused"):
            server = _on_other_ports(directory, server, state)
            state = _await_ready(directory, server, stopping)
        if not stopping and state:
            _renew_certificate(directory)
            services = _endpoints(directory, state)
            _await_answers(services, directory / "demo-ca.pem", stopping)
            if not stopping:
                if first:
                    _fill(directory, services, users)
                write_demo(card, directory, int(state["pid"]), services, users)
                print(table(directory, services, users, time.monotonic() - started), flush=True)
        numbers = Numbers(directory / "run" / "admin.sock", time.monotonic)
        while not stopping and server.poll() is None:
            numbers.show()
            time.sleep(0.1)
    finally:
        with contextlib.suppress(FileNotFoundError):
            card.unlink()
        status = _stop(server)
    if stopping:
        print("\nStopped; the next `make run` goes on with the same data.", flush=True)
        return 0
    print(f"whimbrel: the server ended with status {status}; see {directory}/store/logs", file=sys.stderr)
    return 1


# Setting up


def prepare(directory: Path) -> tuple[User, ...]:
    """The users, of the installation that is there or is made now."""
    remembered = directory / "demo-users.json"
    if (directory / "mailserver.cfg").is_file():
        try:
            return tuple(User(**user) for user in json.loads(remembered.read_text()))
        except (OSError, ValueError, TypeError):
            raise DemoError(
                f"{directory} is a server that is set up, but {remembered.name} with its passwords is missing: it is "
                f"no demonstration. Start it by `whimbrel --dir {directory} serve`, or name another folder"
            ) from None
    from whimbrel.app.setup.writing import set_up  # Heavy, and for the first start alone.
    from whimbrel.core.config import ConfigError

    users = tuple(User(f"{name}@{DOMAIN}", make_password(), rights) for name, _, rights in USERS)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _renew_certificate(directory)
    write(remembered, json.dumps([asdict(user) for user in users], indent=1))
    try:
        set_up(directory, _answers(directory, users))
    except ConfigError as error:
        raise DemoError(str(error)) from None
    return users


def _answers(directory: Path, users: Sequence[User]) -> Any:
    from whimbrel.core.address import Domain
    from whimbrel.core.directory import Rights
    from whimbrel.core.values import HostPort, Secret
    from whimbrel.services.admin.people.user_lines import UserLine
    from whimbrel.services.setup.answers import Answers, ServiceAnswer

    taken: set[int] = set()
    services = {}
    for name, standard in STANDARD.items():
        port = next_free(20000 + standard, taken)
        services[name] = ServiceAnswer((HostPort(f"{HOST}:{port}"),), enabled=True)
    lines = tuple(
        UserLine(number, user.address, Secret(user.password), full_name, Rights(user.rights), None)
        for number, (user, (_, full_name, _)) in enumerate(zip(users, USERS, strict=True), 1)
        if number > 1
    )
    settings: dict[str, str | tuple[str, ...]] = {
        "server/run-as": "root",  # Whoever starts it: the supervisor looks at it only when root does.
        "security/plaintext-from": ("127.0.0.0/8", "::1/128"),
        "delivery/hold-remote": "yes",
        "tls/certificate": str(directory / "demo-cert.pem"),
        "tls/private-key": str(directory / "demo-key.pem"),
    }
    return Answers(
        Domain("localhost"), Domain(DOMAIN), USERS[0][0], Secret(users[0].password), "store", services, settings, lines
    )


def make_password() -> str:
    """Random (42 bits) and still readable: `bakotu-remiso-47`."""
    words = [
        "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(3)) for _ in range(2)
    ]  # fmt: skip
    return f"{words[0]}-{words[1]}-{secrets.randbelow(90) + 10}"


def next_free(wanted: int, taken: set[int]) -> int:
    """`wanted`, or the next port above it that can be bound; it is then among `taken`."""
    for port in range(wanted, 65536):
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                probe.listen(1)  # Another program may listen with the same option set.
            except OSError:
                continue
        taken.add(port)
        return port
    raise DemoError(f"there is no free port from {wanted} on")


def _renew_certificate(directory: Path) -> None:
    from whimbrel.backends.tls.authority import ensure_demo

    ensure_demo(directory)


# Running


def _start(directory: Path) -> "subprocess.Popen[bytes]":
    with contextlib.suppress(FileNotFoundError):
        (directory / "run" / "ready.json").unlink()  # Left by a server that was killed.
    return subprocess.Popen(
        interpreter.command("whimbrel.app.cli", "--dir", str(directory), "serve"),
        env=interpreter.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # Where it listens, our own table says.
        start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order.
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there is one thread
    )


def _die_with_parent() -> None:
    """Killed without warning, we leave no server behind. Linux: prctl(PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _stop(server: "subprocess.Popen[bytes]") -> int:
    if server.poll() is None:
        server.terminate()
    try:
        return server.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def _await_ready(directory: Path, server: "subprocess.Popen[bytes]", stopping: list[int]) -> Mapping[str, Any]:
    """What the server says of itself once it listens; empty if it is to stop meanwhile."""
    deadline = time.monotonic() + READY_WITHIN
    path = directory / "run" / "ready.json"
    while not stopping:
        if server.poll() is not None:
            raise DemoError(f"the server ended with status {server.returncode} before it was ready; see above")
        with contextlib.suppress(OSError, ValueError):
            state: Mapping[str, Any] = json.loads(path.read_text())
            return state
        if time.monotonic() > deadline:
            raise DemoError(f"the server was not ready within {READY_WITHIN:.0f} seconds; see {directory}/store/logs")
        time.sleep(0.02)
    return {}


def _on_other_ports(
    directory: Path, server: "subprocess.Popen[bytes]", state: Mapping[str, Any]
) -> "subprocess.Popen[bytes]":
    """A program took a port since the last start: the service moves to the next free one."""
    _stop(server)
    taken: set[int] = set()
    refused = [str(entry["service"]) for entry in state["refused"]]
    for name in refused:
        port = next_free(20000 + STANDARD.get(name, 0), taken)
        subprocess.run(
            interpreter.command(
                "whimbrel.app.cli", "--dir", str(directory), "--offline", "config", "set", f"services/{name}/listen",
                f"{HOST}:{port}", "--quiet",
            ),
            env=interpreter.environment(),
            check=True,
        )  # fmt: skip
    return _start(directory)


def _endpoints(directory: Path, state: Mapping[str, Any]) -> dict[str, Endpoint]:
    from whimbrel.app.installation import Installation
    from whimbrel.services.session.services import ServicesSettings

    services = Installation(directory).load_config().section(ServicesSettings)
    endpoints = {}
    for name in STANDARD:
        for host, port in state["services"].get(name, ())[:1]:
            endpoints[name] = Endpoint(str(host), int(port), services.named(name).tls)
    return endpoints


def _await_answers(services: Mapping[str, Endpoint], authority: Path, stopping: list[int]) -> None:
    """Each greets, those with implicit TLS under a certificate that our authority signed."""
    deadline = time.monotonic() + READY_WITHIN
    context = ssl.create_default_context(cafile=str(authority))
    for name, service in services.items():
        while not stopping:
            try:
                if _greets(name, service, context):
                    break
                problem = "it closes the connection"
            except OSError as error:
                problem = str(error)
            if time.monotonic() > deadline:
                raise DemoError(f"{name} at {service.host}:{service.port} does not answer: {problem}")
            time.sleep(0.05)


def _fill(directory: Path, services: Mapping[str, Endpoint], users: Sequence[User]) -> None:
    import smtplib

    from whimbrel.app.demo_content import fill
    from whimbrel.services.admin.calls import CallError

    try:
        fill(directory / "run" / "admin.sock", services, users)
    except (OSError, smtplib.SMTPException, CallError) as error:
        print(f"whimbrel: the examples of mail are not complete: {error}", file=sys.stderr)


def _greets(name: str, service: Endpoint, context: ssl.SSLContext) -> bool:
    with socket.create_connection((service.host, service.port), timeout=10) as plain:
        if service.tls != "implicit":
            return bool(plain.recv(4096))
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            if name == "console":  # The client speaks first.
                secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return bool(secure.recv(4096))


if __name__ == "__main__":
    sys.exit(main())
