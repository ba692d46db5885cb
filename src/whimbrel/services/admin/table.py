"""The calls of a noun, or all of them, from the table in `services/admin/__init__.py`."""

import importlib
import inspect
from functools import lru_cache

from whimbrel.services.admin import NOUNS
from whimbrel.services.admin.calls import Call


@lru_cache(64)
def calls_of(noun: str) -> tuple[Call, ...]:
    """In the order of their declarations. KeyError: there is no such noun."""
    return tuple(call for module in NOUNS[noun] for call in declared(module) if call.noun == noun)


def all_calls() -> tuple[Call, ...]:
    """Every call there is."""
    return tuple(call for noun in NOUNS for call in calls_of(noun))


@lru_cache(64)
def declared(module: str) -> tuple[Call, ...]:
    """The calls that one module of this package declares."""
    found = importlib.import_module(f"whimbrel.services.admin.{module}")
    functions = [value for value in vars(found).values() if inspect.isfunction(value)]
    calls = [getattr(value, "call", None) for value in functions if value.__module__ == found.__name__]
    return tuple(call for call in calls if isinstance(call, Call))
