"""What is said of a command line that cannot be understood: what was given, what is meant, an example.

Click's own sentences are for those who know it; here every one names the option as it was typed and how to go on.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import click

from whimbrel.services.admin.calls import Call, CallError, Failure
from whimbrel.services.admin.numbers import Between, number

OF_EVERY_VERB: Final = ("--json", "--quiet", "-q", "--yes", "-y", "--dry-run")
OF_THE_PROGRAM: Final = ("--dir", "--offline")
_TOO_MANY: Final = re.compile(r"Got unexpected extra arguments? \((.*)\)", re.DOTALL)


class Number(click.ParamType[Any]):
    """A number within its bounds, refused in our words before anything is sent."""

    name = "number"

    def __init__(self, kind: type, bounds: Between) -> None:
        self._kind, self._bounds = kind, bounds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return number(value, self._kind, self._bounds)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def words_of(error: click.ClickException) -> str:
    """One sentence for a person."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words(error)
    text = error.format_message().rstrip(".")
    more = _TOO_MANY.fullmatch(text)
    return _with_usage(error, f"'{more[1]}' is more than the command takes" if more else text)


def as_options(error: CallError, call: Call) -> CallError:
    """The same refusal with parameters named as they are typed: `--max-size` for `max_size`."""
    names = {each.name: each.option.upper() if each.positional else f"--{each.option}" for each in call.parameters}
    if error.kind is not Failure.USAGE or not error.fields or any(fault.name not in names for fault in error.fields):
        return error
    text = "; ".join(f"{names[fault.name]}: {fault.text}" for fault in error.fields)
    return CallError(error.kind, text, *error.fields, confirm=error.confirm)


def _no_such_option(error: Any) -> str:
    name, context = error.option_name, error.ctx
    if context is not None and isinstance(context.command, click.Group) and name in OF_EVERY_VERB:
        noun = context.info_name if context.parent is not None else "NOUN"
        return f"{name} stands behind noun and verb, as in `whimbrel {noun} VERB {name}`"
    if name in OF_THE_PROGRAM:
        shown = f"{name} DIRECTORY" if name == "--dir" else name
        return f"{name} stands before noun and verb, as in `whimbrel {shown} {_path(error)}`"
    close = list(error.possibilities or ())
    hint = f"; did you mean {close[0]}?" if close else f"; see `{_program(error)} --help`"
    return f"there is no option {name}{hint}"


def _bad_value(error: Any) -> str:
    return f"{_named(error)}: {error.message.rstrip('.')}"


def _missing(error: Any) -> str:
    if error.param is None:
        return _with_usage(error, error.format_message().rstrip("."))
    return _with_usage(error, f"{_named(error)} must be given")


def _option_alone(error: Any) -> str:
    if "requires" in error.message:
        return f"{error.option_name} needs a value behind it; --help tells which"
    return f"{error.option_name} is a switch and takes no value: write {error.option_name} alone"


def _named(error: Any) -> str:
    """The option or argument that an error is about, as it is typed."""
    if error.param is None:
        return str(error.param_hint or "argument")
    if isinstance(error.param, click.Argument):
        return _metavar(error.param, error.ctx).strip("[].")
    return str(max((name for name in error.param.opts if name.startswith("-")), key=len, default=error.param.name))


def _metavar(param: Any, context: Any) -> str:
    return str(param.make_metavar(context))


def _path(error: Any) -> str:
    """The command without the program's name: `user list`."""
    return str(error.ctx.command_path.partition(" ")[2]) if error.ctx is not None else "NOUN VERB"


def _program(error: Any) -> str:
    return str(error.ctx.command_path) if error.ctx is not None else "whimbrel"


def _with_usage(error: Any, text: str) -> str:
    context = getattr(error, "ctx", None)
    if context is None or isinstance(context.command, click.Group):
        return text
    arguments = [_metavar(each, context) for each in context.command.params if isinstance(each, click.Argument)]
    words = " ".join([context.command_path, *arguments])
    return f"{text}: write `{words}`, with options of `{context.command_path} --help`"


_WORDS: Final[dict[type[click.ClickException], Callable[[Any], str]]] = {
    click.NoSuchOption: _no_such_option,
    click.MissingParameter: _missing,
    click.BadParameter: _bad_value,
    click.BadOptionUsage: _option_alone,
}
"""By kinds of errors, the special ones first."""
