"""Programs of ours run our code alone, however somebody starts them: the script that pip made (no `-I` in its first
line), or `python -m whimbrel.app.supervisor` in a folder that holds a json.py.

The first thing they do is `isolate`, before any module but those that the interpreter has loaded by itself. With
PYTHON... variables they start again with `-I`; without any it is enough, and takes no time, to leave out the folder
that Python puts before the standard library.
"""

import os
import sys


def isolate(module: str, arguments: list[str]) -> None:
    """Of a program that is `module`, at its start."""
    if sys.flags.isolated:
        return
    if any(name.startswith("PYTHON") for name in os.environ):
        from whimbrel.app import interpreter

        words = interpreter.command(module, *arguments)
        os.execve(words[0], words, interpreter.environment())  # noqa: S606
    if not sys.flags.safe_path:
        del sys.path[0]


def of_module_start() -> None:
    """While `python -m whimbrel.app...` loads the packages of its module."""
    if sys.argv[:1] == ["-m"]:
        arguments = sys.argv[1:]
        named = sys.orig_argv[len(sys.orig_argv) - len(arguments) - 1].removeprefix("-m")
        if named == "whimbrel.app" or named.startswith("whimbrel.app."):
            isolate(named, arguments)
