"""`whimbrel setup`: the terminal wizard, or the answers of a file. Nothing is written before the last step."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from whimbrel.app import console_address
from whimbrel.app.holders import describe_holder
from whimbrel.app.services import SERVICES
from whimbrel.app.setup import Answers, ServiceAnswer, read_answers, refuse_if_set_up, set_up
from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError
from whimbrel.core.people import user_name
from whimbrel.core.values import HostPort, Secret
from whimbrel.services.admin.calls import CallError, Failure


def run_setup(directory: Path, answers_file: str | None) -> None:
    """Sets up `directory`. CallError tells every fault."""
    try:
        refuse_if_set_up(directory)
        if answers_file is not None:
            answers = _from_file(answers_file, directory)
        elif sys.stdin.isatty():
            answers = _ask(directory)
        else:
            raise click.UsageError("there is no terminal to ask; give the answers by --answers FILE")
        set_up(directory, answers)
    except ConfigError as error:
        raise CallError(Failure.REFUSED, f"Nothing was set up.\n{error}") from None
    except PermissionError as error:
        raise CallError(Failure.REFUSED, f"{error.filename}: {error.strerror}. Nothing was set up") from None
    for line in console_address.of_installation(directory):
        click.echo(line)
    click.echo(f"Set up in {directory}. {answers.administrator}@{answers.domain} administers the server.")
    for name, address, holder in _held_ports(answers) if answers_file is not None else ():
        click.echo(f"{name} cannot listen at {address} as long as that is {holder}", err=True)
    if os.geteuid() == 0 and "server/run-as" not in answers.settings:
        click.echo(f"Name a user for it to run as: whimbrel --dir {directory} config set server/run-as USER", err=True)
    click.echo(f"Start it: whimbrel --dir {directory} serve")


def _from_file(name: str, directory: Path) -> Answers:
    try:
        if name == "-":
            return read_answers(sys.stdin.read(), "standard input", Path.cwd(), directory=directory)
        path = Path(name)
        return read_answers(path.read_text("utf-8-sig"), name, path.resolve().parent, directory=directory)
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8") from None


def _ask(directory: Path) -> Answers:
    click.echo(f"Setting up Whimbrel in {directory}. Nothing is written before the last question.\n")
    full = socket.getfqdn()
    hostname = click.prompt("1. Internet hostname of this server", default=full, value_proc=_value(Domain))
    parent = hostname.partition(".")[2] if hostname.count(".") > 1 else hostname
    domain = click.prompt("2. Primary mail domain", default=parent, value_proc=_value(Domain))
    name = click.prompt("3. Login name of the administrator", default="admin", value_proc=_value(user_name))
    password = click.prompt("   Password", hide_input=True, confirmation_prompt=True)
    store = click.prompt("4. Directory of mail, queue and logs", default="store", value_proc=_value(_path))
    services = _ask_services()
    settings: dict[str, str | tuple[str, ...]] = {}
    if os.geteuid() == 0:
        settings["server/run-as"] = click.prompt("6. User that the server runs as", value_proc=_value(_user))
    click.echo(f"\n{hostname}, mail domain {domain}, administrator {name}@{domain}, mail in {directory / store}.")
    click.confirm("Set it up?", default=True, abort=True)
    return Answers(hostname, domain, name, Secret(password), store, services, settings)


def _ask_services() -> dict[str, ServiceAnswer]:
    """Names who holds a port, and takes another."""
    click.echo("5. Services")
    answers = {}
    for name, service in ((each.name, each.settings()) for each in SERVICES):
        wanted = service.listen[0]
        if not service.enabled:
            click.echo(f"   {name:12} {wanted}  off")
            continue
        while holder := _held(wanted):
            click.echo(f"   {name:12} {wanted}  {holder}")
            answer = click.prompt("   Another address:port, or off", default="off", value_proc=_value(_listen_or_off))
            if answer is None:
                answers[name] = ServiceAnswer(enabled=False)
                break
            wanted = answer
        else:
            click.echo(f"   {name:12} {wanted}  free")
            if wanted != service.listen[0]:
                answers[name] = ServiceAnswer(listen=(wanted,))
    return answers


def _held_ports(answers: Answers) -> Iterator[tuple[str, HostPort, str]]:
    """Service, address and holder of what is not free now: no fault, as another server may still serve."""
    for name, service in ((each.name, each.settings()) for each in SERVICES):
        answer = answers.services.get(name, ServiceAnswer())
        if service.enabled if answer.enabled is None else answer.enabled:
            for address in service.listen if answer.listen is None else answer.listen:
                if address.port and (holder := _held(address)):
                    yield name, address, holder


def _held(address: HostPort) -> str:
    """Why nothing can listen there; empty if it can."""
    host = "" if address.host == "*" else address.host
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, address.port))
        except PermissionError:
            return ""  # Whoever starts the server may; and says so if not.
        except OSError as error:
            return f"held by {describe_holder(host, address.port) or error.strerror}"
    return ""


def _value(read: Any) -> Any:
    """A click value_proc: what is wrong is said and asked again."""

    def proc(text: str) -> Any:
        try:
            return read(text.strip())
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    return proc


def _listen_or_off(text: str) -> HostPort | None:
    return None if text == "off" else HostPort(text)


def _path(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("a directory is meant")
    return text


def _user(text: str) -> str:
    import pwd

    try:
        pwd.getpwnam(text)
    except KeyError:
        raise ValueError(f"there is no user {text} on this system; make one, for example: useradd -r {text}") from None
    return text
