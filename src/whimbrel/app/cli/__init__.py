"""The command line `whimbrel`."""

from whimbrel.app.cli.entry import main

__all__ = ["main"]
