"""The answers of a TOML file, for a set-up that asks nobody.

    hostname = "mail.example.org"         [administrator]            [services.smtp]
    domain = "example.org"                name = "admin"             listen = ["127.0.0.1:2525"]
    store = "store"                       password = "..."           enabled = true
    users = "users.csv"                   [settings]
                                          "smtp/max-message-size" = "80M"

Each field of the steps (`table.py`) is a key of it; `users`, `certificate.chain` and `certificate.key` name files that
are sought beside the answers.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from whimbrel.core.config import ConfigError, Fault
from whimbrel.services.admin.people.table_text import decoded
from whimbrel.services.setup.answers_lines import lines_of
from whimbrel.services.setup.field import Kind, given
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.reading import Reading, read
from whimbrel.services.setup.step import Step

MOST: Final = 1 << 20
"""Characters of the answers."""
MOST_OF_FILE: Final = 16 << 20
"""Octets of a file that they name."""


def read_file(text: str, file: str, folder: Path | None, steps: Sequence[Step], machine: Machine) -> Reading:
    """Files that the answers name are sought in `folder`. ConfigError: it is no TOML."""
    if len(text) > MOST:
        raise ConfigError(Fault(file, 0, "", f"larger than {MOST} characters"))
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(Fault(file, 0, "", f"not TOML: {error}")) from None
    faults = []
    for field in (each for step in steps for each in step.fields if each.kind is Kind.FILE):
        name = given(tree, field.name)
        if not isinstance(name, str) or not name:
            continue
        try:
            _put(tree, field.name, content(name if folder is None else folder / name))
        except OSError as error:
            text = f"{error.filename or name}: {error.strerror or error}"
            faults.append(Fault(file, 0, field.name, text))
        except ValueError as error:
            faults.append(Fault(file, 0, field.name, str(error)))
    reading = read(steps, tree, machine, file=file, faults=faults)
    reading.lines = lines_of(text)
    return reading


def content(path: str | Path) -> str:
    """OSError; ValueError: it is too large."""
    with open(path, "rb") as opened:
        data = opened.read(MOST_OF_FILE + 1)
    if len(data) > MOST_OF_FILE:
        raise ValueError(f"{path} is larger than {MOST_OF_FILE >> 20} MB")
    return decoded(data)


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    *way, last = name.split(".")
    for part in way:
        tree = tree[part]
    tree[last] = value
