"""The process that answers at the console's port until the server is set up: `python ... DIR FD NETWORK ...`.

It ends with 0 when the server is set up, also if that was done beside it on a terminal.
"""

import asyncio
import signal
import ssl
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import socket
from typing import Final

from whimbrel import __version__
from whimbrel.app.setup import commit
from whimbrel.app.setup.card import PAIR, addresses_of_machine, read_card
from whimbrel.app.setup.machine import RealMachine
from whimbrel.app.setup.writing import STEPS, set_up, survey
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.net.listener import Limits
from whimbrel.backends.tls.authority import self_signed, write_file
from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.log import Log, Value
from whimbrel.core.network import contains
from whimbrel.core.values import HostPort
from whimbrel.services.setup.answers import Answers
from whimbrel.services.setup.application import SetupApplication
from whimbrel.services.setup.door import Door
from whimbrel.services.webd.console import BUILT
from whimbrel.services.webd.pages import Pages
from whimbrel.services.webd.tcp import PROTOCOLS, TcpConnections

LIMITS: Final = Limits(64, 32)
LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether somebody has set up beside us."""
GRACE: Final = 2.0
LINES: Final = 30
"""That are written in a minute."""


class OwnMachine(RealMachine):
    """The port at which the wizard itself listens will be free for the console."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self._port = port

    def holder(self, address: HostPort) -> str:
        return "" if address.port == self._port else super().holder(address)


class DiskInstaller:
    """The port Installer: below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def survey(self, answers: Answers) -> Sequence[Fault]:
        return survey(self._directory, answers)

    def set_up(self, answers: Answers, progress: Callable[[str], None]) -> Sequence[str]:
        try:
            return set_up(self._directory, answers, progress)
        except commit.Busy as error:
            raise ConfigError(Fault("", 0, "", str(error))) from None


class ErrorOutput:
    """A Log for who has no place for logs yet: warnings and errors, on standard error, so many a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._minute, self._lines = clock, 0, 0

    def debugs(self, category: str) -> bool:
        return False

    def debug(self, event: str, **fields: Value) -> None:
        pass

    def info(self, event: str, **fields: Value) -> None:
        pass

    def warning(self, event: str, **fields: Value) -> None:
        minute = int(self._clock() // 60)
        self._minute, self._lines = minute, self._lines + 1 if minute == self._minute else 1
        if self._lines > LINES:
            return  # Whoever knocks without end must not fill the journal.
        # Reprs: what a stranger sends does not move the cursor of who reads it.
        shown = ", ".join(
            f"{name} {value if isinstance(value, int) else repr(value)}" for name, value in fields.items()
        )
        print(f"whimbrel: {event}: {shown}"[:1000], file=sys.stderr, flush=True)

    def error(self, event: str, **fields: Value) -> None:
        self.warning(event, **fields)

    def exception(self, event: str, error: BaseException, **fields: Value) -> None:
        self.warning(event, **fields)
        traceback.print_exception(error)

    def bind(self, **fields: Value) -> Log:
        return self


async def serve(directory: Path, sock: socket, networks: Sequence[str]) -> None:
    """Until the server is set up, or SIGTERM."""
    card = read_card(directory)
    if card is None:
        raise SystemExit("whimbrel: run/setup.json, which the supervisor wrote, is gone")
    context = _context(directory / "run" / PAIR)
    log = ErrorOutput()
    pages = Pages(BUILT, ThreadPool(2))
    application = SetupApplication(
        STEPS, OwnMachine(directory, card.port), DiskInstaller(directory), Door(card.code, time.monotonic), pages, log
    )
    tcp = TcpConnections(
        "console",
        application,
        lambda: context,
        lambda: LIMITS,
        lambda ip: not networks or contains(tuple(networks), ip),
        log,
    )
    tcp.listen([sock])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    card = read_card(directory) or card  # Now with the fingerprint.
    print(f"Whimbrel {__version__}: {directory} is not set up yet.\n{card.text(directory)}", flush=True)
    print("  Reached from this machine and private networks; from others by `serve --setup-from NETWORK`.", flush=True)
    watch = asyncio.create_task(_set_up_beside(directory, application))
    waits = [asyncio.create_task(ended.wait()), asyncio.create_task(application.done.wait()), watch]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await tcp.close(GRACE)


async def _set_up_beside(directory: Path, application: SetupApplication) -> None:
    # No event: it is another process that makes the file.
    while not (directory / "mailserver.cfg").exists() or application.applying:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY)


def _context(pair: Path) -> ssl.SSLContext:
    """With the certificate in that file, or a new one if there is none yet: after a crash it must be the same."""
    if not pair.exists():
        made = self_signed(_valid(addresses_of_machine()), days=30)
        write_file(pair, made.key + made.certificate, 0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pair)
    context.set_alpn_protocols(list(PROTOCOLS))
    return context


def _valid(names: Sequence[str]) -> list[str]:
    """Those that can stand in a certificate."""
    valid = []
    for name in names:
        try:
            valid.append(name if ":" in name or name[:1].isdigit() else str(Domain(name)))
        except ValueError:
            continue
    return valid


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Of a terminal: the supervisor gets it too, and sends SIGTERM.
    asyncio.run(serve(Path(sys.argv[1]), socket(fileno=int(sys.argv[2])), sys.argv[3:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
