"""The port to the two configuration files; the configuration in use is an immutable snapshot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from whimbrel.core.settings import Section

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake in a configuration, where a person finds it."""

    file: str
    line: int
    """0 where there is none (a value given on the command line)."""
    path: str
    """`smtp/max-message-size`."""
    text: str
    """What is wrong, and the nearest known name if one is close."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else (f"{self.file}: " if self.file else "")
        return f"{where}{self.path}: {self.text}" if self.path else f"{where}{self.text}"


class ConfigError(Exception):
    """The configuration, or a change to it, is refused; every fault is told."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class ConfigConflict(Exception):
    """The file on disk is not the one in use: `difference` is a unified diff from ours to the file's."""

    def __init__(self, file: str, difference: str) -> None:
        super().__init__(f"{file} was changed outside")
        self.file, self.difference = file, difference


class ConfigStore(Protocol):
    """Reading is for all; only `control` writes."""

    def section(self, kind: type[S]) -> S:
        """The section in use now. Immutable: keep it for one operation, then ask again."""
        ...

    def subscribe(self, changed: Callable[[frozenset[str]], None]) -> None:
        """`changed` is told the paths that changed, after the new snapshot is in use."""
        ...

    async def change(self, values: Mapping[str, object]) -> frozenset[str]:
        """Sets paths (`smtp/max-message-size`) to values as text, tuples of text, or None for the default; validates
        the whole, writes, syncs, renames, announces. ConfigError, ConfigConflict."""
        ...
