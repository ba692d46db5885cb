"""Running a call: who may, arguments made into values, every refusal told in the same shape.

The one place through which HTTP, the console and the command line without a server go. What changes something is
written to the configuration log with who did it and from where (`audit.py`: from what to what); what shows people's
mail is written to the security log before it is shown.
"""

import contextlib
import json
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Annotated, Any, Final, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from whimbrel.core.config import ConfigConflict, ConfigError, Unconfirmed, UnknownName
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.values import Duration, Secret, Size, refuse_bare
from whimbrel.services.admin.calls import (
    Call,
    CallError,
    Differs,
    Failure,
    FieldFault,
    FileText,
    Needs,
    Parameter,
    nearest,
)
from whimbrel.services.admin.changes.audit import audited
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.numbers import ANY, Between, number, within
from whimbrel.services.admin.permission import permit, permit_mail, permit_now
from whimbrel.services.admin.server.operations import Work
from whimbrel.services.admin.versions import version_for

MAX_TEXT = 10_000
MAX_QUERY = 2_000
"""Characters of a text in the query of an address, which as a whole has a bound as well (414)."""
MAX_FILE = 64 << 20
_NUMBERS: Final = (int, float, Size, Duration)
_BOUNDS: Final = {Size: Between(such_as=50 << 20), Duration: Between(0, 36_500 * 86_400, such_as=4 * 3600)}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that may be made: its values, and the context to make it in."""

    call: Call
    ctx: AdminContext
    values: Mapping[str, Any]


async def invoke(call: Call, ctx: AdminContext, arguments: Mapping[str, object]) -> object:
    """The result of a call that does not stream. CallError."""
    return await run(prepare(call, ctx, arguments))


async def run(made: Prepared) -> object:
    """The result of a call that does not stream. CallError."""
    async with _guarded(made):
        result: object = await made.call.run(made.ctx, **made.values)
    _note(made)
    return result


def work_of(made: Prepared) -> Work:
    """What an operation is to carry out."""
    items = run_stream(made) if made.call.streams else _once(made)
    steps = 0 if made.call.streams else 1
    return Work(made.call, made.ctx.caller, _subject(made), items, trial=made.ctx.dry_run, steps=steps)


async def checked(made: Prepared) -> None:
    """As if it were done now: nothing is changed. CallError"""
    trial = replace(made, ctx=replace(made.ctx, dry_run=True))
    if made.call.streams:
        async with contextlib.aclosing(run_stream(trial)) as items:
            async for _ in items:
                pass
    else:
        await run(trial)


async def _once(made: Prepared) -> AsyncIterator[object]:
    yield await run(made)


async def stream(call: Call, ctx: AdminContext, arguments: Mapping[str, object]) -> AsyncIterator[object]:
    """The items of a call that streams. CallError, also after some items."""
    async for item in run_stream(prepare(call, ctx, arguments)):
        yield item


async def run_stream(made: Prepared) -> AsyncGenerator[object]:
    """The items of a call that streams. CallError, also after some items."""
    async with _guarded(made):
        async for item in made.call.run(made.ctx, **made.values):
            yield item
    _note(made)


async def question(made: Prepared) -> str:
    """What a person is asked before the call is done; empty: nothing. CallError."""
    confirm = made.call.confirm
    if isinstance(confirm, str):
        return confirm.format_map(made.values)
    try:
        return await confirm(made.ctx, **made.values)
    except Exception as error:
        raise translated(error, made.call, made.ctx) from error


async def version_of(made: Prepared) -> str:
    """The version of the record that the call shows or has changed; empty if it has none. CallError."""
    version = version_for(made.call)
    if version is None:
        return ""
    try:
        return await version(made.ctx, **made.values)
    except Exception as error:
        refusal = translated(error, made.call, made.ctx)
        if refusal.kind is Failure.NOT_FOUND:  # It was removed or renamed by this very call.
            return ""
        raise refusal from error


def prepare(call: Call, ctx: AdminContext, arguments: Mapping[str, object]) -> Prepared:
    """The arguments as values, once it is clear that the caller may and that all is there. CallError."""
    ctx = replace(audited(ctx), right=permit(call, ctx.caller, arguments), reads=call.reads)
    permit_now(call, ctx.caller)
    if Needs.SERVER in call.needs and not ctx.live:
        raise CallError(Failure.UNAVAILABLE, f"'{call.name}' needs a running server; start it with `whimbrel serve`")
    if Needs.NO_SERVER in call.needs and ctx.live:
        raise CallError(
            Failure.REFUSED, f"'{call.name}' works on files that a running server holds: stop the server for it"
        )
    if ctx.seen and version_for(call) is None:
        raise CallError(Failure.USAGE, f"'{call.name}' changes no record that has versions: leave If-Match out")
    return Prepared(call, ctx, values_of(call, arguments))


def values_of(call: Call, arguments: Mapping[str, object]) -> dict[str, Any]:
    """The arguments as the types of the parameters. CallError tells every fault."""
    known = [parameter.name for parameter in call.parameters]
    unknown = [
        FieldFault(name, f"'{call.name}' has no such parameter{nearest(name, known)}")
        for name in arguments
        if name not in known
    ]
    if unknown:
        raise _usage(unknown)
    halves = [FieldFault(name, "holds half a character, which is no text") for name in known if _half(arguments, name)]
    if halves:
        raise _usage(halves)
    try:
        made = model(call).model_validate(dict(arguments))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        refusal = _usage([_fault(call, item) for item in faults])
        refusal.well_formed = all(_meant_so(item) for item in faults)
        raise refusal from None
    return {name: getattr(made, name) for name in known}


@contextlib.asynccontextmanager
async def _guarded(made: Prepared) -> AsyncIterator[None]:
    """Around the work of a call: versions compared, mail that is shown written down, every error translated."""
    call, ctx = made.call, made.ctx
    try:
        if call.shows_mail is not None:
            whose = await call.shows_mail(ctx, **made.values)
            permit_mail(call, ctx.caller, whose)
            ctx.log.info(
                "admin.mail-shown", call=call.name, user=ctx.caller.name, account=whose.text, origin=ctx.caller.origin
            )
        version = version_for(call)
        if version is None or call.reads or call.streams:
            yield
            return
        # Another change must not come between the comparison and ours.
        async with ctx.versions:
            if ctx.seen and ctx.seen != await version(ctx, **made.values):
                raise CallError(
                    Failure.STALE, "It was changed by somebody else meanwhile: look at it again, then change it"
                )
            yield
    except Exception as error:
        raise _after_the_schema(translated(error, call, ctx)) from error


def _after_the_schema(error: CallError) -> CallError:
    error.well_formed = True
    return error


@lru_cache(512)
def model(call: Call) -> type[BaseModel]:
    """The parameters as a pydantic model: what validates them and describes them in the schema."""
    fields: dict[str, Any] = {}
    for parameter in call.parameters:
        default = ... if parameter.required else parameter.default
        extra: dict[str, Any] = {"x-ref": parameter.known} if parameter.known else {}
        if parameter.kind in (int, float):
            extra |= {"minimum": parameter.bounds.least, "maximum": parameter.bounds.most}
        fields[parameter.name] = (
            _checked(parameter),
            Field(default, description=parameter.help, json_schema_extra=extra or None),
        )
    name = "".join(word.capitalize() for word in call.name.replace("-", " ").split())
    return create_model(f"{name}Parameters", __config__=ConfigDict(extra="forbid", frozen=True), **fields)


@lru_cache(512)
def result_adapter(call: Call) -> TypeAdapter[Any]:
    """Writes the result, or one item of a stream, as JSON."""
    return TypeAdapter(call.result)


@lru_cache(64)
def item_adapter(call: Call, kind: Any) -> TypeAdapter[Any]:
    """Writes an item of an operation: of `kind`, or (None) what the call answers."""
    return result_adapter(call) if kind is None else TypeAdapter(kind)


def _checked(parameter: Parameter) -> Any:
    kind = parameter.annotation
    if get_origin(parameter.kind) is dict:  # Its call looks at the values, which may be of any type of JSON.
        return kind
    if parameter.kind is not bool and parameter.kind not in _NUMBERS and not parameter.choices:
        limit = MAX_FILE if parameter.kind is FileText else MAX_TEXT

        def clean(value: object) -> object:
            if value is None and not parameter.required:
                return None
            for text in value if parameter.many and isinstance(value, list | tuple) else (value,):
                if not isinstance(text, str):  # Types that read text would take that of anything.
                    raise Malformed(f"{_quoted(text)} is not {_meant(parameter)}")
                if parameter.required and not text and parameter.kind is not FileText:
                    raise Malformed("must be given")
                _clean(text, limit, lines=parameter.kind is FileText)
            return value

        if parameter.kind is FileText:
            kind = str
        return Annotated[kind, BeforeValidator(clean)]
    if parameter.kind in _NUMBERS:
        return Annotated[kind, BeforeValidator(partial(_number, parameter))]
    if parameter.kind is bool:
        return Annotated[kind, BeforeValidator(partial(_truth, parameter))]
    return kind


def _truth(parameter: Parameter, value: object) -> object:
    """1 and "off" are no truth values of JSON. Malformed."""
    if isinstance(value, bool) or (value is None and not parameter.required):
        return value
    raise Malformed(f"{_quoted(value)} is not {_meant(parameter)}")


class Malformed(ValueError):
    """The schema says that it cannot be: it is no matter of what there is on this server."""


def _meant_so(item: Any) -> bool:
    """A fault that the schema cannot tell beforehand: text of the right shape that names nothing."""
    return item["type"] == "value_error" and not isinstance(item["ctx"]["error"], Malformed)


def _number(parameter: Parameter, value: object) -> object:
    """A number, size or duration of a parameter. ValueError."""
    if value is None and not parameter.required and parameter.default is None:
        return None
    if parameter.kind in (int, float):
        try:
            return number(value, parameter.kind, parameter.bounds)
        except ValueError as error:
            raise Malformed(str(error)) from None
    if not isinstance(value, str):
        raise Malformed(f"{_quoted(value)} is not {_meant_number(parameter)}")
    _clean(value, MAX_TEXT, lines=False)
    refuse_bare(parameter.kind, value)
    bounds = _BOUNDS[parameter.kind] if parameter.bounds is ANY else parameter.bounds
    return within(parameter.kind(value), str(value), bounds, lambda each: str(parameter.kind(each)))


def _clean(text: str, limit: int, *, lines: bool) -> None:
    """Text for one line of a file or log: nothing that could end the line or hide. Malformed."""
    if len(text) > limit:
        raise Malformed(f"is longer than {limit} characters")
    for char in text:
        if (char < " " or char == "\x7f" or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")) and not (
            lines and char in "\t\r\n"
        ):
            if lines:
                raise Malformed("is no text but binary data (it holds control characters)")
            raise Malformed("control characters and line breaks are not allowed")


def _usage(faults: list[FieldFault]) -> CallError:
    return CallError(Failure.USAGE, "; ".join(f"{fault.name}: {fault.text}" for fault in faults), *faults)


def _fault(call: Call, item: Any) -> FieldFault:
    """What is wrong with an argument, in our words: the libraries' are for those who write code."""
    name = str(item["loc"][0]) if item["loc"] else "arguments"
    parameter = next((each for each in call.parameters if each.name == name), None)
    if item["type"] == "missing":
        return FieldFault(name, "must be given")
    if item["type"] == "value_error":
        return FieldFault(name, str(item["msg"]).removeprefix("Value error, "))
    return FieldFault(name, f"{_quoted(item['input'])} is not {_meant(parameter)}")


