"""A noun of the administration: one line of the table in `services/admin/__init__.py`."""

from dataclasses import dataclass


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
