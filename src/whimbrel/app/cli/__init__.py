"""The command line `whimbrel`."""

from whimbrel.app.cli.program import main

__all__ = ["main"]
