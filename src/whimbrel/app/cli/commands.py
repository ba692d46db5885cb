"""Click commands made from the declarations of the calls: nothing here knows any one of them.

A parameter's type says how it is written: a flag, a choice, a file to read, a secret that is asked for or read from a
file but never stands on a command line.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from whimbrel.app.cli.client import Answer, Options
from whimbrel.app.cli.progress import Progress
from whimbrel.app.cli.reach import Reach
from whimbrel.app.cli.refusals import Number, as_options
from whimbrel.app.cli.show import StreamTable, has_table, print_error, print_json, print_json_line, print_text, show
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import PROBLEMS, Call, CallError, FileText, Parameter
from whimbrel.services.admin.people.table_text import decoded

MAX_FILE = 64 << 20


def command(call: Call, name: str) -> click.Command:
    """The command for one call."""
    parameters: list[click.Parameter] = [_parameter(parameter) for parameter in call.parameters]
    parameters.append(click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."))
    parameters.append(click.Option(["--quiet", "-q"], is_flag=True, help="Print nothing when all is well."))
    if has_table(call.result, streams=call.streams):
        parameters.append(click.Option(["--wide"], is_flag=True, help="Let tables be wider than the terminal."))
    if not call.reads:
        parameters.append(click.Option(["--yes", "-y"], is_flag=True, help="Do it without asking."))
        parameters.append(click.Option(["--dry-run"], is_flag=True, help="Check everything, change nothing."))
    else:  # Every verb takes them, so that a script need not know which verbs change something.
        parameters.append(click.Option(["--yes", "-y"], is_flag=True, hidden=True))
        parameters.append(click.Option(["--dry-run"], is_flag=True, hidden=True))
    if call.dangerous:
        words = click.Option(
            ["--confirm", "confirm_words"], metavar="WORDS", help="The words that something dangerous asks for."
        )
        parameters.append(words)
    if call.operation:
        wait = click.Option(
            ["--wait/--no-wait", "wait"], default=True, help="Wait for its end, or begin it as an operation."
        )
        parameters.append(wait)
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
    if parameter.kind in (int, float):
        return Number(parameter.kind, parameter.bounds), ""
    return click.STRING, ""


def _metavar(parameter: Parameter, suffix: str) -> str:
    if suffix or parameter.kind is FileText:
        return "FILE"
    names = {str: "TEXT", int: "NUMBER", float: "NUMBER"}
    return names.get(parameter.kind, getattr(parameter.kind, "__name__", "VALUE").upper())


def _callback(call: Call) -> Callable[..., None]:
    def run(as_json: bool, quiet: bool, yes: bool, dry_run: bool, **given: Any) -> None:
        context = click.get_current_context()
        reach = context.find_object(Reach)
        assert reach is not None
        options = Options(dry_run=dry_run, confirmed=given.pop("confirm_words", "") or "", wait=given.pop("wait", True))
        arguments = {}
        for parameter in call.parameters:
            value = _value(parameter, given[parameter.name], asks=not yes)
            if value is not None:
                arguments[parameter.name] = value
        if call.confirm and not (yes or dry_run):
            _ask(reach, call, arguments)
        screen = _Screen(call, as_json=as_json, quiet=quiet, wide=given.pop("wide", False))
        try:
            answer = screen.run(reach, arguments, options)
        except CallError as error:
            if not error.confirm:
                raise as_options(error, call) from None
            if not sys.stdin.isatty():
                raise CallError(
                    error.kind, f"{error.text}\nTo do it all the same: --confirm '{error.confirm}'", *error.fields
                ) from None
            answer = screen.run(reach, arguments, replace(options, confirmed=_typed(error)))
        for text in answer.warnings:
            print_error(f"attention: {text}")
        if screen.problems:
            context.exit(PROBLEMS)

    return run


class _Screen:
    """What one command shows."""

    def __init__(self, call: Call, *, as_json: bool, quiet: bool, wide: bool) -> None:
        self._call, self._as_json, self._quiet, self._wide = call, as_json, quiet, wide
        self.problems = False

    def run(self, reach: Reach, arguments: dict[str, Any], options: Options) -> Answer:
        """Makes the call and shows what it answers. CallError."""
        if not self._call.streams or not options.wait:
            answer = reach.call(self._call, arguments, options)
            self._result(answer)
            return answer
        answer, progress, table = Answer(), Progress(sys.stderr), self._table()
        try:
            for item in reach.stream(self._call, arguments, options, answer):
                progress.clear()
                wrong = self._wrong(item)
                self.problems = self.problems or wrong
                self._item(item, table, wrong=wrong)
                progress.saw(item, problems=wrong)
        except KeyboardInterrupt:
            if answer.operation:
                print_error(
                    f"it goes on; see `whimbrel operation watch {answer.operation}`, or end it by "
                    f"`whimbrel operation cancel {answer.operation}`"
                )
            raise
        finally:
            progress.clear()
            table.end()
        if progress.report and not (self._as_json or self._quiet):
            print_text(progress.report)
        return answer

    def _result(self, answer: Answer) -> None:
        if answer.operation:
            shown = {"operation": answer.operation}
            print_json(shown) if self._as_json else print_text(
                f"Begun as operation {answer.operation}; see `whimbrel operation watch {answer.operation}`"
            )
            return
        self.problems = self._wrong(answer.result)
        if self._as_json:
            print_json(answer.result)
        elif not self._quiet or self.problems:
            show(answer.result, self._call.result, self._call.shows, wide=self._wide)

    def _wrong(self, result: Any) -> bool:
        return bool(self._call.problems and result[self._call.problems])

    def _table(self) -> StreamTable:
        call = self._call
        live = call.live or call.operation or not call.reads
        return StreamTable(call.result, live=live, checks=bool(call.problems), wide=self._wide)

    def _item(self, item: Any, table: StreamTable, *, wrong: bool) -> None:
        if self._as_json:
            print_json_line(item)
        elif not self._quiet or wrong:
            table.put(item)


def _ask(reach: Reach, call: Call, arguments: dict[str, Any]) -> None:
    if isinstance(call.confirm, str):
        question = call.confirm.format_map({p.name: arguments.get(p.name, "") for p in call.parameters})
        _try(reach, call, arguments)
    else:  # What would happen is known where it happens.
        question = reach.call(call, arguments, Options(question=True)).question
    if not question:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask: add --yes to do it.")
    click.confirm(question, abort=True, err=True)


def _try(reach: Reach, call: Call, arguments: dict[str, Any]) -> None:
    """Before a person is asked it is clear that what is named is there. CallError."""
    if call.streams or call.operation:
        return
    try:
        reach.call(call, arguments, Options(dry_run=True))
    except CallError as error:
        if not error.confirm:  # That is asked for when it is done.
            raise as_options(error, call) from None


def _typed(error: CallError) -> str:
    """The words that make it happen all the same. CallError if others were typed."""
    print_error(error.text)
    words = str(click.prompt(f"Type '{error.confirm}' to do it all the same", err=True))
    if words.strip() != error.confirm:
        raise error
    return error.confirm


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
        return decoded(_octets(str(given)))
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
        return _octets(name).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8") from None


def _octets(name: str) -> bytes:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise click.UsageError(f"{name} is larger than {MAX_FILE} bytes")
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from None
    return data


_Completion = Callable[[click.Context, click.Parameter, str], list[Any]]


def _completion(parameter: Parameter) -> _Completion | None:
    if not parameter.known:
        return None

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
        from whimbrel.app.cli.completion import names

        return list(names(context, parameter.known, incomplete))

    return complete
