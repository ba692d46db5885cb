"""`whimbrel serve` where nothing is set up yet: the wizard answers at the console's port until somebody has set up.

The supervisor binds the port and watches a process of its own that answers there (`server.py`), as it does with the
server later. That one ends with 0 when the server is set up, by the browser or by `whimbrel setup` beside it.

It is reached from this machine and from private networks only, unless others are named: until a user to run as is
known its process has the rights of whoever started it, often root's, and public addresses are searched for new servers
all the time. Who comes from elsewhere names his network, or uses a tunnel.

Standard library only: the supervisor loads it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from whimbrel.app import interpreter
from whimbrel.app.holders import describe_holder
from whimbrel.app.ownership import Refused
from whimbrel.app.setup import commit

TYPE_CHECKING = False  # As `typing` has it, whose half megabyte the supervisor does without.
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import FrameType

LISTEN = "*:44337"
FROM = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fe80::/10",
        "fc00::/7")  # fmt: skip
"""Networks from which it is reached."""
CARD = "setup.json"
"""In DIR/run, for `whimbrel setup code`; only its owner may read it."""
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_AGAIN = 1.0
_ATTEMPTS = 5
"""Times that its process is started anew after it died."""
_STOP_WITHIN = 10.0


def until_set_up(
    directory: Path, listen: str, networks: Sequence[str], bind: Callable[[str, int], socket.socket]
) -> int | None:
    """None: there is a server to run now; else the exit status. Refused."""
    commit.recover(directory)
    if (directory / "mailserver.cfg").is_file():
        return None
    if (directory / "users.cfg").exists():
        raise Refused(
            f"{directory / 'mailserver.cfg'} is not there, but users.cfg is: put it back, from history/ or a backup; "
            "or, to begin anew, move users.cfg away"
        )
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    sock = _bound(bind, host, int(port))
    run = directory / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    card = run / CARD
    _write(card, {"pid": os.getpid(), "code": made_code(), "host": host, "port": sock.getsockname()[1]})
    try:
        return _watch(directory, sock, networks)
    finally:
        sock.close()
        for name in (CARD, "setup.pem"):
            with contextlib.suppress(OSError):
                (run / name).unlink()


def _watch(directory: Path, sock: socket.socket, networks: Sequence[str]) -> int | None:
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for attempt in range(_ATTEMPTS):
            status = _serve(directory, sock, networks, stopping)
            commit.recover(directory)
            if (directory / "mailserver.cfg").is_file():
                return None
            if stopping:
                return 0
            print(f"whimbrel: the set-up ended with status {status}; nothing is set up", file=sys.stderr)
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_AGAIN)
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(directory: Path, sock: socket.socket, networks: Sequence[str], stopping: list[int]) -> int:
    words = interpreter.command("whimbrel.app.setup.server", str(directory), str(sock.fileno()), *networks)
    process = subprocess.Popen(words, env=interpreter.environment(), pass_fds=(sock.fileno(),), cwd="/", umask=0o077)
    ends = 0.0
    while True:
        try:
            return process.wait(0.2)
        except subprocess.TimeoutExpired:
            if stopping and not ends:
                process.terminate()
                ends = time.monotonic() + _STOP_WITHIN
            elif ends and time.monotonic() > ends:
                process.kill()


def _bound(bind: Callable[[str, int], socket.socket], host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except OSError as error:
        holder = describe_holder(host, port)
        held = f"held by {holder}" if holder else error.strerror
        raise Refused(
            f"Nothing is set up yet, and the set-up cannot answer at port {port}: {held}. Stop that program; or name "
            "another port by --setup-listen ADDRESS:PORT; or set up on a terminal, by `whimbrel setup`"
        ) from None


def made_code() -> str:
    """79 bits, as people read them: `k3fh-7pwm-xq2a-ynvd`. Without what is taken for another: i, l, o, 0, 1."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _write(card: Path, content: dict[str, object]) -> None:
    with contextlib.suppress(FileNotFoundError):
        card.unlink()
    descriptor = os.open(card, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        json.dump(content, file)