def _half(arguments: Mapping[str, object], name: str) -> bool:
    """A lone surrogate, as JSON can write it: nothing that quotes it could be written as UTF-8."""
    value = arguments.get(name)
    texts = value if isinstance(value, list | tuple) else (value,)
    return any("\ud800" <= char <= "\udfff" for text in texts if isinstance(text, str) for char in text)


def _meant_number(parameter: Parameter) -> str:
    return "a size, such as 50M" if parameter.kind is Size else "a duration, such as 4h"


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"'{text[:100]}'"


def _meant(parameter: Parameter | None) -> str:
    """What a parameter may be, with an example."""
    if parameter is None:
        return "what it may be; see its description"
    kind = "one of " + ", ".join(parameter.choices) if parameter.choices else 'text, such as "example"'
    kind = "true or false" if parameter.kind is bool else kind
    return f"a list, each of it {kind}" if parameter.many else kind


def translated(error: Exception, call: Call, ctx: AdminContext) -> CallError:
    """What a port raised, as a person is told it. A bug goes to the log with its traceback."""
    if isinstance(error, CallError):
        return error
    if isinstance(error, ConfigError):
        fields = tuple(FieldFault(fault.path, fault.text) for fault in error.faults if fault.path)
        kind = Failure.NOT_FOUND if isinstance(error, UnknownName) else Failure.REFUSED
        words = error.words if isinstance(error, Unconfirmed) else ""
        return CallError(kind, str(error), *fields, confirm=words)
    if isinstance(error, ConfigConflict):
        return CallError(
            Failure.CONFLICT,
            f"{error.file} was changed outside. `whimbrel config reload` takes that edit into use, `whimbrel config "
            f"keep` writes over it (it stays in the history):\n{error.difference}",
            differs=[Differs(*each) for each in error.settings],
        )
    if isinstance(error, MailError):
        missing = isinstance(error, MailboxError) and error.condition is Condition.NONEXISTENT
        return CallError(Failure.NOT_FOUND if missing else Failure.REFUSED, error.text)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        ctx.log.error("admin.failed", call=call.name, user=ctx.caller.name, error=f"{where}{error.strerror}")
        return CallError(Failure.FAILED, f"{where}{error.strerror}")
    ctx.log.exception("admin.crashed", error, call=call.name, user=ctx.caller.name)
    return CallError(Failure.FAILED, f"'{call.name}' failed by a fault of Whimbrel's; the error log has the details")


