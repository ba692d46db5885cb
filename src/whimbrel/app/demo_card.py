"""What a demonstration tells: demo.json for programs, one table and three commands for people."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from whimbrel.app.console_address import fingerprint_of

SHOWN: Final = ("", "alice", "bob", "", "alice", "bob", "carol", "alice", "admin")
"""Whom the table shows beside each service: everyone once at least."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int
    tls: str


@dataclass(frozen=True, slots=True)
class User:
    address: str
    password: str
    rights: str


def write(path: Path, text: str) -> None:
    """Whole or not at all, for us alone."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    os.replace(beside, path)


def write_demo(path: Path, directory: Path, pid: int, services: Mapping[str, Endpoint], users: Sequence[User]) -> None:
    """demo.json: passwords of a demonstration, still for its own user alone."""
    content = {
        "pid": pid,
        "dir": str(directory),
        "ca": str(directory / "demo-ca.pem"),
        "services": {name: asdict(service) for name, service in services.items()},
        "users": [asdict(user) for user in users],
    }
    write(path, json.dumps(content, indent=1))


def table(directory: Path, services: Mapping[str, Endpoint], users: Sequence[User], seconds: float) -> str:
    """What a newcomer needs: one table and three commands."""
    known = {user.address.partition("@")[0]: user for user in users}
    rows = [("service", "address", "TLS", "user", "password")]
    for (name, service), person in zip(services.items(), SHOWN, strict=False):
        user = known.get(person)
        address = f"{service.host}:{service.port}"
        rows.append((name, address, service.tls, user.address if user else "-", user.password if user else "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if (console := services.get("console")) and (admin := known.get("admin")):
        first = [f"Console: https://localhost:{console.port}", f"Sign in as {admin.address}, password {admin.password}"]
        first += trust(directory / "demo-cert.pem", directory / "demo-ca.pem")
    else:
        first = []
    lines = [*first, "", f"Whimbrel is ready after {seconds:.1f} s, in {directory}", "", *lines, ""]
    lines.append(
        "Everyone can sign in everywhere; admin administers the server. Mail to other domains waits in the queue."
    )
    lines += ["", "Try:", *(f"  {command}" for command in commands(directory, services, known)), ""]
    return "\n".join([*lines, "Ctrl-C stops it."])


def trust(certificate: Path, authority: Path) -> list[str]:
    """How a browser can know this server: by its fingerprint, or by the authority that vouches for it."""
    lines = [f"Certificate authority, for your browser: {authority}"]
    if fingerprint := fingerprint_of(certificate):
        lines.append(f"Certificate SHA-256: {fingerprint}")
    return lines


def commands(directory: Path, services: Mapping[str, Endpoint], users: Mapping[str, User]) -> Iterator[str]:
    """Send a message, read it, see what the server says of it; with what is installed here."""
    python = shlex.quote(_short(sys.executable))
    smtp, imaps, bob = services["smtp"], services["imaps"], users["bob"]
    if shutil.which("swaks"):
        yield (f"swaks --server {smtp.host}:{smtp.port} --from you@example.com --to {bob.address} "
               "--h-Subject Hello --body 'It works.'")  # fmt: skip
    elif shutil.which("curl"):
        yield (f"printf 'Subject: Hello\\r\\n\\r\\nIt works.\\r\\n' | curl -sS smtp://{smtp.host}:{smtp.port} "
               f"--mail-from you@example.com --mail-rcpt {bob.address} -T -")  # fmt: skip
    else:
        yield (f'{python} -c "import smtplib; smtplib.SMTP(\'{smtp.host}\', {smtp.port}).sendmail('
               f"'you@example.com', '{bob.address}', 'Subject: Hello\\n\\nIt works.')\"")  # fmt: skip
    authority = _short(str(directory / "demo-ca.pem"))
    if shutil.which("curl"):
        yield (f"curl -sS --cacert {shlex.quote(authority)} --user '{bob.address}:{bob.password}' "
               f"'imaps://localhost:{imaps.port}/INBOX;MAILINDEX=1'")  # fmt: skip
    else:
        yield (f'{python} -c "import imaplib, ssl; m = imaplib.IMAP4_SSL(\'localhost\', {imaps.port}, '
               f"ssl_context=ssl.create_default_context(cafile='{authority}')); "
               f"m.login('{bob.address}', '{bob.password}'); m.select(); "
               "print(m.fetch('1', '(BODY[])')[1][0][1].decode())\"")  # fmt: skip
    program = Path(sys.executable).with_name("whimbrel")
    whimbrel = shlex.quote(_short(str(program))) if program.exists() else f"{python} -m whimbrel.app.cli"
    yield f"{whimbrel} --dir {shlex.quote(_short(str(directory)))} log tail mail"


def _short(path: str) -> str:
    """Relative where the reader is in a folder above it."""
    here = f"{Path.cwd()}{os.sep}"
    return path.removeprefix(here)
