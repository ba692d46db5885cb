"""What a person needs to open the wizard: address, one-time code, and the certificate's fingerprint."""

import contextlib
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from whimbrel.app.console_address import fingerprint_of
from whimbrel.app.setup.machine import RealMachine
from whimbrel.app.setup.waiting import CARD

PAIR = "setup.pem"
"""In DIR/run: the certificate of the wizard, and its key."""


@dataclass(frozen=True, slots=True)
class Card:
    pid: int
    code: str
    host: str
    """The address that it listens at; `*`: all."""
    port: int
    fingerprint: str

    def addresses(self) -> list[str]:
        """To be opened in a browser."""
        if self.host not in ("*", "::", "0.0.0.0"):  # noqa: S104 - as configured
            return [f"https://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"]
        names = [RealMachine(Path()).hostname() or socket.gethostname(), "localhost"]
        return [f"https://{name}:{self.port}/" for name in dict.fromkeys(names)]

    def text(self, directory: Path) -> str:
        return (
            f"  In a browser:  {'  or  '.join(self.addresses())}\n"
            f"  One-time code: {self.code}\n"
            f"  Certificate:   it signs itself; the browser warns, and shows this SHA-256 fingerprint:\n"
            f"                 {self.fingerprint}\n"
            f"  On a terminal: whimbrel --dir {directory} setup"
        )


def read_card(directory: Path) -> Card | None:
    """None: no server waits there to be set up."""
    try:
        content = json.loads((directory / "run" / CARD).read_text())
        os.kill(int(content["pid"]), 0)
        fingerprint = fingerprint_of(directory / "run" / PAIR)
        return Card(int(content["pid"]), content["code"], content["host"], int(content["port"]), fingerprint)
    except PermissionError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None


def addresses_of_machine() -> list[str]:
    """For the certificate: how a browser may call this machine."""
    names = [RealMachine(Path()).hostname(), socket.gethostname(), "localhost", "127.0.0.1", "::1"]
    with contextlib.suppress(OSError):
        names += [str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None)]
    return list(dict.fromkeys(name for name in names if name))
