"""docs/gen/commands.md: every command with its arguments and options, from the declarations of the calls."""

from collections.abc import Iterator

from whimbrel.core.values import Secret
from whimbrel.services.admin import NOUNS
from whimbrel.services.admin.calls import PROBLEMS, Call, Failure, FileText, Parameter
from whimbrel.services.admin.table import calls_of

_KINDS = {"Size": "size, such as 50M", "Duration": "duration, such as 4h", "Domain": "domain name", "int": "number"}


def commands_page() -> str:
    """The whole page."""
    lines = [
        "# Commands",
        "",
        "Made from the declarations by `make docs`; do not edit.",
        "",
        "`whimbrel [--dir DIR] [--offline] NOUN VERB [name] [--field value]`. All take `--json`, `--quiet`, `--yes`,",
        "`--dry-run` and `--help`.",
        "",
    ]
    for noun in NOUNS:
        for call in calls_of(noun):
            lines += [*_command(call), ""]
    lines += ["## Exit status", "", "| status | meaning |", "|---|---|", "| 0 | done |"]
    for status in sorted({kind.exit_status for kind in Failure}):
        words = ", ".join(kind.word.replace("_", " ") for kind in Failure if kind.exit_status == status)
        lines.append(f"| {status} | {words} |")
    lines.append(f"| {PROBLEMS} | a check found problems |")
    return "\n".join(lines) + "\n"


def _command(call: Call) -> Iterator[str]:
    words = [call.name]
    words += [_argument(parameter) for parameter in call.parameters if parameter.positional]
    yield f"## {' '.join(words)}"
    yield ""
    yield call.help
    notes = [
        "Needs a running server." if call.needs_server else "",
        f"Exit status {PROBLEMS} if problems were found." if call.problems else "",
        "Asks first, unless `--yes` is given." if call.confirm else "",
        "Shows people's mail: needs the right mail-read as well, and each use stands in the security log."
        if call.shows_mail
        else "",
        f"{_own(call)}" if call.own else "",
        "May take long: `--no-wait` begins it as an operation." if call.operation else "",
        f"`{'GET, POST' if call.reads else 'POST'} {call.path}`, right: {call.right}.",
    ]
    yield " ".join(filter(None, notes))
    if call.parameters:
        yield ""
        yield "| | form | meaning |"
        yield "|---|---|---|"
        for parameter in call.parameters:
            yield f"| {_written(parameter)} | {_form(parameter)} | {parameter.help.replace('|', chr(92) + '|')} |"


def _own(call: Call) -> str:
    assert call.own is not None
    names = ", ".join(name.replace("_", "-") for name in call.own.fields)
    return f"Users may make it for themselves{f', with {names} only' if names else ''}."


def _argument(parameter: Parameter) -> str:
    name = parameter.option.upper() + ("..." if parameter.many else "")
    return name if parameter.required else f"[{name}]"


def _written(parameter: Parameter) -> str:
    if parameter.kind is Secret:
        return f"`--{parameter.option}-file`"
    if parameter.positional:
        return f"`{parameter.option.upper()}`"
    if parameter.name == "sender":
        return "`--from`"
    if parameter.kind is bool and parameter.default is not False:
        return f"`--{parameter.option}`, `--no-{parameter.option}`"
    return f"`--{parameter.option}`"


def _form(parameter: Parameter) -> str:
    if parameter.choices:
        form = ", ".join(parameter.choices)
    elif parameter.kind is bool:
        form = "yes or no"
    elif parameter.kind in (Secret, FileText):
        form = "file, - for standard input"
    else:
        form = _KINDS.get(parameter.kind.__name__, "text")
    return f"list: {form}" if parameter.many else form
