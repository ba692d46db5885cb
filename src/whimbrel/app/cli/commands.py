"""Click commands made from the declarations of the calls: nothing here knows any one of them.

A parameter's type says how it is written: a flag, a choice, a file to read, a secret that is asked for or read from a
file but never stands on a command line.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from whimbrel.app.cli.progress import Progress
from whimbrel.app.cli.reach import Reach
from whimbrel.app.cli.show import print_json, print_json_line, print_text, show
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import PROBLEMS, Call, FileText, Parameter

MAX_FILE = 64 << 20


def command(call: Call, name: str) -> click.Command:
    """The command for one call."""
    parameters: list[click.Parameter] = [_parameter(parameter) for parameter in call.parameters]
    parameters.append(click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."))
    parameters.append(click.Option(["--quiet", "-q"], is_flag=True, help="Print nothing when all is well."))
    if not call.reads:
        parameters.append(click.Option(["--yes", "-y"], is_flag=True, help="Do it without asking."))
        parameters.append(click.Option(["--dry-run"], is_flag=True, help="Check everything, change nothing."))
    else:  # Every verb takes them, so that a script need not know which verbs change something.
        parameters.append(click.Option(["--yes", "-y"], is_flag=True, hidden=True))
        parameters.append(click.Option(["--dry-run"], is_flag=True, hidden=True))
    help_text = call.help + ("\n\nNeeds a running server." if call.needs_server else "")
    if call.problems:
        help_text += f"\n\nThe exit status is {PROBLEMS} if problems were found."
    return click.Command(name, callback=_callback(call), params=parameters, help=help_text)


def _parameter(parameter: Parameter) -> click.Parameter:
    kind, suffix = _type(parameter)
    name = parameter.option + suffix
    if parameter.positional and not suffix:
        metavar = parameter.option.upper() + ("..." if parameter.many else "")
        return click.Argument(
            [parameter.name],
            type=kind,
            nargs=-1 if parameter.many else 1,
            required=parameter.required,
            metavar=metavar if parameter.required else f"[{metavar}]",
            shell_complete=_completion(parameter),
        )
    if parameter.kind is bool:
        names = [f"--{name}/--no-{name}", parameter.name] if _three_ways(parameter) else [f"--{name}", parameter.name]
        return click.Option(names, is_flag=True, default=None, help=parameter.help)
    names = [f"--{name}", parameter.name]
    if parameter.name == "sender":
        names.insert(0, "--from")  # `from` is no name for a parameter in Python.
    return click.Option(
        names,
        type=kind,
        multiple=parameter.many,
        default=None,
        help=parameter.help,
        metavar=None if parameter.choices else _metavar(parameter, suffix),
        shell_complete=_completion(parameter),
    )


def _three_ways(parameter: Parameter) -> bool:
    """Yes, no, and not said: it can be set to either."""
    return parameter.default is None or parameter.default is True


def _type(parameter: Parameter) -> tuple["click.ParamType[Any]", str]:
    if parameter.choices:
        return click.Choice(parameter.choices), ""
    if parameter.kind is Secret:
        return click.Path(dir_okay=False, allow_dash=True), "-file"
    if parameter.kind is FileText:
        return click.Path(dir_okay=False, allow_dash=True), ""
    if parameter.kind is int:
        return click.INT, ""
    return click.STRING, ""


def _metavar(parameter: Parameter, suffix: str) -> str:
    if suffix or parameter.kind is FileText:
        return "FILE"
    names = {str: "TEXT", int: "NUMBER"}
    return names.get(parameter.kind, getattr(parameter.kind, "__name__", "VALUE").upper())


def _callback(call: Call) -> Callable[..., None]:
    def run(as_json: bool, quiet: bool, yes: bool, dry_run: bool, **given: Any) -> None:
        context = click.get_current_context()
        reach = context.find_object(Reach)
        assert reach is not None
        arguments = {}
        for parameter in call.parameters:
            value = _value(parameter, given[parameter.name], asks=not yes)
            if value is not None:
                arguments[parameter.name] = value
        if call.confirm and not (yes or dry_run):
            _ask(call, arguments)
        problems = False
        if call.streams:
            progress = Progress(sys.stderr)
            try:
                for item in reach.stream(call, arguments, dry_run=dry_run):
                    progress.clear()
                    wrong = _problems(call, item)
                    problems = problems or wrong
                    _show_item(call, item, as_json=as_json, quiet=quiet)
                    progress.saw(item, problems=wrong)
            finally:
                progress.clear()
            if progress.report and not (as_json or quiet):
                print_text(progress.report)
        else:
            result = reach.call(call, arguments, dry_run=dry_run)
            problems = _problems(call, result)
            if as_json:
                print_json(result)
            elif not quiet or problems:
                show(result, call.result, call.shows)
        if problems:
            context.exit(PROBLEMS)

    return run


def _problems(call: Call, result: Any) -> bool:
    return bool(call.problems and result[call.problems])


_NOT_SHOWN = frozenset({"problems", "repaired", "percent"})


def _show_item(call: Call, item: Any, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json_line(item)
    elif isinstance(item, str):
        print_text(item)
    elif "text" in item:
        if not quiet:
            print_text(item["text"])
    elif not quiet or _problems(call, item):
        found = [*item.get("problems", ()), *item.get("repaired", ())]
        head = "  ".join(str(value) for name, value in item.items() if name not in _NOT_SHOWN)
        print_text(f"{head}  {'; '.join(found) or 'in order'}")


def _ask(call: Call, arguments: dict[str, Any]) -> None:
    question = call.confirm.format_map({p.name: arguments.get(p.name, "") for p in call.parameters})
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say so by --yes; there is no terminal to ask.")
    click.confirm(question, abort=True, err=True)


def _value(parameter: Parameter, given: Any, *, asks: bool) -> Any:
    if parameter.many:
        return list(given) if given else None
    if parameter.kind is Secret:
        if given is not None:
            return _read(str(given)).rstrip("\r\n")
        if parameter.required:
            return _ask_secret(parameter, asks)
        return None
    if parameter.kind is FileText and given is not None:
        return _read(str(given))
    return given


def _ask_secret(parameter: Parameter, asks: bool) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{parameter.option} is missing: give a file by --{parameter.option}-file, - for standard input"
        )
    return str(click.prompt(parameter.help.rstrip("."), hide_input=True, confirmation_prompt=asks, err=True))


def _read(name: str) -> str:
    """A file's text, - for standard input. Usage errors name it."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise click.UsageError(f"{name} is larger than {MAX_FILE} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8") from None


_Completion = Callable[[click.Context, click.Parameter, str], list[Any]]


def _completion(parameter: Parameter) -> _Completion | None:
    if not parameter.known:
        return None

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
        from whimbrel.app.cli.completion import names

        return list(names(context, parameter.known, incomplete))

    return complete
