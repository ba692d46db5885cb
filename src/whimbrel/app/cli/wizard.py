"""`whimbrel setup`: the steps as questions on a terminal, or the answers of a file. Nothing is written before that."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from whimbrel.app import console_address
from whimbrel.app.setup import commit
from whimbrel.app.setup.machine import RealMachine
from whimbrel.app.setup.writing import SERVICES, STEPS, read_answers, refuse_if_set_up, set_up, survey
from whimbrel.core.config import ConfigError
from whimbrel.core.people import full_address
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.setup.answers import Answers
from whimbrel.services.setup.answers_file import content, read_file
from whimbrel.services.setup.field import Field, Kind, Values, Wrong
from whimbrel.services.setup.looking import Result, look
from whimbrel.services.setup.reading import Reading, read, within
from whimbrel.services.setup.step import Finding, Level, Step
from whimbrel.services.setup.steps.surroundings import listening

_MARKS = {Level.OK: "ok", Level.UNKNOWN: "--", Level.WARNING: "!", Level.ERROR: "!!"}


def run_setup(directory: Path, answers_file: str | None) -> None:
    """Sets up `directory`. CallError tells every fault."""
    try:
        commit.recover(directory)
        refuse_if_set_up(directory)
        if answers_file is not None:
            answers = _from_file(answers_file, directory)
        elif sys.stdin.isatty():
            answers = _asked(directory)
        else:
            raise click.UsageError("there is no terminal to ask; give the answers by --answers FILE")
        warnings = set_up(directory, answers)
    except (ConfigError, commit.Busy) as error:
        raise CallError(Failure.REFUSED, f"Nothing was set up.\n{error}") from None
    except PermissionError as error:
        raise CallError(Failure.REFUSED, f"{error.filename}: {error.strerror}. Nothing was set up") from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CallError(Failure.REFUSED, f"{where}{error.strerror or error}. Nothing was set up") from None
    for line in console_address.of_installation(directory):
        click.echo(line)
    click.echo(f"Set up in {directory}. {answers.administrator}@{answers.domain} administers the server.")
    for warning in warnings:
        click.echo(warning, err=True)
    for login, password in answers.made.items():
        click.echo(f"{full_address(login, str(answers.domain))}  password: {password.reveal()}")
    if answers.made:
        click.echo("These passwords are shown this once.")
    if answers_file is not None:
        for name, text in _held_ports(answers, RealMachine(directory)):
            click.echo(f"{name} cannot listen at {text}", err=True)
    if os.geteuid() == 0 and "server/run-as" not in answers.settings:
        click.echo(f"Name a user for it to run as: whimbrel --dir {directory} config set server/run-as USER", err=True)
    click.echo(f"Start it: whimbrel --dir {directory} serve")


def _asked(directory: Path) -> Answers:
    try:
        return _Questions(RealMachine(directory)).answers(directory)
    except KeyboardInterrupt:  # Between two questions, while something is looked at.
        raise click.Abort from None


def run_check(directory: Path, answers_file: str | None, *, relay: bool) -> int:
    """Makes the checks of all steps, with the answers of a file or what the machine proposes. The exit status."""
    machine = RealMachine(directory)
    if answers_file is not None:
        reading = read_file(*_text_of(answers_file), STEPS, machine)
    else:
        reading = read(STEPS, _proposals(machine), machine)
    worst = 0
    for step in STEPS:
        results = look(step, reading.values, machine)
        if relay:
            for check in (each for each in step.checks if each.on_demand):
                results += look(step, reading.values, machine, demanded=check.name)
        if any(result.findings for result in results):
            click.echo(step.title)
            worst = max(worst, _show(results))
    for fault in reading.placed() if answers_file is not None else ():
        click.echo(str(fault), err=True)
        worst = 2
    return 6 if worst == 2 else 0


def _proposals(machine: RealMachine) -> dict[str, object]:
    """What the machine proposes, as a tree of answers."""
    tree: dict[str, object] = {}
    values = Values()
    for field in (each for step in STEPS for each in step.fields if "." not in each.name):
        proposed = field.proposed(machine, values)
        if proposed is not None:
            tree[field.name] = values[field.name] = proposed
    return tree


def _held_ports(answers: Answers, machine: RealMachine) -> Iterator[tuple[str, str]]:
    """Service, and address with its holder, of what is not free now: no fault, as another server may still serve."""
    for name, addresses in listening(SERVICES, Values(services=answers.services)):
        for address in addresses:
            if address.port and (holder := machine.holder(address)):
                yield name, f"{address} as long as that is {holder}"


def _text_of(name: str) -> tuple[str, str, Path]:
    """The text of an answers file, what it is called, and where the files that it names lie."""
    try:
        if name == "-":
            return sys.stdin.read(), "standard input", Path.cwd()
        path = Path(name)
        return path.read_text("utf-8-sig"), name, path.resolve().parent
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8") from None


def _from_file(name: str, directory: Path) -> Answers:
    return read_answers(*_text_of(name), directory=directory)


def _show(results: Sequence[Result]) -> int:
    """0: all is well; 1: with a warning; 2: with an error."""
    worst = 0
    for finding in (each for result in results for each in result.findings):
        worst = max(worst, {Level.WARNING: 1, Level.ERROR: 2}.get(finding.level, 0))
        click.echo(f"   {_MARKS[finding.level]:2}  {finding.text}")
        if finding.advice:
            click.echo(f"       {finding.advice}")
        for line in finding.lines if finding.level is not Level.OK else ():
            click.echo(f"       | {line}")
    return worst


class _Questions:
    """All steps, asked one after the other."""

    def __init__(self, machine: RealMachine) -> None:
        self._machine = machine
        self._tree: dict[str, Any] = {}
        self._values = Values()

    def answers(self, directory: Path) -> Answers:
        click.echo(f"Setting up Whimbrel in {directory}. Nothing is written before the last question.")
        for number, step in enumerate(STEPS, 1):
            click.echo(f"\n{number}. {step.title}")
            for field in step.fields:
                if not field.rare and field.applies(self._values, self._machine):
                    self._ask(field)
            self._ask_again(step)
            self._look(step)
            self._mend(step, directory)
        reading = self._read()
        if reading.confirm:
            _confirm(reading)
            self._tree["confirm"] = reading.confirm
            reading = self._read()
        answers = reading.answers()
        click.echo("\nThis will be set up:")
        for step in STEPS:
            for words in step.words(reading.values):
                click.echo(f"   {words}")
        click.confirm("Set it up?", default=True, abort=True)
        return answers

    def _mend(self, step: Step, directory: Path) -> None:
        """Asks again what is wrong with the answers of a step together, or with all before them."""
        fields = {each.name: each for each in step.fields if not each.rare}
        while True:
            reading = self._read()
            reading.add(survey(directory, reading.legible()))
            wrong = [each for each in reading.of(step) if not (reading.confirm and each.path == "users")]
            again = [each for each in fields.values() if any(within(fault.path, each.name) for fault in wrong)]
            if not again:
                return
            for fault in wrong:
                click.echo(f"   !!  {fault.path}: {fault.text}")
            for field in again:
                self._ask(field)
            if all(each.kind is Kind.SERVICES for each in again):
                return  # It is not asked as a whole; the review says it.

    def _read(self) -> Reading:
        return read(STEPS, self._tree, self._machine)

    def _ask_again(self, step: Step) -> None:
        """For what only the values of several fields show to be wrong, such as a password that is the login name."""
        asked = {
            field.name: field
            for field in step.fields
            if field.kind is not Kind.SERVICES and not field.rare and field.applies(self._values, self._machine)
        }
        while True:
            reading = self._read()
            faults = [fault for fault in reading.of(step) if fault.path in asked]
            if reading.confirm or not faults:  # What is to be confirmed is asked at the end.
                return
            for fault in faults:
                click.echo(f"   {asked[fault.path].title}: {fault.text}", err=True)
            for name in dict.fromkeys(fault.path for fault in faults):
                self._ask(asked[name])

    def _look(self, step: Step) -> None:
        """Shows what the checks say, and asks for another port where one is held."""
        results = look(step, self._values, self._machine)
        ports = [each for result in results for each in result.findings if each.field.startswith("services.")]
        for check in (each for each in step.checks if each.on_demand and self._values.get("outgoing.mode") == "relay"):
            if click.confirm(f"   Try it now ({check.title})?", default=True):
                results += look(step, self._values, self._machine, demanded=check.name)
        _show(results)
        for finding in ports:
            self._ask_port(finding)

    def _ask_port(self, finding: Finding) -> None:
        name = finding.field.partition(".")[2]
        offers: Any = finding.offer
        offer = ", ".join(offers[name]["listen"]) if offers else "off"
        click.echo(f"   {finding.text}")
        field = next(each for step in STEPS for each in step.fields if each.kind is Kind.SERVICES)

        def proc(text: str) -> Any:
            off = text.strip() == "off"
            said = {"enabled": False} if off else {"listen": [part.strip() for part in text.split(",")]}
            try:
                services = field.read({name: said})
            except ValueError as error:
                raise click.UsageError(str(error)) from None
            for address in () if off else services[name].listen:
                if holder := self._machine.holder(address):
                    raise click.UsageError(f"{address} is {holder}")
            return said

        said = click.prompt("   Another address:port, or off", default=offer, value_proc=proc)
        self._tree.setdefault("services", {})[name] = said
        self._values["services"] = field.read(self._tree["services"])

    def _ask(self, field: Field) -> None:
        if field.kind is Kind.SERVICES:
            return  # Only where a port is held.
        proposed = field.proposed(self._machine, self._values)
        if field.kind is Kind.CHOICE:
            for word, meaning in field.choices:
                click.echo(f"   {word:14} {meaning}")
        default: Any = "" if proposed in ("", []) else proposed
        # A terminal is asked by root for the user to run as: there is no good default.
        needed = default is None or (field.root and not default)
        value, self._values[field.name] = click.prompt(
            f"   {field.title}",
            default=None if needed else default,
            show_default=bool(default),
            hide_input=field.kind is Kind.SECRET,
            confirmation_prompt=field.kind is Kind.SECRET and needed,
            value_proc=self._value(field),
        )
        self._put(field.name, value)

    def _value(self, field: Field) -> Any:
        """A click value_proc: what is wrong is said and asked again."""

        def proc(given: Any) -> Any:
            text = given if isinstance(given, int) else str(given).strip() if field.kind is not Kind.SECRET else given
            value: object = text
            try:
                if field.kind is Kind.LIST:
                    value = [part.strip() for part in str(text).split(",") if part.strip()]
                elif field.kind is Kind.FILE and text:
                    value = content(Path(str(text)).expanduser())
                return value, field.value(value, self._machine)
            except OSError as error:
                raise click.UsageError(f"{text}: {error.strerror}") from None
            except Wrong as error:
                raise click.UsageError("\n".join(each for _, each in error.faults[:20])) from None
            except ValueError as error:
                raise click.UsageError(str(error)) from None

        return proc

    def _put(self, name: str, value: object) -> None:
        table, dot, last = name.partition(".")
        if dot:
            self._tree.setdefault(table, {})[last] = value
        else:
            self._tree[name] = value


def _confirm(reading: Reading) -> None:
    click.echo("\n".join(fault.text for fault in reading.faults))
    typed = click.prompt(f'   Type "{reading.confirm}" if that is meant', default="", show_default=False)
    if typed.strip() != reading.confirm:
        raise click.Abort
