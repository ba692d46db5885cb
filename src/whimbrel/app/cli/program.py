"""Where the program `whimbrel` starts: isolated before it loads anything of its own."""

import sys

from whimbrel.app.isolation import isolate


def main(arguments: list[str] | None = None) -> int:
    """Runs one command, that of the program if there are no `arguments`. The exit status."""
    if arguments is None:
        isolate("whimbrel.app.cli", sys.argv[1:])
    from whimbrel.app.cli.entry import main as run

    return run(arguments)
