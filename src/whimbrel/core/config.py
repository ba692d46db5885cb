"""The port to the two configuration files; the configuration in use is an immutable snapshot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:  # What is wrong with a change is told without pydantic: the command line's client has none of it.
    from whimbrel.core.settings import Concern, Section

S = TypeVar("S", bound="Section")


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
    """The configuration, or a change to it, is refused; every fault is named."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class Unconfirmed(ConfigError):
    """A change would do something dangerous: it is made only for who types `words`."""

    def __init__(self, words: str, *faults: Fault) -> None:
        super().__init__(*faults)
        self.words = words


MOST: Final = 0.5
"""The part of what was there that nobody takes away at once by hand."""


def most_go(known: int, left: int, *, many: int) -> bool:
    """Whether an edit leaves so little of what was known that it looks like an accident; `many`: fewer never do."""
    return known - left >= max(many, known * MOST)


class UnknownName(ConfigError):
    """What was named (a setting, a domain, a user) is not there."""


class ConfigConflict(Exception):
    """The file on disk is not the one in use: `difference` is a unified diff from ours to the file's; `settings` are
    those that differ, with their values in use and on disk (None: there is no such setting), where the file is well
    formed."""

    def __init__(
        self, file: str, difference: str, settings: "tuple[tuple[str, Text | None, Text | None], ...]" = ()
    ) -> None:
        super().__init__(f"{file} was changed outside")
        self.file, self.difference, self.settings = file, difference, settings


class ConfigStore(Protocol):
    """Reading is for all; only `control` writes."""

    def section(self, kind: type[S]) -> S:
        """The section in use now. Immutable: keep it for one operation, then ask again."""
        ...

    def subscribe(self, changed: Callable[[frozenset[str]], None]) -> None:
        """`changed` gets the paths that changed, after the new snapshot is in use."""
        ...

    async def change(self, values: Mapping[str, object]) -> frozenset[str]:
        """Sets paths (`smtp/max-message-size`) to values as text, tuples of text, or None for the default; validates
        the whole, writes, syncs, renames, announces. ConfigError, ConfigConflict."""
        ...


Text = str | tuple[str, ...]
"""A value as people write it; a list is a tuple."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is now, and all that its declaration says of it."""

    path: str
    """`smtp/max-message-size`; an entry of a list of sections is `routing/relay[example.org]/host`."""
    help: str
    kind: str
    """yes-no, number, text, choice, list, or a form: size, duration, host, hostport, password, ..."""
    value: Text
    """A secret is shown as `********`."""
    default: Text
    is_default: bool
    choices: tuple[str, ...] = ()
    minimum: str = ""
    maximum: str = ""
    applies: str = "now"
    """When a change takes effect: now, service (restarted) or restart (of the server)."""
    advanced: bool = False
    ref: str = ""
    row: str = ""
    group: str = ""
    """Under which heading a form shows it."""
    ordered: bool = False
    """A list whose order counts."""
    columns: tuple[str, ...] = ()
    """Of a list of sections: the settings of one entry."""
    shown_if: str = ""
    """A condition on a setting beside it, `transport = udp, tcp` or `relay-host` (not empty): it means something only
    then."""
    examples: tuple[str, ...] = ()
    enabled_if: str = ""
    """A condition of the same form: it can be changed only then."""
    danger: str = ""
    """What would be so with a dangerous value."""
    danger_words: str = ""
    """That must be typed for it."""
    danger_values: tuple[str, ...] = ()
    """Which values are dangerous; none: any change."""
    check: str = ""
    """The name of what can try a value; empty: nothing can."""


class ConfigEditor(ConfigStore, Protocol):
    """What `control`, and the command line with no server running, need beyond reading."""

    async def change(
        self, values: Mapping[str, object], *, confirmed: str = "", passing: bool = False
    ) -> frozenset[str]:
        """As ConfigStore; what cross-checks find dangerous is Unconfirmed, unless `confirmed` has the words. A
        `passing` change, such as a debug log for an hour, makes no former version: it would push out one that counts.
        """
        ...

    def settings(self) -> Iterator[Setting]:
        """All of them, in the order of the file."""
        ...

    def describe(self, path: str) -> Setting:
        """UnknownName, with the nearest known path."""
        ...

    def declared(self, path: str) -> Setting:
        """As `describe`; of an entry that is not there with its defaults. UnknownName: nothing is declared so."""
        ...

    def get(self, path: str) -> Text:
        """The value in use. UnknownName."""
        ...

    def members(self, path: str, values: Sequence[str]) -> tuple[str, ...]:
        """Members of a list as `get` would show them, such as 127.0.0.1/32 for 127.0.0.1. UnknownName."""
        ...

    def search(self, words: str) -> list[Setting]:
        """Those whose path or help has all the words."""
        ...

    def check(self, values: Mapping[str, object], *, confirmed: str = "") -> frozenset[str]:
        """The paths that `change` would change; nothing is written. ConfigError."""
        ...

    def proposed(self, values: Mapping[str, object], kind: type[S]) -> S:
        """The section as `values` would make it; nothing is written, and cross-checks are not asked. ConfigError."""
        ...

    def concerns(self) -> "Sequence[Concern]":
        """What the cross-checks of all sections say of the configuration in use."""
        ...

    def difference(self) -> str:
        """A unified diff from the file in use to the file on disk; empty if they are the same."""
        ...

    def edited_before(self) -> tuple[frozenset[str], tuple[Setting, ...]]:
        """For a start: the paths that an edit changed since the configuration was last in use, and all settings as they
        were then; empty when asked again."""
        ...

    def forgets(self) -> str:
        """Why the file on disk is not taken into use by itself (most settings are gone); empty if it would be, or
        cannot be read."""
        ...

    async def reload(self, *, confirmed: str = "", trial: bool = False) -> frozenset[str]:
        """Takes the file on disk into use; the paths that changed. A `trial` only says which would. ConfigError: it
        stays as it was; Unconfirmed as with `change`, and where it would forget most settings."""
        ...

    async def keep(self) -> None:
        """Writes the configuration in use over an edit made outside."""
        ...
