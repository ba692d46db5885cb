"""Whimbrel as the benchmark runs it: a fresh installation, set up by its own command line."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENV = os.environ | {"PYTHONPATH": str(ROOT / "src")}
PASSWORD = "bench-password-4711"


@dataclass(frozen=True, slots=True)
class Running:
    directory: Path
    pid: int
    ports: dict[str, int]
    started: float
    """Seconds from the start of the program to the first banner."""


def set_up(directory: Path, users: int, ports: dict[str, int]) -> None:
    """Writes the two configuration files; all passwords are PASSWORD."""
    answers = directory.parent / f"{directory.name}.toml"
    services = "".join(
        f'[services.{name}]\nlisten = ["127.0.0.1:{port}"]\nenabled = true\n' for name, port in ports.items()
    )
    others = {"smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s"} - set(ports)
    services += "".join(f"[services.{name}]\nenabled = false\n" for name in sorted(others))
    answers.write_text(
        'hostname = "localhost"\ndomain = "example.test"\n[administrator]\nname = "admin"\n'
        f'password = "{PASSWORD}"\n[settings]\n"server/run-as" = "root"\n"security/plaintext-from" = "127.0.0.0/8"\n'
        f"{services}"
    )
    command(directory, "setup", "--answers", str(answers))
    # One verifier for all: hashing is not what is measured.
    sys.path.insert(0, str(ROOT / "src"))
    from whimbrel.services.session.passwords import hash_password

    verifier = hash_password(PASSWORD)
    table = directory.parent / f"{directory.name}.csv"
    lines = ["address,password,name,rights,quota"]
    lines += [f'user{n}@example.test,"{verifier}",User {n},none,' for n in range(1, users + 1)]
    table.write_text("\n".join(lines) + "\n")
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


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Running]:
    """The server, until it answers; stopped at the end."""
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "whimbrel.app.supervisor", str(directory)], env=ENV)
    ready = directory / "run" / "ready.json"
    try:
        while not ready.exists():
            if process.poll() is not None or time.monotonic() - begun > 30:
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        state = json.loads(ready.read_text())
        ports = {name: int(listening[0][1]) for name, listening in state["services"].items()}
        yield Running(directory, process.pid, ports, time.monotonic() - begun)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)
