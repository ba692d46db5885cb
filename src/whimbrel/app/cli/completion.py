"""Completion for bash, zsh and fish, names of domains, users and settings included.

It must never print an error or take long into a line that is being typed: what fails completes to nothing.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class

from whimbrel.services.admin.calls import CallError

if TYPE_CHECKING:
    from whimbrel.app.cli.client import Client

SHELLS = ("bash", "zsh", "fish")
_MOST = 200


def script(program: click.Command, shell: str) -> str:
    """What a shell must read to complete `whimbrel`."""
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(program, {}, "whimbrel", "_WHIMBREL_COMPLETE").source()


def names(context: click.Context, kind: str, incomplete: str) -> list[str]:
    """Names that begin with what was typed; only from a running server, which answers at once."""
    from whimbrel.app.cli.client import Options, Unreachable
    from whimbrel.services.admin.table import listing

    options = context.find_root().params
    try:
        client = _client(options)
        call = listing(kind)
        takes = {parameter.name for parameter in call.parameters}
        arguments: dict[str, object] = {"limit": _MOST} if "limit" in takes else {}
        if "search" in takes and incomplete:
            arguments["search"] = incomplete
        rows = client.call(call, arguments, Options()).result["items"]
        known = [str(row[call.names[1]]) for row in rows]
    except (CallError, Unreachable, KeyError, TypeError, OSError, ValueError):
        return []
    return [name for name in known if name.startswith(incomplete)]


def _client(options: Mapping[str, Any]) -> "Client":
    """OSError, ValueError. Nobody is asked anything: a server elsewhere must know the token, and we its certificate."""
    from whimbrel.app.cli.client import Client
    from whimbrel.app.cli.reach import SOCKET

    if options.get("server"):
        from whimbrel.app.cli.remote import RemoteClient, Server, read_token

        file = options.get("token_file")
        token = read_token(file) if file else os.environ.get("WHIMBREL_TOKEN", "").strip()
        return RemoteClient(Server(str(options["server"])), token, None)
    return Client(Path(options.get("directory") or "").joinpath(*SOCKET))
