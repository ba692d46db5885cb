"""A tree of answers, as TOML and JSON have it, becomes values, then all that a new installation is made of."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError, Fault
from whimbrel.services.admin.calls import nearest
from whimbrel.services.setup.answers import Answers, Making
from whimbrel.services.setup.answers_lines import line_of
from whimbrel.services.setup.field import Field, Values, Wrong, given
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Step
from whimbrel.services.setup.steps.people import Unconfirmed


@dataclass(slots=True)
class Reading:
    """What could be read, and every fault of the rest."""

    values: Values = field(default_factory=Values)
    faults: list[Fault] = field(default_factory=list)
    making: Making = field(default_factory=Making)
    confirm: str = ""
    """Words that a person must type for what was asked."""
    file: str = ""
    """What the answers are in."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """In which line each stands, where they are in a file."""

    def answers(self) -> Answers:
        """ConfigError tells every fault."""
        if self.faults:
            raise ConfigError(*self.placed())
        return self.making.answers()

    def placed(self) -> list[Fault]:
        """The faults, each with its line, in the order of the lines; what is missing has none, and comes last."""
        faults = [replace(fault, line=line_of(fault.path, self.lines)) for fault in self.faults]
        return sorted(faults, key=lambda fault: fault.line or 1 << 30)

    def legible(self) -> Answers:
        """What can be looked at further, so that all faults are told in one round."""
        making = self.making
        making.hostname = making.hostname or Domain("localhost")
        making.domain = making.domain or Domain("localhost")
        making.administrator = making.administrator or "admin"
        return making.answers()

    def add(self, faults: Iterable[Fault]) -> None:
        """Faults that were seen elsewhere; each is said once."""
        said = {(fault.path, fault.text) for fault in self.faults}
        for fault in faults:
            if (fault.path, fault.text) not in said:
                said.add((fault.path, fault.text))
                self.faults.append(replace(fault, file=fault.file or self.file))

    def of(self, step: Step) -> list[Fault]:
        """The faults in what a step asked."""
        return [fault for fault in self.faults if any(within(fault.path, each.name) for each in step.fields)]


def read(
    steps: Sequence[Step],
    tree: Mapping[str, object],
    machine: Machine,
    *,
    file: str = "",
    faults: Sequence[Fault] = (),
) -> Reading:
    """`file`: what the faults are said to be in; `faults`: what is known to be wrong already. What is not answered is
    as its field is by default; what the machine would propose is for a person to accept."""
    reading = Reading(faults=list(faults), file=file)
    missing = {name for name in _tables(steps) if not isinstance(tree.get(name, {}), Mapping)}
    reading.faults += [Fault(file, 0, name, f"a table is meant: [{name}]") for name in sorted(missing)]
    reading.faults += [Fault(file, 0, path, text) for path, text in _unknown(steps, tree)]
    known = {fault.path for fault in reading.faults}
    for step in steps:
        for each in step.fields:
            if each.name not in known and each.name.partition(".")[0] not in missing:
                _read(each, tree, machine, reading, file)
    for step in steps:
        if step.add is not None and not reading.of(step):
            _add(step, reading, file)
    return reading


def _read(each: Field, tree: Mapping[str, object], machine: Machine, reading: Reading, file: str) -> None:
    value = given(tree, each.name)
    if value is None:
        if not each.applies(reading.values, machine):
            return
        value = each.default
    try:
        if value is None:
            raise ValueError("is missing")
        reading.values[each.name] = each.value(value, machine)
    except Wrong as error:
        reading.faults += [Fault(file, 0, f"{each.name}{way}", text) for way, text in error.faults]
    except ValueError as error:
        reading.faults.append(Fault(file, 0, each.name, str(error)))


def _add(step: Step, reading: Reading, file: str) -> None:
    assert step.add is not None
    try:
        step.add(reading.values, reading.making)
    except Wrong as error:
        reading.faults += [Fault(file, 0, path, text) for path, text in error.faults]
        if isinstance(error, Unconfirmed):
            reading.confirm = error.words


def _tables(steps: Sequence[Step]) -> dict[str, list[str]]:
    """The names in each table that fields stand in."""
    tables: dict[str, list[str]] = {}
    for step in steps:
        for each in step.fields:
            table, dot, name = each.name.partition(".")
            if dot:
                tables.setdefault(table, []).append(name)
    return tables


def _unknown(steps: Sequence[Step], tree: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What no step asks for, with the nearest name that one does."""
    tables = _tables(steps)
    top = list(dict.fromkeys(each.name.partition(".")[0] for step in steps for each in step.fields))
    yield from _strange(tree, top, "")
    for table, names in tables.items():
        if isinstance(inner := tree.get(table), Mapping):
            yield from _strange(inner, names, f"{table}.")


def _strange(tree: Mapping[str, object], names: Collection[str], way: str) -> Iterator[tuple[str, str]]:
    for name in tree:
        if name not in names:
            yield f"{way}{name}"[:200], f"unknown{nearest(name, names)}"


def within(path: str, name: str) -> bool:
    """A fault at `path` is one of the field `name`."""
    # A table that is none is wrong for all that stands in it.
    return path == name or path.startswith(f"{name}.") or (bool(path) and name.startswith(f"{path}."))