def _note(made: Prepared) -> None:
    call, ctx, values = made.call, made.ctx, made.values
    if call.reads or ctx.dry_run:
        return
    first = _object_of(made)
    ctx.log.info(
        "admin.call",
        call=call.name,
        user=ctx.caller.name,
        origin=ctx.caller.origin,
        name=str(values[first.name])[:200] if first else "",
        fields=" ".join(p.option for p in call.parameters if not p.required and values[p.name] != p.default),
        change=ctx.change,
    )


def _subject(made: Prepared) -> str:
    """`store reindex alice@example.org`: the call, whom it is about, and which options were given. Never a value that
    may be somebody's secret: others see it, and it is kept."""
    words = [made.call.name, *(["--dry-run"] if made.ctx.dry_run else [])]
    first = _object_of(made)
    for parameter in made.call.parameters:
        value: Any = made.values[parameter.name]
        if value == parameter.default or parameter.kind.__name__ in ("Secret", "FileText"):
            continue
        if parameter is first:
            words.append(str(value))
        elif made.call.operation and isinstance(value, str | int | bool) and not isinstance(value, Secret):
            words.append(str(value) if parameter.positional else _option(parameter.option, value))
        elif not parameter.positional:
            words.append(f"--{parameter.option}")
    return " ".join(words)[:300]


def _object_of(made: Prepared) -> Parameter | None:
    """The parameter that says whom or what a call is about: never a secret, a file's content, or values by name, which
    may hold some."""
    return next(
        (
            parameter
            for parameter in made.call.parameters
            if parameter.required
            and not parameter.many
            and parameter.kind not in (Secret, FileText)
            and isinstance(made.values[parameter.name], str | int)
        ),
        None,
    )


def _option(name: str, value: object) -> str:
    return f"--{name}" if value is True else f"--{name} {value}"
