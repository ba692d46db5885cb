"""Completion for bash, zsh and fish, names of domains, users and settings included.

It must never print an error or take long into a line that is being typed: what fails completes to nothing.
"""

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from whimbrel.services.admin.calls import CallError

SHELLS = ("bash", "zsh", "fish")
_MOST = 200
_LISTS = {
    "domain": ("domain", "list", "domains", "name"),
    "user": ("user", "list", "users", "address"),
    "alias": ("alias", "list", "aliases", "alias"),
    "group": ("group", "list", "groups", "group"),
    "message": ("queue", "list", "messages", "id"),
}
"""What is named -> noun and verb of the list, field of the page, field of the row."""


def script(program: click.Command, shell: str) -> str:
    """What a shell must read to complete `whimbrel`."""
    found = get_completion_class(shell)
    assert found is not None
    return found(program, {}, "whimbrel", "_WHIMBREL_COMPLETE").source()


def names(context: click.Context, noun: str, incomplete: str) -> list[str]:
    """Names that begin with what was typed; only from a running server, which answers at once."""
    from whimbrel.app.cli.client import Client, Unreachable
    from whimbrel.app.cli.reach import SOCKET
    from whimbrel.services.admin.table import calls_of

    options = context.find_root().params
    client = Client(Path(options.get("directory") or "").joinpath(*SOCKET))
    try:
        if noun == "setting":
            (call,) = (call for call in calls_of("config") if call.verb == "list")
            found = [str(row["path"]) for row in client.call(call, {}, dry_run=False)]
        elif noun in _LISTS:
            of, verb, page, field = _LISTS[noun]
            (call,) = (call for call in calls_of(of) if call.verb == verb)
            takes_search = any(parameter.name == "search" for parameter in call.parameters)
            arguments: dict[str, object] = {"limit": _MOST} | (
                {"search": incomplete} if takes_search and incomplete else {}
            )
            found = [str(row[field]) for row in client.call(call, arguments, dry_run=False)[page]]
        else:
            found = []
    except (CallError, Unreachable, KeyError, TypeError):
        return []
    return [name for name in found if name.startswith(incomplete)]
