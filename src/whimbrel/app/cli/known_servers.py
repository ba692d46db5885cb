"""Servers whose certificate a person has accepted: `~/.config/whimbrel/known-servers`.

A line for each, `host:port sha256:<hex of the certificate>`. A certificate that an authority of this machine vouches
for needs no line.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from whimbrel.app.cli.client import Unreachable

_METHOD: Final = "sha256:"


class Untrusted(Unreachable):
    """The certificate of a server is not to be trusted; the text says what to do."""


def fingerprint(certificate: bytes) -> str:
    """Of a certificate in DER: `sha256:` and 64 hex digits."""
    return _METHOD + hashlib.sha256(certificate).hexdigest()


def spelled(shown: str) -> str:
    """As `openssl x509 -fingerprint -sha256` and the server itself show it."""
    digits = shown.removeprefix(_METHOD).upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


class KnownServers:
    """The file of one person."""

    def __init__(self, path: Path | None = None) -> None:
        folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
        self.path = path or Path(folder, "whimbrel", "known-servers")

    def of(self, server: str) -> str:
        """The fingerprint that was accepted for `host:port`; empty: none. OSError"""
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            return ""
        for line in lines:
            words = line.split()
            if len(words) >= 2 and words[0] == server and words[1].startswith(_METHOD):
                return words[1].lower()
        return ""

    def accept(self, server: str, shown: str) -> None:
        """OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lines = self.path.read_text().splitlines()
        except FileNotFoundError:
            lines = []
        kept = [line for line in lines if line.split()[:1] != [server]]
        temporary = self.path.with_name(self.path.name + ".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("".join(f"{line}\n" for line in [*kept, f"{server} {shown}"]))
        os.replace(temporary, self.path)
