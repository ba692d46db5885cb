"""One Chromium for all tests of this folder, a window of its own for each, and one server full of hostile mail."""

import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, chromium, url_of
from tests.support.mail import letter, trusting
from tests.support.server import PASSWORD, ROOT, Running, command, free_ports, serving, set_up

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
"""Stands wherever a stranger may write: never an element, never run, always shown as it is."""
NAMES = ("smtp", "submission", "imap", "imaps", "pop3s", "console")


@pytest.fixture(scope="package")
def console() -> None:
    """The console, built from the sources as they are."""
    subprocess.run([sys.executable, str(ROOT / "web" / "build.py")], check=True)


@pytest.fixture(scope="package")
def browser(console: None) -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def house(console: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with users, groups, aliases, mail that waits and lines in its logs, much of it written by strangers."""
    directory = tmp_path_factory.mktemp("house") / "whimbrel"
    settings = {
        "server/mail-workers": "1",
        "delivery/hold-remote": "yes",
        "security/lock-out-host-after": "0",
        "security/lock-out-after": "3",
    }
    set_up(directory, 30, free_ports(NAMES), settings, more=("anna", "bob"))
    with serving(directory) as running:
        furnish(running)
        yield running


def furnish(running: Running) -> None:
    directory = running.directory
    command(directory, "user", "set", "user1@example.test", "--full-name", HOSTILE, "--description", HOSTILE)
    command(directory, "user", "rights", "admin@example.test", "server-write", "--grant", "mail-read", "--yes")
    command(directory, "domain", "add", "school.test")
    command(
        directory, "group", "add", "staff@example.test", "--member", "anna@example.test", "--member", "bob@example.test"
    )
    command(directory, "group", "set", "staff@example.test", "--description", HOSTILE)
    command(directory, "alias", "add", "office@example.test", "anna@example.test")
    command(
        directory, "template", "add", "clerk@example.test", "--quota", "2G", "--group", "staff", "--rights", "domain",
        "--description", HOSTILE,
    )  # fmt: skip
    with smtplib.SMTP("127.0.0.1", running.ports["smtp"], timeout=30) as smtp:
        for number in range(3):
            smtp.sendmail(
                '"<img src=x onerror=alert(3)>"@else.test', ["anna@example.test"], letter(f"{HOSTILE} {number}")
            )
    with smtplib.SMTP("127.0.0.1", running.ports["submission"], timeout=30) as smtp:
        smtp.starttls(context=trusting())
        smtp.login("bob@example.test", PASSWORD)
        for number in range(12):
            to = '"<img src=x onerror=alert(4)>"@far.test' if number % 2 else f"carol{number}@far.test"
            smtp.sendmail("bob@example.test", [to], letter(f"{HOSTILE} {number}", sender="bob@example.test"))
    with smtplib.SMTP("127.0.0.1", running.ports["submission"], timeout=30) as smtp:
        smtp.starttls(context=trusting())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("<script>alert(5)</script>@example.test", "wrong")


@pytest.fixture
def visit(browser: Browser, house: Running) -> Iterator[Callable[..., Visit]]:
    """Opens a window at the shared server, signed in as its administrator unless `name` is another one or empty."""
    opened: list[Visit] = []

    def make(name: str = "admin@example.test", **options: Any) -> Visit:
        opened.append(Visit(browser, url_of(house), **options))
        if name:
            opened[-1].sign_in(name)
        return opened[-1]

    yield make
    for each in opened:
        each.context.close()
