"""The whole server in a folder of its own, set up by its own command line: for end-to-end tests and benchmarks."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENV = os.environ | {"PYTHONPATH": str(ROOT / "src")}
PASSWORD = "correct-horse-4711"


@dataclass(frozen=True, slots=True)
class Running:
    directory: Path
    pid: int
    ports: dict[str, int]
    started: float
    """Seconds from the start of the program to the first banner."""


SERVICES = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "console")


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A port for each name that nothing listened on a moment ago."""
    probes = {name: socket.socket() for name in names}
    for probe in probes.values():
        probe.bind(("127.0.0.1", 0))
    ports = {name: int(probe.getsockname()[1]) for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports


def set_up(
    directory: Path,
    users: int,
    ports: Mapping[str, int],
    settings: Mapping[str, str | Sequence[str]] | None = None,
    *,
    more: Sequence[str] = (),
) -> None:
    """Writes the two configuration files: domain example.test, user1 to userN, `more` and admin, all with PASSWORD."""
    answers = directory.parent / f"{directory.name}.toml"
    services = "".join(
        f'[services.{name}]\nlisten = ["127.0.0.1:{port}"]\nenabled = true\n' for name, port in ports.items()
    )
    services += "".join(f"[services.{name}]\nenabled = false\n" for name in SERVICES if name not in ports)
    chosen = {
        "server/run-as": "root",
        "security/plaintext-from": ["127.0.0.0/8"],
        # The names in tests are not asked for in the name system of the world.
        **dict.fromkeys(("filters/spf/enabled", "filters/dkim/enabled", "filters/dmarc/enabled"), "false"),
        **(settings or {}),
    }
    lines = "".join(f"{json.dumps(path)} = {json.dumps(value)}\n" for path, value in chosen.items())
    answers.write_text(
        'hostname = "localhost"\ndomain = "example.test"\n[administrator]\nname = "admin"\n'
        f'password = "{PASSWORD}"\n[settings]\n{lines}{services}'
    )
    command(directory, "setup", "--answers", str(answers))
    # One verifier for all: hashing is not what is measured.
    sys.path.insert(0, str(ROOT / "src"))
    from whimbrel.core.values import Secret
    from whimbrel.services.session.passwords import hash_password

    verifier = hash_password(Secret(PASSWORD)).reveal()
    table = directory.parent / f"{directory.name}.csv"
    rows = ["address,password,name,rights,quota"]
    names = [*(f"user{n}" for n in range(1, users + 1)), *more]
    rows += [f'{name}@example.test,"{verifier}",{name},none,' for name in names]
    table.write_text("\n".join(rows) + "\n")
    if names:
        command(directory, "user", "import", str(table), "--yes")


def command(directory: Path, *words: str) -> str:
    """Runs `whimbrel`; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(directory), *words],
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"whimbrel {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def _state(ready: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(ready.read_text())
    except (OSError, ValueError):
        return {}
    return found


@contextlib.contextmanager
def serving(directory: Path, program: Sequence[str] = ("-m", "whimbrel.app.supervisor")) -> Iterator[Running]:
    """The server, until it answers; stopped at the end. `program` is what the interpreter runs."""
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, *program, str(directory)], env=ENV)
    ready = directory / "run" / "ready.json"
    try:
        while (state := _state(ready)).get("pid") != process.pid:  # One of a killed server may lie there.
            if process.poll() is not None or time.monotonic() - begun > 30:
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        ports = {name: int(listening[0][1]) for name, listening in state["services"].items()}
        yield Running(directory, process.pid, ports, time.monotonic() - begun)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)
