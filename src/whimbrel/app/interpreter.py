"""Starting an interpreter of our own: whatever the current directory and the environment hold, it runs our code alone.

`-I` leaves the current directory, PYTHON... variables and the user's site-packages out; `start.py` then finds the
package by its own place, so that an uninstalled tree runs as well.
"""

import os
import sys

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.py")


def program() -> str:
    """Returns the path of the interpreter."""
    return os.path.realpath(sys.executable)


def command(module: str, *arguments: str) -> list[str]:
    """The words that run `module` as a program."""
    return [sys.executable, "-I", START, module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Ours without what is meant for an interpreter, with `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | more
