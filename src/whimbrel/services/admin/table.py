"""The calls of a noun, or all of them, from the table in `services/admin/__init__.py`."""

import importlib
import inspect
from functools import lru_cache

from whimbrel.services.admin import NOUNS
from whimbrel.services.admin.calls import Call


@lru_cache(64)
def calls_of(noun: str) -> tuple[Call, ...]:
    """In the order of their declarations. KeyError: there is no such noun."""
    return tuple(call for module in NOUNS[noun].modules for call in declared(module) if call.noun == noun)


def listing(kind: str) -> Call:
    """The call that lists the names of records of a kind. KeyError: nothing lists them."""
    for noun in NOUNS.values():
        if kind in noun.names:
            return next(call for call in calls_of(noun.name) if call.names[0] == kind)
    raise KeyError(kind)


def all_calls() -> tuple[Call, ...]:
    """Every call there is."""
    return tuple(call for noun in NOUNS for call in calls_of(noun))


@lru_cache(64)
def declared(module: str) -> tuple[Call, ...]:
    """The calls that one module of this package declares."""
    loaded = importlib.import_module(f"whimbrel.services.admin.{module}")
    functions = [value for value in vars(loaded).values() if inspect.isfunction(value)]
    calls = [getattr(value, "call", None) for value in functions if value.__module__ == loaded.__name__]
    return tuple(call for call in calls if isinstance(call, Call))
