"""Completion for bash, zsh and fish, names of domains, users and settings included.

It must never print an error or take long into a line that is being typed: what fails completes to nothing.
"""

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from whimbrel.services.admin.calls import CallError

SHELLS = ("bash", "zsh", "fish")
_MOST = 200


def script(program: click.Command, shell: str) -> str:
    """What a shell must read to complete `whimbrel`."""
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(program, {}, "whimbrel", "_WHIMBREL_COMPLETE").source()


def names(context: click.Context, kind: str, incomplete: str) -> list[str]:
    """Names that begin with what was typed; only from a running server, which answers at once."""
    from whimbrel.app.cli.client import Client, Options, Unreachable
    from whimbrel.app.cli.reach import SOCKET
    from whimbrel.services.admin.table import listing

    options = context.find_root().params
    client = Client(Path(options.get("directory") or "").joinpath(*SOCKET))
    try:
        call = listing(kind)
        takes = {parameter.name for parameter in call.parameters}
        arguments: dict[str, object] = {"limit": _MOST} if "limit" in takes else {}
        if "search" in takes and incomplete:
            arguments["search"] = incomplete
        rows = client.call(call, arguments, Options()).result["items"]
        known = [str(row[call.names[1]]) for row in rows]
    except (CallError, Unreachable, KeyError, TypeError):
        return []
    return [name for name in known if name.startswith(incomplete)]
