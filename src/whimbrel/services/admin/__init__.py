"""The table of all nouns of the administration, in order of help: one line for each, and nowhere else.

Modules are named, not imported: a command needs those of its own noun only, and must start in a blink.
`table.calls_of(noun)` gives the calls; a test keeps this table and the modules' declarations the same.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun with its help, and the modules of this package that declare its verbs, in the order of help."""

    name: str
    help: str
    modules: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Kinds of records whose names its calls list, for completion: those of `Known`."""
    alone: bool = False
    """It stands without a verb."""


TABLE: Final[tuple[Noun, ...]] = (
    Noun("status", "The running server.", ("server",), alone=True),
    Noun("service", "Services and their addresses.", ("server",), ("service",)),
    Noun("config", "Settings and the two configuration files.", ("configuration", "config_files"), ("setting",)),
    Noun("domain", "Domains.", ("domains", "cleaning"), ("domain",)),
    Noun("user", "Users.", ("users", "user_table", "quotas", "cleaning"), ("user",)),
    Noun("alias", "Aliases, and how addresses resolve.", ("aliases",), ("alias",)),
    Noun("group", "Groups.", ("groups",), ("group",)),
    Noun("queue", "Messages that wait to be delivered.", ("queue",), ("message",)),
    Noun("task", "Deliveries under way.", ("tasks",), ("task",)),
    Noun("operation", "Long work under way: imports, checks, rebuilds.", ("operation",), ("operation",)),
    Noun("store", "The mail store.", ("store", "undelete")),
    Noun("log", "Logs.", ("logs",)),
    Noun("trace", "A message's whole story.", ("trace",), alone=True),
)
NOUNS: Final[dict[str, Noun]] = {noun.name: noun for noun in TABLE}
